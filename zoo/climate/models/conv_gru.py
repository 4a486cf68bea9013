"""A convolutional GRU whose hidden state runs along the forecast: a memory of where the
state came from.

Papers: Cho et al. 2014 (GRU), doi:10.3115/v1/D14-1179; Ballas et al. 2016 (convolutional
GRU), arXiv:1511.06432; as a forecast model of precipitation Shi et al. 2017,
arXiv:1706.03458. The gates' convolutions are separable (7x7 depthwise, then pointwise) with
the padding of `zoo.climate.models.layers.circular`; two ConvNeXt blocks turn the hidden
state into the increment.

Why a memory helps a forecast from one analysis: the levels seen do not determine the state
of the solver; what the steps so far implied about the rest can be kept.

Recipe: `zoo train climate/held_suarez conv_gru --seed 0`: 2,400 steps of 16, rollouts of
one to four days, an hour at half a core with bfloat16 products that this package has no
more. Expected on the test dates: Z500 RMSE 443 m2 s-2, T850 2.13 K at day 5. Good to ten
days only: its memory, trained over four days, drifts in long free rollouts (21 K in 100
days).
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from zoo.climate.models.convnext import PATCH, Block, Patches, affine, normalise
from zoo.climate.models.layers.circular import depthwise
from zoo.climate.models.layers.per_example import per_example
from zoo.climate.models.layers.spherical import Grid

__all__ = ["Config", "ConvGRU"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Sizes of a `ConvGRU`; see `zoo.climate.models.convnext.Config` for the fields that
    both have."""

    channels: int = 20
    winds: int = 10
    width: int = 128
    depth: int = 2
    expansion: int = 4
    kernel: int = 7
    truncation: int = 21
    step_hours: int = 24


class Cell(nnx.Module):
    """One gated update of the hidden state from the features of the present state."""

    def __init__(self, width: int, latitudes: int, *, kernel: int, rngs: nnx.Rngs):
        normal = jax.random.normal
        self.kernel = nnx.Param(normal(rngs.params(), (kernel, kernel, 2 * width)) / kernel)
        self.scale = nnx.Param(jnp.ones((latitudes, 2 * width)))
        self.shift = nnx.Param(jnp.zeros((latitudes, 2 * width)))
        self.gates = nnx.Param(normal(rngs.params(), (2 * width, 2 * width)) * (2 * width) ** -0.5)
        self.gates_bias = nnx.Param(jnp.zeros(2 * width))
        self.candidate = nnx.Param(normal(rngs.params(), (2 * width, width)) * (2 * width) ** -0.5)
        self.candidate_bias = nnx.Param(jnp.zeros(width))

    def __call__(
        self, features: Float[Array, "batch x y width"], hidden: Float[Array, "batch x y width"]
    ) -> Float[Array, "batch x y width"]:
        """The new hidden state, in (-1, 1)."""
        return per_example(self.update, features, hidden)

    def update(
        self, features: Float[Array, "batch x y width"], hidden: Float[Array, "batch x y width"]
    ) -> Float[Array, "batch x y width"]:
        """The same, for all examples at once."""
        width = features.shape[-1]
        around = depthwise(jnp.concatenate([features, hidden], -1), self.kernel[...])
        around = affine(normalise(around), self.scale[...], self.shift[...])
        update, reset = jnp.split(
            jax.nn.sigmoid(around @ self.gates[...] + self.gates_bias[...]), 2, -1
        )
        gated = jnp.concatenate([around[..., :width], reset * around[..., width:]], -1)
        candidate = jnp.tanh(gated @ self.candidate[...] + self.candidate_bias[...])
        return hidden + update * (candidate - hidden)


class ConvGRU(nnx.Module):
    """State and memory to scaled increment over one step and new memory."""

    def __init__(self, config: Config = Config(), *, rngs: nnx.Rngs):
        self.config = config
        grid = Grid(truncation=config.truncation)
        rows = grid.latitudes // PATCH
        self.patches = Patches(config.channels, config.width, grid, winds=config.winds, rngs=rngs)
        self.cell = Cell(config.width, rows, kernel=config.kernel, rngs=rngs)
        self.mix = nnx.Param(
            jax.random.normal(rngs.params(), (config.width, config.width)) * config.width**-0.5
        )
        self.blocks = nnx.List(
            Block(
                config.width,
                rows,
                expansion=config.expansion,
                kernel=config.kernel,
                depth=config.depth,
                rngs=rngs,
            )
            for _ in range(config.depth)
        )

    def __call__(
        self,
        x: Float[Array, "batch longitude latitude channel"],
        memory: Float[Array, "batch x y width"] | None = None,
    ) -> tuple[Float[Array, "batch longitude latitude channel"], Float[Array, "batch x y width"]]:
        """The increment over one step in units of its standard deviation, and the memory
        for the next step.

        Args:
            x: the normalised state.
            memory: what the previous step returned; None at the start of a forecast.
        """
        features = self.patches.encode(x)
        memory = self.cell(features, jnp.zeros_like(features) if memory is None else memory)
        features = features + memory @ self.mix[...]
        for block in self.blocks:
            features = block(features)
        return self.patches.decode(features), memory
