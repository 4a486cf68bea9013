"""A convolutional network whose dilations are multiples of three: what it gathers from afar
is in the base's own reading frame.

Dilated convolutions label every position at full resolution (Yu & Koltun 2016,
arXiv:1511.07122). Coding DNA repeats with period three (Fickett 1982,
doi:10.1093/nar/10.17.5303), so steps of 3, 9, 27 and 81 bases add up codons of one frame,
as a sliding window of in-frame hexamers does; the last layer sees neighbouring bases, so
all three frames. Each convolution is written as a dense layer of shifted copies, which XLA
turns into one matrix product (its gradients of dilated convolutions are slow on CPUs).

Recipe, cost and scores: `zoo.genomics.ecoli.recipes`.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from zoo.genomics.data.sequences import one_hot

__all__ = ["PeriodicCNN", "PeriodicCNNConfig"]


@dataclasses.dataclass(frozen=True)
class PeriodicCNNConfig:
    """Sizes of the network.

    Attributes:
        channels: features of a base.
        width: bases that the first layer sees, odd.
        taps: shifted copies in each dilated layer, odd.
        dilations: bases between them; multiples of three keep the frame.
        classes: of a base.
    """

    channels: int = 64
    width: int = 9
    taps: int = 5
    dilations: tuple[int, ...] = (3, 9, 27, 81)
    classes: int = 3


class PeriodicCNN(nnx.Module):
    """Logits of the classes of every base."""

    def __init__(self, config: PeriodicCNNConfig, *, rngs: nnx.Rngs):
        self.config = config
        c = config.channels
        self.first = nnx.Linear(4 * config.width, c, rngs=rngs)
        self.norms = nnx.List([nnx.LayerNorm(c, rngs=rngs) for _ in config.dilations])
        self.layers = nnx.List(
            [nnx.Linear(config.taps * c, c, rngs=rngs) for _ in config.dilations]
        )
        self.norm = nnx.LayerNorm(c, rngs=rngs)
        self.mix = nnx.Linear(config.taps * c, c, rngs=rngs)
        self.out = nnx.Linear(c, config.classes, rngs=rngs)

    def __call__(
        self, tokens: Int[Array, "batch position"], *, key: jax.Array | None = None
    ) -> Float[Array, "batch position class"]:
        """Logits at every base; `key` is taken for the loops' sake and not used (no dropout)."""
        x = jax.nn.gelu(self.first(shifted_copies(one_hot(tokens, xp=jnp), self.config.width, 1)))
        for norm, layer, dilation in zip(
            self.norms, self.layers, self.config.dilations, strict=True
        ):
            x = x + jax.nn.gelu(layer(shifted_copies(norm(x), self.config.taps, dilation)))
        return self.out(jax.nn.gelu(self.mix(shifted_copies(self.norm(x), self.config.taps, 1))))


def shifted_copies(x: jax.Array, taps: int, dilation: int) -> jax.Array:
    """Copies of `x` `[batch, position, channel]` side by side, from
    `-(taps // 2) * dilation` to as much ahead; zero beyond the ends."""
    reach, length = taps // 2 * dilation, x.shape[1]
    padded = jnp.pad(x, ((0, 0), (reach, reach), (0, 0)))
    return jnp.concatenate(
        [padded[:, tap * dilation : tap * dilation + length] for tap in range(taps)], -1
    )
