"""GUE's mouse sets leak by shuffles: the lookup finds them in the published split and
nothing in the grouped one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shuffled_copies import FOUND, published, table
from sklearn.metrics import matthews_corrcoef

from zoo.genomics.data import LabelledSequences, signatures
from zoo.genomics.data import sequences as dna
from zoo.genomics.gue.baselines.lookup import UNKNOWN, look_up
from zoo.genomics.gue.regroup import SHARES, grouped_split, regroup
from zoo.interfaces.task import load_task


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
