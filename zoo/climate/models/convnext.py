"""ConvNeXt on a 2x2-patched sphere: large depthwise kernels that run over the poles, and a
wide pointwise network.

Paper: Liu et al. 2022, "A ConvNet for the 2020s", doi:10.1109/CVPR52688.2022.01167. Three
things differ, for a planet: padding is circular in longitude and crosses the poles; the
affine map after each layer norm depends on latitude (cells shrink and the Coriolis force
changes towards the poles, while every longitude is alike); the output is projected on the
harmonics that the truth is made of (T21), so no error can grow at scales that do not exist.

The model is equivariant under rotations by whole patches (two grid points in longitude), up
to rounding.

Recipe: `zoo train climate/held_suarez convnext --seed 0`
(`zoo.climate.held_suarez.recipes`): 6,350 steps of 16, rollouts of one to four days,
75 minutes at half a core with bfloat16 products that this package has no more, 4.4 GB.
Expected on the test dates, from 5.2 simulated years: Z500 RMSE 338 m2 s-2 and T850 1.70 K
at day 5 (the truth's own solver at T31: 334 and 1.64; at T21: 601 and 2.90); a rollout of
100 days keeps the climate within 2 K.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from zoo.climate.models.layers.circular import depthwise
from zoo.climate.models.layers.per_example import per_example
from zoo.climate.models.layers.spherical import Grid, truncate

__all__ = ["Block", "Config", "ConvNeXt", "Patches"]

PATCH = 2


@dataclasses.dataclass(frozen=True)
class Config:
    """Sizes of a `ConvNeXt`.

    Attributes:
        channels: variables times levels of the state.
        winds: how many of them, the last ones, are components of the wind.
        width: features per patch.
        depth: blocks.
        expansion: hidden width of a block's pointwise network, in multiples of `width`.
        kernel: points across the depthwise kernel, in patches (7 patches span 79 degrees).
        truncation: highest degree of the output.
        step_hours: length of the forecast step that the weights are trained for.
    """

    channels: int = 20
    winds: int = 10
    width: int = 128
    depth: int = 7
    expansion: int = 4
    kernel: int = 7
    truncation: int = 21
    step_hours: int = 24


def normalise(field: Float[Array, "*any channel"]) -> Float[Array, "*any channel"]:
    """Layer norm over channels, without an affine part."""
    centred = field - jnp.mean(field, -1, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.mean(centred**2, -1, keepdims=True) + 1e-6)


@jax.custom_vjp
def affine(
    field: Float[Array, "*any latitude channel"],
    scale: Float[Array, "latitude channel"],
    shift: Float[Array, "latitude channel"],
) -> Float[Array, "*any latitude channel"]:
    """`field * scale + shift`.

    With a gradient of its own, because XLA on CPU adds up all but the last dimensions
    slowly; a product with a row of ones does it in a third of the time (layer norm and
    affine map of 32x16x128, with gradients: 0.3 against 0.8 ms, one core).
    """
    return field * scale + shift


def _affine_forward(field, scale, shift):
    return affine(field, scale, shift), (field, scale)


def _affine_backward(saved, gradient):
    field, scale = saved

    def total(each):
        rows = each.reshape(-1, scale.size)
        return jnp.dot(
            jnp.ones((1, len(rows)), rows.dtype), rows, precision=jax.lax.Precision.HIGHEST
        ).reshape(scale.shape)

    return gradient * scale, total(gradient * field), total(gradient)


affine.defvjp(_affine_forward, _affine_backward)


class Block(nnx.Module):
    """x + MLP(latitude-wise affine(layer norm(depthwise convolution(x))))."""

    def __init__(
        self, width: int, latitudes: int, *, expansion: int, kernel: int, depth: int, rngs: nnx.Rngs
    ):
        hidden = expansion * width
        normal = jax.random.normal
        self.kernel = nnx.Param(normal(rngs.params(), (kernel, kernel, width)) / kernel)
        self.bias = nnx.Param(jnp.zeros(width))
        self.scale = nnx.Param(jnp.ones((latitudes, width)))
        self.shift = nnx.Param(jnp.zeros((latitudes, width)))
        self.widen = nnx.Param(normal(rngs.params(), (width, hidden)) * width**-0.5)
        self.widen_bias = nnx.Param(jnp.zeros(hidden))
        # Branches start small, so that a deep stack starts near the identity.
        self.narrow = nnx.Param(
            normal(rngs.params(), (hidden, width)) * (hidden * depth) ** -0.5 * 0.5
        )
        self.narrow_bias = nnx.Param(jnp.zeros(width))

    def __call__(
        self, x: Float[Array, "batch longitude latitude width"]
    ) -> Float[Array, "batch longitude latitude width"]:
        """The features after one block."""
        weights = (
            self.kernel[...],
            self.bias[...],
            self.scale[...],
            self.shift[...],
            self.widen[...],
            self.widen_bias[...],
            self.narrow[...],
            self.narrow_bias[...],
        )
        return per_example(lambda each: block(each, *weights), x)


def block(x, kernel, bias, scale, shift, widen, widen_bias, narrow, narrow_bias):
    """The features after one block, from the features before it and the block's eight arrays."""
    y = affine(normalise(depthwise(x, kernel) + bias), scale, shift)
    return x + jax.nn.gelu(y @ widen + widen_bias) @ narrow + narrow_bias


