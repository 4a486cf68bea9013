"""What is explained of some sequences: a differentiable score of one-hot letters, and what is
known beside it. Each task family makes one; `zoo.genomics.explain` draws it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float

from zoo.genomics.data.sequences import one_hot

__all__ = ["Places", "SequenceScore", "attention_of", "encoder_inputs", "score_of"]

Places = list[tuple[str, int, int]]
"""Name, first position, position after the last."""


@dataclasses.dataclass(frozen=True)
class SequenceScore:
    """A score of sequences of one length.

    Attributes:
        function: one-hot letters `[n, position, 4]` -> `[n]`, differentiable.
        target: what the score is, in words.
        tokens: int8 `[sequence, position]`, the sequences to be explained.
        names: of the sequences.
        length: bases that the network reads; None: any.
        attention: layer -> weights `[n, head, query, key]`, where there is attention.
        gains: what the score gains by each substitution `[n, position, letter]`, where that
            is had faster than by running every mutant.
        places: where something lies in each sequence, for the drawing.
        places_are: what these are, in words.
    """

    function: Callable[[Any], Any]
    target: str
    tokens: np.ndarray
    names: tuple[str, ...]
    length: int | None = None
    attention: Callable[[], dict[str, np.ndarray]] | None = None
    gains: Callable[[], np.ndarray] | None = None
    places: list[Places] | None = None
    places_are: str = ""


def score_of(network: nnx.Module) -> Callable[[Any], Any]:
    """A network of one-hot letters with one output, as a function of them alone."""
    graph, state = nnx.split(network)
    return lambda x: nnx.merge(graph, state)(x).reshape(len(x))


def encoder_inputs(
    x: Float[Array, "n position 4"], whole: int, *, hidden: int | None = None
) -> Float[Array, "n whole 5"]:
    """One-hot letters as `SequenceEncoder.encode` takes them, padded to `whole` bases.

    Args:
        x: one-hot letters.
        whole: a multiple of eight.
        hidden: a position that the network is not shown.
    """
    x = jnp.concatenate([x, jnp.zeros((*x.shape[:2], 1))], -1)
    if hidden is not None:
        x = x.at[:, hidden].set(jnp.array([0.0, 0, 0, 0, 1]))
    return jnp.pad(x, ((0, 0), (0, whole - x.shape[1]), (0, 0)))


def attention_of(
    encoder: Any, tokens: np.ndarray, known: Bool[np.ndarray, " whole"], hidden: int | None = None
) -> dict[str, np.ndarray]:
    """The attention weights of a `SequenceEncoder` by layer `[n, head, query, key]`.

    Args:
        encoder: whose blocks keep them; a copy, since they stay in it.
        tokens: `[n, position]`.
        known: which bases are no padding.
        hidden: as in `encoder_inputs`.
    """
    there = jnp.broadcast_to(known, (len(tokens), len(known)))
    x = encoder_inputs(jnp.asarray(one_hot(tokens)), len(known), hidden=hidden)
    encoder.encode(x, there, keep_attention=True)
    # `[...]` does not read what was sown: a tuple.
    kept = [block.attention.attention_weights.get_value() for block in encoder.blocks]
    return {
        f"layer {n}": np.asarray(each[0] if isinstance(each, tuple) else each)
        for n, each in enumerate(kept, 1)
    }
