"""Particle Transformer: attention among a jet's particles, biased by what two particles are
to each other.

Paper: Qu, Li & Qian, "Particle Transformer for Jet Tagging", arXiv:2202.03772. For
particles i, j (their eq. 3)

    u_ij = (ln kT, ln z, ln Δ, ln m²)
    kT = min(pT) Δ,   z = min(pT) / (pT_i + pT_j),   Δ² = Δη² + Δφ²
    attention = softmax( Q Kᵀ / √d + MLP(u) ) V        (one MLP for all layers, one output a head)

and a class token that attends to the particles at the end. Smaller than the paper's 2.1 M
parameters on purpose: XS (width 32, 2 layers) and S (width 64, 4 layers); the class token
has a query of its own and one block, not two. No batch normalisation and no dropout.

Why not the paper's formula of the pair's mass: (E_i + E_j)² - |p_i + p_j|² of two collinear
particles is a difference of equal numbers in float32. With unit vectors n, m² = |p_i| |p_j|
|n_i - n_j|² neglects the particles' own masses and loses no digits.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from zoo.particle_physics.models.features import FEATURE_SETS

__all__ = ["ParticleTransformer", "ParticleTransformerConfig", "pair_features"]

FLOOR = 1e-6
"""Of squared angles: nearer than 1e-3 no detector tells two particles apart, and a
particle's distance to itself has no logarithm."""

TINY = 1e-8
ABSENT = -1e9


@dataclasses.dataclass(frozen=True)
class ParticleTransformerConfig:
    """Sizes of a `ParticleTransformer`.

    Attributes:
        features: name of a `FEATURE_SETS` entry.
        classes: outputs.
        width: features per particle.
        depth: layers of attention among particles.
        heads: of each layer.
        expansion: hidden width of a layer's network, in multiples of `width`.
        pair_width: hidden width of the network of pairs.
    """

    features: str = "kinpid"
    classes: int = 10
    width: int = 64
    depth: int = 4
    heads: int = 4
    expansion: int = 4
    pair_width: int = 16


def pair_features(
    vectors: Float[Array, "jet particle 4"], mask: Bool[Array, "jet particle"]
) -> tuple[Float[Array, "jet particle particle"], ...]:
    """(ln kT, ln z, ln Δ, ln m²) of every two particles, centred and scaled to order one.

    Args:
        vectors: px, py, pz, E in GeV.
        mask: where there is a particle; elsewhere the features are finite and mean nothing.
    """
    # An absent particle becomes a unit vector, so that no logarithm or division meets a zero.
    px, py, pz = (jnp.where(mask, vectors[..., i], float(i == 0)) for i in range(3))
    pt2 = px**2 + py**2
    pt = jnp.sqrt(jnp.maximum(pt2, TINY))
    eta, phi = jnp.arcsinh(pz / pt), jnp.arctan2(py, px)
    momentum = jnp.sqrt(jnp.maximum(pt2 + pz**2, TINY))

    def difference(value: jax.Array) -> jax.Array:
        return value[:, :, None] - value[:, None]

    dphi = jnp.abs(difference(phi))
    dphi = jnp.minimum(dphi, 2 * jnp.pi - dphi)
    log_delta = 0.5 * jnp.log(jnp.maximum(difference(eta) ** 2 + dphi**2, FLOOR))
    log_pt = jnp.log(pt)
    softer = jnp.minimum(log_pt[:, :, None], log_pt[:, None])
    log_sum = jnp.log(pt[:, :, None] + pt[:, None])
    opening = sum(difference(component / momentum) ** 2 for component in (px, py, pz))
    log_momentum = jnp.log(momentum)
    log_mass2 = (
        log_momentum[:, :, None] + log_momentum[:, None] + jnp.log(jnp.maximum(opening, FLOOR))
    )
    # Centres and scales of jets of 500-1000 GeV, rounded; they need not be exact.
    return (
        0.5 * (softer + log_delta),
        0.7 * (softer - log_sum + 1.5),
        log_delta + 1.5,
        0.3 * (log_mass2 - 1.0),
    )


def along_rows(linear: nnx.Linear, x: Float[Array, "channel row"]) -> Float[Array, "output row"]:
    """`linear` of every column."""
    assert linear.bias is not None
    return linear.kernel[...].T @ x + linear.bias[...][:, None]


