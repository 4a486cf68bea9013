"""The loss of the ENSO networks is the CRPS that they are scored by."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from random_modules import drawn

from zoo.climate.enso import metrics
from zoo.climate.enso.loss import crps, weights_only
from zoo.climate.models.enso_mlp import EnsoMlp, EnsoMlpConfig


def test_it_is_the_metrics_crps():
    rng = np.random.default_rng(0)
    mean, observed = rng.normal(size=(2, 50))
    std = rng.uniform(0.2, 2.0, 50)
    np.testing.assert_allclose(
        crps(jnp.asarray(mean), jnp.asarray(std), jnp.asarray(observed)),
        metrics.gaussian_crps(mean, std, observed),
        rtol=1e-4,
        atol=1e-5,
    )


def test_the_best_forecast_is_the_truth_and_sure_of_it():
    at = jnp.linspace(-1, 1, 41)
    scores = np.asarray(crps(at, jnp.full(41, 0.3), jnp.zeros(41)))
    assert scores.argmin() == 20
    assert np.asarray(crps(jnp.zeros(3), jnp.array([0.1, 0.5, 2.0]), jnp.zeros(3))).argmin() == 0
    slope = jax.grad(lambda mean: crps(mean, jnp.asarray(1.0), jnp.asarray(0.0)))
    assert slope(jnp.asarray(0.5)) > 0 > slope(jnp.asarray(-0.5))


def test_the_anchor_leaves_the_spread_free():
    config = EnsoMlpConfig(lags=(1,), hidden=2, harmonics=1)
    names = weights_only(drawn(lambda: EnsoMlp(config, rngs=nnx.Rngs(0))))
    assert "linear" in names and "enter" in names and "log_std" not in names
