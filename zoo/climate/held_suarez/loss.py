"""What the weather models are trained to make small, and on which variants of the states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from zoo.climate.held_suarez.data import CHANNELS, OFFSET, REFLECTION, SCALE
from zoo.climate.held_suarez.forecast import WeatherNetwork, step
from zoo.climate.held_suarez.transforms import AREA, Transforms


def augment(
    states: Float[Array, "batch time longitude latitude channel"],
    transforms: Transforms,
    key: Array,
) -> Array:
    """Normalised states, half of the examples reflected about the equator, half of the
    batches rotated by one grid point.

    Rotations by two points change nothing for models on 2x2 patches, so one point is all
    there is to learn from.
    """
    flip, turn = jax.random.split(key)
    # In normalised units the reflected wind is -v - 2 mean / scale; the mean of v is zero
    # by symmetry.
    reflected = states[:, :, :, ::-1] * REFLECTION
    chosen = jax.random.bernoulli(flip, 0.5, (states.shape[0], 1, 1, 1, 1))
    return jnp.roll(
        jnp.where(chosen, reflected, states), jax.random.bernoulli(turn).astype(jnp.int32), axis=2
    )


def make_loss(transforms: Transforms, *, weights: np.ndarray | None = None) -> Callable[..., Any]:
    """The loss of `fit`: mean over forecast steps, channels and area of the squared error
    in units of the increment's s.d.

    Args:
        transforms: scales of the channels.
        weights: weight of each channel, mean 1; default equal.
    """
    ratio = jnp.asarray(transforms.increment / transforms.scale)
    # (packed * SCALE + OFFSET - mean) / scale as one multiply-add.
    gain, shift = (
        jnp.asarray(SCALE / transforms.scale),
        jnp.asarray((OFFSET - transforms.mean) / transforms.scale),
    )
    weight = jnp.asarray(
        AREA[:, None]
        * (np.ones(len(CHANNELS), np.float32) if weights is None else weights.astype(np.float32))
    )

    def loss(model: WeatherNetwork, packed: Array, key: Array) -> tuple[Array, dict[str, Array]]:
        states = augment(packed.astype(jnp.float32) * gain + shift, transforms, key)
        state, memory, errors = states[:, 0], None, []
        for lead in range(1, states.shape[1]):
            state, memory = step(model, state, memory, ratio)
            errors.append(jnp.mean(jnp.square((state - states[:, lead]) / ratio) * weight))
        return jnp.mean(jnp.stack(errors)), {"first_step": errors[0], "last_step": errors[-1]}

    return loss
