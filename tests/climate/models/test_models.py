"""Every architecture of weather models keeps the planet's symmetries and learns."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from small_weather_models import random_state, small

from zoo.climate.held_suarez.loss import make_loss
from zoo.climate.held_suarez.recipes import RECIPES
from zoo.climate.models.layers.spherical import truncate
from zoo.train.batches import Windows
from zoo.train.loop import LoopConfig, fit

each = pytest.mark.parametrize("architecture", list(RECIPES))


@each
def test_a_model_maps_a_state_to_an_increment_within_the_truncation(architecture):
    model, x = small(architecture), random_state(2)
    increment = jax.jit(lambda x: model(x)[0])(x)
    assert increment.shape == x.shape
    np.testing.assert_allclose(truncate(increment, winds=10), increment, atol=1e-4)


@each
def test_a_model_commutes_with_rotation_in_longitude(architecture):
    model, x = small(architecture), random_state()
    increment = jax.jit(lambda x: model(x)[0])
    turned = increment(jnp.roll(x, 6, axis=1))
    np.testing.assert_allclose(turned, jnp.roll(increment(x), 6, axis=1), atol=2e-4)


@each
def test_every_parameter_has_a_gradient(architecture, transforms):
    model = small(architecture)
    graph, parameters = nnx.split(model)
    packed = jnp.asarray(
        np.random.default_rng(0).integers(-200, 200, (1, 3, 64, 32, 20)), jnp.int16
    )
    loss = make_loss(transforms)
    gradients = jax.jit(
        jax.grad(lambda p: loss(nnx.merge(graph, p), packed, jax.random.key(0))[0])
    )(parameters)
    leaves = jax.tree_util.tree_leaves_with_path(gradients)
    assert len(leaves) == len(jax.tree.leaves(parameters)) > 0
    for path, leaf in leaves:
        assert np.isfinite(leaf).all() and np.abs(leaf).max() > 0, jax.tree_util.keystr(path)


@each
def test_a_few_steps_lower_the_loss_below_persistence(architecture, planet, transforms):
    windows = Windows(planet.packed, planet.starts(reach=4), (0, 4))
    config = LoopConfig(40, 4, log_every=20)
    result = fit(
        small(architecture), make_loss(transforms), windows, optax.adam(5e-3), config=config
    )
    # Persistence has an error of one increment by definition of the units.
    assert result.history[-1]["loss"] < min(0.9, result.history[0]["loss"])
