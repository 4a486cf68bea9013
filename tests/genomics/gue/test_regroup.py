"""GUE's mouse sets leak by shuffles: the lookup finds them in the published split and
nothing in the grouped one."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import matthews_corrcoef

from zoo.genomics.data import LabelledSequences, gue, signatures
from zoo.genomics.data import sequences as dna
from zoo.genomics.gue.baselines.lookup import UNKNOWN, look_up, lookup
from zoo.genomics.gue.regroup import SHARES, grouped_split, regroup
from zoo.interfaces.task import load_task

FOUND = {
    "mouse_0": (663, 0.833, 4049),
    "mouse_2": (266, 0.821, 1638),
    "mouse_4": (1517, 0.821, 9415),
}
"""Test sequences with a partner in train (the lookup is right on all of them), MCC x 1,
pairs in the pooled splits."""


def table(texts: list[str], labels: list[int]) -> LabelledSequences:
    return LabelledSequences(
        dna.encode_all(texts),
        np.array(labels, np.int64),
        tuple(map(str, range(len(texts)))),
        ("0", "1"),
    )


def published(mirror_file, subset: str) -> dict[str, LabelledSequences]:
    for split in ("train", "dev", "test"):
        mirror_file("genomics/gue", f"{subset}.{split}.csv")
    return {split: gue(subset, split) for split in ("train", "dev", "test")}


# --------------------------------------------------------------------------------------- the lookup


def test_the_other_label_of_another_order():
    train = table(["ACAGACA", "TTTTTTT", "GAGACAC"], [1, 0, 1])
    #          the same, another order of the first, of nothing, its own copy only
    said = look_up(train, dna.encode_all(["AGACACA", "CCCCCCC", "TTTTTTT"]))
    assert said[0] == 0.0 and np.isnan(said[1:]).all()


def test_a_copy_is_no_partner_but_does_not_hide_one():
    train = table(["ACAGACA", "AGACACA"], [1, 0])
    said = look_up(train, dna.encode_all(["ACAGACA"]))  # its copy says 1, its partner has 0
    assert said[0] == 1.0


def test_several_partners_vote():
    train = table(["ACAGACA", "AGACACA"], [1, 1])
    assert look_up(train, dna.encode_all(["ACACAGA"]))[0] == 0.0
    assert look_up(table(["ACAGACA", "AGACACA"], [1, 0]), dna.encode_all(["ACACAGA"]))[0] == 0.5


def test_end_letters_count():
    """ACA and CAC... have equal counts only where ends agree: AC,CA against CA,AC."""
    train = table(["ACA"], [1])
    assert np.isnan(look_up(train, dna.encode_all(["CAC"]))).all()


def test_the_lookup_needs_labels():
    with pytest.raises(ValueError, match="labels"):
        look_up(LabelledSequences(dna.encode_all(["A"]), None, ("1",)), dna.encode_all(["A"]))


def test_the_baseline_asks_each_subset_for_its_own_table():
    tables = {"a": table(["ACAGACA"], [1]), "b": table(["ACAGACA"], [0])}
    inputs = SimpleNamespace(
        tokens=dna.encode_all(["AGACACA", "AGACACA", "GGGGGGG"]),
        subset=np.array(["a", "b", "a"]),
        train=tables.__getitem__,
    )
    probability = lookup(None)(inputs)["probability"]
    np.testing.assert_allclose(probability, [[1, 0], [0, 1], [1 - UNKNOWN, UNKNOWN]])
    assert UNKNOWN < 0.5


@pytest.mark.parametrize("subset", FOUND)
def test_the_published_split_leaks(mirror_file, subset):
    tables = published(mirror_file, subset)
    train, test = tables["train"], tables["test"]
    found, score, pairs = FOUND[subset]

    # By a dictionary of strings, which knows nothing of our numbers.
    def key(tokens: np.ndarray) -> tuple:
        text = dna.decode(tokens)
        return tuple(sorted(text[i : i + 2] for i in range(len(text) - 1))), text[0], text[-1]

    known = {key(tokens): label for tokens, label in zip(train.tokens, train.labels, strict=True)}
    expected = np.array(
        [1 - known[key(tokens)] if key(tokens) in known else np.nan for tokens in test.tokens]
    )
    said = look_up(train, test.tokens)
    there = np.isfinite(said)
    assert there.sum() == found and (said == test.labels)[there].all()
    if subset == "mouse_2":
        # Sequences with several train partners do not occur here, so the dictionary's last
        # label is the only one.
        np.testing.assert_array_equal(said, expected)
    assert matthews_corrcoef(test.labels, np.nan_to_num(said, nan=UNKNOWN) > 0.5) == pytest.approx(
        score, abs=6e-4
    )

    pooled = np.concatenate([each.tokens for each in tables.values()])
    labels = np.concatenate([each.labels for each in tables.values()])
    (group,) = signatures.dinucleotides(pooled)
    assert (
        (np.bincount(group) == 2).all()
        and (np.bincount(group, labels) == 1).all()
        and group.max() + 1 == pairs
    )


# ---------------------------------------------------------------------------------------- the split


@settings(deadline=None, max_examples=30)
@given(st.lists(st.text("AC", min_size=1, max_size=7), min_size=1, max_size=30))
def test_no_group_straddles_whatever_the_sequences(texts):
    tokens = dna.encode_all(texts)
    split = grouped_split(tokens)
    (group,) = signatures.dinucleotides(tokens)
    for each in np.unique(group):
        assert len(set(split[group == each])) == 1
    # The same sequences alone, padded further or in another order, go where they went.
    assert grouped_split(dna.encode_all(texts, length=9)).tolist() == split.tolist()
    assert grouped_split(tokens[::-1]).tolist() == split[::-1].tolist()
    assert grouped_split(tokens[:1]).tolist() == split[:1].tolist()


def test_the_shares_are_those_asked_for_and_a_salt_is_another_split():
    tokens = np.random.default_rng(0).integers(0, 4, (8000, 40)).astype(np.int8)
    split = grouped_split(tokens)
    for name, share in SHARES.items():
        assert np.mean(split == name) == pytest.approx(
            share, abs=4 * np.sqrt(share * (1 - share) / 8000)
        )
    assert np.mean(grouped_split(tokens, salt="another") == split) < 0.75


def test_regroup_keeps_every_sequence_once():
    first = table(["ACGT", "ACGT", "TTGA", "CCCC"], [0, 0, 1, 1])
    second = table(["ACGT", "GGGGG"], [1, 0])
    again = regroup({"train": first, "test": second})
    ids = sorted(name for part in again.values() for name in part.ids)
    # ACGT with each of its labels, once
    assert ids == ["test:0", "test:1", "train:0", "train:2", "train:3"]
    assert list(again) == list(SHARES) and all(part.tokens.shape[1] == 5 for part in again.values())
    with pytest.raises(ValueError, match="labelled"):
        regroup({"train": first, "test": LabelledSequences(second.tokens, None, second.ids)})


@pytest.mark.parametrize("subset", FOUND)
def test_the_grouped_split_does_not_leak(mirror_file, subset):
    tables = published(mirror_file, subset)
    again = regroup(tables)
    assert sum(map(len, again.values())) == sum(map(len, tables.values()))
    groups = signatures.dinucleotides(*(part.tokens for part in again.values()))
    for first in range(3):
        for second in range(first):
            assert not np.isin(groups[first], groups[second]).any()
    test = again["test"]
    said = look_up(again["train"], test.tokens)
    assert abs(matthews_corrcoef(test.labels, np.nan_to_num(said, nan=UNKNOWN) > 0.5)) < 0.02
    assert 0.07 < len(test) / sum(map(len, again.values())) < 0.13


@pytest.mark.parametrize(
    ("task", "score"), [("genomics/gue_mouse", 0.8251), ("genomics/gue_mouse_grouped", 0.0)]
)
def test_the_tasks_say_so(mirror_file, task, score):
    bound = load_task(task)
    for name in bound.spec.needs:
        mirror_file("genomics/gue", name)
    examples = bound.examples()
    spec = next(each for each in bound.spec.baseline if each.id == "genomics/shuffle_lookup")
    record = bound.record(bound.baseline(spec)(examples.inputs), examples)
    means = {name: value.mean(0) for name, value in bound.statistics(record).items()}
    assert float(bound.values(means)["mcc_mean"]) == pytest.approx(score, abs=6e-4)


def test_published_rows_are_below_the_lookup():
    """Which is the point of the task: ten published models, and a dictionary."""
    import tomllib

    from zoo import files

    peers = tomllib.loads(
        (files.share() / "leaderboard/peers/genomics/gue_mouse@1.toml").read_text(encoding="utf-8")
    )
    assert len(peers["row"]) == 10 and len(FOUND) == 3
    for row in peers["row"]:
        assert all(
            row["metrics"][f"mcc.{subset}"] < score for subset, (_, score, _) in FOUND.items()
        )
        assert row["metrics"]["mcc_mean"] == pytest.approx(
            np.mean([row["metrics"][f"mcc.{subset}"] for subset in FOUND]), abs=1e-4
        )
