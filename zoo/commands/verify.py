"""`zoo verify ENTRY`: is the claim true? Climbs static -> rescored -> re-run and writes
down what it obtained.

* static: the entry follows its schema, and every hash in it is that of the files, and of
  the protocol, that it names;
* rescored: the metrics come out of the stored per-example record again, to 1e-6;
* rerun: the shipped weights and code give the metrics again, within the task's tolerance.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import math
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from zoo import files, registry
from zoo.cards import CheckedMetric, CodeSource, Entry, FileCard, TaskSpec, Verification, dump, read
from zoo.commands import claims, entry_code, revisions
from zoo.commands.bench import entry as entries
from zoo.commands.bench import predictor
from zoo.commands.bench.run import bench, bench_one
from zoo.scoring import environment, record, stats

RESCORE_TOLERANCE = 1e-6
LEVELS = ("static", "rescored", "rerun")


class CodeNotTrusted(ValueError):
    """A re-run would execute a Python file that the entry's submitter wrote, and nobody
    said that it may."""


def verify(path: str | Path, *, level: str = "rerun", run_code: bool = False) -> Verification:
    """What was obtained for an entry, at the highest level asked for that its files allow.

    Args:
        path: the entry's JSON file; its record lies beside it.
        level: "static", "rescored" or "rerun".
        run_code: whether a re-run may execute the Python file beside the entry, which its
            submitter wrote.

    Raises:
        zoo.cards.CardError: the file is no entry at all.
        zoo.registry.UnknownName: its task is not installed.
        zoo.files.FileMissing: a re-run needs files or a package that cannot be had here.
        CodeNotTrusted: the re-run would execute the submitter's file and `run_code` does
            not allow it.
    """
    if level not in LEVELS:
        raise ValueError(f"level {level!r} is none of {', '.join(LEVELS)}")
    path = Path(path)
    entry = read(path, Entry)
    spec = registry.task(entry.task)
    problems = static_problems(path, entry)
    reached: Literal["static", "rescored", "rerun"] = "static"
    checked: dict[str, CheckedMetric] = {}
    if not problems and level != "static":
        reached = "rescored"
        task = registry.resolve(spec.code)(spec, file=Path)  # the formulas need no data file
        arrays = record.read(record_path(path, entry))
        obtained = stats.scores(task, arrays)
        checked = _compare(entry, obtained)
        problems += _differences(checked, entry, RESCORE_TOLERANCE, "rescored")
        hidden = [name for name in entry.declined if math.isfinite(obtained.get(name, math.nan))]
        problems += [
            f"declined: {name} is said to be declined, rescored gives {obtained[name]:.6g}"
            for name in hidden
        ]
        problems += _interval_problems(entry, spec, task, arrays)
    if not problems and level == "rerun":
        reached = "rerun"
        if entry.code is not None and entry.code.file is not None and not run_code:
            raise CodeNotTrusted(
                f"a re-run of {entry.id} executes {path.with_name(entry.code.file)}, which its "
                f"submitter wrote: read it, then `zoo verify {path} --run-code`"
            )
        checked, more = _rerun(path, entry, spec)
        problems += more
    largest = max(
        (relative_difference(pair.claimed, pair.obtained) for pair in checked.values()), default=0.0
    )
    return Verification(
        schema_version=1,
        entry=entry.id,
        entry_sha256=files.sha256(path),
        level=reached,
        ok=not problems and reached == level,
        problems=problems,
        metrics=checked,
        largest_relative_difference=largest,
        environment=environment.capture(),
        created=datetime.now(UTC).replace(microsecond=0),
    )


def static_problems(path: Path, entry: Entry) -> list[str]:
    """Everything that is wrong with an entry before anything is computed; each names its field."""
    spec = registry.task(entry.task)
    problems = claims.entry_problems(entry)
    if path.is_symlink():
        problems.append(f"{path.name}: the entry is a link, not a file of its own")
    if (here := path.absolute().parts[-3:]) != tuple(f"{entry.id}.json".split("/")):
        problems.append(f"id: {entry.id} must lie at {entry.id}.json, not at {'/'.join(here)}")
    if entry.task_version != spec.version:
        problems.append(
            f"task_version: the entry is of version {entry.task_version}, the task is at version "
            f"{spec.version}; run it again"
        )
    defined = {name for metric in spec.metric for name in metric.names}
    problems += [
        f"metrics.{name}: task {spec.id} defines no such metric"
        for name in sorted(entry.metrics.keys() - defined)
    ]
    problems += [
        f"metrics.{name}: neither given nor declined"
        for name in sorted(defined - entry.metrics.keys() - set(entry.declined))
    ]
    problems += [
        f"declined: {name} is given, too"
        for name in sorted(entry.metrics.keys() & set(entry.declined))
    ]
    problems += _identity_problems(path, entry, spec)
    if entry.record != (named := f"{path.stem}.record.zarr.zip"):
        problems.append(f"record: {entry.record} must be called {named}")
    beside = path.with_name(entry.record)
    if (
        (not beside.exists() and entry.record_source is None)
        or beside.is_symlink()
        or (beside.exists() and not beside.is_file())
    ):
        return [
            *problems,
            f"record: {entry.record} does not lie beside the entry as a file of its own",
        ]
    try:
        beside = record_path(path, entry)
    except files.FileAltered as error:
        return [*problems, f"record_source: {error}"]
    except files.FileMissing as error:
        return [*problems, f"record_source: {error.reason}"]
    if unsafe := claims.record_problems(beside):
        return [*problems, *unsafe]
    try:
        arrays = record.read(beside)
    except record.RecordError as error:
        return [*problems, f"record: {error}"]
    if "example_id" not in arrays:
        return [*problems, "record: has no example_id"]
    known = registry.models().get(entry.model)
    listed = known.weights if known else entry.code.weights if entry.code else []
    weights = [weight.sha256 for weight in listed]
    expected = entries.hashes(spec, entry.model, arrays["example_id"], weights, beside)
    for name, value in expected.model_dump().items():
        if (claimed := getattr(entry.hashes, name)) != value:
            why = (
                revisions.mismatch(entry)
                if name == "protocol"
                else f"claimed {claimed}, the file has {value}"
            )
            problems.append(f"hashes.{name}: {why}")
    if len(arrays["example_id"]) != entry.n_examples:
        problems.append(
            f"n_examples: claimed {entry.n_examples}, the record has {len(arrays['example_id'])}"
        )
    return problems


def record_path(path: Path, entry: Entry) -> Path:
    """The entry's record: beside it, else where `record_source` says (fetched into the
    cache, verified).

    Raises:
        zoo.files.FileMissing, zoo.files.FileAltered: it cannot be had, or is not the one
            that the entry names by hash.
    """
    beside = path.with_name(entry.record)
    if beside.exists() or entry.record_source is None:
        return beside
    source = entry.record_source
    return files.get(
        FileCard(
            name=entry.record,
            urls=[source.url],
            sha256=entry.hashes.record,
            bytes=source.bytes,
            licence="of the entry",
            role=f"per-example record of {entry.id}",
            redistributable=True,
        )
    )


def _identity_problems(path: Path, entry: Entry, spec: TaskSpec) -> list[str]:
    """Where an entry says something else about its model or baseline than the card does, or
    about its code than its file does."""
    model = registry.models().get(entry.model)
    baseline = next((each for each in spec.baseline if each.id == entry.model), None)
    if entry.code is not None and entry.code.factory is not None:
        if model or baseline:
            return [
                (
                    f"model: {entry.model} is the name of another model; take one of your own "
                    "(`zoo submit --name`)"
                )
            ]
        return _factory_problems(path, entry, entry.code, spec)
    if model is not None:
        title, kind, track, n_params = model.title, "model", model.track, model.n_params
    elif baseline is not None:
        title, kind, track, n_params = baseline.title, baseline.kind, baseline.track, 0
    elif entry.code is not None:
        # a package's model that is not installed here: only a re-run needs it
        return (
            [f"kind: claimed {entry.kind}, what a package brings is a model"]
            if entry.kind != "model"
            else []
        )
    else:
        return [f"model: {entry.model} is neither an installed model nor a baseline of {spec.id}"]
    plugin = registry.plugin_of(entry.model) if model else None
    if (plugin is None) != (entry.code is None):
        true = plugin.distribution if plugin else "here"
        return [
            (
                f"code: claimed {entry.code.distribution if entry.code else None}, {entry.model} "
                f"comes from {true}"
            )
        ]
    seeds = [weight.seed for weight in model.weights] if model and len(model.weights) > 1 else []
    facts: list[tuple[str, Any, Any]] = [
        ("title", entry.title, title),
        ("kind", entry.kind, kind),
        ("track", entry.track, track),
        ("cost.n_params", entry.cost.n_params, n_params),
        ("training_seeds", [each.seed for each in entry.training_seeds], seeds),
    ]
    if plugin and model:
        installed = predictor.package_source(plugin.distribution, plugin.package, model.weights)
        facts += [
            (f"code.{field}", getattr(entry.code, field), getattr(installed, field))
            for field in ("distribution", "weights")
        ]
    return [
        f"{field}: claimed {claimed}, the card says {true}"
        for field, claimed, true in facts
        if claimed != true
    ]


def _factory_problems(path: Path, entry: Entry, code: CodeSource, spec: TaskSpec) -> list[str]:
    problems = (
        [f"kind: claimed {entry.kind}, what a factory gives is a model"]
        if entry.kind != "model"
        else []
    )
    if (entry.track is None) == bool(spec.tracks) or (
        entry.track is not None and entry.track not in spec.tracks
    ):
        problems.append(
            f"track: {entry.track!r} is none of this task's: "
            f"{', '.join(spec.tracks) or 'it has none'}"
        )
    if entry.training_seeds:
        problems.append("training_seeds: a factory has one predictor; seeds belong to model cards")
    if code.file is None:
        return problems
    if code.file != f"{path.stem}.py":
        problems.append(f"code.file: {code.file} must be called {path.stem}.py")
    beside = path.with_name(code.file)
    if not beside.is_file() or beside.is_symlink():
        return [
            *problems,
            f"code.file: {code.file} does not lie beside the entry as a file of its own",
        ]
    problems += claims.file_problems(beside, "code.file")
    if (found := files.sha256(beside)) != code.sha256:
        problems.append(f"code.sha256: claimed {code.sha256}, the file has {found}")
    return problems


def write(verification: Verification, folder: Path) -> Path:
    """Writes the verification at the entry's own path under `folder` (`leaderboard/verified`)."""
    target = folder / f"{verification.entry}.json"
    files.write_text(target, dump(verification))
    return target


