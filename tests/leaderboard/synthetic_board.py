"""Two invented tasks with entries, records, peers and verifications, as the board's tests need them: no real score anywhere."""

from __future__ import annotations

import hashlib
import itertools
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from zoo import cards, record, stats
from zoo.cards import DatasetCard, Entry, ModelCard, PeerTable, TaskSpec, Verification
from zoo.task import Task

SHA = hashlib.sha256(b"synthetic").hexdigest()
LEADS = (1, 3, 5, 7, 10)
FIELDS = ("z500", "t850", "wind850")
WEATHER = {"z500_rmse": ("Z500 RMSE", "m2 s-2"), "t850_rmse": ("T850 RMSE", "K"), "wind850_rmse": ("Wind 850 RMSE", "m s-1")}
DOMAINS = ("climate", "genomics")


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
        {"name": name, "label": label, "unit": unit, "direction": "lower", "at": [f"day{day}" for day in LEADS], "axis": "lead time (days)",
         "positions": list(LEADS), "formula": "sqrt of the mean over start dates of the area-weighted squared error"}
        for name, (label, unit) in WEATHER.items()
    ]
    metrics.append({"name": "drift", "label": "Drift after 100 days", "unit": "K", "direction": "nearer_zero", "formula": "mean difference"})
    content = {
        "schema_version": 1, "id": "climate/toy_weather", "version": 1, "title": "Toy weather", "truth": "simulated",
        "summary": "Ten-day forecasts of an invented planet from 96 start dates.", "dataset": "climate/toy_planet", "split": "test",
        "code": "synthetic_board:ToyWeather", "needs": [], "headline": "z500_rmse.day5", "tolerance": 1e-3,
        "protocol": "Start from the analysis of 96 dates, 48 h apart.\n\n- leads of 1, 3, 5, 7 and 10 days\n- latitude weights as in `WeatherBench 2`",
        "audit": ["persistence is worse than climatology from day 5: the scores are not those of a static field"],
        "how_to_beat": "A solver at a finer truncation is the bar: 1.05 K at day 1.",
        "resampling": {"unit": "start date", "method": "stationary_block_bootstrap", "mean_block": 5, "resamples": 400, "seed": 1},
        "table": [
            {"metric": "z500_rmse.day5", "label": "Z500 day 5", "decimals": 0}, {"metric": "t850_rmse.day5", "label": "T850 day 5", "decimals": 2},
            {"metric": "z500_rmse.day10", "label": "Z500 day 10", "decimals": 0},
        ],
        "metric": metrics,
    }
    return TaskSpec.model_validate(content | changes)


def seasons_spec(**changes) -> TaskSpec:
    metrics = [
        {"name": name, "label": label, "unit": unit, "direction": direction, "at": [f"k{k}" for k in range(9)], "axis": "lead k (months)",
         "positions": list(range(9)), "formula": formula}
        for name, label, unit, direction, formula in (
            ("correlation", "Correlation", "1", "higher", "Pearson correlation over target months"), ("rmse", "RMSE", "K", "lower", "root of the mean squared error"),
        )
    ]
    content = {
        "schema_version": 1, "id": "genomics/toy_seasons", "version": 2, "title": "Toy seasons", "truth": "observed",
        "summary": "Seasonal forecasts of an invented index, beside invented centres.", "dataset": "climate/toy_planet", "split": "test",
        "code": "synthetic_board:ToySeasons", "needs": [], "headline": "correlation.k5", "tolerance": 1e-3, "protocol": "Issue a forecast each month.",
        "tracks": {"core": "indices known at the time", "modes": "retrospective indices", "operational": "the centres' own forecasts"},
        "resampling": {"unit": "target month", "method": "stationary_block_bootstrap", "mean_block": 24, "resamples": 300, "seed": 2},
        "table": [
            {"metric": "correlation.k2", "label": "r, k=2", "decimals": 3}, {"metric": "correlation.k5", "label": "r, k=5", "decimals": 3},
            {"metric": "rmse.k5", "label": "RMSE, k=5", "decimals": 2},
        ],
        "metric": metrics,
    }
    return TaskSpec.model_validate(content | changes)


def toy_planet() -> DatasetCard:
    return DatasetCard.model_validate({
        "schema_version": 1, "id": "climate/toy_planet", "version": "1", "title": "Toy planet", "truth": "simulated", "summary": "Invented for tests.",
        "loader": "synthetic_board:toy_planet", "licence": "CC0-1.0", "citation": ["Nobody (2026), doi:10.1000/toy"],
        "splits": {"train": "years 1-10", "test": "years 12-13, a year apart"}, "variables": {"geopotential": "m2 s-2"}, "caveats": ["not a planet"],
        "file": [{"name": "test.zarr.zip", "path": "test.zarr.zip", "urls": ["https://example.org/toy/test.zarr.zip"], "sha256": SHA, "bytes": 1234567,
                  "licence": "CC0-1.0", "role": "truth of the test split", "redistributable": True}],
    })


