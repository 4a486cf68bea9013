"""Leaderboard entries of benched rows, and the hashes that bind them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zoo import files, registry
from zoo.cards import Cost, Entry, Hashes, Provenance, TaskSpec, dump, parse
from zoo.commands.bench.row import BenchRow, TaskResult
from zoo.scoring import environment, protocol, record


def write_entries(
    result: TaskResult, folder: Path, *, command: str, submitted_by: str, note: str | None = None
) -> list[Path]:
    """Writes one entry and its record per publishable row:
    `<folder>/<domain>/<task>@<version>/<model>.json`.

    Raises:
        zoo.cards.CardError: the checkout has uncommitted changes, so the code of the scores
            could not be found again.
    """
    own = [row.predictor.code_path for row in result.rows if row.predictor.code_path is not None]
    where = environment.capture(known=own)
    spec = result.spec
    paths = []
    for row in result.rows:
        predictor = row.predictor
        if not predictor.publishable:
            continue
        if row.cost is None:
            raise ValueError("entries need the measured cost: run bench(..., measure=True)")
        name = predictor.id.split("/")[1]
        target = folder / spec.key / f"{name}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        record_path = target.with_name(f"{name}.record.zarr.zip")
        record.write(record_path, row.record)
        provenance = Provenance(
            command=command,
            submitted_by=submitted_by,
            created=datetime.now(UTC).replace(microsecond=0),
            note=note or predictor.note,
        )
        content = _scores(spec, row, row.cost, record_path) | {
            "environment": where.model_dump(),
            "provenance": provenance.model_dump(),
        }
        files.write_text(target, dump(parse(content, Entry, where=str(target))))
        if predictor.code_path is not None and predictor.code and predictor.code.file:
            beside = target.with_name(predictor.code.file)
            if predictor.code_path.resolve() != beside.resolve():
                files.copy(predictor.code_path, beside)
        paths.append(target)
    return paths


def _scores(spec: TaskSpec, row: BenchRow, cost: Cost, record_path: Path) -> dict[str, Any]:
    """The entry of a row but for where and by whom it was computed."""
    predictor, example_ids = row.predictor, row.record["example_id"]
    every = {name for metric in spec.metric for name in metric.names}
    return {
        "schema_version": 1,
        "id": f"{spec.key}/{predictor.id.split('/')[1]}",
        "task": spec.id,
        "task_version": spec.version,
        "model": predictor.id,
        "title": predictor.title,
        "kind": predictor.kind,
        "track": predictor.track,
        "n_examples": len(example_ids),
        "metrics": {key: value.model_dump() for key, value in row.metrics.items()},
        "declined": sorted(every - row.metrics.keys()),
        "training_seeds": [seed.model_dump() for seed in row.seeds],
        "record": record_path.name,
        "code": predictor.code.model_dump(mode="json") if predictor.code else None,
        "hashes": hashes(
            spec, predictor.id, example_ids, predictor.weights, record_path
        ).model_dump(),
        "cost": cost.model_dump(),
    }


def hashes(
    spec: TaskSpec, row: str, example_ids: Iterable[str], weights: Iterable[str], record_path: Path
) -> Hashes:
    """The hashes of everything that the scores of an entry depend on; `row` is the id of
    its model or baseline."""
    return Hashes(
        protocol=protocol.protocol_sha256(spec, registry.dataset(spec.dataset), row),
        example_ids=ids_sha256(example_ids),
        weights=list(weights),
        record=files.sha256(record_path),
    )


def ids_sha256(example_ids: Iterable[str]) -> str:
    """The hash of which examples were evaluated, in their order."""
    return hashlib.sha256("\n".join(map(str, example_ids)).encode()).hexdigest()
