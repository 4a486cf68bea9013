"""The look-up of shuffled copies: what it answers, and how much of a published split it solves."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from shuffled_copies import FOUND, published, table
from sklearn.metrics import matthews_corrcoef

from zoo.genomics.data import LabelledSequences, signatures
from zoo.genomics.data import sequences as dna
from zoo.genomics.gue.baselines.lookup import UNKNOWN, look_up, lookup


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
