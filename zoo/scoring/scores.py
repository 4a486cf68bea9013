"""Scores that several domains use, as functions of arrays."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

__all__ = ["auroc", "matthews"]


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
