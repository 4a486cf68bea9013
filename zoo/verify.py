"""`zoo verify ENTRY`: is the claim true? Climbs static -> rescored -> re-run and writes down what it obtained.

* static: the entry follows its schema, and every hash in it is that of the file it names;
* rescored: the metrics come out of the stored per-example record again, to 1e-6;
* rerun: the shipped weights and code give the metrics again, within the task's tolerance.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

from zoo import bench, environment, files, record, registry, stats
from zoo.cards import CheckedMetric, Entry, TaskSpec, Verification, dump, read

RESCORE_TOLERANCE = 1e-6
LEVELS = ("static", "rescored", "rerun")


def verify(path: str | Path, *, level: str = "rerun") -> Verification:
    """What was obtained for an entry, at the highest level asked for that its files allow.

    Args:
        path: the entry's JSON file; its record lies beside it.
        level: "static", "rescored" or "rerun".

    Raises:
        zoo.cards.CardError: the file is no entry at all.
        zoo.registry.UnknownName: its task is not installed.
        zoo.files.FileMissing: a re-run needs files that cannot be had here.
    """
    if level not in LEVELS:
        raise ValueError(f"level {level!r} is none of {', '.join(LEVELS)}")
    path = Path(path)
    entry = read(path, Entry)
    spec = registry.task(entry.task)
    problems = static_problems(path, entry)
    reached: str = "static"
    checked: dict[str, CheckedMetric] = {}
    if not problems and level != "static":
        reached = "rescored"
        task = registry.resolve(spec.code)(spec, file=Path)  # the formulas need no data file
        arrays = record.read(path.with_name(entry.record))
        obtained = stats.scores(task, arrays)
        checked = _compare(entry, obtained)
        problems += _differences(checked, entry, RESCORE_TOLERANCE, "rescored")
        hidden = [name for name in entry.declined if math.isfinite(obtained.get(name, math.nan))]
        problems += [f"declined: {name} is said to be declined, rescored gives {obtained[name]:.6g}" for name in hidden]
        problems += _interval_problems(entry, spec, task, arrays)
    if not problems and level == "rerun":
        reached = "rerun"
        checked, more = _rerun(entry, spec)
        problems += more
    largest = max((relative_difference(pair.claimed, pair.obtained) for pair in checked.values()), default=0.0)
    return Verification(
        schema_version=1, entry=entry.id, entry_sha256=files.sha256(path), level=reached, ok=not problems and reached == level,
        problems=problems, metrics=checked, largest_relative_difference=largest,
        environment=environment.capture(), created=datetime.now(UTC).replace(microsecond=0),
    )


def static_problems(path: Path, entry: Entry) -> list[str]:
    """Everything that is wrong with an entry before anything is computed; each names its field."""
    spec = registry.task(entry.task)
    problems = []
    if (here := path.absolute().parts[-3:]) != tuple(f"{entry.id}.json".split("/")):
        problems.append(f"id: {entry.id} must lie at {entry.id}.json, not at {'/'.join(here)}")
    if entry.task_version != spec.version:
        problems.append(f"task_version: the entry is of version {entry.task_version}, the task is at version {spec.version}; run it again")
    defined = {name for metric in spec.metric for name in metric.names}
    problems += [f"metrics.{name}: task {spec.id} defines no such metric" for name in sorted(entry.metrics.keys() - defined)]
    problems += [f"metrics.{name}: neither given nor declined" for name in sorted(defined - entry.metrics.keys() - set(entry.declined))]
    problems += [f"declined: {name} is given, too" for name in sorted(entry.metrics.keys() & set(entry.declined))]
    problems += _identity_problems(entry, spec)
    beside = path.with_name(entry.record)
    if not beside.is_file() or beside.is_symlink():
        return [*problems, f"record: {entry.record} does not lie beside the entry as a file of its own"]
    try:
        arrays = record.read(beside)
    except record.RecordError as error:
        return [*problems, f"record: {error}"]
    if "example_id" not in arrays:
        return [*problems, "record: has no example_id"]
    known = registry.models().get(entry.model)
    weights = [weight.sha256 for weight in known.weights] if known else []
    expected = bench.hashes(spec, arrays["example_id"], weights, beside)
    for name, value in expected.model_dump().items():
        if (claimed := getattr(entry.hashes, name)) != value:
            problems.append(f"hashes.{name}: claimed {claimed}, the file has {value}")
    if len(arrays["example_id"]) != entry.n_examples:
        problems.append(f"n_examples: claimed {entry.n_examples}, the record has {len(arrays['example_id'])}")
    return problems


def _identity_problems(entry: Entry, spec: TaskSpec) -> list[str]:
    """Where an entry says something else about its model or baseline than the card does."""
    model = registry.models().get(entry.model)
    baseline = next((each for each in spec.baseline if each.id == entry.model), None)
    if model is None and baseline is None:
        return [f"model: {entry.model} is neither an installed model nor a baseline of {spec.id}"]
    seeds = [weight.seed for weight in model.weights] if model and len(model.weights) > 1 else []
    facts = [
        ("title", entry.title, (model or baseline).title), ("kind", entry.kind, "model" if model else baseline.kind),
        ("track", entry.track, (model or baseline).track), ("cost.n_params", entry.cost.n_params, model.n_params if model else 0),
        ("training_seeds", [each.seed for each in entry.training_seeds], seeds),
    ]
    return [f"{field}: claimed {claimed}, the card says {true}" for field, claimed, true in facts if claimed != true]


def write(verification: Verification, folder: Path) -> Path:
    """Writes the verification at the entry's own path under `folder` (`leaderboard/verified`)."""
    target = folder / f"{verification.entry}.json"
    files.write_text(target, dump(verification))
    return target


