"""How our own sequences are made (`zoo data build genomics/motif_grammar`).

`motif_grammar` follows the published recipe ("task 3") of Koo & Ploenzke 2021, "Improving
representations of genomic sequence motifs in convolutional networks with exponential
activations", doi:10.1038/s42256-020-00291-x, number for number: legacy generator, seed 22,
the same order of calls. A sequence gets 3 to 7 motifs with random gaps; positives draw them
from five core factors (both strands), negatives from a larger pool that holds the core too.

`motif_grammar_hard` is ours. Both classes hold the same motifs, so counting short words
cannot tell them apart; only in positives do two of them stand in the right order at the
right distance (`RULES`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from zoo.genomics.motif_grammar.data import (
    INFORMATIVE,
    MOST_MOTIFS,
    PlantedSequences,
    core_matrices,
    information,
    read_matrices,
)

SEED = 22
DIGEST = "c0cc507ef499de6f1d8911b5c354018d42e5eb0e55f5188ac8240f73c3bf5e64"
"""SHA-256 of the published set, int8 one-hot `[20000, 4, 200]` in the order in which it is made."""
LENGTH = 200
SEQUENCES = 20_000
CUMULATIVE = np.cumsum([0, 0, 0.5, 0.25, 0.17, 0.05, 0.3])
"""The number of motifs is two more than the last place that a uniform number exceeds: 3 to
7 with 50, 25, 17, 5 and 3 %."""
SIMILAR = {4, 5, 12, 15, 17, 18, 20, 36, 42, 60}
"""Places of matrices that the authors leave out of the pool, because they look like core motifs."""
POOL = (
    512,
    2,
    3,
    516,
    266,
    267,
    270,
    271,
    22,
    28,
    285,
    31,
    35,
    40,
    296,
    300,
    304,
    56,
    58,
    59,
    327,
    73,
    89,
    352,
    355,
    357,
    101,
    102,
    360,
    366,
    368,
    119,
    120,
    122,
    123,
    127,
    130,
    389,
    137,
    148,
    154,
    157,
    163,
    426,
    172,
    433,
    178,
    177,
    441,
    196,
)
"""The pool's places among the 519 matrices. The authors write
`list(set(permutation[:65]) - SIMILAR)[:50]`: an order that only CPython's sets give, so it
is kept here as numbers (and compared with that expression in a test)."""

RULES = (("SP1", "Gabpa", 8), ("CEBPB", "MAX", 10), ("YY1", "SP1", 12))
"""The grammar of `motif_grammar_hard`: first motif, second motif, bases between them."""
SEED_HARD = 2026
PAIRS = 2
APART = 7
"""Fewest bases between two motifs of `motif_grammar_hard`."""
FARTHEST = 30
"""Most bases between the motifs of a pair whose distance is wrong."""
OFF = 4
"""By how many bases a wrong distance is wrong, at least."""


def matrices_of_pool(path: Path) -> tuple[list[str], list[np.ndarray]]:
    """Names and matrices of all 110 motifs of negatives: the ten core ones, then the pool,
    each with its reverse complement."""
    every_name, every = read_matrices(path)
    names, matrices = core_matrices()
    for place in POOL:
        names += [every_name[place], f"{every_name[place]}-"]
        matrices += [every[place], every[place][::-1, ::-1]]
    return names, matrices


def _place_motifs(
    random: np.random.RandomState, widths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Motifs and their starts for one sequence, by the published recipe."""
    while True:
        count = int(np.where(random.rand() > CUMULATIVE)[0][-1]) + 2
        chosen = random.randint(len(widths), size=count)
        used = int(widths[chosen].sum())
        if LENGTH > used > 0:
            break
    while True:
        gaps = random.uniform(0, 2, size=count + 1)
        gaps = np.round(gaps / sum(gaps) * (LENGTH - used)).astype(int)
        if gaps.sum() == LENGTH - used:
            break
    return chosen, np.cumsum(gaps[:-1]) + np.concatenate([[0], np.cumsum(widths[chosen])[:-1]])


