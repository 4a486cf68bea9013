"""Scores of binary classifiers of sequences, as functions of counts (so that resampling
needs the counts alone)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Num, Shaped

from zoo.scoring import scores

__all__ = ["class_scores", "confusion", "macro_f1", "matthews"]


def confusion(
    predicted: Shaped[np.ndarray, " n"], label: Shaped[np.ndarray, " n"]
) -> Float[np.ndarray, "n 4"]:
    """Which of (true negative, false positive, false negative, true positive) an example
    is, one-hot."""
    place = 2 * np.asarray(label, int) + np.asarray(predicted, int)
    return (place[:, None] == np.arange(4)).astype(np.float64)


def matthews(counts: Num[np.ndarray, "*batch 4"]) -> Float[np.ndarray, "*batch"]:
    """Matthews' correlation coefficient of counts or shares (tn, fp, fn, tp).

    (tp tn - fp fn) / sqrt((tp + fp)(tp + fn)(tn + fp)(tn + fn)) (Matthews 1975); zero where
    a margin is empty, as scikit-learn has it. NaN where there is nothing at all.
    """
    counts = np.asarray(counts, np.float64)
    return np.where(
        counts.sum(-1) > 0, scores.matthews(counts.reshape(*counts.shape[:-1], 2, 2)), np.nan
    )


def macro_f1(counts: Num[np.ndarray, "*batch 4"]) -> Float[np.ndarray, "*batch"]:
    """The mean of both classes' F1, 2 tp / (2 tp + fp + fn); an empty class counts zero.
    NaN where there is nothing at all."""
    tn, fp, fn, tp = np.moveaxis(np.asarray(counts, np.float64), -1, 0)

    def f1(hit: np.ndarray) -> np.ndarray:
        below = 2 * hit + fp + fn
        return np.where(below > 0, 2 * hit / np.where(below > 0, below, 1.0), 0.0)

    return np.where(tn + fp + fn + tp > 0, (f1(tp) + f1(tn)) / 2, np.nan)


def class_scores(
    logit: Float[np.ndarray, " n"], label: Shaped[np.ndarray, " n"]
) -> dict[str, float]:
    """`mcc` at a logit of zero and `auroc`, of classes 0 and 1."""
    counts = confusion(logit > 0, label).sum(0)
    area = scores.weighted_auroc(logit, np.asarray(label) == 1)[0]
    return {"mcc": float(matthews(counts)), "auroc": float(area)}
