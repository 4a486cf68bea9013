"""Entries of made-up rows on disk, scored by the task's own formulas: for what is drawn from stored records."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np

from zoo import cards
from zoo.scoring import record, stats
from zoo.cards import Entry
from zoo.interfaces.task import Task

SHA = hashlib.sha256(b"made up").hexdigest()


def add_entry(root: Path, task: Task, name: str, arrays: dict[str, np.ndarray]) -> Path:
    """Writes one entry and its record below `root/leaderboard/entries`."""
    spec = task.spec
    folder = root / "leaderboard" / "entries" / spec.key
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f"{name}.record.zarr.zip"
    record.write(beside, arrays)
    values = {metric: value for metric, value in stats.scores(task, arrays).items() if math.isfinite(value)}
    content = {
        "schema_version": 1, "id": f"{spec.key}/{name}", "task": spec.id, "task_version": spec.version,
        "model": f"particle_physics/{name}", "title": name, "kind": "model", "n_examples": len(arrays["example_id"]),
        "record": beside.name, "metrics": {metric: {"value": value, "ci95": None} for metric, value in values.items()},
        "hashes": {
            "task": SHA, "dataset_card": SHA, "example_ids": SHA, "weights": [SHA],
            "record": hashlib.sha256(beside.read_bytes()).hexdigest(),
        },
        "cost": {
            "n_params": 1, "flops_per_example": None, "latency_ms_p50": 1.0, "latency_ms_p95": 1.0, "repeats": 3,
            "peak_memory_bytes": 1, "wall_seconds": 1.0, "load_average": 1.0,
        },
        "environment": {
            "python": "3.11.7", "packages": {"numpy": "2.4.6"}, "packages_sha256": SHA, "platform": "linux-x86_64", "cpu_count": 2,
            "accelerator": "cpu", "xla_flags": "", "commit": "a" * 40, "dirty": False,
        },
        "provenance": {"command": "zoo bench", "submitted_by": "maintainers", "created": "2026-11-20T00:00:00Z", "note": None},
    }  # fmt: skip
    path = folder / f"{name}.json"
    path.write_text(cards.dump(Entry.model_validate(content)), encoding="utf-8")
    return path
