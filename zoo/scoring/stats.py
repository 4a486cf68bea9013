"""Intervals, paired differences and rank groups, all from the same resampled means of
per-example statistics.

Scores that are no formula of means (areas under ROC curves) come from a task's
`rank_values` on the same resamples. One weight matrix `[resamples, n]` per task (each row:
how often an example was drawn, over n) serves every predictor, so two predictors are always
compared on the same resamples: the comparison is paired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, overload

import numpy as np

from zoo.cards import ResamplingSpec

LETTERS = "abcdefghijklmnopqrstuvwxyz"
LEVEL = 0.95
LETTERS_A_ROW = 2
"""Sets of tied rows for each row of a table up to which all of them get letters; real
tables of a few dozen rows need at most one."""


class Formulas(Protocol):
    """The two functions of a task that statistics are made with; a third,
    `zoo.interfaces.task.Task.rank_values`, may be missing."""

    def statistics(self, record: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]: ...

    def values(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]: ...


def bootstrap_weights(n: int, spec: ResamplingSpec) -> np.ndarray:
    """Weights `[resamples, n]` of the examples in each resample; every row sums to one.

    `bootstrap` draws examples with replacement. `stationary_block_bootstrap` (Politis &
    Romano 1994, doi:10.1080/01621459.1994.10476870) draws circular blocks of consecutive
    examples with geometric lengths of mean `mean_block`, which keeps the dependence of
    neighbours in time.
    """
    rng = np.random.default_rng(spec.seed)
    if spec.method == "bootstrap":
        # row by row: the same draws as all at once, in a third of the memory
        weights = np.empty((spec.resamples, n))
        for row in weights:
            row[:] = np.bincount(rng.integers(n, size=n), minlength=n) / n
        return weights
    assert spec.mean_block is not None, "a card of blocks without their length is refused"
    index = rng.integers(n, size=(spec.resamples, n))
    begins = rng.random((spec.resamples, n)) < 1.0 / spec.mean_block
    begins[:, 0] = True
    position = np.arange(n)
    last_begin = np.maximum.accumulate(np.where(begins, position, 0), axis=1)
    index = (np.take_along_axis(index, last_begin, axis=1) + position - last_begin) % n
    offset = np.arange(spec.resamples)[:, None] * n
    return (
        np.bincount((index + offset).ravel(), minlength=spec.resamples * n).reshape(
            spec.resamples, n
        )
        / n
    )


def means(
    statistics: Mapping[str, np.ndarray], weights: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Means over examples: `[...]` without weights, `[resamples, ...]` with."""
    if weights is None:
        return {
            name: np.asarray(value, np.float64).mean(axis=0) for name, value in statistics.items()
        }
    return {
        name: np.tensordot(weights, np.asarray(value, np.float64), axes=1)
        for name, value in statistics.items()
    }


def scores(task: Formulas, record: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The scores of a record by metric name; NaN where nothing was predicted."""
    with np.errstate(invalid="ignore", divide="ignore"):
        values = task.values(means(task.statistics(record))) | _rank_values(task, record, None)
    return {name: float(value) for name, value in values.items()}


def resample(
    task: Formulas, record: Mapping[str, np.ndarray], weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Every score on every resample: `{metric: [resamples]}`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        values = task.values(means(task.statistics(record), weights)) | _rank_values(
            task, record, weights
        )
    return {name: np.asarray(value) for name, value in values.items()}


def _rank_values(
    task: Formulas, record: Mapping[str, np.ndarray], weights: np.ndarray | None
) -> dict[str, np.ndarray]:
    of_task = getattr(task, "rank_values", None)
    return {} if of_task is None else of_task(record, weights)


def interval(samples: np.ndarray, value: float | None = None) -> tuple[float, float] | None:
    """The 95 % percentile interval, or None where fewer than nine in ten resamples are defined.

    A skewed statistic (a correlation near one) can fall outside its own percentile interval
    by resampling bias; the interval is then widened to hold `value`, never moved.
    """
    finite = samples[np.isfinite(samples)]
    if len(finite) < 0.9 * len(samples):
        return None
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    if value is not None:
        low, high = min(low, value), max(high, value)
    return float(low), float(high)


def differ(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether the paired 95 % interval of `first - second` (same resamples) leaves zero outside."""
    bounds = interval(first - second)
    return bounds is not None and (bounds[0] > 0 or bounds[1] < 0)


@overload
def badness(value: float, direction: str) -> float: ...
@overload
def badness(value: np.ndarray, direction: str) -> np.ndarray: ...
def badness(value: float | np.ndarray, direction: str) -> float | np.ndarray:
    """A score turned so that smaller is better."""
    turn: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "higher": lambda v: -v,
        "lower": lambda v: v,
        "nearer_one": lambda v: np.abs(v - 1),
        "nearer_zero": np.abs,
    }
    return turn[direction](np.asarray(value, float))


