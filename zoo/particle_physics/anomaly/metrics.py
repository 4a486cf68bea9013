"""Scores of searches for anomalies: significance improvement at fixed background, with the
events that it rests on, and sculpting.

A cut at false positive rate x keeps the floor(x N) highest of N background events, or fewer
where scores tie; the rate that enters a score is the one obtained. A score that rests on
fewer than `FEWEST` background events is not a number: a published improvement of 60 was six
events.
"""

from __future__ import annotations

import numpy as np

from zoo.particle_physics.data.poisson import poisson_interval

Values = np.ndarray | float
"""An array, or one number."""

FEWEST = 10
"""Background events that must survive a cut before anything is said about it."""


def ranks(scores: np.ndarray, background: np.ndarray) -> np.ndarray:
    """The smallest number of background events that a cut must keep in order to keep each event.

    A cut keeps an event exactly when it keeps its rank: ties pass together or not at all,
    for events of either kind.

    Args:
        scores: `[event]`, higher is more anomalous.
        background: `[event]` bool, among which is counted.

    Returns:
        Int64 `[event]`, 1 for whatever lies above all background.
    """
    ordered = np.sort(scores[background])
    at_least = len(ordered) - np.searchsorted(ordered, scores, side="left")
    above = len(ordered) - np.searchsorted(ordered, scores, side="right")
    return np.maximum(at_least, above + 1)


def improvement(tpr: Values, fpr: Values) -> np.ndarray:
    """Significance improvement TPR / sqrt(FPR): what a cut does to S/sqrt(B); a random cut
    gives sqrt(FPR)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(tpr) / np.sqrt(fpr)


def enrichment(tpr: Values, fpr: Values) -> np.ndarray:
    """TPR / FPR: what a cut does to S/B; a random cut gives 1."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(tpr) / np.asarray(fpr)


def improvement_interval(
    tpr: Values, kept: Values, background: float
) -> tuple[np.ndarray, np.ndarray]:
    """The improvement's interval from the Poisson interval of the surviving background
    events, many events making it low.

    Args:
        tpr: share of the signal kept.
        kept: background events kept.
        background: background events in all.
    """
    fewest, most = poisson_interval(kept)
    return improvement(tpr, most / background), improvement(tpr, fewest / background)


def jensen_shannon(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergence of two histograms in bits, 0 (alike) to 1 (disjoint): Lin
    (1991), doi:10.1109/18.61115.

    H((p + q)/2) - (H(p) + H(q))/2 of the normalised histograms `[..., bin]`. Where one
    holds n events drawn from the other it is not 0 but about (bins - 1)/(8 n ln 2). NaN
    where a histogram is empty.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        p, q = (each / each.sum(-1, keepdims=True) for each in (first, second))
    return np.maximum(_entropy((p + q) / 2.0) - (_entropy(p) + _entropy(q)) / 2.0, 0.0)


def _entropy(p: np.ndarray) -> np.ndarray:
    return -(p * np.log2(np.where(p > 0, p, 1.0))).sum(-1)