def _rerun(path: Path, entry: Entry, spec: TaskSpec) -> tuple[dict[str, CheckedMetric], list[str]]:
    problems = []
    if entry.code is not None and (problems := _installed_problems(entry, entry.code)):
        return {}, problems
    if entry.code is not None and entry.code.factory is not None:
        candidate = predictor.from_factory(
            entry.model,
            entry_code.factory_of(path, entry.code),
            title=entry.title,
            track=entry.track,
            code=entry.code,
        )
        result = bench_one(spec, candidate)
    else:
        result = bench(spec.id, models=entry.model, all_seeds=bool(entry.training_seeds))[0]
    lacking = [*result.unavailable, *(reason for _, reason in result.skipped)]
    if lacking:
        raise files.FileMissing("\n".join(lacking))
    row = result.rows[0]
    checked = _compare(entry, {name: metric.value for name, metric in row.metrics.items()})
    problems += _differences(checked, entry, spec.tolerance, "re-run")
    if row.predictor.n_params != entry.cost.n_params:
        problems.append(
            f"cost.n_params: claimed {entry.cost.n_params}, re-run gives {row.predictor.n_params}"
        )
    if list(row.predictor.weights) != entry.hashes.weights:
        problems.append(
            f"hashes.weights: claimed {entry.hashes.weights}, re-run reads "
            f"{list(row.predictor.weights)}"
        )
    if entries.ids_sha256(row.record["example_id"]) != entry.hashes.example_ids:
        problems.append(
            "hashes.example_ids: the task's examples are others than those of the entry"
        )
    obtained = {seed.seed: seed.metrics for seed in row.seeds}
    claimed_seeds = {seed.seed: seed.metrics for seed in entry.training_seeds}
    if claimed_seeds.keys() != obtained.keys():
        problems.append(
            f"training_seeds: claimed {sorted(claimed_seeds)}, the shipped weights have "
            f"{sorted(obtained)}"
        )
    for seed in claimed_seeds.keys() & obtained.keys():
        for name, claimed in claimed_seeds[seed].items():
            value = obtained[seed].get(name)
            if value is None or relative_difference(claimed, value) > spec.tolerance:
                problems.append(
                    f"training_seeds[{seed}].{name}: claimed {claimed:.6g}, re-run gives {value}"
                )
    return checked, problems


