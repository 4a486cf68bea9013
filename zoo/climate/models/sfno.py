"""A spherical Fourier neural operator: convolutions as products of spherical-harmonic coefficients.

Paper: Bonev et al. 2023, "Spherical Fourier Neural Operators: Learning Stable Dynamics on
the Sphere", arXiv:2306.03838. By the convolution theorem on the sphere a filter that is
symmetric about its centre multiplies each degree by one number (here: one matrix between
channels); the imaginary part adds filters that distinguish east from west. Latitude enters
through a learned field, or no network made of such filters could know about the Coriolis
force.

The transforms are the matrix products of `zoo.climate.models.layers.spherical`. The model
is equivariant under any rotation in longitude by whole grid points, up to rounding.

Recipe: `zoo train climate/held_suarez sfno --seed 0`: 1,500 steps of 16, rollouts of one to
two days, an hour at half a core: short, and it was still learning. Expected on the test
dates: Z500 RMSE 547 m2 s-2, T850 2.65 K at day 5; free rollouts drift by 8 K in 100 days.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from zoo.climate.models.convnext import affine, normalise
from zoo.climate.models.layers.per_example import per_example
from zoo.climate.models.layers.spherical import Grid, from_degrees, to_degrees, truncate

__all__ = ["SFNO", "Config"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Sizes of an `SFNO`; see `zoo.climate.models.convnext.Config` for the fields that both
    have."""

    channels: int = 20
    winds: int = 10
    width: int = 48
    depth: int = 4
    expansion: int = 2
    truncation: int = 21
    step_hours: int = 24


class SpectralFilter(nnx.Module):
    """A learned convolution on the sphere: one complex matrix between channels for each degree."""

    def __init__(self, width: int, grid: Grid, *, rngs: nnx.Rngs):
        self.grid = grid
        shape = (2, grid.truncation + 1, width, width)
        self.weight = nnx.Param(jax.random.normal(rngs.params(), shape) * (2 * width) ** -0.5)

    def __call__(
        self, x: Float[Array, "longitude batch latitude width"]
    ) -> Float[Array, "longitude batch latitude width"]:
        """The filtered field."""
        # Real and imaginary part side by side, so that each degree is one product.
        both = jnp.concatenate(list(self.weight[...]), -1)
        mixed = jnp.einsum("lpmbc,lcd->lpmbd", to_degrees(x, self.grid), both)
        (cosine, cosine_i), (sine, sine_i) = (jnp.split(mixed[:, part], 2, -1) for part in (0, 1))
        return from_degrees(jnp.stack([cosine - sine_i, sine + cosine_i], 1), self.grid)


class Block(nnx.Module):
    """x + MLP(norm x beside its filtered self), with a latitude-wise affine map after the norm."""

    def __init__(self, width: int, grid: Grid, *, expansion: int, depth: int, rngs: nnx.Rngs):
        hidden = expansion * width
        normal = jax.random.normal
        self.scale = nnx.Param(jnp.ones((grid.latitudes, width)))
        self.shift = nnx.Param(jnp.zeros((grid.latitudes, width)))
        self.filter = SpectralFilter(width, grid, rngs=rngs)
        self.widen = nnx.Param(normal(rngs.params(), (2 * width, hidden)) * (2 * width) ** -0.5)
        self.hidden_bias = nnx.Param(jnp.zeros(hidden))
        self.narrow = nnx.Param(
            normal(rngs.params(), (hidden, width)) * (hidden * depth) ** -0.5 * 0.5
        )
        self.narrow_bias = nnx.Param(jnp.zeros(width))

    def __call__(
        self, x: Float[Array, "longitude batch latitude width"]
    ) -> Float[Array, "longitude batch latitude width"]:
        """The features after one block."""
        return per_example(self.update, x, axis=1)

    def update(
        self, x: Float[Array, "longitude batch latitude width"]
    ) -> Float[Array, "longitude batch latitude width"]:
        """The same, for all examples at once."""
        y = affine(normalise(x), self.scale[...], self.shift[...])
        hidden = jnp.concatenate([y, self.filter(y)], -1) @ self.widen[...] + self.hidden_bias[...]
        return x + jax.nn.gelu(hidden) @ self.narrow[...] + self.narrow_bias[...]


class SFNO(nnx.Module):
    """State to scaled increment over one step; has no memory between steps."""

    def __init__(self, config: Config = Config(), *, rngs: nnx.Rngs):
        self.config = config
        self.grid = grid = Grid(truncation=config.truncation)
        normal = jax.random.normal
        self.embed = nnx.Param(
            normal(rngs.params(), (config.channels, config.width)) * config.channels**-0.5
        )
        self.latitude = nnx.Param(normal(rngs.params(), (grid.latitudes, config.width)) * 0.5)
        self.blocks = nnx.List(
            Block(config.width, grid, expansion=config.expansion, depth=config.depth, rngs=rngs)
            for _ in range(config.depth)
        )
        self.head = nnx.Param(
            normal(rngs.params(), (config.width, config.channels)) * config.width**-0.5 * 0.1
        )
        self.head_bias = nnx.Param(jnp.zeros(config.channels))

    def __call__(
        self, x: Float[Array, "batch longitude latitude channel"], memory: None = None
    ) -> tuple[Float[Array, "batch longitude latitude channel"], None]:
        """The increment over one step in units of its standard deviation, and no memory;
        see `ConvNeXt`."""
        # Longitude first from here to the head: see
        # `zoo.climate.models.layers.spherical.to_degrees`.
        features = x.swapaxes(0, 1) @ self.embed[...] + self.latitude[...]
        for block in self.blocks:
            features = block(features)
        increment = (normalise(features) @ self.head[...] + self.head_bias[...]).swapaxes(0, 1)
        return truncate(increment, self.grid, winds=self.config.winds), None
