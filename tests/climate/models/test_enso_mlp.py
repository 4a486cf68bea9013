"""An ensemble of small networks: a seasonal linear map, and members that see their own months."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from random_modules import drawn

from zoo.climate.models.enso_mlp import EnsoMlp, EnsoMlpConfig, annual_cycle


def test_the_annual_cycle_comes_round_and_its_waves_are_orthogonal():
    waves = np.asarray(annual_cycle(jnp.arange(12), 3))
    assert waves.shape == (12, 7)
    np.testing.assert_allclose(annual_cycle(jnp.arange(12, 24), 3), waves, atol=1e-5)
    np.testing.assert_allclose(waves.T @ waves, np.diag([12.0] + [6.0] * 6), atol=1e-5)


@pytest.fixture(scope="module")
def model() -> EnsoMlp:
    config = EnsoMlpConfig(lags=(1, 2), indices=4, harmonics=1, hidden=3)
    return drawn(lambda: EnsoMlp(config, rngs=nnx.Rngs(0)))


def test_a_member_of_one_month_does_not_see_the_month_before(model):
    x = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    other = x.copy()
    other[:, 4:] += 1.0  # the older month
    month = jnp.array([0, 3, 6, 9, 11])
    (mean, std), (changed, std_changed) = (model(jnp.asarray(each), month) for each in (x, other))
    assert mean.shape == std.shape == (2, 5, 9) and (np.asarray(std) > 0).all()
    np.testing.assert_array_equal(mean[0], changed[0])
    assert np.abs(mean[1] - changed[1]).max() > 1e-3
    np.testing.assert_array_equal(std, std_changed)  # of the season alone


def test_without_a_hidden_layer_forecasts_are_linear_in_the_state():
    config = EnsoMlpConfig(lags=(1, 1), indices=4, harmonics=2, hidden=0)
    linear = drawn(lambda: EnsoMlp(config, rngs=nnx.Rngs(0)))
    x = jnp.asarray(np.random.default_rng(1).normal(size=(3, 4)), jnp.float32)
    month = jnp.array([2, 2, 7])
    np.testing.assert_allclose(linear(3.0 * x, month)[0], 3.0 * linear(x, month)[0], rtol=1e-4)
