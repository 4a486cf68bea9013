"""Dropout keeps the mean, follows its key, and is nothing in prediction."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from zoo.genomics.models.dropout import drop


def test_without_a_key_or_a_rate_nothing_is_dropped():
    x = jnp.arange(6.0)
    assert drop(x, 0.5, None) is x and drop(x, 0.0, jax.random.key(0)) is x


def test_the_share_that_is_left_is_scaled_so_that_the_mean_stays():
    x = jnp.ones((100, 100))
    given = np.asarray(drop(x, 0.2, jax.random.key(0)))
    assert abs((given == 0).mean() - 0.2) < 0.015
    np.testing.assert_allclose(given[given != 0], 1 / 0.8, rtol=1e-6)
    assert abs(given.mean() - 1.0) < 0.02


def test_one_key_drops_the_same_and_another_others():
    x = jnp.ones(1000)
    first, again, other = (np.asarray(drop(x, 0.5, jax.random.key(k))) for k in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert 300 < (first != other).sum() < 700
