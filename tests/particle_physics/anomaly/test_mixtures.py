"""Mixtures hold the stated signal, folds are disjoint, and labels reach no weight."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from zoo.particle_physics.anomaly.data import SIGNAL_REGION
from zoo.particle_physics.anomaly.mixtures import inject, member_weights, unlabelled_sample


def test_injection_gives_the_stated_signal_to_background_in_the_region(events):
    mixed = inject(events.qcd, events.signals[0], 0.05, seed=0)
    added = mixed[len(events.qcd) :]
    assert added.in_signal_region.sum() == round(0.05 * events.qcd.in_signal_region.sum())
    assert (added.process == 1).all()
    other = inject(events.qcd, events.signals[0], 0.05, seed=1)
    assert not np.array_equal(mixed.mjj[-10:], other.mjj[-10:])
    assert len(inject(events.qcd, events.signals[0], 0.0, seed=0)) == len(events.qcd)
    with pytest.raises(
        ValueError, match=r"S/B = 3 needs \d+ signal events in the signal region, there are"
    ):
        inject(events.qcd, events.signals[0], 3, seed=0)


def test_folds_are_disjoint_and_a_member_trains_on_nothing_of_the_one_it_leaves_out(events):
    mixtures = [inject(events.qcd, signal, 0.05, seed=0) for signal in events.signals]
    sample = unlabelled_sample(mixtures, len(events.qcd), folds=3, seed=0)
    seen, left = (member_weights(sample, 3, held_out=held) > 0 for held in (False, True))
    assert not (seen & left).any()
    for member in range(6):
        assert (sample.fold[left[:, member]] == member % 3).all() and (
            sample.fold[seen[:, member]] != member % 3
        ).all()
    # every event of a mixture is left out exactly once
    assert (left[:, :3].sum(1) == (sample.label[:, 0] >= 0)).all()
    own = slice(len(events.qcd), len(mixtures[0]))
    # the second search never sees the first's signal
    assert seen[own, :3].any() and not seen[own, 3:].any()


def test_the_classes_of_the_fold_left_out_change_nothing_that_a_member_trains_on(events):
    sample = unlabelled_sample([events.qcd], len(events.qcd), folds=3, seed=0)
    label = np.where((sample.fold == 1)[:, None], 1 - sample.label, sample.label)
    before, after = (
        member_weights(each, 3, held_out=False)
        for each in (sample, dataclasses.replace(sample, label=label))
    )
    assert np.array_equal(before[:, 1], after[:, 1]) and not np.array_equal(
        before[:, 0], after[:, 0]
    )


def test_side_bands_weigh_alike_and_together_as_much_as_the_region(events):
    sample = unlabelled_sample([events.qcd], len(events.qcd), folds=3, seed=0)
    weight = member_weights(sample, 3, held_out=False)[:, 1].astype(np.float64)
    region = events.qcd.in_signal_region
    low, high = ~region & (events.qcd.mjj < SIGNAL_REGION[0]), events.qcd.mjj >= SIGNAL_REGION[1]
    total = weight.sum()
    assert [weight[part].sum() / total for part in (region, low, high)] == pytest.approx(
        [0.5, 0.25, 0.25], rel=1e-4
    )
    assert total == pytest.approx((weight > 0).sum(), rel=1e-4)
