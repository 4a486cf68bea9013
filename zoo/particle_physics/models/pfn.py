"""Particle Flow Network: a function of every particle alone, summed over the jet, and a
function of the sum.

Paper: Komiske, Metodiev & Thaler, "Energy Flow Networks: Deep Sets for Particle Jets",
arXiv:1810.05165, eq. 1.2:

    jet -> F( Σ_i Φ(p_i) ),   Φ and F plain networks with ReLU

Nothing looks at two particles at once, so the cost is linear in their number. With 13
features and ten classes 58,538 parameters.
"""

from __future__ import annotations

import dataclasses
import itertools

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from zoo.particle_physics.models.features import FEATURE_SETS

__all__ = ["PFN", "PFNConfig"]

TYPICAL_PARTICLES = 50.0
"""Divides the sum, so that the second network starts with inputs of order one; a constant,
so multiplicity is still seen."""


@dataclasses.dataclass(frozen=True)
class PFNConfig:
    """Sizes of a `PFN`.

    Attributes:
        features: name of a `FEATURE_SETS` entry.
        classes: outputs.
        phi: widths of the network of one particle; the last is the size of the sum.
        hidden: widths of the network of the jet.
    """

    features: str = "kinpid"
    classes: int = 10
    phi: tuple[int, ...] = (100, 100, 128)
    hidden: tuple[int, ...] = (100, 100, 100)


class PFN(nnx.Module):
    """Features of the particles to logits of the jet."""

    def __init__(self, config: PFNConfig = PFNConfig(), *, rngs: nnx.Rngs):
        self.config = config
        widths = (len(FEATURE_SETS[config.features]), *config.phi)
        he = nnx.initializers.he_normal()
        self.phi = nnx.List(
            nnx.Linear(a, b, kernel_init=he, rngs=rngs) for a, b in itertools.pairwise(widths)
        )
        widths = (config.phi[-1], *config.hidden)
        self.hidden = nnx.List(
            nnx.Linear(a, b, kernel_init=he, rngs=rngs) for a, b in itertools.pairwise(widths)
        )
        self.head = nnx.Linear(widths[-1], config.classes, rngs=rngs)

    def __call__(
        self,
        features: Float[Array, "jet particle feature"],
        vectors: Float[Array, "jet particle 4"],
        mask: Bool[Array, "jet particle"],
    ) -> Float[Array, "jet class"]:
        """Logits.

        Args:
            features: standardised, see `zoo.particle_physics.models.features`.
            vectors: not used; there for the interface that all architectures share.
            mask: where there is a particle.
        """
        x = features
        for layer in self.phi:
            x = jax.nn.relu(layer(x))
        # The sum over particles as a product with the mask: one pass, and no masked copy.
        x = jnp.einsum("jpf,jp->jf", x, mask.astype(x.dtype)) / TYPICAL_PARTICLES
        for layer in self.hidden:
            x = jax.nn.relu(layer(x))
        return self.head(x)
