"""Scores of classifiers of jets as pure functions of arrays: AUC, background rejection,
calibration.

AUC and rejection depend on the order of the jets, so they are no formula of means over
jets. Each function therefore takes weights `[jet, resample]` (how much a jet counts in each
bootstrap resample) and gives the *exact* score of every resample, `[resample]`. Scores are
sorted once; a resample costs one pass of additions over the sorted jets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from zoo.particle_physics.data.poisson import poisson_interval

SURVIVORS = 10
"""Rejections that rest on fewer background jets than this are not shown: their relative
error exceeds 30 %."""
BINS = 15
"""Bins of confidence in the calibration error: Guo et al. (2017), arXiv:1706.04599."""


def auc(
    score: np.ndarray, signal: np.ndarray, background: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Area under the ROC curve: the chance that a signal jet scores above a background jet,
    ties counting half; `[resample]`.

    Args:
        score: `[jet]`, higher means more like signal.
        signal, background: bool `[jet]`; jets in neither do not count.
        weights: `[jet, resample]`.
    """
    order = _Order(score, signal, background)
    at_cut, between = order.signal(weights), order.background(weights)
    total = weights[signal].sum(axis=0) * between.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return order.wins(at_cut, between) / total


def mean_ovo_auc(probability: np.ndarray, label: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean one-vs-one AUC over all pairs of classes (Hand & Till 2001,
    doi:10.1023/A:1010920819831); `[resample]`.

    A pair (a, b) has two AUCs, class a against b ordered by a's probability and b against a
    by b's; probabilities are not renormalised to the pair. The same as scikit-learn's
    `roc_auc_score(multi_class="ovo", average="macro")`.

    Why one sort per class is enough: dividing each background jet's weight by its own
    class's total makes one pass over all other classes give the sum of their pairwise AUCs.

    Args:
        probability: `[jet, class]`; any function that increases with it gives the same.
        label: `[jet]`, index of the true class.
        weights: `[jet, resample]`.
    """
    n_classes = probability.shape[1]
    of_class = np.stack([weights[label == each].sum(axis=0) for each in range(n_classes)])
    with np.errstate(invalid="ignore", divide="ignore"):
        share = weights / of_class[label]
    total = np.zeros(weights.shape[1])
    for each in range(n_classes):
        order = _Order(probability[:, each], label == each, label != each)
        total += order.wins(order.signal(share), order.background(share))
    # shares are rounded: a perfect order must not exceed one
    mean = np.minimum(total / (n_classes * (n_classes - 1)), 1.0)
    return np.where((of_class > 0).all(axis=0), mean, np.nan)


def survivors(
    score: np.ndarray,
    signal: np.ndarray,
    background: np.ndarray,
    weights: np.ndarray,
    efficiencies: Sequence[float] | np.ndarray,
) -> np.ndarray:
    """Weight of background above the cut at each signal efficiency, `[efficiency, resample]`.

    Convention: the cut is the first threshold, coming down from the highest score, at which
    the signal efficiency reaches the wanted one (no interpolation); jets at the cut pass.
    """
    order = _Order(score, signal, background)
    # signal at or above each cut, falling with the cut
    passing = np.cumsum(order.signal(weights)[::-1], axis=0)[::-1]
    below = np.cumsum(order.background(weights), axis=0)
    column = np.arange(weights.shape[1])
    result = np.empty((len(efficiencies), weights.shape[1]))
    for row, efficiency in enumerate(efficiencies):
        wanted = efficiency * passing[0] * (1 - 1e-12)
        cut = np.maximum((passing >= wanted).sum(axis=0) - 1, 0)
        result[row] = below[-1] - below[2 * cut, column]
    return result


def rejection(
    score: np.ndarray,
    signal: np.ndarray,
    background: np.ndarray,
    weights: np.ndarray,
    efficiencies: Sequence[float] | np.ndarray,
    *,
    fewest: int = SURVIVORS,
) -> dict[str, np.ndarray]:
    """Background rejection 1/eB at signal efficiencies, with what it rests on.

    Args:
        score, signal, background: as in `auc`.
        weights: `[jet, resample]`.
        efficiencies: wanted signal efficiencies; for the convention see `survivors`.
        fewest: background jets that must survive.

    Returns:
        `survivors` `[efficiency]`: background jets above the cut, unweighted; `low`, `high`
        `[efficiency]`: 1/eB at the ends of the Poisson interval of that count; `value`
        `[efficiency]` and `samples` `[efficiency, resample]`: 1/eB. All but
        `survivors` are NaN where fewer than `fewest` jets survive: such a number is luck.
    """
    ones = np.ones((len(score), 1))
    count = survivors(score, signal, background, ones, efficiencies)[:, 0]
    left = survivors(score, signal, background, weights, efficiencies)
    n = float(background.sum())
    low, high = poisson_interval(count)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = {
            "value": n / count,
            "low": n / high,
            "high": n / low,
            "samples": weights[background].sum(axis=0) / left,
        }
    found["samples"] = np.where(left > 0, found["samples"], np.nan)
    for name, value in found.items():
        value[count < fewest] = np.nan
        found[name] = value
    return found | {"survivors": count}


def confidence_bins(
    confidence: np.ndarray, correct: np.ndarray, given: np.ndarray, *, bins: int = BINS
) -> dict[str, np.ndarray]:
    """Per-jet statistics `[jet, bin]` of the calibration error: confidence and correctness
    in the jet's bin, zero elsewhere.

    Args:
        confidence: `[jet]` in [0, 1], the probability of the predicted class.
        correct: bool `[jet]`.
        given: bool `[jet]`; other jets contribute nothing.
        bins: of equal width.
    """
    place = np.clip((np.where(given, confidence, 0.0) * bins).astype(int), 0, bins - 1)
    inside = (place[:, None] == np.arange(bins)) & given[:, None]
    return {
        "bin_confidence": np.where(inside, confidence[:, None], 0.0).astype(np.float64),
        "bin_correct": (inside & correct[:, None]).astype(np.float64),
    }


def calibration_error(
    mean_confidence: np.ndarray, mean_correct: np.ndarray, share: np.ndarray
) -> np.ndarray:
    """Expected calibration error, sum over bins of |mean correct - mean confidence| / share
    of jets given; means `[..., bin]`."""
    return np.abs(mean_correct - mean_confidence).sum(axis=-1) / share


class _Order:
    """Jets sorted against the distinct scores of the signal: the cuts at which an
    efficiency can change.

    Background falls into 2 K + 1 places of K cuts: place 2 i lies below cut i and above cut
    i - 1, place 2 i + 1 on cut i.
    """

    def __init__(self, score: np.ndarray, signal: np.ndarray, background: np.ndarray):
        signal, background = np.flatnonzero(signal), np.flatnonzero(background)
        if not len(signal) or not len(background):
            raise ValueError(
                f"a ROC curve needs jets of both kinds; there are {len(signal)} of signal and "
                f"{len(background)} of background"
            )
        cuts, at = np.unique(score[signal], return_inverse=True)
        index = np.searchsorted(cuts, score[background])
        tied = cuts[np.minimum(index, len(cuts) - 1)] == score[background]
        shape = len(cuts), len(score)
        self._signal = sparse.csr_array((np.ones(len(signal)), (at, signal)), shape=shape)
        self._background = sparse.csr_array(
            (np.ones(len(background)), (2 * index + tied, background)),
            shape=(2 * shape[0] + 1, shape[1]),
        )

    def signal(self, weights: np.ndarray) -> np.ndarray:
        """Weight of signal on each cut, `[cut, resample]`."""
        return self._signal @ weights

    def background(self, weights: np.ndarray) -> np.ndarray:
        """Weight of background in each place, `[2 cut + 1, resample]`."""
        return self._background @ weights

    def wins(self, at_cut: np.ndarray, between: np.ndarray) -> np.ndarray:
        """Sum over pairs of signal and background of weight times weight where signal is
        above, half where level; `[resample]`."""
        below = np.cumsum(between, axis=0)
        return 0.5 * np.einsum("cr,cr->r", at_cut, below[0:-1:2] + below[1::2])
