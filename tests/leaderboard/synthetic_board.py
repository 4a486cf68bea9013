"""Entries, records, peers and verifications for the invented tasks of `synthetic_cards`: no real score anywhere."""

from __future__ import annotations

import hashlib
import itertools
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from synthetic_cards import ENVIRONMENT, FIELDS, LEADS, SHA, ToySeasons, ToyWeather, model_card, seasons_spec, toy_planet, weather_spec

from zoo import cards, record, stats
from zoo.cards import Entry, PeerTable, TaskSpec, Verification
from zoo.task import Task


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


def add_entry(
    root: Path,
    spec: TaskSpec,
    task: Task,
    name: str,
    arrays: dict[str, np.ndarray],
    *,
    kind: str = "model",
    write_record: bool = True,
    **changes,
) -> Path:
    """Writes one entry and its record where they belong; returns the entry's path. Without `write_record` the record is lost."""
    folder = root / "leaderboard" / "entries" / spec.key
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f"{name}.record.zarr.zip"
    digest = SHA
    if write_record:
        record.write(beside, arrays)
        digest = hashlib.sha256(beside.read_bytes()).hexdigest()
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
        "schema_version": 1,
        "id": f"{spec.key}/{name}",
        "task": spec.id,
        "task_version": spec.version,
        "model": f"{domain}/{name}",
        "title": name.replace("_", " ").replace(".", " "),
        "kind": kind,
        "n_examples": n,
        "record": beside.name,
        "declined": sorted(defined - values.keys()),
        "metrics": {metric: {"value": value, "ci95": stats.interval(samples[metric], value)} for metric, value in values.items()},
        "training_seeds": [{"seed": seed, "metrics": {spec.headline: values[spec.headline] * (1 + 0.01 * seed)}} for seed in range(3)]
        if kind == "model"
        else [],
        "hashes": {"task": SHA, "dataset_card": SHA, "example_ids": SHA, "weights": [SHA], "record": digest},
        "cost": {
            "n_params": number % 900000 if kind == "model" else 0,
            "flops_per_example": 1.2e9,
            "latency_ms_p50": 0.05 + number % 997 / 7,
            "repeats": 5,
            "latency_ms_p95": 200.0,
            "peak_memory_bytes": 812_000_000,
            "wall_seconds": 93.0,
            "load_average": 1.2,
        },
        "environment": ENVIRONMENT,
        "provenance": {
            "command": f"zoo bench {spec.id} --entries leaderboard/entries",
            "submitted_by": "maintainers",
            "created": (datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=number % 400)).isoformat(),
            "note": None,
        },
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
        "schema_version": 1,
        "entry": entry.id,
        "entry_sha256": sha256 or hashlib.sha256(path.read_bytes()).hexdigest(),
        "level": level,
        "ok": ok,
        "problems": [] if ok else ["metrics: re-run gives other numbers"],
        "metrics": checked,
        "largest_relative_difference": 1e-7 if ok else 0.1,
        "environment": ENVIRONMENT,
        "created": "2026-11-19T12:00:00Z",
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
    kinds = itertools.cycle(
        [
            ("model", "core"),
            ("baseline", "core"),
            ("forecast_centre", "operational"),
            ("model", "modes"),
            ("forecast_centre", "operational"),
        ]
    )
    for i, (kind, track) in zip(range(seasons), kinds, strict=False):
        first, leads = (80 if i % 9 == 4 else 0, 5 if i % 10 == 7 else 9)
        arrays = seasons_record(skill=0.97 - 0.85 * i / max(seasons, 5), seed=500 + i, first=first, leads=leads)
        add_entry(root, sspec, toy_seasons, f"{kind}_{i}", arrays, kind=kind, track=track, training_seeds=[], write_record=i != 3)
    peers = PeerTable.model_validate(
        {
            "schema_version": 1,
            "task": sspec.id,
            "task_version": 2,
            "note": "From the papers' own tables.",
            "row": [
                {
                    "name": "A paper's CNN",
                    "metrics": {"correlation.k2": 0.81, "correlation.k5": 0.67},
                    "source": "Somebody et al. (2019), table 2",
                    "url": "https://doi.org/10.1000/cnn",
                    "n_examples": 169,
                    "caveat": "to 2017 only; other base period",
                    "track": "modes",
                },
                {
                    "name": "Another paper",
                    "metrics": {"correlation.k5": 0.71},
                    "source": "Personal page",
                    "caveat": "one number read from a figure",
                },
            ],
        }
    )
    write_toml(root / "leaderboard" / "peers" / f"{sspec.key}.toml", peers.model_dump(mode="json", exclude_none=True))
    return root
