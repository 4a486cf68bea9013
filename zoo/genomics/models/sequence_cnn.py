"""A convolutional classifier of short DNA sequences: motifs, their neighbourhood, then
where they are.

One first convolution finds motifs (Alipanahi et al. 2015, DeepBind, doi:10.1038/nbt.3300),
dilated residual convolutions see their neighbourhood (Kelley et al. 2018, Basenji,
doi:10.1101/gr.227819.117), and a dense layer over a few bins keeps what matters for
promoters: the distance to the start of transcription.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from zoo.genomics.models.dropout import drop
from zoo.genomics.models.fold import FoldedConv
from zoo.pretrained.model import as_tuples

__all__ = ["SequenceCNN", "SequenceCNNConfig", "SequenceCNNs", "SequenceCNNsConfig"]


@dataclasses.dataclass(frozen=True)
class SequenceCNNConfig:
    """Sizes of the network.

    Attributes:
        length: bases of a sequence.
        filters: of the first convolution.
        width: bases that they see.
        pool: positions joined after the first convolution.
        channels: of the convolutions after it.
        dilations: of these convolutions, each three positions wide and around a skip; the
            first layer may widen channels.
        bins: parts of the sequence that the dense layer tells apart.
        hidden: features of the dense layer.
        dropout: rate before the dense layers, in training.
        placed: whether the letter at each place also adds a weight of its own to the logit
            (a position weight matrix of the whole sequence): for sequences that are aligned
            to something, as promoters are.
    """

    length: int = 101
    filters: int = 64
    width: int = 15
    pool: int = 4
    channels: int = 64
    dilations: tuple[int, ...] = (1,)
    bins: int = 6
    hidden: int = 64
    dropout: float = 0.1
    placed: bool = False


class SequenceCNN(nnx.Module):
    """One logit a sequence."""

    def __init__(self, config: SequenceCNNConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.motifs = FoldedConv(config.width, config.filters, rngs=rngs)
        self.widen = nnx.Conv(config.filters, config.channels, (5,), rngs=rngs)
        self.blocks = nnx.List(
            [
                nnx.Conv(config.channels, config.channels, (3,), kernel_dilation=(d,), rngs=rngs)
                for d in config.dilations
            ]
        )
        self.norms = nnx.List([nnx.LayerNorm(config.channels, rngs=rngs) for _ in config.dilations])
        self.dense = nnx.Linear(2 * config.bins * config.channels, config.hidden, rngs=rngs)
        self.logit = nnx.Linear(config.hidden, 1, rngs=rngs)
        self.places = nnx.Param(jnp.zeros((config.length, 4))) if config.placed else None

    def __call__(
        self, x: Float[Array, "batch position letter"], *, key: jax.Array | None = None
    ) -> Float[Array, batch]:
        """Logits of the positive class, from one-hot letters.

        Args:
            x: one-hot letters; N and padding are zero.
            key: of dropout; None (prediction): no dropout.

        Raises:
            ValueError: the sequences have another length than the network's.
        """
        if x.shape[1] != self.config.length:
            raise ValueError(
                f"this network reads sequences of {self.config.length} bases, these have "
                f"{x.shape[1]}"
            )
        placed = 0.0 if self.places is None else jnp.einsum("bpl,pl->b", x, self.places[...])
        x = _grouped(jax.nn.relu(self.motifs(x)), self.config.pool).max(2)
        x = jax.nn.relu(self.widen(x))
        for block, norm in zip(self.blocks, self.norms, strict=True):
            x = x + jax.nn.relu(block(norm(x)))
        x = _grouped(x, -(-x.shape[1] // self.config.bins))
        x = jnp.pad(x, ((0, 0), (0, self.config.bins - x.shape[1]), (0, 0), (0, 0)))
        x = jnp.concatenate([x.max(2), x.mean(2)], -1).reshape(x.shape[0], -1)
        rate = self.config.dropout
        x = jax.nn.relu(self.dense(drop(x, rate, key)))
        return (
            self.logit(drop(x, rate, None if key is None else jax.random.fold_in(key, 1)))[:, 0]
            + placed
        )


def _grouped(x: jax.Array, size: int) -> jax.Array:
    """Positions in groups of `size`, `[batch, group, size, channel]`; the last is filled
    with zeros: ReLU leaves nothing smaller."""
    n = -(-x.shape[1] // size)
    return jnp.pad(x, ((0, 0), (0, n * size - x.shape[1]), (0, 0))).reshape(
        x.shape[0], n, size, x.shape[2]
    )


@dataclasses.dataclass(frozen=True)
class SequenceCNNsConfig:
    """Networks of one design for several subsets.

    Attributes:
        subsets: name of each subset.
        lengths: bases of its sequences.
        networks: subset -> fields of `SequenceCNNConfig` that differ from its defaults, but
            `length`.
    """

    subsets: tuple[str, ...]
    lengths: tuple[int, ...]
    networks: dict[str, dict[str, Any]]

    def of(self, subset: str) -> SequenceCNNConfig:
        """The design of one subset's network."""
        settings = {name: as_tuples(value) for name, value in self.networks[subset].items()}
        return SequenceCNNConfig(length=self.lengths[self.subsets.index(subset)], **settings)


class SequenceCNNs(nnx.Module):
    """One network for each subset, trained on that alone; they share nothing but a file."""

    def __init__(self, config: SequenceCNNsConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.networks = nnx.Dict(
            {subset: SequenceCNN(config.of(subset), rngs=rngs) for subset in config.subsets}
        )
