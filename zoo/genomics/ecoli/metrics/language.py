"""Scores of masked-language models of DNA as pure functions of arrays.

The measure is the cross-entropy of the hidden base in nats, `-ln p(true base)`; perplexity
is its exponential and bits are nats over ln 2. A model that knows nothing scores ln 4 =
1.3863 nats = 2 bits.
"""

from __future__ import annotations

import numpy as np

NATS_PER_BIT = float(np.log(2.0))


def negative_log_likelihood(log_probability: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`-ln p(target)` in nats, float64 `[...]`.

    Args:
        log_probability: natural logarithms `[..., letter]`.
        target: the true letters, 0 to 3, `[...]`.
    """
    chosen = np.take_along_axis(
        np.asarray(log_probability, np.float64), np.asarray(target, np.int64)[..., None], -1
    )
    return -chosen[..., 0]


def normalisation_error(log_probability: np.ndarray) -> float:
    """The largest distance of a sum of probabilities over the letters from one."""
    return float(
        np.abs(np.exp(np.asarray(log_probability, np.float64)).sum(-1) - 1.0).max(initial=0.0)
    )


def group_sums(values: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Sums float64 `[example, group]` of `values` `[example, position]` over the positions
    of each group.

    Args:
        values: what is summed.
        group: `[example, position]`, 0 to `groups - 1`.
        groups: how many there are.
    """
    n = len(values)
    flat = np.arange(n)[:, None] * groups + group
    return np.bincount(
        flat.ravel(), np.asarray(values, np.float64).ravel(), minlength=n * groups
    ).reshape(n, groups)


def perplexity(cross_entropy: np.ndarray) -> np.ndarray:
    """`exp` of a cross-entropy in nats: among how many equally likely bases the model hesitates."""
    return np.exp(cross_entropy)
