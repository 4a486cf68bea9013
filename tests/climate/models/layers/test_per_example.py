"""A layer run example by example is the same layer."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.climate.models.layers.per_example import per_example


def layer(weight):
    return lambda x: jnp.tanh(x @ weight) + x


@pytest.mark.parametrize("axis", [0, 1])
def test_values_and_gradients_are_those_of_the_whole_batch(axis):
    keys = jax.random.split(jax.random.key(0), 2)
    x, weight = jax.random.normal(keys[0], (5, 5, 7, 3)), jax.random.normal(keys[1], (3, 3))

    def loss(function):
        return lambda x, weight: jnp.sum(function(layer(weight), x) ** 2)

    whole = jax.value_and_grad(loss(lambda f, x: f(x)), argnums=(0, 1))(x, weight)
    apart = jax.value_and_grad(loss(lambda f, x: per_example(f, x, axis=axis)), argnums=(0, 1))(
        x, weight
    )
    for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(apart), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-4)


def test_it_takes_several_fields_and_gives_a_tree():
    a, b = jnp.ones((4, 2)), jnp.arange(4.0)[:, None]
    total, product = per_example(lambda a, b: (a + b, a * b), a, b)
    np.testing.assert_array_equal(total, a + b)
    np.testing.assert_array_equal(product, a * b)


def test_examples_do_not_touch_each_other():
    x = jnp.arange(6.0).reshape(3, 2)
    one_changed = x.at[1].set(100.0)
    layered = layer(jnp.eye(2))
    np.testing.assert_array_equal(per_example(layered, x)[0], per_example(layered, one_changed)[0])
