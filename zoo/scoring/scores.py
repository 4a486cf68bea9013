"""Scores that several domains use, as functions of arrays."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

__all__ = ["auroc", "matthews", "weighted_auroc"]


def matthews(table: np.ndarray) -> np.ndarray:
    """The correlation of true and predicted classes for any number of classes `[...]`.

    Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006; for two classes Matthews'
    coefficient. Zero where everything is predicted as one class, or is of one class (as in
    scikit-learn).

    Args:
        table: `[..., true class, predicted class]`, counts or their means.
    """
    true, predicted, total = table.sum(-1), table.sum(-2), table.sum((-1, -2))
    hits = np.diagonal(table, axis1=-2, axis2=-1).sum(-1)
    covariance = hits * total - (true * predicted).sum(-1)
    variance = (total**2 - (true**2).sum(-1)) * (total**2 - (predicted**2).sum(-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(variance > 0, covariance / np.sqrt(np.maximum(variance, 0.0)), 0.0)


def auroc(score: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The chance that a true one scores above another one, ties half (Mann & Whitney), over
    the last axis `[...]`.

    Args:
        score: `[..., n]`, finite.
        truth: bool, same shape.

    Returns:
        NaN where there is no true one or nothing else.
    """
    rank = rankdata(score, axis=-1)
    n = truth.sum(-1)
    rest = truth.shape[-1] - n
    wins: np.ndarray = (rank * truth).sum(-1) - n * (n + 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        share: np.ndarray = wins / (n * rest)
    return share


def weighted_auroc(
    score: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """`auroc` of one set of examples under each of several weightings `[resample]`, exact with
    ties: what a bootstrap of it needs.

    Args:
        score: `[n]`, finite.
        positive: bool `[n]`.
        weights: `[resample, n]`, how often each example is drawn, in any scale; by default one
            row of ones.

    Returns:
        NaN where a resample holds one class only.
    """
    positive = np.asarray(positive, bool)
    weights = np.ones((1, len(positive))) if weights is None else np.asarray(weights, np.float64)
    order = np.argsort(score, kind="stable")
    ranked, w = np.asarray(score)[order], weights[:, order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    plus = np.add.reduceat(np.where(positive[order], w, 0.0), starts, axis=1)
    minus = np.add.reduceat(np.where(positive[order], 0.0, w), starts, axis=1)
    below = np.cumsum(minus, axis=1) - minus / 2
    pairs = plus.sum(1) * minus.sum(1)
    return np.where(pairs > 0, (plus * below).sum(1) / np.where(pairs > 0, pairs, 1.0), np.nan)