def model_card(identifier: str, task: str, **changes) -> ModelCard:
    content = {
        "schema_version": 1, "id": identifier, "title": f"Model {identifier.split('/')[1]}", "summary": "An invented network.",
        "architecture": "synthetic_board:Net", "predictor": "synthetic_board:predictor", "config": {"width": 64, "name": "x"}, "tasks": [task],
        "n_params": 301234, "licence": "Apache-2.0", "paper": "https://doi.org/10.1000/toy", "truth": "simulated", "caveats": ["knows one planet only"],
        "training": {"command": "zoo train climate/toy", "data": ["climate/toy_planet:train"], "chosen_on": "validation", "hardware": "2 CPU cores",
                     "wall_seconds": 5400, "steps": 20000, "validation": {"z500_rmse.day5": 300.0}},
        "weights": [{"file": f"{identifier.split('/')[1]}.{seed}.safetensors", "sha256": SHA, "bytes": 1200000, "seed": seed} for seed in range(3)],
    }
    return ModelCard.model_validate(content | changes)


ENVIRONMENT = {
    "python": "3.11.7", "packages": {"jax": "0.10.2", "numpy": "2.4.6"}, "packages_sha256": SHA, "platform": "linux-x86_64", "cpu_count": 2,
    "accelerator": "cpu", "xla_flags": "", "commit": "a" * 40, "dirty": False,
}


def weather_record(*, skill: float, seed: int, n: int = 96) -> dict[str, np.ndarray]:
    """Squared errors that grow with lead; `skill` 0 is perfect, 1 is persistence. The difficulty of a date is common to all rows."""
    hard = np.random.default_rng(0).gamma(20, 1 / 20, (n, 1))
    noise = np.random.default_rng(seed).gamma(60, 1 / 60, (n, len(LEADS)))
    growth = 1 - np.exp(-np.array(LEADS) / 4)
    scale = {"z500": 700.0, "t850": 4.5, "wind850": 9.0}
    fields = {name: ((scale[name] * (0.15 + skill) * growth) ** 2 * hard * noise).astype(np.float32) for name in FIELDS}
    return {"example_id": np.array([f"start-{i:03d}" for i in range(n)])} | fields | {"drift": np.full(n, skill - 0.4) + 0.1 * noise[:, 0]}


def seasons_record(*, skill: float, seed: int, n: int = 203, first: int = 0, leads: int = 9) -> dict[str, np.ndarray]:
    """Forecasts of a slow oscillation whose skill falls with lead; examples before `first` and leads from `leads` on are missing."""
    months = np.arange(n)
    observed = np.sin(2 * np.pi * months / 46) + 0.4 * np.random.default_rng(1).standard_normal(n)
    noise = np.random.default_rng(seed).standard_normal((n, 9))
    share = skill * np.exp(-np.arange(9) / 9)
    mean = share * observed[:, None] + np.sqrt(1 - share**2) * 0.5 * noise
    mean[:first] = np.nan
    mean[:, leads:] = np.nan
    return {"example_id": np.array([f"month-{i:03d}" for i in range(n)]), "mean": mean, "observed": observed}


def add_entry(root: Path, spec: TaskSpec, task: Task, name: str, arrays: dict[str, np.ndarray], *, kind: str = "model", write_record: bool = True, **changes) -> Path:
    """Writes one entry and its record where they belong; returns the entry's path."""
    folder = root / "leaderboard" / "entries" / spec.key
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f"{name}.record.zarr.zip"
    record.write(beside, arrays)
    digest = hashlib.sha256(beside.read_bytes()).hexdigest()
    if not write_record:
        beside.unlink()
    n = len(arrays["example_id"])
    key = (n, spec.resampling.seed)
    if key not in _weights:
        _weights[key] = stats.bootstrap_weights(n, spec.resampling)
    samples = stats.resample(task, arrays, _weights[key])
    values = {metric: value for metric, value in stats.scores(task, arrays).items() if math.isfinite(value)}
    defined = {metric for family in spec.metric for metric in family.names}
    domain = spec.id.split("/")[0]
    number = int(hashlib.sha256(name.encode()).hexdigest()[:6], 16)
    content = {
        "schema_version": 1, "id": f"{spec.key}/{name}", "task": spec.id, "task_version": spec.version, "model": f"{domain}/{name}",
        "title": name.replace("_", " ").replace(".", " "), "kind": kind, "n_examples": n, "record": beside.name, "declined": sorted(defined - values.keys()),
        "metrics": {metric: {"value": value, "ci95": stats.interval(samples[metric], value)} for metric, value in values.items()},
        "training_seeds": [{"seed": seed, "metrics": {spec.headline: values[spec.headline] * (1 + 0.01 * seed)}} for seed in range(3)] if kind == "model" else [],
        "hashes": {"task": SHA, "dataset_card": SHA, "example_ids": SHA, "weights": [SHA], "record": digest},
        "cost": {"n_params": number % 900000 if kind == "model" else 0, "flops_per_example": 1.2e9, "latency_ms_p50": 0.05 + number % 997 / 7, "repeats": 5,
                 "latency_ms_p95": 200.0, "peak_memory_bytes": 812_000_000, "wall_seconds": 93.0, "load_average": 1.2},
        "environment": ENVIRONMENT,
        "provenance": {"command": f"zoo bench {spec.id} --entries leaderboard/entries", "submitted_by": "maintainers",
                       "created": (datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=number % 400)).isoformat(), "note": None},
    }
    path = folder / f"{name}.json"
    path.write_text(cards.dump(Entry.model_validate(content | changes)), encoding="utf-8")
    return path


