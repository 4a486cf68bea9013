"""What of a task and its dataset decides scores, in one canonical form, and the hash of it.

Why not the hash of the two TOML files: they also hold prose, labels of tables and the addresses of
code. A renamed module or a mended sentence would invalidate every entry of a task although no score
had changed, and a hash that fails for nothing is a hash that people learn to overwrite.

What decides, and what does not:

* *Decides*: the task's id and version, dataset, split, `[parameters]`; name, SHA-256 and size of
  every file that it reads; how intervals are resampled; each metric's direction, unit, points,
  positions and parameters; the headline, the tolerance, the tracks' ids; and of a baseline its
  kind, track, config, whether it may be published, and the files that only it reads.
* *Does not*: titles, summaries, the protocol's text, audits, notes, labels, formulas as text, table
  columns, where code and files lie (the commit in the entry finds the code), licences, roles, the
  order of keys and metrics, white space.

Two that could be argued about. A metric's `unit` decides: some scale the number (1e-3).
`resampling.unit` does not: it says in words what an example is, resampling draws examples whatever
it says, and the entry binds their ids by a hash of its own. Numbers are compared as Python writes
them: 400 and 400.0 differ, 1e-3 and 0.001 do not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from zoo.cards import BaselineSpec, CardError, DatasetCard, MetricSpec, TaskSpec

PROTOCOL_SCHEMA = 1
"""Raised when the canonical form itself changes, which changes every hash."""


def protocol(spec: TaskSpec, dataset: DatasetCard, row: str | None = None) -> dict[str, Any]:
    """The canonical content of a task's and its dataset's card that decides scores, as plain data.

    Why `row`: an entry binds `row=entry.model`, so that its protocol holds the block of one
    baseline, if it is the entry of a baseline, and of none, if it is a model's. With all baselines
    in it, adding one or editing another's config would invalidate every entry of the task, though
    nobody's score depends on another row. What rows share (files, metrics, resampling) is in each
    of them; comparisons between rows are computed by the board, never stored.

    Args:
        spec: the task.
        dataset: the card of `spec.dataset`.
        row: id of the model or baseline whose entry it is; None: the whole task, all baselines.

    Raises:
        CardError: the dataset is another one, or has no file of a name that the task needs.

    Example:
        >>> from zoo import registry
        >>> task = registry.task("climate/enso")
        >>> found = protocol(task, registry.dataset(task.dataset), "climate/ridge")
        >>> found["baselines"]["climate/ridge"]["track"]
        'core'
    """
    if dataset.id != spec.dataset:
        raise CardError(f"task {spec.id} is of dataset {spec.dataset}, not of {dataset.id}")
    rows = [baseline for baseline in spec.baseline if row in (None, baseline.id)]
    content = {
        "protocol_schema": PROTOCOL_SCHEMA,
        "task": spec.id,
        "version": spec.version,
        "dataset": spec.dataset,
        "split": spec.split,
        "parameters": spec.parameters,
        "files": _files(spec.needs, dataset, spec.id),
        "tracks": sorted(spec.tracks),
        "resampling": spec.resampling.model_dump(
            include={"method", "mean_block", "resamples", "seed"}
        ),
        "metrics": {metric.name: _metric(metric) for metric in spec.metric},
        "headline": spec.headline,
        "tolerance": spec.tolerance,
        "baselines": {baseline.id: _baseline(baseline, dataset) for baseline in rows},
    }
    if not spec.needs:
        # a folder of the user's own: what its card knows of archives stands for the files
        content["downloads"] = {
            each.name: each.model_dump(include={"sha256", "md5"}) for each in dataset.download
        }
    return content


def protocol_sha256(spec: TaskSpec, dataset: DatasetCard, row: str | None = None) -> str:
    """The SHA-256 of `protocol` as `canonical` JSON: `hashes.protocol` of an entry of `row`."""
    return sha256_of(protocol(spec, dataset, row))


def sha256_of(content: dict[str, Any]) -> str:
    """The SHA-256 of a protocol's canonical JSON."""
    return hashlib.sha256(canonical(content).encode("ascii")).hexdigest()


def canonical(content: Any) -> str:
    """JSON with one spelling: sorted keys, no white space, ASCII, floats by `repr`.

    Raises:
        CardError: a value that JSON cannot hold (NaN, infinity, a date): it has no one spelling.
    """
    try:
        return json.dumps(
            content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
        )
    except (TypeError, ValueError) as error:
        raise CardError(
            f"a protocol holds text, finite numbers, booleans and lists of them: {error}"
        ) from error


def differences(before: Any, after: Any, place: str = "") -> list[str]:
    """Where two protocols differ, a line each: `resampling.seed: 7 -> 8`, `metrics.rmse: added`."""
    if isinstance(before, dict) and isinstance(after, dict):
        found = []
        for key in sorted(before.keys() | after.keys()):
            where = f"{place}.{key}" if place else key
            if key not in before or key not in after:
                found.append(f"{where}: {'added' if key in after else 'removed'}")
            else:
                found += differences(before[key], after[key], where)
        return found
    return (
        []
        if canonical(before) == canonical(after)
        else [f"{place}: {_short(before)} -> {_short(after)}"]
    )


def _short(value: Any) -> str:
    text = canonical(value).strip('"')
    return text if len(text) <= 40 else f"{text[:12]}..."


def _files(names: Iterable[str], dataset: DatasetCard, reader: str) -> dict[str, dict[str, Any]]:
    known = {file.name: {"sha256": file.sha256, "bytes": file.bytes} for file in dataset.file}
    if lacking := sorted(set(names) - known.keys()):
        raise CardError(
            f"{reader} needs {', '.join(lacking)}; dataset {dataset.id} has "
            f"{', '.join(known) or 'no files'}"
        )
    return {name: known[name] for name in names}


def _metric(metric: MetricSpec) -> dict[str, Any]:
    return metric.model_dump(include={"direction", "unit", "at", "positions", "parameters"})


def _baseline(baseline: BaselineSpec, dataset: DatasetCard) -> dict[str, Any]:
    block = baseline.model_dump(include={"kind", "track", "config", "publishable"})
    return block | {"files": _files(baseline.needs, dataset, baseline.id)}