def rank_groups(
    values: Sequence[float], samples: Sequence[np.ndarray | None], direction: str
) -> list[str]:
    """Letters for each row, best group "a"; two rows share a letter exactly when the data
    do not tell them apart.

    Told apart means: the paired difference is significant at 5 % after Holm's adjustment
    (1979) for *all* pairs of the table, so that one wrong distinction anywhere in it has a
    chance of at most 5 %. A compact letter display (Piepho 2004,
    doi:10.1198/1061860043515): each letter is a largest set of rows no two of which differ.
    Being indistinguishable is not transitive, so a row may carry several letters ("ab"). A
    row without value or samples gets "-". A table of hundreds of rows can need thousands of
    such sets; past `LETTERS_A_ROW` sets a row the letters are unbroken runs of tied rows: a
    common letter still means a tie, but some ties have none.
    """
    order = np.argsort(badness(np.asarray(values, float), direction), kind="stable")
    ranked = [i for i in order if samples[i] is not None and np.isfinite(values[i])]
    groups = ["-"] * len(values)
    if not ranked:
        return groups
    chances, _ = paired(
        np.array([values[i] for i in ranked]), np.stack([samples[i] for i in ranked]), direction
    )
    sets = _cliques(~holm(chances))
    for position, i in enumerate(ranked):
        groups[i] = "".join(
            letter(number) for number, group in enumerate(sets) if group >> position & 1
        )
    return groups


def paired(
    values: np.ndarray, samples: np.ndarray, direction: str
) -> tuple[np.ndarray, np.ndarray]:
    """Two-sided p-values and standard errors `[row, row]` of all paired differences in badness.

    The standard error is the bootstrap's: the standard deviation of the difference over
    common resamples; the p-value is the normal one. Why not the share of resamples beyond
    zero: with a thousand resamples it cannot be smaller than .001, and a table of fifteen
    rows has a hundred pairs to allow for.

    Args:
        values: `[row]`. samples: `[row, resample]`; resamples on which any row is undefined
            are left out.
        direction: of the metric.
    """
    from scipy.special import erfc

    point = np.asarray(badness(np.asarray(values, float), direction))
    turned = np.asarray(badness(np.asarray(samples, float), direction))
    finite = np.isfinite(turned).all(axis=0)
    if finite.mean() < 0.9:  # rows undefined on different resamples: pair by pair
        error = np.array([[_spread(one - other) for other in turned] for one in turned])
    else:
        kept = turned[:, finite]
        kept = kept - kept.mean(axis=1, keepdims=True)
        # what is common to all rows cancels in every difference, and here exactly
        kept = kept - kept.mean(axis=0)
        product = kept @ kept.T / max(1, kept.shape[1] - 1)
        own = np.diag(product)
        error = np.sqrt(np.maximum(own[:, None] + own - 2 * product, 0))
    apart = np.abs(point[:, None] - point)
    with np.errstate(divide="ignore", invalid="ignore"):
        chance = erfc(np.where(apart == 0, 0, apart / error) / np.sqrt(2))
    return np.where(np.isfinite(error), chance, 1.0), error


def _spread(difference: np.ndarray) -> float:
    finite = difference[np.isfinite(difference)]
    return float(finite.std(ddof=1)) if len(finite) >= 0.9 * len(difference) else np.nan