class Attention(nnx.Module):
    """x + attention(layer norm(x)), then x + network(layer norm(x))."""

    def __init__(self, config: ParticleTransformerConfig, *, rngs: nnx.Rngs):
        width, self.heads = config.width, config.heads
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.queries_keys_values = nnx.Linear(width, 3 * width, rngs=rngs)
        self.out = nnx.Linear(width, width, rngs=rngs)
        self.network_norm = nnx.LayerNorm(width, rngs=rngs)
        self.widen = nnx.Linear(width, config.expansion * width, rngs=rngs)
        self.narrow = nnx.Linear(config.expansion * width, width, rngs=rngs)

    def __call__(
        self, x: Float[Array, "row width"], bias: Float[Array, "head jet particle particle"]
    ) -> Float[Array, "row width"]:
        """The new features of the particles, all jets' in one list; `bias` is added before
        the softmax and forbids absent particles."""
        (_, jets, particles, _), width = bias.shape, x.shape[-1]
        # Heads first, so that both products are plain batched ones; the softmax divides the
        # [particle, d] result, not the weights.
        qkv = self.queries_keys_values(self.norm(x)).reshape(
            jets, particles, 3, self.heads, width // self.heads
        )
        query, key, value = qkv.transpose(2, 3, 0, 1, 4)
        scores = jnp.matmul(query * (width // self.heads) ** -0.5, key.swapaxes(-1, -2)) + bias
        weights = jnp.exp(scores - jax.lax.stop_gradient(scores.max(-1, keepdims=True)))
        mixed = jnp.matmul(weights, value) / weights.sum(-1, keepdims=True)
        x = x + self.out(mixed.transpose(1, 2, 0, 3).reshape(-1, width))
        return x + self.narrow(jax.nn.gelu(self.widen(self.network_norm(x))))


class ClassAttention(nnx.Module):
    """A learned query per head, and what it collects from the particles."""

    def __init__(self, config: ParticleTransformerConfig, *, rngs: nnx.Rngs):
        width, self.heads = config.width, config.heads
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.query = nnx.Param(jax.random.normal(rngs.params(), (self.heads, width // self.heads)))
        self.keys_values = nnx.Linear(width, 2 * width, rngs=rngs)
        self.out = nnx.Linear(width, width, rngs=rngs)
        self.out_norm = nnx.LayerNorm(width, rngs=rngs)

    def __call__(
        self, x: Float[Array, "row width"], mask: Bool[Array, "jet particle"]
    ) -> Float[Array, "jet width"]:
        """The class token's features, normalised; `x` as in `Attention`."""
        (jets, particles), width = mask.shape, x.shape[-1]
        keys_values = self.keys_values(self.norm(x)).reshape(
            jets, particles, 2, self.heads, width // self.heads
        )
        scores = jnp.einsum(
            "hd,jqhd->jhq", self.query[...] * (width // self.heads) ** -0.5, keys_values[:, :, 0]
        )
        weights = jax.nn.softmax(jnp.where(mask[:, None], scores, ABSENT))
        return self.out_norm(
            self.out(
                jnp.einsum("jhq,jqhd->jhd", weights, keys_values[:, :, 1]).reshape(jets, width)
            )
        )


class ParticleTransformer(nnx.Module):
    """Features and momenta of the particles to logits of the jet."""

    def __init__(
        self, config: ParticleTransformerConfig = ParticleTransformerConfig(), *, rngs: nnx.Rngs
    ):
        if config.width % config.heads:
            raise ValueError(f"width={config.width} does not divide among heads={config.heads}")
        self.config = config
        he = nnx.initializers.he_normal()
        self.embed = nnx.Linear(len(FEATURE_SETS[config.features]), config.width, rngs=rngs)
        self.pair_hidden = nnx.Linear(4, config.pair_width, kernel_init=he, rngs=rngs)
        self.pair_out = nnx.Linear(config.pair_width, config.heads, rngs=rngs)
        self.layers = nnx.List(Attention(config, rngs=rngs) for _ in range(config.depth))
        self.collect = ClassAttention(config, rngs=rngs)
        self.head = nnx.Linear(config.width, config.classes, rngs=rngs)

    def __call__(
        self,
        features: Float[Array, "jet particle feature"],
        vectors: Float[Array, "jet particle 4"],
        mask: Bool[Array, "jet particle"],
    ) -> Float[Array, "jet class"]:
        """Logits.

        Args:
            features: standardised, see `zoo.particle_physics.models.features`.
            vectors: px, py, pz, E in GeV.
            mask: where there is a particle.
        """
        bias = self.pair_bias(vectors, mask)
        # All jets' particles in one list: XLA:CPU takes 128 ms for a training step of 64
        # jets where it took 157 with [jet, particle].
        x = self.embed(features.reshape(-1, features.shape[-1]))
        for layer in self.layers:
            x = layer(x, bias)
        return self.head(self.collect(x, mask))

    def pair_bias(
        self, vectors: Float[Array, "jet particle 4"], mask: Bool[Array, "jet particle"]
    ) -> Float[Array, "head jet particle particle"]:
        """What every layer adds to its scores: the network of the pairs, and a number that
        forbids absent particles."""
        # Channels first: four numbers a pair are four planes, and the products run along
        # the pairs. With channels last, the gradients of these two small kernels alone took
        # a tenth (width 64) to a fifth (width 32) of a training step; all of the pairs now
        # take 7.6 ms of CPU time where they took 22 (64 jets of 64 particles).
        pairs = jnp.stack(pair_features(vectors, mask))
        hidden = jax.nn.relu(along_rows(self.pair_hidden, pairs.reshape(len(pairs), -1)))
        return (
            along_rows(self.pair_out, hidden).reshape(-1, *pairs.shape[1:])
            + jnp.where(mask, 0.0, ABSENT)[:, None]
        )
