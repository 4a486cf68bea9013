"""ParticleNet: edge convolutions on a jet's particles, each joined with its nearest neighbours.

Paper: Qu & Gouskos, "ParticleNet: Jet Tagging via Particle Clouds", arXiv:1902.08570.
Neighbours are looked up in (deta, dphi) at first and among the learned features afterwards;
for particle i with neighbours j = 1..k

    y_i = ReLU( S x_i + 1/k Σ_j MLP([x_i, x_j - x_i]) )

The first layer of the MLP is linear in its two halves, so it is computed per particle and
not per edge: W [x_i, x_j - x_i] = (W1 - W2) x_i + W2 x_j. Each edge then costs one gathered
row.

Two forms, `ParticleNetConfig.normalise`. False: an affine map follows each product, which
is what batch normalisation is once trained; the published JetClass weights fit
(`zoo.particle_physics.tagging.jetclass_weights`), 370,156 parameters with 17 features, and
may be fine-tuned as they are. True: the features of particles pass a layer norm before each
block, so that no batch statistics are needed to train from nothing. The defaults are the
small net, 28,036 parameters with 13 features.
"""

from __future__ import annotations

import dataclasses
import itertools

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from zoo.particle_physics.models.features import FEATURE_SETS

__all__ = ["EdgeConv", "ParticleNet", "ParticleNetConfig", "nearest"]

FAR = 1e18
"""Squared distance to a particle that is not there; below float32's largest number, above
any real distance."""


@dataclasses.dataclass(frozen=True)
class ParticleNetConfig:
    """Sizes of a `ParticleNet`.

    Attributes:
        features: name of a `FEATURE_SETS` entry.
        classes: outputs.
        neighbours: k; one number for all edge convolutions, or one for each.
        channels: for each edge convolution the widths of its MLP.
        hidden: widths after the average over particles.
        normalise: layer norm of the particles' features before each edge convolution.
    """

    features: str = "kinpid"
    classes: int = 10
    neighbours: int | tuple[int, ...] = 7
    channels: tuple[tuple[int, ...], ...] = ((32, 32, 32), (64, 64, 64))
    hidden: tuple[int, ...] = (128,)
    normalise: bool = True

    @property
    def each_neighbours(self) -> tuple[int, ...]:
        """k of each edge convolution.

        Raises:
            ValueError: not as many as there are edge convolutions.
        """
        if isinstance(self.neighbours, int):
            return (self.neighbours,) * len(self.channels)
        if len(self.neighbours) != len(self.channels):
            raise ValueError(
                f"neighbours={self.neighbours} must be one number or {len(self.channels)}, one "
                "for each edge convolution"
            )
        return tuple(self.neighbours)


class Affine(nnx.Module):
    """A scale and a shift per channel: trained batch normalisation. The scale is None where
    it has been multiplied into a kernel."""

    def __init__(self, width: int):
        self.scale: nnx.Param | None = nnx.Param(jnp.ones(width))
        self.shift = nnx.Param(jnp.zeros(width))

    def __call__(self, x: Float[Array, "*any channel"]) -> Float[Array, "*any channel"]:
        """x scale + shift."""
        scaled = x if self.scale is None else x * self.scale[...]
        return scaled + self.shift[...]


class Dense(nnx.Module):
    """A product without bias and the affine map after it; the scale is multiplied into the
    kernel, not into the data."""

    def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs):
        self.kernel = nnx.Param(nnx.initializers.he_normal()(rngs.params(), (inputs, outputs)))
        self.affine = Affine(outputs)

    @property
    def scaled(self) -> Float[Array, "input output"]:
        """The kernel with the scale in it."""
        return (
            self.kernel[...]
            if self.affine.scale is None
            else self.kernel[...] * self.affine.scale[...]
        )

    def fold(self) -> None:
        """Multiplies the scale into the kernel for good."""
        self.kernel, self.affine.scale = nnx.Param(self.scaled), None

    def __call__(self, x: Float[Array, "*any input"]) -> Float[Array, "*any output"]:
        """x W + b."""
        return x @ self.scaled + self.affine.shift[...]


