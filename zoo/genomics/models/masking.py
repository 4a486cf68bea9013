"""What masked-language modelling does to DNA: positions are chosen, most are hidden, and a
model says what stood there.

The recipe is BERT's (Devlin et al. 2019, arXiv:1810.04805): of the chosen positions 80 %
are hidden, 10 % are replaced by a base drawn at random (one in four is the base itself), 10
% stay.
"""

from __future__ import annotations

from typing import Any

import numpy as np

MASK = 6
"""Token of a base that is hidden; nothing is known of it, not even that it is N."""
KINDS = ("masked", "kept", "random")
"""What became of a chosen position: hidden, left as it was, replaced by a base drawn at
random (which may be the same)."""
HIDDEN, KEPT = 0.8, 0.1
"""Shares of the chosen positions; the rest is drawn at random."""
SAME, OTHER = (
    (KEPT + (1 - HIDDEN - KEPT) / 4) / (1 - HIDDEN),
    (1 - HIDDEN - KEPT) / 4 / (1 - HIDDEN),
)
"""P(shown base | true base) at a chosen position that is not hidden: .625 where they are
the same, .125 for each other base."""

_COMPLEMENT = np.array([3, 2, 1, 0, 4, 5, MASK], np.int8)


def reverse_strand(tokens: np.ndarray) -> np.ndarray:
    """The other strand of windows without padding `[..., position]`; hidden bases stay hidden."""
    return _COMPLEMENT[np.asarray(tokens)[..., ::-1]]


def update_belief(probability: Any, tokens: Any, *, xp: Any = np) -> Any:
    """What a chosen position held, given a belief from its surroundings and what it shows:
    Bayes' rule with the corruption's own odds.

    Args:
        probability: belief from the surroundings `[..., position, letter]`.
        tokens: corrupted windows `[..., position]`; where a base is hidden nothing changes.
        xp: NumPy or jax.numpy.
    """
    letter = xp.asarray(tokens)[..., None]
    odds = xp.where(letter < 4, xp.where(letter == xp.arange(4), SAME, OTHER), 1.0)
    value = probability * odds
    return value / value.sum(-1, keepdims=True)


def corrupt(
    windows: np.ndarray, chosen: int, *, seed: int, hidden: float = HIDDEN, kept: float = KEPT
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows as a masked-language model gets them: the corruption of a task.

    The draws are raw words of a Philox generator, which NumPy keeps the same for ever (its
    `Generator` methods may change).

    Args:
        windows: tokens int8 `[window, position]`.
        chosen: positions of each window, without replacement.
        seed: names the corruption.
        hidden: share of the chosen positions that are hidden.
        kept: share that stays; the rest is drawn at random.

    Returns:
        Corrupted tokens int8 `[window, position]`; chosen positions int64
        `[window, chosen]`, rising; their kinds uint8 (`KINDS`).
    """
    n, length = windows.shape
    raw = np.random.Philox(key=seed).random_raw(n * (length + 2 * chosen))
    ranks, kind_words, letter_words = np.split(raw, [n * length, n * (length + chosen)])
    places = np.sort(
        np.argsort(ranks.reshape(n, length), axis=1, kind="stable")[:, :chosen], axis=1
    )
    share = (kind_words >> np.uint64(11)).reshape(n, chosen) * 2.0**-53
    kind = np.where(share < hidden, 0, np.where(share < hidden + kept, 1, 2)).astype(np.uint8)
    letters = (letter_words >> np.uint64(62)).astype(np.int8).reshape(n, chosen)
    corrupted = windows.copy()
    seen = np.take_along_axis(windows, places, 1)
    np.put_along_axis(
        corrupted, places, np.where(kind == 0, np.int8(MASK), np.where(kind == 1, seen, letters)), 1
    )
    return corrupted, places, kind