def requirement(code: CodeSource) -> str:
    """What pip installs to get an entry's package: an archive at its address, else this
    version from the index."""
    archive = code.url is not None and re.search(r"\.(whl|tar\.gz|zip)$", code.url)
    return (
        f"{code.distribution} @ {code.url}" if archive else f"{code.distribution}=={code.version}"
    )


def install(path: Path) -> str | None:
    """Installs the package that an entry names, if it names one that is not here: what was
    installed, or None.

    This runs a stranger's code (a build does), so only where nothing can be lost: see
    `.github/workflows/verify.yml`.

    Raises:
        zoo.files.FileMissing: pip could not.
    """
    code = read(path, Entry).code
    if code is None or code.distribution is None:
        return None
    try:
        importlib.metadata.version(code.distribution)
        return None
    except importlib.metadata.PackageNotFoundError:
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "-q", "--", requirement(code)],
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise files.FileMissing(
            f"pip cannot install {requirement(code)}: {done.stderr.strip()}",
            reason="pip cannot install it",
        )
    registry.forget()
    return requirement(code)


def _installed_problems(entry: Entry, code: CodeSource) -> list[str]:
    """Where the installed package is not the one that the entry was made with.

    Raises:
        zoo.files.FileMissing: it is not installed; the message says how to install it.
    """
    if code.distribution is None:
        return []
    try:
        found = importlib.metadata.version(code.distribution)
    except importlib.metadata.PackageNotFoundError:
        where = requirement(code)
        raise files.FileMissing(
            (
                f"the code is in the package {code.distribution} {code.version}, which is not "
                f"installed: pip install '{where}'"
            ),
            reason=f"{code.distribution} is not installed",
        ) from None
    if found != code.version:
        return [f"code.version: claimed {code.version}, installed is {found}"]
    if code.factory is None and entry.model not in registry.models():
        return [f"model: {code.distribution} {found} is installed and brings no {entry.model}"]
    if code.factory is not None:
        package = code.factory.partition(":")[0]
    elif (plugin := registry.plugin_of(entry.model)) is not None:
        package = plugin.package
    else:
        return [f"model: {entry.model} is one of this repository, not of {code.distribution}"]
    digest = predictor.code_sha256(registry.package_folders(package.partition(".")[0])[0])
    return (
        []
        if code.sha256 == digest
        else [f"code.sha256: claimed {code.sha256}, the installed package has {digest}"]
    )


def _compare(entry: Entry, obtained: dict[str, float]) -> dict[str, CheckedMetric]:
    return {
        name: CheckedMetric(claimed=claimed.value, obtained=obtained[name])
        for name, claimed in entry.metrics.items()
        if math.isfinite(obtained.get(name, math.nan))
    }


def _differences(
    checked: dict[str, CheckedMetric], entry: Entry, tolerance: float, how: str
) -> list[str]:
    lost = [name for name in entry.metrics if name not in checked]
    problems = [
        f"metrics.{name}: claimed {entry.metrics[name].value:.6g}, {how} gives nothing"
        for name in lost
    ]
    for name, pair in checked.items():
        if relative_difference(pair.claimed, pair.obtained) > tolerance:
            problems.append(
                f"metrics.{name}: claimed {pair.claimed:.8g}, {how} gives {pair.obtained:.8g} "
                f"(tolerance {tolerance:g})"
            )
    return problems


def _interval_problems(
    entry: Entry, spec: TaskSpec, task: stats.Formulas, arrays: dict
) -> list[str]:
    samples = stats.resample(
        task, arrays, stats.bootstrap_weights(entry.n_examples, spec.resampling)
    )
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
