"""Baselines of sequences for integrated gradients: shuffled positions."""

from __future__ import annotations

import numpy as np


def shuffles(
    inputs: np.ndarray, number: int, *, seed: int = 0, keep_pairs: bool = False
) -> np.ndarray:
    """Baselines for sequences: each example's positions in random order
    `[number, n, position, letter]`.

    Args:
        inputs: one-hot `[n, position, letter]`.
        number: shuffles of each.
        seed: of the generator.
        keep_pairs: keep the counts of dinucleotides too (Altschul & Erickson 1985,
            doi:10.1093/oxfordjournals.molbev.a040370): a random walk of each letter's
            successors along a random spanning tree.
    """
    rng = np.random.default_rng(seed)
    out = np.empty((number, *inputs.shape), inputs.dtype)
    for copy in out:
        for row, example in zip(copy, inputs, strict=True):
            row[:] = example[
                _euler_shuffle(example, rng) if keep_pairs else rng.permutation(len(example))
            ]
    return out


def _euler_shuffle(example: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An order of positions that keeps the first and last letter and the number of each
    pair of neighbours."""
    code = np.where(example.any(-1), example.argmax(-1), example.shape[-1])
    letters, code = np.unique(code, return_inverse=True)
    followers = [np.flatnonzero(code[:-1] == letter) + 1 for letter in range(len(letters))]
    last = code[-1]
    while True:  # the last step out of each letter must lead, in the end, to the last letter
        final = [
            int(rng.choice(each)) if len(each) and letter != last else -1
            for letter, each in enumerate(followers)
        ]
        if all(
            _reaches(letter, last, final, code)
            for letter in range(len(letters))
            if len(followers[letter])
        ):
            break
    queues = []
    for each, end in zip(followers, final, strict=True):
        rest = rng.permutation(each[each != end])
        queues.append([*rest, *([end] if end >= 0 else [])][::-1])
    order = [0]
    while len(order) < len(code):
        order.append(queues[code[order[-1]]].pop())
    return np.array(order)


def _reaches(letter: int, last: int, final: list[int], code: np.ndarray) -> bool:
    """Whether following the last steps from a letter ends at the last letter."""
    for _ in range(len(final) + 1):
        if letter == last:
            return True
        letter = int(code[final[letter]])
    return False
