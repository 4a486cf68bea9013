"""Two invented tasks, a dataset and model cards for the board's tests: no real number anywhere."""

from __future__ import annotations

import hashlib

import numpy as np

from zoo import stats
from zoo.cards import DatasetCard, ModelCard, TaskSpec
from zoo.task import Task

SHA = hashlib.sha256(b"synthetic").hexdigest()
LEADS = (1, 3, 5, 7, 10)
FIELDS = ("z500", "t850", "wind850")
WEATHER = {"z500_rmse": ("Z500 RMSE", "m2 s-2"), "t850_rmse": ("T850 RMSE", "K"), "wind850_rmse": ("Wind 850 RMSE", "m s-1")}


class _Formulas(Task):
    def examples(self):
        raise AssertionError("the board must not ask for data")

    def record(self, predictions, examples):
        raise AssertionError("the board must not predict")


class ToyWeather(_Formulas):
    """Root-mean-square errors by lead, from stored mean squared errors."""

    def statistics(self, record):
        return {name: record[name].astype(np.float64) for name in FIELDS} | {"drift": record["drift"].astype(np.float64)}

    def values(self, means):
        scores = {f"{name}_rmse.day{day}": np.sqrt(means[name][..., i]) for name in FIELDS for i, day in enumerate(LEADS)}
        return scores | {"drift": means["drift"]}


class ToySeasons(_Formulas):
    """Correlations at nine steps, with missing forecasts (NaN)."""

    def statistics(self, record):
        forecast = record["mean"].astype(np.float64)
        observed = np.broadcast_to(record["observed"].astype(np.float64)[:, None], forecast.shape)
        given = np.isfinite(forecast)
        f, o = np.where(given, forecast, 0), np.where(given, observed, 0)
        return {"count": given.astype(float), "f": f, "o": o, "ff": f * f, "oo": o * o, "fo": f * o}

    def values(self, means):
        f, o, ff, oo, fo = (means[name] / means["count"] for name in ("f", "o", "ff", "oo", "fo"))
        r = (fo - f * o) / np.sqrt((ff - f * f) * (oo - o * o))
        error = np.sqrt(ff - 2 * fo + oo)
        return {f"correlation.k{k}": r[..., k] for k in range(9)} | {f"rmse.k{k}": error[..., k] for k in range(9)}

    def by_start_month(self, record):
        months = np.arange(len(record["mean"])) % 12
        rows = [stats.scores(self, {name: value[months == month] for name, value in record.items()}) for month in range(12)]
        return {"correlation": np.array([[row[f"correlation.k{k}"] for k in range(9)] for row in rows])}


def weather_spec(**changes) -> TaskSpec:
    metrics = [
        {
            "name": name,
            "label": label,
            "unit": unit,
            "direction": "lower",
            "at": [f"day{day}" for day in LEADS],
            "axis": "lead time (days)",
            "positions": list(LEADS),
            "formula": "sqrt of the mean over start dates of the area-weighted squared error",
        }
        for name, (label, unit) in WEATHER.items()
    ]
    metrics.append(
        {"name": "drift", "label": "Drift after 100 days", "unit": "K", "direction": "nearer_zero", "formula": "mean difference"}
    )
    content = {
        "schema_version": 1,
        "id": "climate/toy_weather",
        "version": 1,
        "title": "Toy weather",
        "truth": "simulated",
        "summary": "Ten-day forecasts of an invented planet from 96 start dates.",
        "dataset": "climate/toy_planet",
        "split": "test",
        "code": "synthetic_cards:ToyWeather",
        "needs": [],
        "headline": "z500_rmse.day5",
        "tolerance": 1e-3,
        "protocol": "Start from 96 dates, 48 h apart.\n\n- leads of 1, 3, 5, 7 and 10 days\n- latitude weights as in `WeatherBench 2`",
        "audit": ["persistence is worse than climatology from day 5: the scores are not those of a static field"],
        "how_to_beat": "A solver at a finer truncation is the bar: 1.05 K at day 1.",
        "resampling": {"unit": "start date", "method": "stationary_block_bootstrap", "mean_block": 5, "resamples": 400, "seed": 1},
        "table": [
            {"metric": "z500_rmse.day5", "label": "Z500 day 5", "decimals": 0},
            {"metric": "t850_rmse.day5", "label": "T850 day 5", "decimals": 2},
            {"metric": "z500_rmse.day10", "label": "Z500 day 10", "decimals": 0},
        ],
        "metric": metrics,
    }
    return TaskSpec.model_validate(content | changes)


