"""A hierarchical encoder of DNA: convolutions halve the length three times, attention works
on one token per eight bases.

The plan is Enformer's in small (Avsec et al. 2021, doi:10.1038/s41592-021-01252-x): most
parameters sit where positions are few, so a million of them costs about 0.3 MFLOP a base. A
decoder goes back up to single bases through the skip connections (as in a U-Net,
Ronneberger et al. 2015, arXiv:1505.04597) for masked-language modelling (Devlin et al.
2019, arXiv:1810.04805, on bases).

Tokens are those of `zoo.genomics.data.sequences`, and `MASK` for a base that is hidden from
the network.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from zoo.genomics.data.sequences import PADDING
from zoo.genomics.models.dropout import drop
from zoo.genomics.models.masking import MASK

__all__ = ["MASK", "SequenceEncoder", "SequenceEncoderConfig"]

REDUCTION = 8
"""Bases per token of the attention."""


@dataclasses.dataclass(frozen=True)
class SequenceEncoderConfig:
    """Sizes of the encoder.

    Attributes:
        channels: of the three convolutions, at full, half and quarter resolution.
        widths: of their kernels, in positions.
        features: of a token.
        heads: of attention; divides `features`.
        depth: blocks of attention.
        expansion: hidden features of a block's dense layers over `features`.
        max_tokens: longest sequence in tokens (eight bases each).
        dropout: rate after each block, in training.
        tasks: outputs of the classification head; 0: a decoder of masked bases instead of a head.
        head_features: features of a token that the head sees at its place.
        head_tokens: tokens that the head sees (its sequences have a fixed length).
    """

    channels: tuple[int, int, int] = (48, 96, 128)
    widths: tuple[int, int, int] = (15, 5, 5)
    features: int = 160
    heads: int = 4
    depth: int = 4
    expansion: int = 2
    max_tokens: int = 64
    dropout: float = 0.1
    tasks: int = 0
    head_features: int = 24
    head_tokens: int = 13


class Block(nnx.Module):
    """Attention and a dense network, each behind a normalisation and around a skip (Xiong
    et al. 2020, arXiv:2002.04745)."""

    def __init__(self, config: SequenceEncoderConfig, rngs: nnx.Rngs):
        width = config.features
        self.norm_attention, self.norm_dense = (
            nnx.LayerNorm(width, rngs=rngs),
            nnx.LayerNorm(width, rngs=rngs),
        )
        self.attention = nnx.MultiHeadAttention(config.heads, width, decode=False, rngs=rngs)
        self.up = nnx.Linear(width, config.expansion * width, rngs=rngs)
        self.down = nnx.Linear(config.expansion * width, width, rngs=rngs)
        self.rate = config.dropout

    def __call__(
        self, x: jax.Array, mask: jax.Array, key: jax.Array | None, *, keep_attention: bool = False
    ) -> jax.Array:
        y = self.norm_attention(x)
        x = x + drop(self.attention(y, mask=mask, sow_weights=keep_attention), self.rate, key)
        y = self.down(jax.nn.gelu(self.up(self.norm_dense(x))))
        return x + drop(y, self.rate, None if key is None else jax.random.fold_in(key, 1))


class SequenceEncoder(nnx.Module):
    """The encoder with a decoder for masked bases, or with a head for classification where
    `config.tasks` asks for one."""

    def __init__(self, config: SequenceEncoderConfig, *, rngs: nnx.Rngs):
        self.config = config
        a, b, c = config.channels
        sizes = ((4 + 1, a), (a, b), (b, c))
        self.convolutions = nnx.List(
            [
                nnx.Conv(i, o, (width,), rngs=rngs)
                for (i, o), width in zip(sizes, config.widths, strict=True)
            ]
        )
        self.norms = nnx.List([nnx.LayerNorm(width, rngs=rngs) for width in (a, b, c)])
        self.project = nnx.Linear(c, config.features, rngs=rngs)
        self.position = nnx.Param(
            0.02 * jax.random.normal(rngs.params(), (config.max_tokens, config.features))
        )
        self.blocks = nnx.List([Block(config, rngs) for _ in range(config.depth)])
        self.norm = nnx.LayerNorm(config.features, rngs=rngs)
        if not config.tasks:
            # Each step up gives both halves of a position features of their own.
            self.ups = nnx.List(
                [nnx.Linear(i, 2 * o, rngs=rngs) for i, o in ((config.features, c), (c, b), (b, a))]
            )
            self.hidden = nnx.Linear(2 * a, 2 * a, rngs=rngs)
            self.letters = nnx.Linear(2 * a, 4, rngs=rngs)
        else:
            self.head_norm = nnx.LayerNorm(config.features, rngs=rngs)
            self.head_place = nnx.Linear(
                config.features, config.tasks * config.head_features, rngs=rngs
            )
            self.head_kernel = nnx.Param(
                0.05
                * jax.random.normal(
                    rngs.params(), (config.tasks, config.head_tokens, config.head_features)
                )
            )
            self.head_pooled = nnx.Linear(2 * config.features, config.tasks, rngs=rngs)

    def inputs(
        self, tokens: Int[Array, "batch position"]
    ) -> Float[Array, "batch position channel"]:
        """One-hot letters and a channel that says `hidden`; N and padding are zero."""
        return (tokens[..., None] == jnp.array([0, 1, 2, 3, MASK])).astype(jnp.float32)

    def encode(
        self,
        x: Float[Array, "batch position channel"],
        known: jax.Array,
        *,
        key: jax.Array | None = None,
        keep_attention: bool = False,
    ) -> tuple[Float[Array, "batch token features"], list[jax.Array]]:
        """Token features and the skips, from inputs whose length is a multiple of eight.

        Args:
            x: as `inputs` gives them (differentiable, for explanations).
            known: bool `[batch, position]`: not padding.
            key: of dropout; None: no dropout.
            keep_attention: whether each block keeps its attention weights (`nnx.Intermediate`).
        """
        skips = []
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = jax.nn.gelu(norm(convolution(x)))
            skips.append(x)
            x = jnp.maximum(x[:, ::2], x[:, 1::2])
        there = known.reshape(known.shape[0], -1, REDUCTION).any(-1)
        x = self.project(x) + self.position[: x.shape[1]]
        for number, block in enumerate(self.blocks):
            inner = None if key is None else jax.random.fold_in(key, number)
            x = block(x, there[:, None, None, :], inner, keep_attention=keep_attention)
        return self.norm(x), skips

    def decode(
        self, x: Float[Array, "batch token features"], skips: list[jax.Array]
    ) -> Float[Array, "batch position letter"]:
        """Logits of the four letters at each base."""
        for up, skip in zip(self.ups, reversed(skips), strict=True):
            y = up(x).reshape(x.shape[0], 2 * x.shape[1], -1)
            x = y + skip if skip is not skips[0] else jnp.concatenate([y, skip], -1)
            x = jax.nn.gelu(x) if skip is not skips[0] else x
        return self.letters(jax.nn.gelu(self.hidden(x)))

    def __call__(
        self, tokens: Int[Array, "batch position"], *, key: jax.Array | None = None
    ) -> Float[Array, "batch position letter"]:
        """Logits of the letter at every base.

        Args:
            tokens: any length up to `8 * config.max_tokens`; hidden bases are `MASK`.
            key: of dropout; None (prediction): no dropout.
        """
        padded = pad(tokens)
        x, skips = self.encode(self.inputs(padded), padded != PADDING, key=key)
        return self.decode(x, skips)[:, : tokens.shape[1]]

    def classify(
        self, tokens: Int[Array, "batch position"], *, key: jax.Array | None = None
    ) -> Float[Array, "batch task"]:
        """One logit for each task, of sequences of at most `8 * config.head_tokens` bases."""
        padded = pad(tokens, self.config.head_tokens * REDUCTION)
        return self.head(self.inputs(padded), padded != PADDING, key=key)

    def head(
        self,
        x: jax.Array,
        known: jax.Array,
        *,
        key: jax.Array | None = None,
        keep_attention: bool = False,
    ) -> jax.Array:
        """`classify` of inputs as `inputs` gives them; for explanations."""
        x, _ = self.encode(x, known, key=key, keep_attention=keep_attention)
        x = self.head_norm(x)
        there = known.reshape(known.shape[0], -1, REDUCTION).any(-1)[..., None]
        pooled = jnp.concatenate(
            [jnp.where(there, x, 0.0).sum(1) / there.sum(1), jnp.where(there, x, -jnp.inf).max(1)],
            -1,
        )
        pooled = drop(
            pooled, self.config.dropout, None if key is None else jax.random.fold_in(key, 99)
        )
        places = jax.nn.gelu(self.head_place(x)).reshape(
            *x.shape[:2], self.config.tasks, self.config.head_features
        )
        places = jnp.where(there[..., None], places, 0.0)
        return jnp.einsum("btkf,ktf->bk", places, self.head_kernel[...]) + self.head_pooled(pooled)


def pad(tokens: jax.Array, length: int | None = None) -> jax.Array:
    """Tokens padded at their end to `length`, or to the next multiple of eight.

    Raises:
        ValueError: they are longer than `length`.
    """
    n = tokens.shape[1]
    target = -(-n // REDUCTION) * REDUCTION if length is None else length
    if n > target:
        raise ValueError(
            f"sequences of {n} bases are longer than the {target} that this network sees; cut them"
        )
    return jnp.pad(tokens, ((0, 0), (0, target - n)), constant_values=PADDING)
