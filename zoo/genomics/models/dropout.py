"""Dropout by an explicit key, for networks whose call is given one in training."""

from __future__ import annotations

import jax

__all__ = ["drop"]


def drop(x: jax.Array, rate: float, key: jax.Array | None) -> jax.Array:
    """Values set to zero with probability `rate` and the others scaled up (Srivastava et
    al. 2014); nothing without a key."""
    if key is None or rate == 0.0:
        return x
    return x * jax.random.bernoulli(key, 1.0 - rate, x.shape) / (1.0 - rate)
