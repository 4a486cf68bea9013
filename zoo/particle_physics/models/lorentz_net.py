"""LorentzNet, small: a jet's class from Minkowski products alone, so that no boost or
rotation of the jet changes the answer.

Paper: Gong et al., "An Efficient Lorentz Equivariant Graph Neural Network for Jet Tagging",
arXiv:2201.08187. Every particle has invariant features h and a four-vector x; with ψ(a) =
sign(a) ln(1 + |a| / s)

    m_ij = ReLU( A h_i + B h_j + w ψ(x_i·x_j) )                      (their eq. 3.3)
    x_i <- x_i + c Σ_j φ(m_ij) x_j                                    (eq. 3.4)
    h_i <- h_i + MLP([h_i, Σ_j m_ij])                                 (eq. 3.5)

What differs, for speed: a message is one layer, not two, so its first product is computed
per particle and the second commutes with the sum: nothing is multiplied by a matrix per
pair. |x_i - x_j|² is left out, as it follows from the products. What the paper gets from
spurious beam particles is not there: the net is invariant under the whole Lorentz group,
exactly but for rounding.

It sees four-vectors and the particles' identities; energy, angles and displacements depend
on the frame and are ignored.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float

from zoo.particle_physics.data.jets import IDENTITY
from zoo.particle_physics.models.features import FEATURE_SETS

__all__ = ["LorentzNet", "LorentzNetConfig", "minkowski"]

SCALE = 0.01
"""s of ψ in GeV²: half a pion's mass squared; float32 loses smaller products of energetic
particles anyway."""


METRIC = (-1.0, -1.0, -1.0, 1.0)


@dataclasses.dataclass(frozen=True)
class LorentzNetConfig:
    """Sizes of a `LorentzNet`.

    Attributes:
        features: name of a `FEATURE_SETS` entry; its identity columns, if it has any, are
            the ones that are used.
        classes: outputs.
        width: invariant features per particle.
        depth: layers.
        hidden: width before the logits.
    """

    features: str = "kinpid"
    classes: int = 10
    width: int = 32
    depth: int = 4
    hidden: int = 64


def minkowski(
    a: Float[Array | np.ndarray, "*#any 4"], b: Float[Array | np.ndarray, "*#any 4"]
) -> Float[Array | np.ndarray, "*any"]:
    """E E' - p·p' of vectors (px, py, pz, E), of JAX or of NumPy."""
    return a[..., 3] * b[..., 3] - (a[..., :3] * b[..., :3]).sum(-1)


def squash(product: Float[Array | np.ndarray, "*any"]) -> Float[Array, "*any"]:
    """ψ, scaled to order one for jets of 500-1000 GeV."""
    return 0.2 * jnp.sign(product) * jnp.log1p(jnp.abs(product) / SCALE)


class Layer(nnx.Module):
    """One exchange of messages between all particles of a jet."""

    def __init__(self, width: int, *, last: bool, rngs: nnx.Rngs):
        he = nnx.initializers.he_normal()
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.receiver = nnx.Linear(width, width, kernel_init=he, rngs=rngs)
        self.sender = nnx.Linear(width, width, use_bias=False, kernel_init=he, rngs=rngs)
        self.product = nnx.Param(jax.random.normal(rngs.params(), (width,)))
        # The last layer's vectors are looked at by nobody.
        self.pull = None if last else nnx.Param(0.01 * jax.random.normal(rngs.params(), (width,)))
        self.widen = nnx.Linear(2 * width + 1, width, kernel_init=he, rngs=rngs)
        # Layers start near the identity.
        self.narrow = nnx.Linear(
            width,
            width,
            kernel_init=nnx.initializers.variance_scaling(0.1, "fan_in", "normal"),
            rngs=rngs,
        )

    def __call__(
        self,
        h: Float[Array, "jet particle width"],
        x: Float[Array, "jet particle 4"],
        present: Float[Array, "jet particle"],
    ) -> tuple[Float[Array, "jet particle width"], Float[Array, "jet particle 4"]]:
        """New invariants and four-vectors."""
        normed = self.norm(h)
        pairs = squash(jnp.einsum("jpd,jqd->jpq", x * jnp.array(METRIC, x.dtype), x))
        messages = jax.nn.relu(
            self.receiver(normed)[:, :, None]
            + self.sender(normed)[:, None]
            + pairs[..., None] * self.product[...]
        )
        share = present / jnp.maximum(present.sum(1, keepdims=True), 1.0)
        if self.pull is not None:
            x = x + jnp.einsum("jpq,jqd->jpd", messages @ self.pull[...] * share[:, None], x)
        received = jnp.einsum("jpqh,jq->jph", messages, share)
        inputs = jnp.concatenate([normed, received, squash(minkowski(x, x))[..., None]], -1)
        return h + self.narrow(jax.nn.relu(self.widen(inputs))), x


class LorentzNet(nnx.Module):
    """Identities and momenta of the particles to logits of the jet."""

    def __init__(self, config: LorentzNetConfig = LorentzNetConfig(), *, rngs: nnx.Rngs):
        self.config = config
        self.columns = tuple(
            i for i, name in enumerate(FEATURE_SETS[config.features]) if name in IDENTITY
        )
        self.embed = nnx.Linear(len(self.columns) + 2, config.width, rngs=rngs)
        self.layers = nnx.List(
            Layer(config.width, last=i == config.depth - 1, rngs=rngs) for i in range(config.depth)
        )
        self.hidden = nnx.Linear(
            config.width + 2, config.hidden, kernel_init=nnx.initializers.he_normal(), rngs=rngs
        )
        self.head = nnx.Linear(config.hidden, config.classes, rngs=rngs)

    def __call__(
        self,
        features: Float[Array, "jet particle feature"],
        vectors: Float[Array, "jet particle 4"],
        mask: Bool[Array, "jet particle"],
    ) -> Float[Array, "jet class"]:
        """Logits.

        Args:
            features: standardised, see `zoo.particle_physics.models.features`; only
                identities are looked at.
            vectors: px, py, pz, E in GeV.
            mask: where there is a particle.
        """
        present = mask.astype(vectors.dtype)
        x = vectors * present[..., None]
        jet = x.sum(1)
        # A particle's mass and its energy in the jet's rest frame (times the jet's mass):
        # the invariants of one particle.
        invariants = jnp.stack(
            [squash(minkowski(x, x)), squash(minkowski(x, jet[:, None])) - 1.0], -1
        )
        h = self.embed(
            jnp.concatenate([*(features[..., i : i + 1] for i in self.columns), invariants], -1)
        )
        for layer in self.layers:
            h, x = layer(h, x, present)
        count = present.sum(1, keepdims=True)
        mean = jnp.einsum("jph,jp->jh", h, present) / jnp.maximum(count, 1.0)
        whole = jnp.concatenate(
            [mean, squash(minkowski(jet, jet))[:, None] - 2.0, count / 50.0], -1
        )
        return self.head(jax.nn.relu(self.hidden(whole)))