def _rerun(entry: Entry, spec: TaskSpec) -> tuple[dict[str, CheckedMetric], list[str]]:
    result = bench.bench(spec.id, models=entry.model, all_seeds=bool(entry.training_seeds))[0]
    lacking = [*result.unavailable, *(reason for _, reason in result.skipped)]
    if lacking:
        raise files.FileMissing("\n".join(lacking))
    row = result.rows[0]
    checked = _compare(entry, {name: metric.value for name, metric in row.metrics.items()})
    problems = _differences(checked, entry, spec.tolerance, "re-run")
    if bench.ids_sha256(row.record["example_id"]) != entry.hashes.example_ids:
        problems.append("hashes.example_ids: the task's examples are others than those of the entry")
    obtained = {seed.seed: seed.metrics for seed in row.seeds}
    claimed_seeds = {seed.seed: seed.metrics for seed in entry.training_seeds}
    if claimed_seeds.keys() != obtained.keys():
        problems.append(f"training_seeds: claimed {sorted(claimed_seeds)}, the shipped weights have {sorted(obtained)}")
    for seed in claimed_seeds.keys() & obtained.keys():
        for name, claimed in claimed_seeds[seed].items():
            value = obtained[seed].get(name)
            if value is None or relative_difference(claimed, value) > spec.tolerance:
                problems.append(f"training_seeds[{seed}].{name}: claimed {claimed:.6g}, re-run gives {value}")
    return checked, problems


def _compare(entry: Entry, obtained: dict[str, float]) -> dict[str, CheckedMetric]:
    return {
        name: CheckedMetric(claimed=claimed.value, obtained=obtained[name])
        for name, claimed in entry.metrics.items() if math.isfinite(obtained.get(name, math.nan))
    }


def _differences(checked: dict[str, CheckedMetric], entry: Entry, tolerance: float, how: str) -> list[str]:
    lost = [name for name in entry.metrics if name not in checked]
    problems = [f"metrics.{name}: claimed {entry.metrics[name].value:.6g}, {how} gives nothing" for name in lost]
    for name, pair in checked.items():
        if relative_difference(pair.claimed, pair.obtained) > tolerance:
            problems.append(f"metrics.{name}: claimed {pair.claimed:.8g}, {how} gives {pair.obtained:.8g} (tolerance {tolerance:g})")
    return problems


def _interval_problems(entry: Entry, spec: TaskSpec, task: stats.Formulas, arrays: dict) -> list[str]:
    samples = stats.resample(task, arrays, stats.bootstrap_weights(entry.n_examples, spec.resampling))
    problems = []
    for name, claimed in entry.metrics.items():
        bounds = stats.interval(samples[name], claimed.value) if name in samples else None
        if bounds is None or claimed.ci95 is None:
            same = bounds is None and claimed.ci95 is None
        else:
            same = max(map(relative_difference, claimed.ci95, bounds)) <= RESCORE_TOLERANCE
        if not same:
            problems.append(f"metrics.{name}.ci95: claimed {claimed.ci95}, rescored gives {bounds}")
    return problems


def relative_difference(claimed: float, obtained: float) -> float:
    """|claimed - obtained| relative to the larger of the two; scores below 1e-9 count as zero."""
    return abs(claimed - obtained) / max(abs(claimed), abs(obtained), 1e-9)