_weights: dict[tuple[int, int], np.ndarray] = {}


def verify(root: Path, path: Path, *, ok: bool = True, level: str = "rerun", sha256: str | None = None) -> Path:
    """Writes a verification of an entry."""
    entry = cards.read(path, Entry)
    checked = {name: {"claimed": score.value, "obtained": score.value * (1 + 1e-7 if ok else 1.1)} for name, score in entry.metrics.items()}
    content = {
        "schema_version": 1, "entry": entry.id, "entry_sha256": sha256 or hashlib.sha256(path.read_bytes()).hexdigest(), "level": level, "ok": ok,
        "problems": [] if ok else ["metrics: re-run gives other numbers"], "metrics": checked, "largest_relative_difference": 1e-7 if ok else 0.1,
        "environment": ENVIRONMENT, "created": "2026-11-19T12:00:00Z",
    }
    target = root / "leaderboard" / "verified" / f"{entry.id}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(cards.dump(Verification.model_validate(content)), encoding="utf-8")
    return target


def write_specs(root: Path, *specs: TaskSpec) -> None:
    for spec in specs:
        write_toml(root / "benchmarks" / f"{spec.id}.toml", spec.model_dump(mode="json", exclude_none=True))


def write_toml(path: Path, content: dict) -> None:
    """A card as TOML; JSON is a TOML value but for its braces, so every table is written inline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key} = {_toml(value)}\n" for key, value in content.items()), encoding="utf-8")


def _toml(value) -> str:
    import json

    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=True).replace("\\/", "/") if not isinstance(value, float) else repr(value)


def make_board(root: Path, *, weather: int = 9, seasons: int = 25) -> Path:
    """A whole root folder: two tasks with rows of every kind, peers, verifications, gaps, and one row without its record."""
    (root / "pyproject.toml").write_text("", encoding="utf-8")
    wspec, sspec = weather_spec(), seasons_spec()
    write_specs(root, wspec, sspec)
    write_toml(root / "datasets" / "climate" / "toy_planet" / "card.toml", toy_planet().model_dump(mode="json", exclude_none=True))
    toy_weather, toy_seasons = ToyWeather(wspec, file=Path), ToySeasons(sspec, file=Path)
    kinds = itertools.cycle(["model", "model", "solver", "baseline"])
    for i, kind in zip(range(weather), kinds, strict=False):
        name = f"{kind}_{i}" if kind != "model" else f"net_{i}.held_out"
        arrays = weather_record(skill=0.1 + 0.8 * (i // 2 * 2 + 0.02 * (i % 2)) / max(weather, 4), seed=100 + i)
        path = add_entry(root, wspec, toy_weather, name, arrays, kind=kind)
        if i < 3:
            verify(root, path, ok=i != 1, level="rerun" if i != 2 else "rescored")
        if kind == "model":
            card = model_card(f"climate/{name}", wspec.id)
            write_toml(root / "zoo" / "climate" / "weights" / f"{name}.toml", card.model_dump(mode="json", exclude_none=True))
    kinds = itertools.cycle([("model", "core"), ("baseline", "core"), ("forecast_centre", "operational"), ("model", "modes"), ("forecast_centre", "operational")])
    for i, (kind, track) in zip(range(seasons), kinds, strict=False):
        first, leads = (80 if i % 9 == 4 else 0, 5 if i % 10 == 7 else 9)
        arrays = seasons_record(skill=0.97 - 0.85 * i / max(seasons, 5), seed=500 + i, first=first, leads=leads)
        add_entry(root, sspec, toy_seasons, f"{kind}_{i}", arrays, kind=kind, track=track, training_seeds=[], write_record=i != 3)
    peers = PeerTable.model_validate({
        "schema_version": 1, "task": sspec.id, "task_version": 2, "note": "From the papers' own tables.",
        "row": [
            {"name": "A paper's CNN", "metrics": {"correlation.k2": 0.81, "correlation.k5": 0.67}, "source": "Somebody et al. (2019), table 2",
             "url": "https://doi.org/10.1000/cnn", "n_examples": 169, "caveat": "to 2017 only; other base period", "track": "modes"},
            {"name": "Another paper", "metrics": {"correlation.k5": 0.71}, "source": "Personal page", "caveat": "one number read from a figure"},
        ],
    })
    write_toml(root / "leaderboard" / "peers" / f"{sspec.key}.toml", peers.model_dump(mode="json", exclude_none=True))
    return root
