"""The audit of time series: whether what is scored was, or nearly was, what was learned from.

* the same times, or the same fields under other times, in two splits;
* **autocorrelation across the split**: a test time that lies d steps from the nearest
  training time is already known to the extent of the training series' autocorrelation at
  lag d. A split by random times fails here whatever else is right; a split by periods loses
  a margin;
* **the season alone**: how much of the test period the training period's mean annual cycle
  explains (a score has to be above that);
* how many independent samples the test has, n / (1 + 2 sum of r(k)) (Leith 1973,
  doi:10.1175/1520-0450(1973)012<1066:TSEOTE>2.0.CO;2).

Autocorrelation is that of anomalies from the mean annual cycle of the training period,
averaged over variables and grid points (at most `zoo.climate.data.series.COLUMNS`), with
missing values left out pair by pair.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np

from zoo.climate.data.series import (
    SeriesError,
    TimeSeries,
    between,
    of_dataset,
    read_series,
    series,
    unit_of,
)
from zoo.interfaces.findings import Finding, Report, Verdict

CORRELATED = 0.2
"""Autocorrelation above which a test time counts as known from its neighbour."""
MARGIN = 0.1
"""Share of test times near train up to which the edge of a period explains it; above, the
split itself is wrong."""
DATASETS = ("climate/enso", "climate/held_suarez")


def audit(
    train: TimeSeries,
    dev: TimeSeries | None = None,
    test: TimeSeries | None = None,
    *,
    name: str = "series",
) -> Report:
    """The audit of one set of series; with `train` alone it says what lies within it.

    Raises:
        SeriesError: the splits have different columns.
    """
    others = ({"dev": dev} if dev is not None else {}) | (
        {"test": test} if test is not None else {}
    )
    splits = {"train" if others else "series": train} | others
    widths = {split: each.values.shape[1] for split, each in splits.items()}
    if len(set(widths.values())) > 1:
        raise SeriesError(f"the splits have different columns: {widths}")
    step = _step(train)
    findings = [
        finding
        for part in (
            _within(splits, step),
            _overlap(splits),
            _correlation(splits, step),
            _season(splits),
            _independent(splits, step),
        )
        for finding in part
    ]
    return Report(
        name, "time series", {split: len(each) for split, each in splits.items()}, tuple(findings)
    )


def audit_dataset(subset: str | None = None) -> Iterator[Report]:
    """The audits of `climate/enso` (observed Niño3.4 and its inputs, fit against test) and
    `climate/held_suarez` (the test trajectory).

    Args:
        subset: "enso" or "held_suarez"; None: both.

    Raises:
        SeriesError: another subset.
        zoo.files.FileMissing: a file is nowhere; says how to get it.
    """
    subsets = [each.split("/")[1] for each in DATASETS]
    if subset is not None and subset not in subsets:
        raise SeriesError(f"no subset {subset!r}; there are {', '.join(subsets)}")
    for each in subsets if subset is None else [subset]:
        yield _enso() if each == "enso" else _held_suarez()


def audit_files(
    paths: Sequence[str | os.PathLike],
    *,
    time: str | None = None,
    train_until: str | None = None,
    test_from: str | None = None,
) -> Report:
    """The audit of a user's own files: train and test, or train, dev and test, or one file
    that is cut at a time.

    Args:
        paths: as `read_series` takes them.
        time: name of the coordinate or column of times.
        train_until, test_from: last time of train and first of test (2003-12, 2004-01-31),
            where one file holds both.

    Raises:
        SeriesError, FileNotFoundError: as `read_series`; or cuts given for several files.
    """
    if not 1 <= len(paths) <= 3:
        raise ValueError(
            f"{len(paths)} files; give one series, or train and test, or train, dev and test"
        )
    found = [read_series(path, time=time) for path in paths]
    name = ", ".join(os.path.basename(path) for path in paths)
    if len(found) == 1 and (train_until or test_from):
        last, first = (
            np.datetime64(given) if given else None for given in (train_until, test_from)
        )
        if last is None and first is not None:
            last = first - unit_of(first)
        if first is None and last is not None:
            first = last + unit_of(last)
        return audit(between(found[0], last=last), None, between(found[0], first), name=name)
    if train_until or test_from:
        raise SeriesError(
            "train_until and test_from cut one file; with several each is a split of its own"
        )
    return audit(found[0], *([None, found[1]] if len(found) == 2 else found[1:]), name=name)


def _enso() -> Report:
    from zoo import registry
    from zoo.climate.enso import data as enso

    spec = registry.task("climate/enso")
    fitted, first, last = (
        np.datetime64(spec.parameter(name), "M")
        for name in ("last_fitted", "first_season", "last_season")
    )
    parts = enso.load()
    observed = enso.observations(parts["truth"], parts["core"], parts["modes"])
    whole = series(np.concatenate([observed.sst[:, None], observed.core], 1), observed.months)
    train = between(whole, last=fitted)
    return audit(train, None, between(whole, first, last), name="climate/enso")


def _held_suarez() -> Report:
    """Train is built, not shipped: its trajectories have starts of their own, so no time is
    shared by making; what is here is the test."""
    from zoo.climate.held_suarez import data as held_suarez

    return audit(
        of_dataset(held_suarez.load_dataset(split="test")),
        name="climate/held_suarez (test trajectory)",
    )


def _step(train: TimeSeries) -> np.timedelta64:
    """The median distance of neighbouring times (months differ in length)."""
    times = np.unique(train.times)
    apart = np.diff(times).astype(np.int64) if len(times) > 1 else np.array([86_400_000_000_000])
    return np.timedelta64(int(np.median(apart)), "ns")


def _days(step: np.timedelta64) -> str:
    days = step / np.timedelta64(1, "D")
    return f"{days:.0f} d" if days >= 2 else f"{24 * days:.0f} h"


def _within(splits: dict[str, TimeSeries], step: np.timedelta64) -> Iterator[Finding]:
    for split, each in splits.items():
        first, last = (
            str(end.astype("datetime64[D]")) for end in (each.times.min(), each.times.max())
        )
        yield Finding(
            f"period.{split}",
            f"period of {split}",
            f"{first} to {last}",
            "ok",
            f"{len(each)} times, mostly {_days(step)} apart",
        )
        pairs = np.unique(np.stack([each.segments, each.times.astype(np.int64)], 1), axis=0)
        again = len(each) - len(pairs)
        yield Finding(
            f"times.{split}_repeated",
            f"times given twice in {split}",
            again,
            "note" if again else "ok",
            "a time has one state",
            len(each),
        )
        missing = float(np.isnan(each.values).mean())
        yield Finding(
            f"missing.{split}",
            f"missing values in {split}",
            round(missing, 4),
            "note" if missing > 0.05 else "ok",
            "share of all values",
        )


def _overlap(splits: dict[str, TimeSeries]) -> Iterator[Finding]:
    train = next(iter(splits.values()))
    for here in list(splits)[1:]:
        size = len(splits[here])
        same = int(np.isin(splits[here].times, train.times).sum())
        yield Finding(
            f"overlap.{here}_times",
            f"times of {here} that are in train",
            same,
            "leak" if same else "ok",
            "a time belongs to one split",
            size,
        )
        known = set(_hashes(train.values))
        copies = sum(row in known for row in _hashes(splits[here].values) if row is not None)
        yield Finding(
            f"overlap.{here}_fields",
            f"fields of {here} that are in train, number for number",
            copies,
            "leak" if copies else "ok",
            "whatever their time says; constant and missing ones are not counted",
            size,
        )


def _hashes(values: np.ndarray) -> list[bytes | None]:
    """The bytes of each row; None where it says nothing (all missing, or one number again
    and again in several columns, or one column)."""
    if values.shape[1] == 1:
        return [None] * len(values)  # single numbers coincide by chance
    with np.errstate(invalid="ignore"):
        known = np.isfinite(values).sum(1) > 1
        spread = np.nanmax(np.where(known[:, None], values, 0.0), 1) > np.nanmin(
            np.where(known[:, None], values, 0.0), 1
        )
    return [
        row.tobytes() if good else None for row, good in zip(values, known & spread, strict=True)
    ]


def anomalies(train: TimeSeries, other: TimeSeries) -> np.ndarray:
    """Differences `[time, column]` from the training period's mean of each calendar month
    (from its mean where it has no two years)."""
    return other.values - _cycle(train, other)


def _cycle(train: TimeSeries, other: TimeSeries) -> np.ndarray:
    month, own = (
        each.times.astype("datetime64[M]").astype(np.int64) % 12 for each in (train, other)
    )
    years = len(np.unique(train.times.astype("datetime64[Y]")))
    out = np.empty((len(other), train.values.shape[1]))
    for each in range(12):
        rows = train.values[month == each] if years > 1 and (month == each).any() else train.values
        known = np.isfinite(rows)
        out[own == each] = np.where(known, rows, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    return out


def autocorrelation(train: TimeSeries, step: np.timedelta64, most: int) -> np.ndarray:
    """Autocorrelation of the training anomalies at 0 to `most` steps, mean over columns;
    NaN where no pair of times is that far apart."""
    anomaly = anomalies(train, train)
    order = np.lexsort((train.times, train.segments))
    anomaly, segment = anomaly[order], train.segments[order]
    place = np.round((train.times[order] - train.times.min()) / step).astype(np.int64)
    # a number line on which segments are far apart
    rows = place + segment * (place.max() + most + 2)
    rows, first = np.unique(rows, return_index=True)
    known = np.isfinite(anomaly[first])
    anomaly = np.where(known, anomaly[first], 0.0)
    anomaly = np.where(known, anomaly - anomaly.sum(0) / np.maximum(known.sum(0), 1), 0.0)
    out = np.full(most + 1, np.nan)
    for lag in range(most + 1):
        there = np.searchsorted(rows, rows + lag)
        pair = (there < len(rows)) & (rows[np.minimum(there, len(rows) - 1)] == rows + lag)
        if pair.sum() < 3:
            continue
        a, b = anomaly[pair], anomaly[there[pair]]
        both = known[pair] & known[there[pair]]
        below = np.sqrt((a**2 * both).sum(0) * (b**2 * both).sum(0))
        each = (a * b).sum(0)[below > 0] / below[below > 0]
        out[lag] = each.mean() if each.size else np.nan
    return out


def _correlation(splits: dict[str, TimeSeries], step: np.timedelta64) -> Iterator[Finding]:
    name, train = next(iter(splits.items()))
    most = min(max(len(train) // 4, 1), 400)
    r = autocorrelation(train, step, most)
    falls = np.flatnonzero(~(r > CORRELATED))
    memory = int(falls[0]) if falls.size else None
    yield Finding(
        f"memory.{name}",
        f"steps until autocorrelation falls below {CORRELATED}",
        memory,
        "ok",
        f"anomalies of {name}, one step is {_days(step)}"
        if memory is not None
        else f"not within {most} steps of {_days(step)}",
    )
    for here in list(splits)[1:]:
        other = splits[here]
        known = np.sort(train.times)
        place = np.searchsorted(known, other.times)
        before = np.abs(other.times - known[np.maximum(place - 1, 0)])
        after = np.abs(known[np.minimum(place, len(known) - 1)] - other.times)
        nearest = np.round(np.minimum(before, after) / step).astype(np.int64)
        gap = int(nearest.min())
        at_gap = r[gap] if gap <= most else np.nan
        far = f", more than the {most} looked at" if gap > most else ""
        value, why = (
            None if np.isnan(at_gap) else round(float(at_gap), 3),
            f"they are {gap} steps apart{far}",
        )
        what = f"autocorrelation between train and the nearest time of {here}"
        yield Finding(f"gap.{here}", what, value, "note" if at_gap > CORRELATED else "ok", why)
        limit = most if memory is None else max(memory - 1, 0)
        near = int((nearest <= limit).sum())
        verdict: Verdict = "ok" if not near else "note" if near <= MARGIN * len(other) else "leak"
        why = (
            "leave that margin out, or say so"
            if verdict == "note"
            else "split by periods, not by single times"
            if near
            else ""
        )
        yield Finding(
            f"near.{here}",
            f"times of {here} within {limit} steps of train",
            near,
            verdict,
            why,
            len(other),
        )


def _season(splits: dict[str, TimeSeries]) -> Iterator[Finding]:
    train = next(iter(splits.values()))
    here, other = list(splits.items())[-1]
    if len(np.unique(train.times.astype("datetime64[Y]"))) < 2:
        why = "train lies in one calendar year: it has no annual cycle"
        yield Finding("one_feature.season", "share explained by the season alone", None, "ok", why)
        return
    flat = np.where(np.isfinite(train.values), train.values, 0.0).sum(0) / np.maximum(
        np.isfinite(train.values).sum(0), 1
    )
    known = np.isfinite(other.values)
    error = np.where(known, other.values - _cycle(train, other), 0.0) ** 2
    spread = np.where(known, other.values - flat, 0.0) ** 2
    share = 1 - error.sum(0)[spread.sum(0) > 0] / spread.sum(0)[spread.sum(0) > 0]
    value = float(share.mean()) if share.size else None
    yield Finding(
        "one_feature.season",
        f"share of the variance of {here} explained by the season alone",
        None if value is None else round(value, 3),
        "note" if value is not None and value > 0.5 else "ok",
        "mean annual cycle where models learn, mean over columns",
    )


def _independent(splits: dict[str, TimeSeries], step: np.timedelta64) -> Iterator[Finding]:
    here, other = list(splits.items())[-1]
    most = min(max(len(other) // 4, 1), 400)
    r = autocorrelation(other, step, most)[1:]
    stop = np.flatnonzero(~(r > 0))
    total = float(np.nansum(r[: stop[0]] if stop.size else r))
    count = round(len(other) / (1 + 2 * total), 1)
    yield Finding(
        f"independent.{here}",
        f"independent times in {here}",
        count,
        "note" if count < 20 else "ok",
        "n / (1 + 2 sum r): intervals must come from blocks, not from single times",
        len(other),
    )
