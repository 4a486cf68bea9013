"""The five files of `climate/enso` as labelled arrays, and the one rule of time that keeps
forecasts honest.

| file of the card | what | kind | months |
|---|---|---|---|
| `oisst_nino34.nc` | Niño3.4 SST, OISSTv2 (NOAA) | observed | 1981-11..2020-12 |
| `oras5_core.nc` | Nino34, Nino3, Hm, Hw | reanalysis (ORAS5) | 1958-01..2020-12 |
| `oras5_modes.nc` | ten indices, detrended (below) | reanalysis (ORAS5) | 1979-01..2024-12 |
| `cmip6_core.nc` | the core indices in 48 coupled models | simulated | 1332 months each |
| `iri_plume.json` | the IRI/CPC plume, by season | real-time | issues 2004-01..2022-06 |

The ten indices are those of the XRO paper; their trends over 1979-2024 are taken out.

**Information cut-off.** A forecast *issued in month M* knows data up to the end of month
M-1. Its step k = 0..8 is the mean of the three months M+k, M+1+k, M+2+k, named by its
centre M+1+k: k = 0 is the season that starts with the issue month.

**Anomalies.** The truth's anomalies are differences from the monthly means of 1982-2010:
that defines the target's unit, as in the plume. Predictors of the core track never use that
base (it reaches beyond the fit period); they subtract the monthly means of their own fit
period (`monthly_climatology` with `last=2003-12`), predictors and fitted targets alike.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

CORE = ("Nino34", "Nino3", "Hm", "Hw")
MODES = ("Nino34", "WWV", "NPMM", "SPMM", "IOB", "IOD", "SIOD", "TNA", "ATL3", "SASD")
LEADS = 9
MISSING = -999.0
CHOICE_FIRST, CHOICE_LAST = np.datetime64("1994-01", "M"), np.datetime64("2003-12", "M")


class EnsoDataError(ValueError):
    """A file is not what its card says: wrong variables, months out of order or missing."""


def out_of_order(months: np.ndarray) -> str | None:
    """What is wrong with `datetime64[M]` `[month]` that are not one after another, with the
    first place; None where nothing is."""
    gaps = np.flatnonzero(np.diff(months.astype(np.int64)) != 1)
    return (
        f"not one value per month in order: after {months[gaps[0]]} comes {months[gaps[0] + 1]}"
        if gaps.size
        else None
    )


def calendar_month(months: np.ndarray) -> np.ndarray:
    """Calendar months 0 (January) .. 11 (December) of `datetime64[M]` months."""
    return np.asarray(months).astype("datetime64[M]").astype(np.int64) % 12


def _open(path: Path, variables: tuple[str, ...]) -> xr.Dataset:
    with xr.open_dataset(path) as opened:
        dataset = opened.load()
    missing = [name for name in variables if name not in dataset]
    if missing:
        raise EnsoDataError(
            f"{path.name} lacks {', '.join(missing)}; it has "
            f"{', '.join(map(str, dataset.data_vars))}"
        )
    months = dataset["time"].values.astype("datetime64[M]")
    if disorder := out_of_order(months):
        raise EnsoDataError(f"{path.name} is {disorder}")
    # Why re-label: the files stamp the month's first day at various hours, some in float32
    # days. A month is a month.
    return dataset.assign_coords(time=months.astype("datetime64[ns]"))


def _stack(
    dataset: xr.Dataset, variables: tuple[str, ...], *, dims: tuple[str, ...]
) -> xr.DataArray:
    array = dataset[list(variables)].to_dataarray("index").transpose(*dims).astype(np.float64)
    array.attrs["units"] = "K (sea surface temperature) or m (thermocline depth)"
    return array.where(array > MISSING + 1.0)


def read_truth(path: Path) -> xr.DataArray:
    """Observed Niño3.4 sea surface temperature `[time]` in degrees Celsius (OISSTv2)."""
    sst = _open(path, ("sst",))["sst"].astype(np.float64)
    return sst.where(sst > MISSING + 1.0).rename("nino34_sst").assign_attrs(units="degree_Celsius")


def read_core(path: Path) -> xr.DataArray:
    """ORAS5 anomalies `[time, index]` of Nino34, Nino3 (K), Hm and Hw (m): equatorial
    20-degree isotherm depth, whole basin and west."""
    return _stack(_open(path, CORE), CORE, dims=("time", "index"))


def read_modes(path: Path) -> xr.DataArray:
    """ORAS5 anomalies `[time, index]` of the ten XRO indices, quadratically detrended over
    1979-2024 by their authors (a look-ahead)."""
    return _stack(_open(path, MODES), MODES, dims=("time", "index"))


def read_cmip6(path: Path) -> xr.DataArray:
    """Simulated anomalies `[model, time, index]` of the core indices in 48 CMIP6 models;
    model years, no observed calendar."""
    return _stack(_open(path, CORE), CORE, dims=("model", "time", "index"))


def read_plume(path: Path) -> xr.DataArray:
    """Real-time forecasts `[system, issue, k]` of the IRI/CPC plume in K; NaN where missing.

    Two systems are added: `IRI dynamical mean` and `IRI statistical mean`, the means over
    the systems of that type that forecast the step in that issue. Where the file lists a
    system twice for one issue (September 2004: NCEP CFS) the means count both, as the
    published figures do, and the system's own row takes the last.
    """
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    forecasts: dict[str, dict[np.datetime64, np.ndarray]] = {}
    by_type: dict[str, dict[np.datetime64, list[np.ndarray]]] = {"Dynamical": {}, "Statistical": {}}
    try:
        for year in content["years"]:
            for month in year["months"]:
                issue = np.datetime64(f"{year['year']:04d}-{month['month'] + 1:02d}", "M")
                for system in month["models"]:
                    values = np.full(LEADS, np.nan)
                    given = [
                        np.nan if value is None or value <= MISSING + 1.0 else value
                        for value in system["data"][:LEADS]
                    ]
                    values[: len(given)] = given
                    forecasts.setdefault(system["model"], {})[issue] = values
                    if system["type"] in by_type:
                        by_type[system["type"]].setdefault(issue, []).append(values)
    except (KeyError, TypeError) as error:
        raise EnsoDataError(
            f"{Path(path).name} is no plume archive (years > months > models with model, type, "
            f"data): {error!r}"
        ) from error
    for kind, issues in by_type.items():
        forecasts[f"IRI {kind.lower()} mean"] = {
            issue: _mean_of_given(np.array(rows)) for issue, rows in issues.items()
        }
    months = np.array(sorted({issue for issues in forecasts.values() for issue in issues}))
    systems = sorted(forecasts)
    values = np.full((len(systems), len(months), LEADS), np.nan)
    for i, system in enumerate(systems):
        for at, row in forecasts[system].items():
            values[i, np.searchsorted(months, at)] = row
    coords = {"system": systems, "issue": months.astype("datetime64[ns]"), "k": np.arange(LEADS)}
    return xr.DataArray(
        values, coords=coords, dims=("system", "issue", "k"), name="plume", attrs={"units": "K"}
    )


def _mean_of_given(rows: np.ndarray) -> np.ndarray:
    count = np.isfinite(rows).sum(0)
    return np.where(count > 0, np.nansum(rows, 0) / np.maximum(count, 1), np.nan)


def load(file: Callable[[str], Path] | None = None) -> dict[str, xr.DataArray]:
    """All five files by name: `truth`, `core`, `modes`, `cmip6`, `plume`.

    Args:
        file: finds a file by its name in the dataset card; by default in the checkout, the
            mirrors, the cache, its URL.
    """
    if file is None:
        from zoo import files, registry

        card = registry.dataset("climate/enso")
        by_name = {each.name: each for each in card.file}

        def file(name: str) -> Path:
            return files.get(by_name[name], folder=registry.dataset_folder(card))

    return {
        "truth": read_truth(file("oisst_nino34.nc")),
        "core": read_core(file("oras5_core.nc")),
        "modes": read_modes(file("oras5_modes.nc")),
        "cmip6": read_cmip6(file("cmip6_core.nc")),
        "plume": read_plume(file("iri_plume.json")),
    }


def monthly_climatology(
    values: np.ndarray,
    months: np.ndarray,
    *,
    first: np.datetime64 | None = None,
    last: np.datetime64,
) -> np.ndarray:
    """Mean of each calendar month over `first..last` (both included).

    Args:
        values: `[month, ...]`.
        months: `datetime64[M]` `[month]`.
        first: start of the base; None: the record's own.
        last: end of the base.

    Returns:
        `[12, ...]`, January first. NaN values are left out.
    """
    inside = months <= last if first is None else (months >= first) & (months <= last)
    phase = calendar_month(months)
    return np.stack([np.nanmean(values[inside & (phase == m)], axis=0) for m in range(12)])


def three_month_mean(values: np.ndarray) -> np.ndarray:
    """Centred three-month mean along axis 0; NaN at both ends, where a month is missing."""
    mean = np.full_like(values, np.nan, dtype=np.float64)
    mean[1:-1] = (values[:-2] + values[1:-1] + values[2:]) / 3.0
    return mean


@dataclasses.dataclass(frozen=True)
class Observations:
    """What is known at the end of a month: everything up to it and nothing after.

    Attributes:
        months: `datetime64[M]` `[month]`, 1958-01 to the cut-off.
        core: `[month, 4]` ORAS5 core indices (K, K, m, m).
        modes: `[month, 10]` ORAS5 XRO indices, NaN before 1979.
        sst: `[month]` observed Niño3.4 temperature (degrees Celsius), NaN before 1981-11.
    """

    months: np.ndarray
    core: np.ndarray
    modes: np.ndarray
    sst: np.ndarray

    def until(self, last: np.datetime64) -> Observations:
        """The same up to and including month `last`."""
        n = int(np.searchsorted(self.months, last.astype("datetime64[M]"), side="right"))
        return Observations(self.months[:n], self.core[:n], self.modes[:n], self.sst[:n])


def observations(truth: xr.DataArray, core: xr.DataArray, modes: xr.DataArray) -> Observations:
    """The three observed records on one axis of months, from the core record's first month
    to its last."""
    months = core["time"].values.astype("datetime64[M]")
    time = core["time"]
    return Observations(
        months, core.values, modes.reindex(time=time).values, truth.reindex(time=time).values
    )
