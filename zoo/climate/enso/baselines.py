"""Baselines of `climate/enso`: climatology, persistence, regressions, linear inverse
models, and the operational plume.

Each factory fits on `task.fit_observations()` (to 2003-12) and returns a predictor. The
predictor reads the past of each issue only through `inputs.before(issue)`. Everything but
the plume is *retrospective*: ORAS5 is a reanalysis that was not available in this form on
the day of issue. The plume's rows were issued in real time by others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.climate.enso import data
from zoo.climate.enso.data import LEADS, Observations, calendar_month, three_month_mean
from zoo.climate.enso.state import (
    IndexState,
    first_month,
    fourier,
    least_squares_operator,
    parse_indices,
)

if TYPE_CHECKING:
    from zoo.climate.enso.task import Enso, EnsoInputs

Predictor = Callable[[Any], dict[str, np.ndarray]]
ToForecast = Callable[[Observations], np.ndarray]


def climatology(task: Enso) -> Predictor:
    """Anomaly zero, with the observed spread of each calendar month's season over 1982-2003."""
    months, target = _observed_seasons(task)
    fitted = months <= task.month("last_fitted") - 1
    spread = np.array(
        [np.nanstd(target[fitted & (calendar_month(months) == m)]) for m in range(12)]
    )

    def predict(inputs: EnsoInputs) -> dict[str, np.ndarray]:
        std = np.repeat(spread[calendar_month(inputs.centres)][:, None], LEADS, axis=1)
        return {"mean": np.zeros_like(std), "std": std}

    return predict


def persistence(task: Enso) -> Predictor:
    """The observed anomaly of the last known month (M-1), kept."""
    return _forecaster(
        task, lambda past: np.repeat(_last_sst_anomaly(task, past), LEADS), first="1982-01"
    )


def damped_persistence(task: Enso) -> Predictor:
    """The last known month's observed anomaly times a slope per month of issue and k,
    regressed through zero to 2003-12."""
    past = task.fit_observations()
    _, target = _observed_seasons(task)
    anomaly = past.sst - _sst_climatology(task)[calendar_month(past.months)]
    slopes = np.zeros((12, LEADS))
    for k in range(LEADS):
        x, y = anomaly[: -3 - k], target[2 + k : -1]
        given = np.isfinite(x) & np.isfinite(y)
        for m in range(12):
            chosen = given & (calendar_month(past.months)[: -3 - k] == m)
            slopes[m, k] = x[chosen] @ y[chosen] / (x[chosen] @ x[chosen])

    def forecast(past: Observations) -> np.ndarray:
        return slopes[calendar_month(past.months[-1:])[0]] * _last_sst_anomaly(task, past)

    return _forecaster(task, forecast, first="1982-01")


def ridge(
    task: Enso,
    *,
    indices: str = "core",
    lags: int = 3,
    penalty: float = 0.1,
    first: str = "1958-01",
    last: str = "2003-12",
) -> Predictor:
    """One ridge regression per month of issue and k on the last `lags` months of all indices.

    Args:
        task: the bound task.
        indices: "core" (four, leak-free) or "modes" (ten, retrospective).
        lags: months used, M-1 backwards.
        penalty: ridge strength relative to the number of samples; predictors have unit variance.
        first: first month of the fit.
        last: last month of the fit, targets included; earlier than 2003-12 only to choose settings.
    """
    state = IndexState.fit(task, indices, first=first, last=last)
    past = task.fit_observations(last)
    x = state.standardise(past)
    season = three_month_mean(x[:, 0])
    begin = (
        int(np.searchsorted(past.months, first_month(parse_indices(indices)[0], first))) + lags - 1
    )
    weights = np.zeros((12, LEADS, lags * x.shape[1]))
    for k in range(LEADS):
        t = np.arange(begin, len(x) - 3 - k)
        design = np.stack([x[t - lag] for lag in range(lags)], 1).reshape(len(t), -1)
        for m in range(12):
            chosen = calendar_month(past.months[t]) == m
            d, y = design[chosen], season[t[chosen] + 2 + k]
            weights[m, k] = np.linalg.solve(
                d.T @ d + penalty * len(d) * np.eye(d.shape[1]), d.T @ y
            )

    def forecast(past: Observations) -> np.ndarray:
        x = state.standardise(past)[-lags:][::-1].ravel()
        return weights[calendar_month(past.months[-1:])[0]] @ x * state.scale[0]

    return _forecaster(task, forecast, first=first, last=last, warm_up=lags)


