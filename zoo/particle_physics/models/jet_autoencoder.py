"""An autoencoder of single jets: trained on QCD jets alone, it reproduces other jets badly
(Farina, Nakai & Shih, arXiv:1808.08992; Heimel et al., arXiv:1808.08979), here from a jet's
mass and substructure instead of its image.

Recipe: `zoo train particle_physics/anomaly jet_autoencoder.qcd`;
cost and score stand in the card.
"""

from __future__ import annotations

import dataclasses
import itertools

import jax
from flax import nnx


@dataclasses.dataclass(frozen=True)
class JetAutoencoderConfig:
    """Sizes.

    Attributes:
        features: per jet, `zoo.particle_physics.anomaly.data.JET_FEATURES`.
        hidden: width of the two hidden layers on either side.
        bottleneck: numbers that are left of a jet in between.
    """

    features: int = 6
    hidden: int = 32
    bottleneck: int = 2


class JetAutoencoder(nnx.Module):
    """Encoder and decoder.

    Args:
        config: sizes.
        rngs: where the weights come from.
    """

    def __init__(self, config: JetAutoencoderConfig, *, rngs: nnx.Rngs):
        self.config = config
        widths = [
            config.features,
            config.hidden,
            config.hidden,
            config.bottleneck,
            config.hidden,
            config.hidden,
            config.features,
        ]
        self.layers = nnx.List([nnx.Linear(a, b, rngs=rngs) for a, b in itertools.pairwise(widths)])

    def __call__(self, x: jax.Array) -> jax.Array:
        """Standardised features `[..., feature]` of jets -> the same, reproduced."""
        # nothing bends the bottleneck or the output
        linear = {len(self.layers) // 2 - 1, len(self.layers) - 1}
        for number, layer in enumerate(self.layers):
            x = layer(x)
            x = x if number in linear else jax.nn.silu(x)
        return x
