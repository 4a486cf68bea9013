"""Explanations by perturbing: each equals brute force."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from linear_scores import INPUTS, WEIGHT, curved, linear

from zoo import attribution


def test_mutagenesis_equals_brute_force():
    found = attribution.in_silico_mutagenesis(curved, INPUTS, batch=7)
    expected = np.zeros_like(INPUTS)
    for row, place, letter in np.ndindex(INPUTS.shape):
        mutant = INPUTS[row].copy()
        mutant[place] = np.eye(4)[letter]
        expected[row, place, letter] = curved(mutant[None])[0] - curved(INPUTS[row : row + 1])[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(
        attribution.l2_of_mutations(found), np.linalg.norm(expected, axis=-1), atol=1e-5
    )


def test_mutagenesis_of_an_unknown_base_tries_all_letters():
    unknown = INPUTS[:1].copy()
    unknown[0, 3] = 0.0
    found = attribution.in_silico_mutagenesis(linear, unknown)
    np.testing.assert_allclose(found[0, 3], WEIGHT[3], atol=1e-5)


def test_occlusion_equals_brute_force():
    regions = attribution.patches((12, 4), (4, 4))
    assert regions.shape == (3, 12, 4)
    assert (regions.sum(0) == 1).all()
    found = attribution.occlusion(curved, INPUTS, regions, value=0.25, batch=4)
    for row, region in np.ndindex(found.shape):
        left = np.where(regions[region], 0.25, INPUTS[row])
        assert found[row, region] == pytest.approx(
            float(curved(INPUTS[row : row + 1])[0] - curved(left[None])[0]), abs=1e-4
        )


def test_windows_stand_around_each_position():
    found = attribution.windows(5, 3)[..., 0]
    np.testing.assert_array_equal(found[2], [False, True, True, True, False])
    np.testing.assert_array_equal(found[0], [True, True, False, False, False])


def test_the_surrogate_finds_a_linear_score_and_says_where_it_fails():
    groups = np.arange(12)[:, None]
    found = attribution.surrogate(linear, INPUTS, groups, ridge=1e-6)
    np.testing.assert_allclose(found.weights, (WEIGHT * INPUTS).sum(-1), atol=1e-3)
    assert found.r2.min() > 0.999
    parity = lambda x: jnp.prod(jnp.where(x.sum(-1) > 0.5, -1.0, 1.0), axis=-1)  # noqa: E731
    assert attribution.surrogate(parity, INPUTS, groups).r2.max() < 0.2


def test_a_group_below_zero_is_never_masked():
    groups = np.where(np.arange(12) < 6, np.arange(12), -1)[:, None]
    found = attribution.surrogate(linear, INPUTS, groups, ridge=1e-6)
    assert found.weights.shape == (5, 6)
    np.testing.assert_allclose(found.weights, (WEIGHT * INPUTS).sum(-1)[:, :6], atol=1e-3)