def linear_inverse_model(
    task: Enso,
    *,
    indices: str = "core",
    harmonics: int = 0,
    penalty: float = 0.0,
    first: str = "1979-01",
    last: str = "2003-12",
) -> Predictor:
    """x(t+1) = A(month) x(t), fitted by least squares and iterated; A has an annual cycle
    if `harmonics` > 0.

    `indices="core:Nino34,Hm"` with harmonics is the seasonal recharge oscillator (Burgers,
    Jin & van Oldenborgh 2005, doi:10.1029/2005GL022951); no harmonics is a LIM (Penland &
    Sardeshmukh 1995, doi:10.1175/1520-0442(1995)008<1999:TOGOTS>2.0.CO;2); ten modes with
    two harmonics is the linear part of XRO (Zhao et al. 2024,
    doi:10.1038/s41586-024-07534-6).

    Args:
        task: the bound task.
        indices: see `IndexState.fit`; the first must be Nino34.
        harmonics: overtones of the annual cycle in the operator.
        penalty: ridge strength on A - I relative to the number of samples.
        first: first month of the fit.
        last: last month of the fit, targets included; earlier than 2003-12 only to choose settings.
    """
    state = IndexState.fit(task, indices, first=first, last=last)
    begin = first_month(parse_indices(indices)[0], first)
    past = task.fit_observations(last)
    fitted = past.months >= begin
    x, month = state.standardise(past)[fitted], calendar_month(past.months[fitted])
    n = x.shape[1]
    tendency = least_squares_operator(x, month, harmonics=harmonics, penalty=penalty).reshape(
        -1, n, n
    )
    operators = np.eye(n) + np.einsum("mh,hij->mji", fourier(np.arange(12), harmonics), tendency)

    def forecast(past: Observations) -> np.ndarray:
        x, m = state.standardise(past)[-1], int(calendar_month(past.months[-1:])[0])
        monthly = []
        for step in range(LEADS + 2):
            x = operators[(m + step) % 12] @ x
            monthly.append(x[0] * state.scale[0])
        return np.convolve(monthly, np.full(3, 1.0 / 3.0), "valid")

    return _forecaster(task, forecast, first=str(begin), last=last)


def plume_system(task: Enso, *, system: str) -> Predictor:
    """The real-time forecasts of one system of the IRI/CPC plume, as its centre issued
    them; no spread is published."""
    plume = task.plume
    names = [str(name) for name in plume["system"].values]
    if system not in names:
        import difflib

        near = difflib.get_close_matches(system, names, n=3, cutoff=0.3)
        raise ValueError(
            f"the plume has no system {system!r}; nearest: {', '.join(near) or ', '.join(names)}"
        )
    issued = plume["issue"].values.astype("datetime64[M]")
    given = plume.values[names.index(system)]

    def predict(inputs: EnsoInputs) -> dict[str, np.ndarray]:
        by_issue = np.full((len(inputs.issues), LEADS), np.nan)
        known = np.isin(inputs.issues, issued)
        by_issue[known] = given[np.searchsorted(issued, inputs.issues[known])]
        return {"mean": inputs.by_centre(by_issue)}

    return predict


def _forecaster(
    task: Enso, forecast: ToForecast, *, first: str, last: str = "2003-12", warm_up: int = 1
) -> Predictor:
    """A predictor from a function of the past, with the spread of its own errors in the fit
    period, per k.

    Why from the fit period: a baseline states no spread itself, and its errors on the
    fitted years are the natural estimate (a little small, since they were fitted to).
    """
    past = task.fit_observations(last)
    months, observed = _observed_seasons(task, last)
    begin = (
        max(
            int(np.searchsorted(past.months, np.datetime64(first, "M"))),
            int(np.flatnonzero(np.isfinite(past.sst))[0]),
        )
        + warm_up
    )
    errors: list[list[float]] = [[] for _ in range(LEADS)]
    for t in range(begin, len(past.months) - 3):
        mean = forecast(past.until(past.months[t]))
        for k in range(min(LEADS, len(months) - 3 - t)):
            errors[k].append(float(mean[k] - observed[t + 2 + k]))
    std = np.array([np.sqrt(np.nanmean(np.square(e))) for e in errors])

    def predict(inputs: EnsoInputs) -> dict[str, np.ndarray]:
        by_issue = np.stack([forecast(inputs.before(issue)) for issue in inputs.issues])
        mean = inputs.by_centre(by_issue)
        return {"mean": mean, "std": np.where(np.isfinite(mean), std, np.nan)}

    return predict


def _sst_climatology(task: Enso, last: str = "2003-12") -> np.ndarray:
    """The observed temperature's monthly means to 2003-12: the leak-free base, 0.0-0.1 K
    from the target's 1982-2010."""
    past = task.fit_observations(last)
    return data.monthly_climatology(
        past.sst, past.months, first=task.month("first_of_base"), last=past.months[-1]
    )


def _last_sst_anomaly(task: Enso, past: Observations) -> float:
    return float(past.sst[-1] - _sst_climatology(task)[calendar_month(past.months[-1:])[0]])


def _observed_seasons(task: Enso, last: str = "2003-12") -> tuple[np.ndarray, np.ndarray]:
    """Months and three-month-mean observed anomalies of the fit period, base 1982-2003."""
    past = task.fit_observations(last)
    return past.months, three_month_mean(
        past.sst - _sst_climatology(task, last)[calendar_month(past.months)]
    )
