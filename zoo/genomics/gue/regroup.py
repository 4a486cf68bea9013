"""A split that keeps a sequence and its dinucleotide-preserving shuffles together: what
GUE's mouse tasks should have had.

All sequences of the published train, dev and test are pooled. Those with the same
dinucleotide counts, first letter and last letter form a group; a group goes to train, dev
or test (80 / 10 / 10) by the SHA-256 of those numbers. So the split needs no seed, no order
and no list, and a sequence that is added later moves no other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from zoo.genomics.data import LabelledSequences, signatures
from zoo.genomics.data import sequences as dna

SHARES = {"train": 0.8, "dev": 0.1, "test": 0.1}
SALT = "gue_mouse_grouped/1"


def grouped_split(
    tokens: np.ndarray, *, shares: Mapping[str, float] = SHARES, salt: str = SALT
) -> np.ndarray:
    """The split of each sequence, "train", "dev" or "test", by the hash of its group; `[sequence]`.

    Args:
        tokens: int8 `[sequence, position]`, padded at the end.
        shares: of the groups, by split.
        salt: another salt is another split.
    """
    edges = np.cumsum(list(shares.values()))
    names = np.array(list(shares))
    draw = [
        int.from_bytes(hashlib.sha256(salt.encode() + key).digest()[:8], "little") / 2**64
        for key in signatures.composition_bytes(tokens)
    ]
    return names[np.minimum(np.searchsorted(edges, draw, side="right"), len(names) - 1)]


def regroup(
    published: Mapping[str, LabelledSequences],
    *,
    shares: Mapping[str, float] = SHARES,
    salt: str = SALT,
) -> dict[str, LabelledSequences]:
    """The three tables of the grouped split from those of a published one.

    Ids are `<published split>:<published id>`. A sequence that occurs twice with one label
    is kept once, its first occurrence; one that occurs with two labels keeps both.

    Args:
        published: tables by the name of their split, all with labels and the same classes.
        shares, salt: of `grouped_split`.

    Raises:
        ValueError: a table without labels, or classes that differ.
    """
    tables = list(published.values())
    if (
        any(table.labels is None for table in tables)
        or len({table.classes for table in tables}) != 1
    ):
        raise ValueError(
            "tables of one labelled set are split again; classes are "
            f"{[table.classes for table in tables]}"
        )
    width = max(table.tokens.shape[1] for table in tables)
    tokens = np.full((sum(map(len, tables)), width), dna.PADDING, np.int8)
    start = 0
    for table in tables:
        tokens[start : start + len(table), : table.tokens.shape[1]] = table.tokens
        start += len(table)
    labels = np.concatenate([table.labels for table in tables])
    ids = tuple(f"{name}:{id}" for name, table in published.items() for id in table.ids)
    (number,) = signatures.exact(tokens)
    _, first = np.unique(number * (labels.max() + 1) + labels, return_index=True)
    pool = LabelledSequences(tokens, labels, ids, tables[0].classes)[np.sort(first)]
    split = grouped_split(pool.tokens, shares=shares, salt=salt)
    return {name: pool[split == name] for name in shares}