class EdgeConv(nnx.Module):
    """One edge convolution."""

    def __init__(self, inputs: int, channels: tuple[int, ...], *, rngs: nnx.Rngs):
        self.layers = nnx.List(
            Dense(a, b, rngs=rngs) for a, b in itertools.pairwise((2 * inputs, *channels))
        )
        self.shortcut = Dense(inputs, channels[-1], rngs=rngs) if inputs != channels[-1] else None

    def __call__(
        self, x: Float[Array, "jet particle input"], neighbours: Int[Array, "jet particle k"]
    ) -> Float[Array, "jet particle output"]:
        """The particles' new features; those of masked particles mean nothing.

        Args:
            x: features, zero where there is no particle.
            neighbours: indices of each particle's neighbours.
        """
        jets, particles, k = neighbours.shape
        own, other = jnp.split(self.layers[0].scaled, 2)
        # Rows of all jets in one table: a gather along one axis is what XLA does best.
        rows = (neighbours + particles * jnp.arange(jets)[:, None, None]).reshape(-1)
        centre = x @ (own - other) + self.layers[0].affine.shift[...]
        edges = (
            (x @ other)
            .reshape(jets * particles, -1)
            .at[rows]
            .get(mode="promise_in_bounds")
            .reshape(jets, particles, k, -1)
        )
        edges = jax.nn.relu(edges + centre[:, :, None])
        for layer in list(self.layers)[1:]:
            edges = jax.nn.relu(layer(edges))
        return jax.nn.relu(edges.mean(axis=2) + (x if self.shortcut is None else self.shortcut(x)))


def nearest(
    points: Float[Array, "jet particle dim"], mask: Bool[Array, "jet particle"], k: int
) -> Int[Array, "jet particle k"]:
    """Indices of each particle's k nearest others; where a jet has too few, particles that
    are not there follow."""
    particles = points.shape[1]
    if points.shape[-1] == 2:
        # exact differences: collinear particles are nearer to each other than a product's
        # rounding
        distance = sum((points[:, :, None, d] - points[:, None, :, d]) ** 2 for d in range(2))
    else:
        square = jnp.sum(points**2, -1)
        distance = (
            square[:, :, None] - 2.0 * jnp.einsum("jpd,jqd->jpq", points, points) + square[:, None]
        )
    # Whoever lacks neighbours gets absent particles, never itself.
    distance = jnp.where(
        jnp.eye(particles, dtype=bool), jnp.inf, jnp.where(mask[:, None], distance, FAR)
    )
    return jax.lax.top_k(-jax.lax.stop_gradient(distance), k)[1]


def layer_norm(x: Float[Array, "*any channel"]) -> Float[Array, "*any channel"]:
    """Zero mean and unit variance over channels."""
    centred = x - x.mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5)


class ParticleNet(nnx.Module):
    """Features of the particles to logits of the jet; the last two features are the
    coordinates (deta, dphi)."""

    wide_products = True
    """Predictors compile it with `zoo.particle_physics.models.compiling.wide_products`."""

    def __init__(self, config: ParticleNetConfig = ParticleNetConfig(), *, rngs: nnx.Rngs):
        self.config, self.neighbours = config, config.each_neighbours
        inputs = len(FEATURE_SETS[config.features])
        self.inputs = Affine(inputs)
        widths = (inputs, *(channels[-1] for channels in config.channels))
        self.convolutions = nnx.List(
            EdgeConv(width, tuple(channels), rngs=rngs)
            for width, channels in zip(widths, config.channels, strict=False)
        )
        widths = (widths[-1], *config.hidden)
        he = nnx.initializers.he_normal()
        self.hidden = nnx.List(
            nnx.Linear(a, b, kernel_init=he, rngs=rngs) for a, b in itertools.pairwise(widths)
        )
        self.head = nnx.Linear(widths[-1], config.classes, rngs=rngs)

    def fold_scales(self) -> ParticleNet:
        """The same function with all scales in the kernels, for prediction: a tenth of the
        time of a batch of few jets."""
        copy = nnx.clone(self)
        for convolution in copy.convolutions:
            for dense in (
                *convolution.layers,
                *([] if convolution.shortcut is None else [convolution.shortcut]),
            ):
                dense.fold()
        return copy

    def __call__(
        self,
        features: Float[Array, "jet particle feature"],
        vectors: Float[Array, "jet particle 4"] | None,
        mask: Bool[Array, "jet particle"],
    ) -> Float[Array, "jet class"]:
        """Logits.

        Args:
            features: standardised, see `zoo.particle_physics.models.features`.
            vectors: not used; there for the interface that all architectures share.
            mask: where there is a particle.
        """
        # A particle always has k neighbours, absent ones if need be: so the answer does not
        # depend on the padding.
        if (lacking := max(self.neighbours) + 1 - mask.shape[1]) > 0:
            features, mask = (
                jnp.pad(features, ((0, 0), (0, lacking), (0, 0))),
                jnp.pad(mask, ((0, 0), (0, lacking))),
            )
        present = mask[:, :, None]
        x = jnp.where(present, self.inputs(features), 0.0)
        points = features[:, :, -2:]
        for convolution, k in zip(self.convolutions, self.neighbours, strict=True):
            if self.config.normalise:
                x = jnp.where(present, layer_norm(x), 0.0)
            x = jnp.where(present, convolution(x, nearest(points, mask, k)), 0.0)
            points = x
        x = x.sum(axis=1) / jnp.maximum(mask.sum(axis=1, keepdims=True), 1)
        for layer in self.hidden:
            x = jax.nn.relu(layer(x))
        return self.head(x)
