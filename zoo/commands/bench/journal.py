"""Rows of a run that has not ended."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from pathlib import Path

from zoo import files, registry
from zoo.cards import Cost, SeedScores, TaskSpec
from zoo.commands.bench.predictor import NamedPredictor, code_sha256
from zoo.commands.bench.row import BenchRow
from zoo.scoring import record


class Journal:
    """Rows of an unfinished run, kept in the cache so that the same run, started again,
    does not repeat them.

    The same run means: the same task file, dataset card, weights, code of this package and
    options; with a folder of the user's own, also the same names, sizes and dates in it.
    """

    def __init__(self, spec: TaskSpec, *, all_seeds: bool, measure: bool, data: Path | None = None):
        cards = [
            files.sha256(registry.path_of(spec.id, "task")),
            files.sha256(registry.path_of(spec.dataset, "dataset")),
        ]
        own = (
            []
            if data is None
            else [
                f"{path}:{(s := path.stat()).st_size}:{s.st_mtime_ns}"
                for path in sorted(data.resolve().rglob("*"))
            ]
        )
        run_id = hashlib.sha256(
            "|".join([*cards, code_sha256(), str((all_seeds, measure)), *own]).encode()
        ).hexdigest()[:16]
        self.folder = files.home() / "runs" / f"{spec.key.replace('/', '.')}-{run_id}"
        self.usable = True

    def _path(self, predictor: NamedPredictor) -> Path:
        parts = [*predictor.weights, *([predictor.code.sha256] if predictor.code else [])]
        weights = hashlib.sha256("|".join(parts).encode()).hexdigest()[:8]
        return self.folder / f"{predictor.id.split('/')[1]}-{weights}.json"

    def load(self, predictor: NamedPredictor) -> BenchRow | None:
        """The row of an earlier, interrupted run, or None."""
        path = self._path(predictor)
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            arrays = record.read(path.with_suffix(".zarr.zip"))
        except (OSError, ValueError):
            return None
        seeds = [SeedScores.model_validate(item) for item in kept["seeds"]]
        measured = Cost.model_validate(kept["cost"]) if kept["cost"] else None
        return BenchRow(
            predictor, arrays, {}, kept["wall_seconds"], seeds=seeds, cost=measured, resumed=True
        )

    def save(self, row: BenchRow) -> None:
        """Keeps a finished row; without a writable cache the run goes on and can't be resumed."""
        path = self._path(row.predictor)
        content = {
            "wall_seconds": row.wall_seconds,
            "seeds": [seed.model_dump() for seed in row.seeds],
            "cost": row.cost.model_dump() if row.cost else None,
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            record.write(path.with_suffix(".zarr.zip"), row.record)
            path.write_text(json.dumps(content), encoding="utf-8")
        except OSError as error:
            if self.usable:
                warnings.warn(
                    (
                        f"this run could not be resumed if interrupted ({error}); point ZOO_HOME "
                        "at a folder that can be written"
                    ),
                    stacklevel=2,
                )
            self.usable = False

    def close(self) -> None:
        """Forgets the rows: the run has ended."""
        shutil.rmtree(self.folder, ignore_errors=True)
