"""A seasonal linear inverse model steps month by month through its own state."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from random_modules import drawn

from zoo.climate.models.enso_mlp import annual_cycle
from zoo.climate.models.seasonal_inverse import SeasonalInverse, SeasonalInverseConfig


@pytest.fixture(scope="module")
def model() -> SeasonalInverse:
    config = SeasonalInverseConfig(members=2, hidden=4)
    return drawn(lambda: SeasonalInverse(config, rngs=nnx.Rngs(0)))


@pytest.fixture(scope="module")
def state(model) -> tuple[jnp.ndarray, jnp.ndarray]:
    x = np.random.default_rng(0).normal(size=(3, model.config.indices)) * 0.3
    return jnp.asarray(x, jnp.float32), jnp.array([0, 5, 11])


def test_a_rollout_goes_on_from_where_it_was_with_the_month_after(model, state):
    x, month = state
    whole = np.asarray(model.rollout(x, month))
    assert whole.shape == (2, 3, 11, model.config.indices)
    member = 1
    later = model.rollout(jnp.asarray(whole[member, :, 0]), (month + 1) % 12)
    np.testing.assert_allclose(later[member, :, :-1], whole[member, :, 1:], rtol=1e-3, atol=1e-4)


def test_a_season_is_the_mean_of_three_months_of_nino34(model, state):
    rollout = np.asarray(model.rollout(*state))
    seasons = np.asarray(model.seasons(rollout))
    for k in range(9):
        np.testing.assert_allclose(
            seasons[..., k], rollout[..., k : k + 3, 0].mean(-1), rtol=1e-5, atol=1e-6
        )
    mean, std = model(*state)
    np.testing.assert_allclose(mean, seasons, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(std, model.spread(state[1]))


def test_the_spread_is_of_the_season_alone_and_above_zero(model):
    spread = np.asarray(model.spread(jnp.arange(24)))
    assert (spread > 0).all() and spread.shape == (2, 24, 9)
    np.testing.assert_allclose(spread[:, :12], spread[:, 12:], rtol=1e-4)
    assert annual_cycle(jnp.arange(3), model.config.harmonics).shape[-1] == (
        1 + 2 * model.config.harmonics
    )