def _letters(uniform: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The first letter whose cumulative probability exceeds each uniform number, int8
    `[position]`."""
    return (uniform[None] >= matrix.cumsum(axis=0)).argmin(axis=0).astype(np.int8)


def _spell(
    uniform: np.ndarray, chosen: np.ndarray, starts: np.ndarray, matrices: Sequence[np.ndarray]
) -> np.ndarray:
    """One sequence's letters: motifs by their matrices, every other base uniform."""
    model = np.full((4, LENGTH), 0.25)
    for motif, start in zip(chosen, starts, strict=True):
        model[:, start : start + matrices[motif].shape[1]] = matrices[motif]
    return _letters(uniform, model)


def _tables(
    names: Sequence[str], matrices: Sequence[np.ndarray]
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """What `PlantedSequences` keeps of the matrices: names, informative columns, widths."""
    width = np.array([matrix.shape[1] for matrix in matrices], np.int16)
    informative = np.zeros((len(matrices), int(width.max())), bool)
    for row, matrix in zip(informative, matrices, strict=True):
        row[: matrix.shape[1]] = information(matrix) > INFORMATIVE
    return tuple(names), informative, width


def motif_grammar(
    path: Path, *, progress: Callable[[str, int, int], None] | None = None
) -> tuple[PlantedSequences, np.ndarray]:
    """The published set in the order in which it is made, 10,000 positives first, and the
    permutation that splits it.

    Args:
        path: JASPAR 2016's vertebrate matrices (`pfm_vertebrates.txt`).
        progress: told `(name, done, total)`.
    """
    random = np.random.RandomState(SEED)
    # drew the pool, see `POOL`; what follows depends on the generator's state after it
    random.permutation(519)
    names, matrices = matrices_of_pool(path)
    table = _tables(names, matrices)
    tokens = np.empty((SEQUENCES, LENGTH), np.int8)
    motif, start = np.full((2, SEQUENCES, MOST_MOTIFS), -1, np.int16)
    for row in range(SEQUENCES):
        widths = table[2].astype(int)[: 10 if row < SEQUENCES // 2 else None]
        chosen, begins = _place_motifs(random, widths)
        tokens[row] = _spell(random.uniform(0, 1, LENGTH), chosen, begins, matrices)
        motif[row, : len(chosen)], start[row, : len(chosen)] = chosen, begins
        if progress is not None and row % 1000 == 999:
            progress("motif_grammar", row + 1, SEQUENCES)
    order = random.permutation(SEQUENCES)
    label = (np.arange(SEQUENCES) < SEQUENCES // 2).astype(np.int8)
    return PlantedSequences(
        tokens, label, motif, start, motif >= 0, np.zeros(SEQUENCES, np.int8), *table
    ), order


def motif_grammar_hard(
    *, progress: Callable[[str, int, int], None] | None = None
) -> tuple[PlantedSequences, np.ndarray]:
    """Our own harder set, in the order in which it is made, and the permutation that splits it.

    Every sequence holds two pairs of motifs, their rules drawn from `RULES` with the same
    chances in both classes. In a positive one of the two stands in the rule's order with
    the rule's number of bases between, and the other is a decoy; in a negative both are
    decoys. A decoy breaks its rule in one of two ways (`kind` of a negative, the same for
    both pairs): 1, the other order at the rule's distance; 2, the rule's order at a
    distance that is off by `OFF` bases or more. Apart from the pair that counts no two
    motifs of a sequence come within `OFF` of any rule by chance. At least `APART` bases lie
    between any two motifs, so no word of seven letters sees two of them: counts of words
    have the same distribution in both classes, and so has GC content. What an explanation
    has to find is the pair that counts, not the decoy.
    """
    random = np.random.RandomState(SEED_HARD)
    every_name, every = core_matrices()
    # one strand: the order of two motifs means nothing without it
    names, matrices = every_name[::2], every[::2]
    table = _tables(names, matrices)
    rules = [(names.index(first), names.index(second), gap) for first, second, gap in RULES]
    tokens = np.empty((SEQUENCES, LENGTH), np.int8)
    label, kind = np.zeros((2, SEQUENCES), np.int8)
    motif, start = np.full((2, SEQUENCES, MOST_MOTIFS), -1, np.int16)
    counts = np.zeros((SEQUENCES, MOST_MOTIFS), bool)
    for row in range(SEQUENCES):
        label[row] = row < SEQUENCES // 2
        decoy = 1 + row % 2
        kinds = [decoy] * PAIRS
        if label[row]:
            kinds[random.randint(PAIRS)] = 0
        chosen, begins = _place_pairs(random, rules, table[2].astype(int), kinds)
        tokens[row] = _spell(random.uniform(0, 1, LENGTH), chosen, begins, matrices)
        motif[row, : len(chosen)], start[row, : len(chosen)] = chosen, begins
        counts[row, : len(chosen)] = np.repeat(np.array(kinds) == 0, 2)
        kind[row] = 0 if label[row] else decoy
        if progress is not None and row % 1000 == 999:
            progress("motif_grammar_hard", row + 1, SEQUENCES)
    order = random.permutation(SEQUENCES)
    return PlantedSequences(tokens, label, motif, start, counts, kind, *table), order


def _place_pairs(
    random: np.random.RandomState,
    rules: Sequence[tuple[int, int, int]],
    widths: np.ndarray,
    kinds: Sequence[int],
) -> tuple[np.ndarray, np.ndarray]:
    """Motifs and their starts for one sequence of `motif_grammar_hard`; kind of a pair 0:
    rule kept, 1: other order, 2: other distance."""
    while True:
        chosen, inner = [], []
        for kind in kinds:
            first, second, wanted = rules[random.randint(len(rules))]
            gap = wanted
            if kind == 2:
                others = [
                    other for other in range(APART, FARTHEST + 1) if abs(other - wanted) >= OFF
                ]
                gap = others[random.randint(len(others))]
            chosen += [second, first] if kind == 1 else [first, second]
            inner.append(gap)
        used = int(widths[chosen].sum()) + sum(inner) + APART * (len(kinds) - 1)
        cuts = np.sort(random.randint(LENGTH - used + 1, size=len(kinds)))
        begins, place = [], 0
        for number, gap in enumerate(inner):
            place += int(cuts[number] - (cuts[number - 1] if number else 0)) + (
                APART if number else 0
            )
            begins += [place, place + int(widths[chosen[2 * number]]) + gap]
            place = begins[-1] + int(widths[chosen[2 * number + 1]])
        allowed = [2 * number for number, kind in enumerate(kinds) if kind == 0]
        if fulfilled(chosen, begins, rules, widths, within=OFF - 1) == allowed:
            return np.array(chosen), np.array(begins)


def fulfilled(
    chosen: Sequence[int],
    begins: Sequence[int],
    rules: Sequence[tuple[int, int, int]],
    widths: np.ndarray,
    *,
    within: int,
) -> list[int]:
    """Which of a sequence's motifs are the first of two that stand as a rule wants, give or
    take `within` bases."""
    return [
        i
        for i in range(len(chosen))
        for first, second, gap in rules
        for j in range(len(chosen))
        if i != j
        and chosen[i] == first
        and chosen[j] == second
        and abs(begins[j] - begins[i] - int(widths[first]) - gap) <= within
    ]


def one_hot_digest(tokens: np.ndarray) -> str:
    """SHA-256 of the one-hot sequences, int8 `[sequence, 4, position]`, the form in which
    the published recipe makes them."""
    import hashlib

    digest = hashlib.sha256()
    for part in np.array_split(tokens, 20):
        digest.update(
            np.ascontiguousarray(
                (part[:, None] == np.arange(4, dtype=np.int8)[:, None]).astype(np.int8)
            ).tobytes()
        )
    return digest.hexdigest()
