"""Audits of time series: splits by random times are told from splits by periods, copies are
found, the season is named."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from red_noise import DAYS

from zoo.climate.audit import audit, autocorrelation
from zoo.climate.data.series import SeriesError, between, read_series, series
from zoo.commands import audit as front


def red_noise(count: int, columns: int, *, r: float, seed: int = 0) -> np.ndarray:
    """First-order autoregression of unit variance; its autocorrelation at lag k is r to the k."""
    rng = np.random.default_rng(seed)
    out = np.empty((count, columns))
    out[0] = rng.normal(size=columns)
    for k in range(1, count):
        out[k] = r * out[k - 1] + np.sqrt(1 - r * r) * rng.normal(size=columns)
    return out


def test_autocorrelation_of_red_noise():
    whole = series(red_noise(len(DAYS), 40, r=0.8), DAYS)
    found = autocorrelation(whole, np.timedelta64(1, "D"), 6)
    # a little low: each calendar month's mean was fitted
    np.testing.assert_allclose(found, 0.8 ** np.arange(7), atol=0.05)


def test_autocorrelation_never_joins_segments_and_bears_gaps():
    values = red_noise(400, 30, r=0.9)
    values[5, 3] = np.nan
    times = DAYS[:400]
    swapped = series(np.concatenate([values[200:], values[:200]]), times, np.repeat([0, 1], 200))
    whole = autocorrelation(
        series(values, times, np.repeat([0, 1], 200)), np.timedelta64(1, "D"), 3
    )
    np.testing.assert_allclose(
        autocorrelation(swapped, np.timedelta64(1, "D"), 3), whole, atol=0.02
    )
    holes = np.r_[0:100, 150:400]
    np.testing.assert_allclose(
        autocorrelation(series(values[holes], times[holes]), np.timedelta64(1, "D"), 3),
        whole,
        atol=0.1,
    )


def test_a_split_by_random_times_is_a_leak_and_one_by_periods_loses_a_margin():
    whole = series(red_noise(len(DAYS), 20, r=0.8), DAYS)
    periods = audit(between(whole, last="2006"), None, between(whole, "2007"))
    assert periods["overlap.test_times"].value == 0 and periods["overlap.test_fields"].value == 0
    memory = periods["memory.train"].value
    assert memory in (7, 8)  # .8 to the 7 is .21
    assert periods["near.test"].value == memory - 1 and periods["near.test"].verdict == "note"
    assert periods["gap.test"].value == pytest.approx(0.8, abs=0.03)
    assert periods.verdict == "note"

    chosen = np.random.default_rng(1).random(len(DAYS)) < 0.2
    train, test = (
        series(whole.values[~chosen], DAYS[~chosen]),
        series(whole.values[chosen], DAYS[chosen]),
    )
    shuffled = audit(train, None, test)
    assert (
        shuffled["near.test"].verdict == "leak"
        and shuffled["near.test"].value > 0.99 * chosen.sum()
    )
    assert shuffled["overlap.test_times"].value == 0  # no time is in both, and still


def test_a_wide_gap_is_no_leak():
    whole = series(red_noise(len(DAYS), 20, r=0.8), DAYS)
    report = audit(between(whole, last="2005"), None, between(whole, "2006-03"))
    assert report["near.test"].value == 0 and report["gap.test"].verdict == "ok"


def test_overlap_and_copies_are_counted():
    whole = series(red_noise(1000, 5, r=0.5), DAYS[:1000])
    train, test = between(whole, last="2002-12-31"), between(whole, "2002-12-01")
    report = audit(train, None, test)
    assert report["overlap.test_times"].value == 31 and report["overlap.test_fields"].value == 31
    moved = series(test.values[:40], test.times[:40] + np.timedelta64(4000, "D"))
    report = audit(train, None, moved)
    assert report["overlap.test_times"].value == 0 and report["overlap.test_fields"].value == 31
    assert report["overlap.test_fields"].verdict == "leak"


def test_constant_fields_are_no_copies():
    train, test = series(np.zeros((50, 4)), DAYS[:50]), series(np.zeros((20, 4)), DAYS[100:120])
    assert audit(train, None, test)["overlap.test_fields"].value == 0


def test_the_season_alone():
    months = np.arange("1980-01", "2010-01", dtype="datetime64[M]")
    cycle = 3 * np.cos(2 * np.pi * (np.arange(360) % 12) / 12)
    noise = np.random.default_rng(0).normal(size=(360, 3))
    whole = series(cycle[:, None] + noise, months)
    report = audit(between(whole, last="1999-12"), None, between(whole, "2000-01"))
    assert (
        report["one_feature.season"].value == pytest.approx(4.5 / 5.5, abs=0.04)
        and report["one_feature.season"].verdict == "note"
    )
    # anomalies are what is left, so the cycle is no memory
    assert report["memory.train"].value == 1


def test_independent_times_of_red_noise():
    whole = series(red_noise(2000, 30, r=0.7), DAYS[:2000])
    assert audit(whole)["independent.series"].value == pytest.approx(
        2000 * (1 - 0.7) / (1 + 0.7), rel=0.1
    )


def test_missing_repeated_and_one_calendar_year():
    values = red_noise(100, 3, r=0.2)
    values[:20] = np.nan
    report = audit(series(values, np.r_[DAYS[:99], DAYS[:1]]))
    assert report["missing.series"].value == 0.2 and report["times.series_repeated"].value == 1
    assert report["one_feature.season"].value is None


def test_splits_need_the_same_columns():
    with pytest.raises(SeriesError, match="different columns"):
        audit(series(np.zeros((5, 2)), DAYS[:5]), None, series(np.zeros((5, 3)), DAYS[5:10]))


def fields(values: np.ndarray, times: np.ndarray) -> xr.Dataset:
    dims = ("time", "latitude", "longitude")
    return xr.Dataset({"t2m": (dims, values)}, {"time": times.astype("datetime64[ns]")})


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_files_of_a_user(tmp_path, suffix):
    values = red_noise(800, 12, r=0.6).reshape(800, 3, 4)
    for name, part in (("x_train", slice(0, 600)), ("x_test", slice(590, 800))):
        data = fields(values[part], DAYS[:800][part])
        data.to_netcdf(tmp_path / f"{name}.nc") if suffix == ".nc" else data.to_zarr(
            tmp_path / f"{name}.zarr", zarr_format=3
        )
    (report,) = front.run([str(tmp_path / f"x_test{suffix}"), str(tmp_path / f"x_train{suffix}")])
    assert report.kind == "time series" and report.sizes == {"train": 600, "test": 210}
    assert report["overlap.test_times"].value == report["overlap.test_fields"].value == 10


def test_one_table_cut_at_a_time(tmp_path):
    months = np.arange("1990-01", "2010-01", dtype="datetime64[M]")
    rows = red_noise(240, 2, r=0.5)
    lines = [
        "time,nino,name,soi",
        *(f"{month},{a:.6f},x,{b:.6f}" for month, (a, b) in zip(months, rows, strict=True)),
    ]
    (tmp_path / "s.csv").write_text("\ufeff" + "\r\n".join(lines))
    path = str(tmp_path / "s.csv")
    (report,) = front.run([path], options={"train_until": "2003-12"})
    assert (
        report.sizes == {"train": 168, "test": 72}
        and report["period.test"].value == "2004-01-01 to 2009-12-01"
    )
    (report,) = front.run([path], options={"train_until": "2003-12", "test_from": "2005-01"})
    assert report.sizes == {"train": 168, "test": 60}
    np.testing.assert_allclose(read_series(path).values, rows, atol=1e-6)
    with pytest.raises(SeriesError, match="no time from 2050"):
        list(front.run([path], options={"train_until": "2003-12", "test_from": "2050-01"}))
    with pytest.raises(SeriesError, match="cut one file"):
        list(front.run([path, path], options={"train_until": "2003-12"}))


def test_enso_is_split_by_periods(mirror_file):
    for name in (
        "oisst_nino34.nc",
        "oras5_core.nc",
        "oras5_modes.nc",
        "cmip6_core.nc",
        "iri_plume.json",
    ):
        mirror_file("climate/enso", name)
    (report,) = front.run(["climate/enso"])
    assert report.sizes == {"train": 552, "test": 203}
    assert (
        report["period.train"].value == "1958-01-01 to 2003-12-01"
        and report["period.test"].value == "2004-01-01 to 2020-11-01"
    )
    assert report["overlap.test_times"].value == report["overlap.test_fields"].value == 0
    # the months after the split are known from those before it
    assert report["near.test"].verdict == "note"


def test_held_suarez_starts_are_not_independent():
    (report,) = front.run(["climate/held_suarez"])
    assert report.sizes == {"series": 96} and 10 < report["independent.series"].value < 30