def seasons_spec(**changes) -> TaskSpec:
    metrics = [
        {
            "name": name,
            "label": label,
            "unit": unit,
            "direction": direction,
            "at": [f"k{k}" for k in range(9)],
            "axis": "lead k (months)",
            "positions": list(range(9)),
            "formula": formula,
        }
        for name, label, unit, direction, formula in (
            ("correlation", "Correlation", "1", "higher", "Pearson correlation over target months"),
            ("rmse", "RMSE", "K", "lower", "root of the mean squared error"),
        )
    ]
    content = {
        "schema_version": 1,
        "id": "genomics/toy_seasons",
        "version": 2,
        "title": "Toy seasons",
        "truth": "observed",
        "summary": "Seasonal forecasts of an invented index, beside invented centres.",
        "dataset": "climate/toy_planet",
        "split": "test",
        "code": "synthetic_cards:ToySeasons",
        "needs": [],
        "headline": "correlation.k5",
        "tolerance": 1e-3,
        "protocol": "Issue a forecast each month.",
        "tracks": {"core": "indices known at the time", "modes": "retrospective indices", "operational": "the centres' own forecasts"},
        "resampling": {"unit": "target month", "method": "stationary_block_bootstrap", "mean_block": 24, "resamples": 300, "seed": 2},
        "table": [
            {"metric": "correlation.k2", "label": "r, k=2", "decimals": 3},
            {"metric": "correlation.k5", "label": "r, k=5", "decimals": 3},
            {"metric": "rmse.k5", "label": "RMSE, k=5", "decimals": 2},
        ],
        "metric": metrics,
    }
    return TaskSpec.model_validate(content | changes)


def toy_planet() -> DatasetCard:
    return DatasetCard.model_validate(
        {
            "schema_version": 1,
            "id": "climate/toy_planet",
            "version": "1",
            "title": "Toy planet",
            "truth": "simulated",
            "summary": "Invented for tests.",
            "loader": "synthetic_cards:toy_planet",
            "licence": "CC0-1.0",
            "citation": ["Nobody (2026), doi:10.1000/toy"],
            "splits": {"train": "years 1-10", "test": "years 12-13, a year apart"},
            "variables": {"geopotential": "m2 s-2"},
            "caveats": ["not a planet"],
            "file": [
                {
                    "name": "test.zarr.zip",
                    "path": "test.zarr.zip",
                    "urls": ["https://example.org/toy/test.zarr.zip"],
                    "sha256": SHA,
                    "bytes": 1234567,
                    "licence": "CC0-1.0",
                    "role": "truth of the test split",
                    "redistributable": True,
                }
            ],
        }
    )


def model_card(identifier: str, task: str, **changes) -> ModelCard:
    content = {
        "schema_version": 1,
        "id": identifier,
        "title": f"Model {identifier.split('/')[1]}",
        "summary": "An invented network.",
        "architecture": "synthetic_cards:Net",
        "predictor": "synthetic_cards:predictor",
        "config": {"width": 64, "name": "x"},
        "tasks": [task],
        "n_params": 301234,
        "licence": "Apache-2.0",
        "paper": "https://doi.org/10.1000/toy",
        "truth": "simulated",
        "caveats": ["knows one planet only"],
        "training": {
            "command": "zoo train climate/toy",
            "data": ["climate/toy_planet:train"],
            "chosen_on": "validation",
            "hardware": "2 CPU cores",
            "wall_seconds": 5400,
            "steps": 20000,
            "validation": {"z500_rmse.day5": 300.0},
        },
        "weights": [
            {"file": f"{identifier.split('/')[1]}.{seed}.safetensors", "sha256": SHA, "bytes": 1200000, "seed": seed} for seed in range(3)
        ],
    }
    return ModelCard.model_validate(content | changes)


ENVIRONMENT = {
    "python": "3.11.7",
    "packages": {"jax": "0.10.2", "numpy": "2.4.6"},
    "packages_sha256": SHA,
    "platform": "linux-x86_64",
    "cpu_count": 2,
    "accelerator": "cpu",
    "xla_flags": "",
    "commit": "a" * 40,
    "dirty": False,
}
