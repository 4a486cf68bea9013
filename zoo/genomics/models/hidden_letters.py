"""The corruption of masked-language pre-training, drawn anew for every batch on the device.

The recipe is `zoo.genomics.models.masking`'s, which corrupts a task's test windows once.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from zoo.genomics.models.masking import HIDDEN, KEPT, MASK

__all__ = ["CHOSEN", "hide_letters"]

CHOSEN = 0.15
"""Share of the positions that the training loss looks at."""


def hide_letters(
    tokens: Int[Array, "window position"], key: jax.Array
) -> tuple[Int[Array, "window position"], Bool[Array, "window position"]]:
    """Windows as a task's corruption makes them, and which positions were chosen."""
    choose, what, letter = jax.random.split(key, 3)
    chosen = jax.random.bernoulli(choose, CHOSEN, tokens.shape)
    share = jax.random.uniform(what, tokens.shape)
    drawn = jax.random.randint(letter, tokens.shape, 0, 4).astype(tokens.dtype)
    corrupt = jnp.where(
        share < HIDDEN,
        jnp.asarray(MASK, tokens.dtype),
        jnp.where(share < HIDDEN + KEPT, tokens, drawn),
    )
    return jnp.where(chosen, corrupt, tokens), chosen
