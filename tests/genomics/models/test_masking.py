"""The corruption of masked-language modelling: a fact of the task, not of the library."""

from __future__ import annotations

import numpy as np
import pytest

from zoo import registry
from zoo.genomics.data.sequences import reverse_complement
from zoo.genomics.models import masking


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_the_corruption_is_a_fact_and_follows_the_recipe(rng):
    windows = rng.integers(0, 4, (400, 512)).astype(np.int8)
    shown, places, kinds = masking.corrupt(windows, 77, seed=5)
    again = masking.corrupt(windows, 77, seed=5)
    assert all(np.array_equal(a, b) for a, b in zip((shown, places, kinds), again, strict=True))
    assert not np.array_equal(places, masking.corrupt(windows, 77, seed=6)[1])
    changed = shown != windows
    chosen = np.zeros_like(changed)
    np.put_along_axis(chosen, places, True, 1)
    assert (chosen.sum(1) == 77).all() and not (changed & ~chosen).any()
    share = np.bincount(kinds.ravel(), minlength=3) / kinds.size
    np.testing.assert_allclose(share, [0.8, 0.1, 0.1], atol=0.006)
    at, truth = np.take_along_axis(shown, places, 1), np.take_along_axis(windows, places, 1)
    assert (
        (at[kinds == 0] == masking.MASK).all()
        and (at[kinds == 1] == truth[kinds == 1]).all()
        and (at[kinds == 2] < 4).all()
    )
    assert abs((at[kinds == 2] == truth[kinds == 2]).mean() - 0.25) < 0.02
    assert abs(places.mean() / 255.5 - 1) < 0.02  # no end of the window is preferred


FIRST_DRAWS = ([6, 22, 23, 48, 60], [476, 480, 495], 59)
"""Where the first window is hidden first, the second last, and the sum of all kinds: part
of version 1 of the task."""


def test_the_corruption_does_not_change_with_numpy():
    _, places, kinds = masking.corrupt(
        np.zeros((2, 512), np.int8), 77, seed=registry.task("genomics/ecoli_lm").parameter("seed")
    )
    assert (places[0, :5].tolist(), places[1, -3:].tolist(), int(kinds.sum())) == FIRST_DRAWS


def test_bayes_rule_for_what_is_shown(rng):
    """The odds are those that the corruption makes: counted."""
    windows = rng.integers(0, 4, (600, 512)).astype(np.int8)
    shown, places, kinds = masking.corrupt(windows, 77, seed=1)
    seen, truth = (
        np.take_along_axis(shown, places, 1)[kinds > 0],
        np.take_along_axis(windows, places, 1)[kinds > 0],
    )
    belief = masking.update_belief(np.full((1, 1, 4), 0.25), np.array([[2]]))[0, 0]
    counted = np.bincount(truth[seen == 2], minlength=4) / (seen == 2).sum()
    np.testing.assert_allclose(belief, counted, atol=0.03)
    np.testing.assert_allclose(
        masking.update_belief(np.array([[[0.1, 0.2, 0.3, 0.4]]]), np.array([[masking.MASK]])),
        [[[0.1, 0.2, 0.3, 0.4]]],
    )


def test_reverse_strand_twice_is_the_same(rng):
    tokens = rng.integers(0, 4, (3, 40)).astype(np.int8)
    assert np.array_equal(masking.reverse_strand(tokens), reverse_complement(tokens))
    tokens[:, ::7] = masking.MASK
    assert np.array_equal(masking.reverse_strand(masking.reverse_strand(tokens)), tokens)
    assert (masking.reverse_strand(tokens) == masking.MASK).sum() == (tokens == masking.MASK).sum()
