"""`climate/enso`: forecasts of the observed Niño3.4 index, beside the operational centres' own.

An *example* is a target month c, the centre of a three-month mean, 2004-01..2020-11 (203 of
them). Its nine steps k = 0..8 are nine forecasts of that one season, issued in the months M
= c-1-k from data up to the end of M-1. So every step is scored on the same 203 seasons; the
real-time plume begins with issue 2004-01 and therefore has 202 (k = 0) .. 194 (k = 8) of
them. Resampling examples resamples seasons, which is what intervals and paired differences
need.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.climate.enso import data, metrics
from zoo.interfaces.task import Arrays, Examples, Task

if TYPE_CHECKING:
    from zoo.interfaces.figures import Figure

Month = np.datetime64


@dataclasses.dataclass(frozen=True)
class EnsoInputs:
    """What a predictor receives. It reads the past only through `before`, which cuts the
    records off.

    Attributes:
        centres: `datetime64[M]` `[example]`, the seasons to forecast.
        record: everything known at the last cut-off of all; use `before`.
    """

    centres: np.ndarray
    record: data.Observations

    @property
    def issues(self) -> np.ndarray:
        """`datetime64[M]` `[issue]`: the months in which any of the forecasts is issued, in
        order (211 for 203 seasons)."""
        return np.arange(self.centres.min() - data.LEADS, self.centres.max())

    def before(self, issue: Month) -> data.Observations:
        """What is known when a forecast is issued in month `issue`: everything to the end
        of the month before."""
        return self.record.until(issue - 1)

    def by_centre(self, by_issue: np.ndarray) -> np.ndarray:
        """Forecasts `[issue, 9, ...]` in the order of `issues` -> `[example, 9, ...]`: row
        c, step k is the one issued in c-1-k."""
        k = np.arange(data.LEADS)
        place = (self.centres - self.issues[0]).astype(np.int64)[:, None] - 1 - k
        return by_issue[place, k]


class Enso(Task):
    """The task, bound to its files. Predictors return `{"mean": [203, 9]}` and, if they
    know it, `"std": [203, 9]`, in K."""

    @functools.cached_property
    def sst(self) -> Any:
        """The observed temperature, `read_truth`."""
        return data.read_truth(self.file("oisst_nino34.nc"))

    @functools.cached_property
    def observations(self) -> data.Observations:
        """The three observed records on one axis of months, 1958-01..2020-12."""
        core, modes = (
            data.read_core(self.file("oras5_core.nc")),
            data.read_modes(self.file("oras5_modes.nc")),
        )
        return data.observations(self.sst, core, modes)

    def month(self, parameter: str) -> Month:
        """A month that the task's card fixes: `first_season`, `last_season`, `last_fitted`,
        `first_of_base`, `last_of_base`."""
        return np.datetime64(self.spec.parameter(parameter), "M")

    def fit_observations(self, last: Month | str | None = None) -> data.Observations:
        """What may be fitted on: the records to 2003-12 (or an earlier `last`) and nothing
        after."""
        end = self.month("last_fitted")
        until: Month = end if last is None else np.datetime64(str(last), "M")
        if until > end:
            raise ValueError(
                f"the fit period of {self.spec.id} ends {end}, asked for {until}; later months are "
                "the test"
            )
        return self.observations.until(until)

    @functools.cached_property
    def cmip6(self) -> Any:
        """Simulated core indices `[model, time, index]` for pre-training, `read_cmip6`."""
        return data.read_cmip6(self.file("cmip6_core.nc"))

    @functools.cached_property
    def plume(self) -> Any:
        """The centres' real-time forecasts `[system, issue, k]`, `read_plume`."""
        return data.read_plume(self.file("iri_plume.json"))

    def examples(self) -> Examples:
        """203 seasons with their inputs; the targets are observed anomalies `[203]` in K,
        base 1982-2010."""
        return self._examples(np.arange(self.month("first_season"), self.month("last_season") + 1))

    def choice_examples(self) -> Examples:
        """The 119 seasons centred on 1994-01..2003-11 on which settings are chosen, for
        models fitted to 1993-12."""
        return self._examples(np.arange(data.CHOICE_FIRST, data.CHOICE_LAST))

    def _examples(self, centres: np.ndarray) -> Examples:
        return Examples(
            tuple(map(str, centres)),
            EnsoInputs(centres, self.observations.until(centres[-1] - 2)),
            self.target(centres),
        )

    def target(self, centres: np.ndarray) -> np.ndarray:
        """Observed three-month-mean anomaly (K, base 1982-2010) centred on each of `centres`."""
        months = self.sst["time"].values.astype("datetime64[M]")
        base = data.monthly_climatology(
            self.sst.values,
            months,
            first=self.month("first_of_base"),
            last=self.month("last_of_base"),
        )
        anomaly = data.three_month_mean(self.sst.values - base[data.calendar_month(months)])
        return anomaly[(centres - months[0]).astype(np.int64)]

    def sample_figures(self) -> list[Figure]:
        """The truth of the test seasons, which every row's record holds too; none of the
        other series."""
        from zoo.climate import pictures

        centres = np.arange(self.month("first_season"), self.month("last_season") + 1)
        return [
            pictures.index_series(
                centres,
                self.target(centres),
                name="nino34",
                title="The observed Niño3.4 index over the test seasons",
                caption=(
                    "OBSERVED (OISSTv2): sea surface temperature anomaly 5S-5N 170W-120W, "
                    f"three-month means centred on {centres[0]} to {centres[-1]}, the "
                    f"{len(centres)} seasons that are forecast; every row's stored record holds "
                    "the same numbers. Inputs, simulations and the centres' forecasts are not "
                    "shown: their files are fetched, not shipped."
                ),
                y_label="Niño3.4 anomaly (K)",
                zero="the mean of 1982-2010",
            )
        ]

    def record(self, predictions: Mapping[str, np.ndarray], examples: Examples) -> Arrays:
        """Forecast mean and std `[203, 9]` (NaN: none), observed `[203]`, calendar month of
        issue 1..12 `[203, 9]`.

        Raises:
            ValueError: a wrong shape, an infinite value, or a std that is not positive.
        """
        shape = (len(examples), data.LEADS)
        mean = np.asarray(predictions["mean"], np.float64)
        std = (
            np.full(shape, np.nan)
            if predictions.get("std") is None
            else np.asarray(predictions["std"], np.float64)
        )
        for name, value in (("mean", mean), ("std", std)):
            if value.shape != shape:
                raise ValueError(
                    f"predictions[{name!r}] has shape {value.shape}, {self.spec.id} needs "
                    f"{shape}: [target month, k]"
                )
            if np.isinf(value).any():
                raise ValueError(
                    f"predictions[{name!r}] holds an infinite value; say NaN where there is no "
                    "forecast"
                )
        if (std <= 0.0).any():
            raise ValueError(
                "predictions['std'] must be positive, NaN where the system gives no spread"
            )
        centres = examples.inputs.centres
        issue = centres[:, None] - 1 - np.arange(data.LEADS)
        return {
            "mean": mean,
            "std": np.where(np.isfinite(mean), std, np.nan),
            "observed": np.asarray(examples.targets, np.float64),
            "centre_year": centres.astype("datetime64[Y]").astype(np.int64) + 1970,
            "centre_month": data.calendar_month(centres) + 1,
            "issue_month": data.calendar_month(issue.ravel()).reshape(shape) + 1,
        }

    def statistics(self, record: Mapping[str, np.ndarray]) -> Arrays:
        """Sums by step and month of issue, `[203, 9, 12]` each: counts, first and second
        moments, CRPS and variance."""
        forecast, std = record["mean"], record["std"]
        observed = np.broadcast_to(record["observed"][:, None], forecast.shape)
        given, spread = np.isfinite(forecast), np.isfinite(std)
        f, o = np.where(given, forecast, 0.0), np.where(given, observed, 0.0)
        crps = metrics.gaussian_crps(
            np.where(spread, forecast, 0.0), np.where(spread, std, 1.0), observed
        )
        each = {
            "count": given,
            "f": f,
            "o": o,
            "ff": f * f,
            "oo": o * o,
            "fo": f * o,
            "spread_count": spread,
            "crps": np.where(spread, crps, 0.0),
            "variance": np.where(spread, std, 0.0) ** 2,
            "spread_squared_error": np.where(spread, (f - o) ** 2, 0.0),
        }
        of_month = record["issue_month"][:, :, None] == np.arange(1, 13)
        return {
            name: np.where(of_month, value[:, :, None].astype(np.float64), 0.0)
            for name, value in each.items()
        }

    def values(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """`correlation`, `monthly_correlation`, `rmse`, `crps`, `spread_skill` at k0..k8.

        A step that a system forecast for fewer than one season in ten is a gap: two
        forecasts would correlate perfectly.
        """
        total = {name: value.sum(-1) for name, value in means.items()}
        with np.errstate(invalid="ignore", divide="ignore"):
            scores = {
                "correlation": metrics.correlation(total),
                "monthly_correlation": metrics.correlation(means).mean(-1),
                "rmse": metrics.rmse(total),
                "crps": total["crps"] / total["spread_count"],
                "spread_skill": np.sqrt(total["variance"] / total["spread_squared_error"]),
            }
        enough = total["count"] >= self.spec.parameter("least_share")
        scores = {name: np.where(enough, value, np.nan) for name, value in scores.items()}
        return {
            f"{name}.k{k}": value[..., k]
            for name, value in scores.items()
            for k in range(data.LEADS)
        }

    def by_start_month(self, record: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Correlation and RMSE `[12, 9]` by calendar month of issue (January first) and k:
        the spring barrier, for a heat map."""
        means = {name: value.mean(0) for name, value in self.statistics(record).items()}
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "correlation": np.asarray(metrics.correlation(means)).T,
                "rmse": np.asarray(metrics.rmse(means)).T,
            }