def holm(chances: np.ndarray, *, level: float = 1 - LEVEL) -> np.ndarray:
    """Which pairs differ by Holm's step-down procedure over all pairs: symmetric bool
    `[row, row]` of symmetric p-values."""
    upper = np.triu_indices(len(chances), 1)
    p = chances[upper]
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    differs = np.zeros(chances.shape, bool)
    differs[upper] = adjusted <= level
    return differs | differs.T


DETECTABLE = 1.959964 + 0.841621
"""Standard errors of a difference that is found at 5 % (two-sided) in 80 % of repetitions:
the two normal quantiles' sum."""


def detectable_difference(values: np.ndarray, samples: np.ndarray, direction: str) -> float | None:
    """The difference from the best row that this test set would show with 80 % power, for
    the median row; None for one row."""
    if len(values) < 2:
        return None
    best = int(np.argmin(badness(np.asarray(values, float), direction)))
    _, error = paired(values, samples, direction)
    errors = np.delete(error[best], best)
    errors = errors[np.isfinite(errors) & (errors > 0)]
    return float(DETECTABLE * np.median(errors)) if len(errors) else None


def _cliques(same: np.ndarray) -> list[int]:
    """The largest sets of rows that are pairwise the same, as bit masks, in the order of
    their first rows.

    Row by row (rows come best first): what every set has in common with the new row's
    equals either takes it in or makes a new set.
    """
    n = len(same)
    packed = np.packbits(np.tril(same, -1), axis=1, bitorder="little")
    equals = [int.from_bytes(line.tobytes(), "little") for line in packed]
    sets: list[int] = []
    for row, mine in enumerate(equals):
        bit = 1 << row
        kept, whole, parts = [], [], set()
        for group in sets:
            common = group & mine
            if common == group:
                whole.append(group | bit)
                continue
            kept.append(group)
            if common:
                parts.add(common | bit)
        fresh = whole
        for part in sorted(parts, key=int.bit_count, reverse=True):
            if not any(part & other == part for other in fresh):
                fresh.append(part)
        sets = kept + (fresh or [bit])
        if len(sets) > LETTERS_A_ROW * n + 64:
            # more letters than anybody reads, and their number can grow without bound
            return _runs(same)
    return sorted(
        sets, key=lambda group: [position for position in range(n) if group >> position & 1]
    )


def _runs(same: np.ndarray) -> list[int]:
    """Largest unbroken runs of rows (best first) that are pairwise the same, as bit masks;
    not every tie is within one."""
    n = len(same)
    ahead = np.tril(np.ones((n, n), bool)) | same
    # of every row, the next below it that differs from it
    first_apart = np.where(ahead.all(axis=1), n, np.argmin(ahead, axis=1))
    ends = np.minimum.accumulate(first_apart[::-1])[::-1].tolist()
    runs, furthest = [], 0
    for row, end in enumerate(ends):
        if end > furthest:
            runs.append(((1 << end) - 1) >> row << row)
            furthest = end
    return runs


COVERAGE = 0.95
"""Share of the examples on which a row must have its headline score to be grouped with the rest."""
COUNTED = 2000
"""Up to so many examples, which of them count for a score is found by leaving each out."""


def examples_that_count(
    task: Formulas, record: Mapping[str, np.ndarray], metric: str
) -> np.ndarray:
    """Which examples a score depends on, bool `[example]`: leaving one out that has no
    prediction changes nothing.

    Why not the record itself: which of its arrays feed which score is the task's own
    business. A task without a `count` statistic has no missing predictions (see
    `zoo.interfaces.task.Task.statistics`).
    """
    n = len(next(iter(record.values())))
    if n > COUNTED or not any(name.startswith("count") for name in task.statistics(record)):
        return np.ones(n, bool)
    value = scores(task, record)[metric]
    left_out = resample(task, record, (1.0 - np.eye(n)) / (n - 1))[metric]
    changed = ~(np.abs(left_out - value) <= 1e-10 * abs(value))
    return changed if changed.any() else np.ones(n, bool)


def letter(number: int) -> str:
    """a, b, ..., z, a1, b1, ..."""
    return LETTERS[number % 26] + (str(number // 26) if number >= 26 else "")
