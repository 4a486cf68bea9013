"""Networks side by side in one module do not touch each other."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from random_modules import drawn

from zoo.particle_physics.models.event_classifier import EventClassifier, EventClassifierConfig

CONFIG = EventClassifierConfig(features=8, hidden=4, signals=2, folds=3)


@pytest.fixture(scope="module")
def model() -> EventClassifier:
    return drawn(lambda: EventClassifier(CONFIG, rngs=nnx.Rngs(0)))


@pytest.fixture(scope="module")
def events() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)


def test_each_member_is_the_network_of_its_own_weights(model, events):
    given = np.asarray(model(jnp.asarray(events)))
    assert given.shape == (6, 5)

    def silu(x):
        return x / (1 + np.exp(-x))

    for member in range(6):
        own = {name: np.asarray(getattr(model, name)[...])[member] for name in vars_of(model)}
        h = silu(events @ own["enter"] + own["enter_bias"])
        h = silu(h @ own["inner"] + own["inner_bias"])
        np.testing.assert_allclose(
            given[member], (h @ own["leave"] + own["leave_bias"])[:, 0], rtol=1e-4, atol=1e-5
        )


def vars_of(model: EventClassifier) -> list[str]:
    return [f"{layer}{kind}" for layer in ("enter", "inner", "leave") for kind in ("", "_bias")]


def test_the_gradient_of_one_members_answer_reaches_that_member_alone(model, events):
    graph, state = nnx.split(model)
    gradient = jax.jit(jax.grad(lambda state: nnx.merge(graph, state)(events)[2].sum()))(state)
    leaves = jax.tree.leaves(gradient)
    assert len(leaves) == 6
    for leaf in leaves:
        assert np.abs(leaf[2]).max() > 0 and not np.delete(np.asarray(leaf), 2, axis=0).any()


def test_a_member_that_has_learned_nothing_says_nothing(events):
    fresh = jax.jit(lambda: EventClassifier(CONFIG, rngs=nnx.Rngs(0))(jnp.asarray(events)))()
    assert fresh.shape == (6, 5) and not np.asarray(fresh).any()
