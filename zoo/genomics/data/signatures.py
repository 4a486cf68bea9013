"""Numbers by which sequences are recognised: themselves, either strand of themselves, their
31-mers, their dinucleotides.

Each function takes the token arrays of several tables at once and gives an array for each,
in which two sequences have the same number where they are the same in that respect, also
across tables.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo.genomics.data import sequences as dna

WORDS_AT_ONCE = 1 << 22
"""k-mers held at a time before they are sorted and thinned out."""


def exact(*tables: np.ndarray) -> list[np.ndarray]:
    """int64 `[sequence]` of each: equal where the letters are equal, whatever the padding."""
    return _numbered(_rows(tables))


def either_strand(*tables: np.ndarray) -> list[np.ndarray]:
    """int64 `[sequence]` of each: equal where one sequence is the other or its reverse
    complement."""
    return _numbered(
        [
            np.where(row <= other, row, other)
            for row, other in zip(_rows(tables), _rows(_other(tables)), strict=True)
        ]
    )


def dinucleotides(*tables: np.ndarray) -> list[np.ndarray]:
    """int64 `[sequence]` of each: equal where all dinucleotide counts and the first and the
    last letter are equal.

    These are what a dinucleotide-preserving shuffle (Altschul & Erickson 1985,
    doi:10.1093/oxfordjournals.molbev.a040370) keeps. N counts as a fifth letter.
    """
    return _numbered([_void(_composition(tokens)) for tokens in tables])


def composition_bytes(tokens: np.ndarray) -> list[bytes]:
    """What `dinucleotides` compares, as bytes of each sequence that depend on nothing else
    (to hash)."""
    return [row.tobytes() for row in _composition(tokens)]


def words(tokens: np.ndarray, k: int = 31) -> np.ndarray:
    """The k-mer that begins at each position, either strand, int64
    `[sequence, position - k + 1]`; -1 where a base is unknown. k <= 31."""
    if not 1 <= k <= 31:
        raise ValueError(f"k={k}: k-mers of 1 to 31 bases fit into an integer")
    tokens = np.asarray(tokens)
    n = max(tokens.shape[1] - k + 1, 0)
    value, other = np.zeros((len(tokens), n), np.int64), np.zeros((len(tokens), n), np.int64)
    for place in range(k):
        base = tokens[:, place : place + n].astype(np.int64) & 3
        value = value << 2 | base
        other |= (3 - base) << (2 * place)
    unknown = np.concatenate(
        [np.zeros((len(tokens), 1), np.int64), np.cumsum(tokens >= dna.UNKNOWN, 1)], 1
    )
    return np.where(unknown[:, k:] == unknown[:, :n] if n else False, np.minimum(value, other), -1)


def all_words(tokens: np.ndarray, k: int = 31) -> np.ndarray:
    """The different k-mers (either strand) of a table, sorted int64 `[k-mer]`."""
    step = max(WORDS_AT_ONCE // max(tokens.shape[1], 1), 1)
    parts = [
        np.unique(words(tokens[start : start + step], k)) for start in range(0, len(tokens), step)
    ]
    found = np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)
    return found[found >= 0]


def shares_words(tokens: np.ndarray, known: np.ndarray, k: int = 31) -> np.ndarray:
    """Whether each sequence has a k-mer (either strand) among the sorted `known` ones of
    `all_words`, bool `[sequence]`."""
    step = max(WORDS_AT_ONCE // max(tokens.shape[1], 1), 1)
    found = []
    for start in range(0, len(tokens), step):
        own = words(tokens[start : start + step], k)
        place = np.minimum(np.searchsorted(known, own), max(len(known) - 1, 0))
        found.append((known[place] == own).any(1) if len(known) else np.zeros(len(own), bool))
    return np.concatenate(found) if found else np.zeros(0, bool)


def clean(tokens: np.ndarray, train: np.ndarray, k: int = 31) -> np.ndarray:
    """Which sequences are new to a training table: no copy of theirs and no k-mer of
    theirs, either strand, is in it; bool `[sequence]`."""
    own, known = either_strand(tokens, train)
    return ~np.isin(own, known) & ~shares_words(tokens, all_words(train, k), k)


def _composition(tokens: np.ndarray) -> np.ndarray:
    """int32 `[sequence, 27]`: 25 dinucleotide counts, first letter, last letter."""
    tokens = np.asarray(tokens)
    size = dna.lengths(tokens)
    pair = tokens[:, :-1].astype(np.int64) * 5 + tokens[:, 1:]
    counted = tokens[:, 1:] != dna.PADDING
    place = (np.arange(len(tokens))[:, None] * 25 + pair)[counted]
    counts = np.bincount(place, minlength=25 * len(tokens)).reshape(-1, 25)
    last = tokens[np.arange(len(tokens)), np.maximum(size - 1, 0)]
    return np.concatenate([counts, tokens[:, :1], last[:, None]], 1).astype(np.int32)


def _rows(tables: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Each sequence as one byte string, all of one width."""
    width = max(tokens.shape[1] for tokens in tables)
    out = []
    for tokens in tables:
        rows = np.full((len(tokens), width), dna.PADDING + 1, np.uint8)
        rows[:, : tokens.shape[1]] = tokens + 1  # numpy cuts zero bytes off the end of a string
        out.append(rows.view(f"S{width}")[:, 0])
    return out


def _other(tables: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [dna.reverse_complement(tokens) for tokens in tables]


def _void(rows: np.ndarray) -> np.ndarray:
    """Integer rows as one comparable string each, exactly: every byte as two that are not zero."""
    raw = np.ascontiguousarray(rows).view(np.uint8)
    half = np.concatenate([(raw >> 4) + 1, (raw & 15) + 1], 1)
    return np.ascontiguousarray(half).view(f"S{half.shape[1]}")[:, 0]


def _numbered(columns: Sequence[np.ndarray]) -> list[np.ndarray]:
    _, number = np.unique(np.concatenate(columns), return_inverse=True)
    return np.split(number.astype(np.int64), np.cumsum([len(column) for column in columns])[:-1])