class Patches(nnx.Module):
    """Between grid points [batch, 64, 32, channels] and features of 2x2 patches [batch, 32,
    16, width]."""

    def __init__(self, channels: int, width: int, grid: Grid, *, winds: int, rngs: nnx.Rngs):
        normal, points = jax.random.normal, channels * PATCH**2
        self.grid, self.winds = grid, winds
        self.embed = nnx.Param(normal(rngs.params(), (points, width)) * points**-0.5)
        # One vector per row of patches: how the network knows its latitude.
        self.latitude = nnx.Param(normal(rngs.params(), (grid.latitudes // PATCH, width)) * 0.5)
        self.head = nnx.Param(normal(rngs.params(), (width, points)) * width**-0.5 * 0.1)
        self.head_bias = nnx.Param(jnp.zeros(points))

    def encode(
        self, x: Float[Array, "batch longitude latitude channel"]
    ) -> Float[Array, "batch x y width"]:
        """Features of each patch, with its latitude's vector added."""
        batch, longitudes, latitudes, channels = x.shape
        x = x.reshape(batch, longitudes // PATCH, PATCH, latitudes // PATCH, PATCH, channels)
        x = x.transpose(0, 1, 3, 2, 4, 5).reshape(
            batch, longitudes // PATCH, latitudes // PATCH, -1
        )
        return x @ self.embed[...] + self.latitude[...]

    def decode(
        self, features: Float[Array, "batch x y width"]
    ) -> Float[Array, "batch longitude latitude channel"]:
        """Fields on the grid, projected on the grid's truncation."""
        batch, across, up, _ = features.shape
        y = normalise(features) @ self.head[...] + self.head_bias[...]
        y = y.reshape(batch, across, up, PATCH, PATCH, -1).transpose(0, 1, 3, 2, 4, 5)
        return truncate(
            y.reshape(batch, across * PATCH, up * PATCH, -1), self.grid, winds=self.winds
        )


class ConvNeXt(nnx.Module):
    """State to scaled increment over one step; has no memory between steps."""

    def __init__(self, config: Config = Config(), *, rngs: nnx.Rngs):
        self.config = config
        grid = Grid(truncation=config.truncation)
        self.patches = Patches(config.channels, config.width, grid, winds=config.winds, rngs=rngs)
        self.blocks = nnx.List(
            Block(
                config.width,
                grid.latitudes // PATCH,
                expansion=config.expansion,
                kernel=config.kernel,
                depth=config.depth,
                rngs=rngs,
            )
            for _ in range(config.depth)
        )

    def __call__(
        self, x: Float[Array, "batch longitude latitude channel"], memory: None = None
    ) -> tuple[Float[Array, "batch longitude latitude channel"], None]:
        """The increment over one step in units of its standard deviation, and no memory.

        Args:
            x: the normalised state.
            memory: None; there for the interface that recurrent models share.
        """
        features = self.patches.encode(x)
        for block in self.blocks:
            features = block(features)
        return self.patches.decode(features), None
