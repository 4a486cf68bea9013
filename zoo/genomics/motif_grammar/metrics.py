"""How well scores of positions find planted motifs: the area under the ROC and the
precision-recall curve of each sequence."""

from __future__ import annotations

import numpy as np

from zoo.scoring.scores import auroc

__all__ = ["aupr", "auroc"]


def aupr(score: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Area under the precision-recall curve by trapezoids, for each sequence `[sequence]`,
    as Koo & Ploenzke compute it.

    Why not average precision: the published figures are scikit-learn's
    `auc(recall, precision)`, which interpolates linearly and is a little higher; ours equal
    it.

    Args:
        score: `[sequence, position]`, finite.
        truth: bool, same shape.

    Returns:
        NaN where a sequence has no true position.
    """
    out = np.full(len(score), np.nan)
    for row in np.flatnonzero(truth.any(-1)):
        order = np.argsort(-score[row], kind="stable")
        hits = np.cumsum(truth[row][order])
        # tied scores make one point
        ends = np.append(np.flatnonzero(np.diff(score[row][order])), len(order) - 1)
        found = hits[ends]
        recall, precision = np.append(0.0, found / found[-1]), np.append(1.0, found / (ends + 1))
        out[row] = np.sum(np.diff(recall) * (precision[1:] + precision[:-1]) / 2)
    return out
