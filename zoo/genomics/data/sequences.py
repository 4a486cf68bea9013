"""DNA as small integers: what every loader gives, every network takes and every weight file
assumes.

A base is an int8 token: A 0, C 1, G 2, T 3, N 4 (unknown), and 5 where a shorter sequence
is padded at its end. The order A, C, G, T makes the complement of a base `3 - token`.
Networks make their one-hot inputs from tokens on the device, inside jit: N and padding are
rows of zeros.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

LETTERS = "ACGT"
UNKNOWN = 4
"""Token of N, and of every letter that stands for several bases."""
PADDING = 5
IUPAC = "RYSWKMBDHVN"
"""Letters that stand for several bases; all are read as N."""

_TABLE = np.full(256, 255, np.uint8)
for _index, _letter in enumerate(LETTERS):
    _TABLE[[ord(_letter), ord(_letter.lower())]] = _index
for _letter in IUPAC:
    _TABLE[[ord(_letter), ord(_letter.lower())]] = UNKNOWN
_TABLE[[ord("U"), ord("u")]] = LETTERS.index("T")
_ALPHABET = np.frombuffer((LETTERS + "N").encode(), np.uint8)
_COMPLEMENT = np.array([3, 2, 1, 0, UNKNOWN, PADDING], np.int8)


class SequenceError(ValueError):
    """A sequence is empty or holds something that is no base."""


def encode(sequence: str, *, name: str = "sequence") -> np.ndarray:
    """Tokens int8 `[position]` of one sequence. Lower case is read as upper case, U as T,
    IUPAC letters as N.

    Raises:
        SequenceError: the sequence is empty, or holds another character; says which and where.
    """
    raw = np.frombuffer(sequence.encode("utf-8", "replace"), np.uint8)
    if raw.size == 0:
        raise SequenceError(f"{name} is empty; leave the row out, or say N for every unknown base")
    tokens = _TABLE[raw]
    if (tokens == 255).any():
        place = int(np.argmax(tokens == 255))
        raise SequenceError(
            f"{name} has {sequence[place : place + 1]!r} at position {place + 1}; legal are "
            f"{LETTERS}, U, {IUPAC} in either case"
        )
    return tokens.astype(np.int8)


def encode_all(
    sequences: Iterable[str], *, length: int | None = None, name: str = "row"
) -> np.ndarray:
    """Tokens int8 `[sequence, position]`; shorter sequences are padded at their end.

    Args:
        sequences: letters.
        length: positions; by default those of the longest sequence.
        name: what an error calls a sequence, before its number (counted from 1).

    Raises:
        SequenceError: as `encode`; no sequence at all; or one longer than `length`.
    """
    each = [
        encode(sequence, name=f"{name} {number}") for number, sequence in enumerate(sequences, 1)
    ]
    if not each:
        raise SequenceError("there is no sequence")
    longest = max(map(len, each))
    width = longest if length is None else length
    if longest > width:
        number = next(number for number, tokens in enumerate(each, 1) if len(tokens) > width)
        raise SequenceError(
            f"{name} {number} has {len(each[number - 1])} bases, more than the {width} that are "
            "asked for; cut it"
        )
    out = np.full((len(each), width), PADDING, np.int8)
    for row, tokens in zip(out, each, strict=True):
        row[: len(tokens)] = tokens
    return out


def decode(tokens: np.ndarray) -> str:
    """Letters of one sequence's tokens; padding is left out."""
    tokens = np.asarray(tokens)
    return _ALPHABET[tokens[tokens != PADDING]].tobytes().decode()


def reverse_complement(tokens: np.ndarray) -> np.ndarray:
    """The other strand, read in its own direction `[..., position]`; padding stays at the end.

    Without padding this is a flip and `3 - token`; a padded row's bases are flipped within
    their own length.
    """
    tokens = np.asarray(tokens)
    flipped = _COMPLEMENT[tokens[..., ::-1]]
    lengths = (tokens != PADDING).sum(-1)
    if (lengths == tokens.shape[-1]).all():
        return flipped
    shift = tokens.shape[-1] - lengths
    places = (np.arange(tokens.shape[-1]) + shift[..., None]) % tokens.shape[-1]
    return np.take_along_axis(flipped, places, -1)


def one_hot(tokens: Any, *, xp: Any = np, dtype: Any = np.float32) -> Any:
    """One-hot `[..., position, 4]`; N and padding are zero. `xp` is NumPy or jax.numpy, so
    that jitted code makes it on the device."""
    return (xp.asarray(tokens)[..., None] == xp.arange(4, dtype=xp.int8)).astype(dtype)


def lengths(tokens: np.ndarray) -> np.ndarray:
    """Bases of each sequence, without padding `[...]`."""
    return (np.asarray(tokens) != PADDING).sum(-1)


def gc_content(tokens: np.ndarray) -> np.ndarray:
    """Share of G and C among the known bases of each sequence `[...]`; zero where no base
    is known."""
    tokens = np.asarray(tokens)
    known = (tokens < UNKNOWN).sum(-1)
    return ((tokens == 1) | (tokens == 2)).sum(-1) / np.maximum(known, 1)


def kmer_index(tokens: np.ndarray, k: int, *, canonical: bool = False) -> np.ndarray:
    """The number of the k-mer that begins at each position, int64
    `[..., position - k + 1]`; -1 where it holds an unknown base.

    Args:
        tokens: `[..., position]`.
        k: length, 1 to 15.
        canonical: whether a k-mer and its reverse complement get one number, the smaller.
    """
    tokens = np.asarray(tokens)
    if not 1 <= k <= 15:
        raise ValueError(f"k={k}: k-mers of 1 to 15 bases are counted")
    n = max(tokens.shape[-1] - k + 1, 0)
    value = np.zeros((*tokens.shape[:-1], n), np.int64)
    other = np.zeros_like(value)
    known = np.ones(value.shape, bool)
    for place in range(k):
        base = tokens[..., place : place + n].astype(np.int64)
        known &= base < UNKNOWN
        value = value * 4 + base
        other += (3 - base) * 4**place
    return np.where(known, np.minimum(value, other) if canonical else value, -1)
