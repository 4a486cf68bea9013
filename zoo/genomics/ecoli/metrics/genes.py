"""Scores of per-base labels as formulas of a confusion table, so that they are formulas of
summed counts.

Tables are `[..., true class, predicted class]`, in any scale: counts, or their means over
windows. Leading axes are resamples.
"""

from __future__ import annotations

import numpy as np

from zoo.scoring.scores import matthews

__all__ = ["accuracy", "confusion", "f1", "macro_f1", "matthews"]


def confusion(true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts float64 `[example, true class, predicted class]` over the positions of each example.

    Args:
        true: labels `[example, position]`; positions with a label outside
            `0 .. classes - 1` are not counted.
        predicted: labels `[example, position]`, 0 to `classes - 1`.
        classes: how many there are.
    """
    n = len(true)
    counted = (true >= 0) & (true < classes)
    place = (np.arange(n)[:, None] * classes + np.where(counted, true, 0)) * classes + predicted
    table = np.bincount(place[counted].ravel(), minlength=n * classes * classes)
    return table.reshape(n, classes, classes).astype(np.float64)


def f1(table: np.ndarray) -> np.ndarray:
    """F1 of each class `[..., class]`: 2 TP / (2 TP + FP + FN); NaN for a class that is
    neither there nor predicted."""
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return 2.0 * hits / (table.sum(-1) + table.sum(-2))


def macro_f1(table: np.ndarray) -> np.ndarray:
    """The mean of the classes' F1, `[...]`."""
    return f1(table).mean(-1)


def accuracy(table: np.ndarray) -> np.ndarray:
    """The share of positions with the right class, `[...]`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.diagonal(table, axis1=-2, axis2=-1).sum(-1) / table.sum((-1, -2))
