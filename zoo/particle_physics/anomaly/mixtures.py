"""What the classifiers of `particle_physics/anomaly` are fitted to: unlabelled mixtures
(CWoLa), labelled events (the bound), folds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from zoo.particle_physics.anomaly import data as dijets
from zoo.particle_physics.anomaly.data import PROCESSES, SIGNAL_REGION, SIGNALS, Dijets


@dataclasses.dataclass(frozen=True)
class Sample:
    """What classifiers are fitted to. Labels are -1, 0 and 1: not seen, first and second class.

    Attributes:
        features: float32 `[event, feature]`, `event_features`.
        label: int8 `[event, signal]`: of CWoLa side band and signal region, of the
            supervised bound QCD and signal.
        stratum: int8 `[event]`: parts of a class that weigh alike (the two side bands).
        fold: int8 `[event]`: who leaves it out.
    """

    features: np.ndarray
    label: np.ndarray
    stratum: np.ndarray
    fold: np.ndarray


def inject(qcd: Dijets, signal: Dijets, fraction: float, *, seed: int) -> Dijets:
    """Unlabelled data: background, and as many random signal events as make S/B =
    `fraction` in the signal region.

    Raises:
        ValueError: there are too few signal events.
    """
    wanted = round(fraction * int(qcd.in_signal_region.sum()))
    if not wanted:
        return qcd
    drawn = signal[np.random.default_rng([seed, 1]).permutation(len(signal))]
    inside = np.cumsum(drawn.in_signal_region)
    if not len(inside) or inside[-1] < wanted:
        raise ValueError(
            f"S/B = {fraction} needs {wanted} signal events in the signal region, there are "
            f"{int(drawn.in_signal_region.sum())}; simulate more, or inject less"
        )
    return dijets.concatenate([qcd, drawn[: int(np.searchsorted(inside, wanted)) + 1]])


def unlabelled_sample(mixtures: Sequence[Dijets], shared: int, *, folds: int, seed: int) -> Sample:
    """Several mixtures on the same background as one sample; nobody's process is read.

    Args:
        mixtures: one per signal; their first `shared` events are the same background.
        shared: how many.
        folds: number of folds.
        seed: names the folds.
    """
    whole = dijets.concatenate([mixtures[0][:shared], *(each[shared:] for each in mixtures)])
    region = whole.in_signal_region.astype(np.int8)
    label, begin = np.full((len(whole), len(mixtures)), -1, np.int8), shared
    for column, each in enumerate(mixtures):
        own = slice(begin, begin + len(each) - shared)
        label[:shared, column], label[own, column] = region[:shared], region[own]
        begin = own.stop
    stratum = (whole.mjj >= SIGNAL_REGION[1]).astype(np.int8)
    return Sample(
        dijets.event_features(whole.pairs), label, stratum, draw_folds(len(whole), folds, seed)
    )


def labelled_sample(events: Dijets, *, folds: int, seed: int) -> Sample:
    """QCD against each signal, for the supervised bound."""
    label = np.full((len(events), len(SIGNALS)), -1, np.int8)
    label[events.process == 0] = 0
    for column, name in enumerate(SIGNALS):
        label[events.process == PROCESSES.index(name), column] = 1
    return Sample(
        dijets.event_features(events.pairs),
        label,
        np.zeros(len(events), np.int8),
        draw_folds(len(events), folds, seed),
    )


def draw_folds(count: int, folds: int, seed: int) -> np.ndarray:
    """Fold `[event]` of every event, as many in each."""
    return (np.random.default_rng([seed, 2]).permutation(count) % folds).astype(np.int8)


def member_weights(sample: Sample, folds: int, *, held_out: bool) -> np.ndarray:
    """Weights `[event, member]` of the events that each member trains on (or leaves out);
    members are signals x folds, folds fastest.

    Both classes have the same total weight, and so have the strata that a class has; the
    mean over the member's events is one.
    """
    columns = []
    for label in sample.label.T:
        for fold in range(folds):
            seen = (label >= 0) & ((sample.fold == fold) == held_out)
            weight = np.zeros(len(label))
            for one in (0, 1):
                strata = [
                    seen & (label == one) & (sample.stratum == part)
                    for part in np.unique(sample.stratum[seen & (label == one)])
                ]
                for part in strata:
                    weight[part] = 0.5 / len(strata) / part.sum()
            columns.append(weight * seen.sum())
    return np.stack(columns, -1).astype(np.float32)
