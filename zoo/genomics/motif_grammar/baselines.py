"""Rows of `genomics/motif_grammar` with nothing learned by gradient: GC content, words, and
the true matrices.

The regressions on words are fitted by `zoo.genomics.motif_grammar.build`; their coefficients
are shipped as safetensors whose hash the task names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import files
from zoo.genomics.data.sequences import gc_content, kmer_index
from zoo.genomics.motif_grammar.data import core_matrices, scan
from zoo.genomics.motif_grammar.task import MotifGrammar, MotifInputs

FOLDER = Path(__file__).parent.parent / "weights"
WIDTH = 6
"""Letters of a word."""


def gc(task: MotifGrammar) -> Callable[[MotifInputs], dict[str, Any]]:
    """GC content as the score, and "is a G or a C" as its explanation."""

    def predict(inputs: MotifInputs) -> dict[str, Any]:
        strong = (inputs.tokens[inputs.explained] == 1) | (inputs.tokens[inputs.explained] == 2)
        return {
            "score": gc_content(inputs.tokens),
            "attribution": {"gc": strong.astype(float)},
            "declared": "gc",
        }

    return predict


def word_counts(tokens: np.ndarray, k: int = WIDTH) -> np.ndarray:
    """Square roots of the counts of canonical words `[sequence, 4^k]` (a word and its
    reverse complement share a column)."""
    index = kmer_index(tokens, k, canonical=True)
    place = np.arange(len(tokens))[:, None] * 4**k + index
    counts = np.bincount(place[index >= 0], minlength=len(tokens) * 4**k)
    return np.sqrt(counts.reshape(len(tokens), 4**k), dtype=np.float32)


def words(task: MotifGrammar, *, file: str, sha256: str) -> Callable[[MotifInputs], dict[str, Any]]:
    """Logistic regression on words of six letters; a position's explanation is the sum of
    the weights of the words that cover it.

    Raises:
        zoo.files.FileMissing: the fitted weights are not there.
        zoo.files.FileAltered: their SHA-256 is not the task's.
    """
    from safetensors.numpy import load_file

    path = FOLDER / file
    if not path.is_file():
        raise files.FileMissing(
            f"{path} belongs to the package but is not there; `zoo data build "
            f"genomics/motif_grammar --step {path.stem} --out {FOLDER}` fits it anew"
        )
    if (found := files.sha256(path)) != sha256:
        raise files.FileAltered(
            f"{path} has SHA-256 {found}, the task says {sha256}; `git checkout` it, or fit anew "
            "and write that down"
        )
    stored = load_file(path)
    weight, bias = stored["weight"].astype(np.float64), float(stored["bias"][0])

    def predict(inputs: MotifInputs) -> dict[str, Any]:
        index = kmer_index(inputs.tokens[inputs.explained], WIDTH, canonical=True)
        each = np.where(index >= 0, weight[index], 0.0)
        cover = np.zeros((len(index), inputs.tokens.shape[1]))
        for offset in range(WIDTH):
            cover[:, offset : offset + each.shape[1]] += each
        score = word_counts(inputs.tokens) @ weight + bias
        return {
            "score": score,
            "threshold": 0.0,
            "attribution": {"words": cover},
            "declared": "words",
        }

    return predict


def oracle(
    task: MotifGrammar, *, rules: Sequence[Sequence[Any]] = ()
) -> Callable[[MotifInputs], dict[str, Any]]:
    """The true matrices, which no other row knows: where they match best, and how well.

    The explanation of a position is the best log-odds of a match that covers it. The score
    is the sum of the three best matches that do not overlap; with `rules` (first motif,
    second motif, bases between) the best pair that stands as a rule wants.
    """
    names, matrices = core_matrices()

    def predict(inputs: MotifInputs) -> dict[str, Any]:
        explained = inputs.tokens[inputs.explained]
        found = scan(explained, matrices)
        cover = np.full(explained.shape, -np.inf)
        for matrix, match in zip(matrices, found, strict=True):
            for offset in range(matrix.shape[1]):
                cover[:, offset:] = np.maximum(
                    cover[:, offset:], match[:, : cover.shape[1] - offset]
                )
        found = scan(inputs.tokens, matrices)
        score = _best_pair(found, names, matrices, rules) if rules else _best_three(found, matrices)
        return {
            "score": score,
            "attribution": {"matrices": np.maximum(cover, -100.0)},
            "declared": "matrices",
        }

    return predict


def _best_pair(
    found: np.ndarray,
    names: Sequence[str],
    matrices: Sequence[np.ndarray],
    rules: Sequence[Sequence[Any]],
) -> np.ndarray:
    """Best sum of two matches at a rule's distance, over rules `[sequence]`."""
    best = np.full(found.shape[1], -np.inf)
    for first, second, gap in rules:
        a, b = names.index(first), names.index(second)
        away = matrices[a].shape[1] + gap
        best = np.maximum(best, (found[a][:, :-away] + found[b][:, away:]).max(1))
    return best


def _best_three(found: np.ndarray, matrices: Sequence[np.ndarray]) -> np.ndarray:
    """Sum of the three best matches that do not overlap, taken greedily `[sequence]`."""
    left, total = found.copy(), np.zeros(found.shape[1])
    widths = np.array([matrix.shape[1] for matrix in matrices])
    row, place = np.arange(found.shape[1]), np.arange(found.shape[2])
    for _ in range(3):
        by_sequence = left.transpose(1, 0, 2).reshape(found.shape[1], -1)
        best = by_sequence.argmax(1)
        total += by_sequence[row, best]
        motif, start = np.divmod(best, found.shape[2])
        end = start + widths[motif]
        overlaps = (place < end[:, None]) & (place + widths[:, None, None] > start[:, None])
        left[overlaps] = -np.inf
    return total
