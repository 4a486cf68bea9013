"""Runs predictors on tasks: predictions -> per-example record -> scores with intervals -> entry.

A row that is finished is kept in a journal in the cache until its run ends, so a run that
was interrupted continues where it stopped; a run that ended leaves nothing behind, so the
next one computes everything anew.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import importlib.metadata
import json
import math
import shutil
import time
import warnings
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from zoo import files, registry
from zoo.cards import (
    BaselineSpec,
    CodeSource,
    Cost,
    Entry,
    Hashes,
    MetricValue,
    ModelCard,
    Provenance,
    SeedScores,
    TaskSpec,
    WeightFile,
    dump,
)
from zoo.interfaces.predictor import CostedPredictor
from zoo.interfaces.task import Examples, Task, load_task
from zoo.pretrained import model as pretrained
from zoo.scoring import cost, environment, protocol, record, stats

REPEATS = 3
"""Warm calls by which latency is measured for an entry."""

LONG_SECONDS = 15.0
"""No further warm call is begun after so long; the entry says how many there were."""


@dataclasses.dataclass(frozen=True)
class Predictor:
    """One row to be: something that predicts, and what is known about it."""

    id: str
    title: str
    kind: str
    track: str | None
    make: Callable[[], Callable[[Any], Any]]
    n_params: int = 0
    weights: tuple[str, ...] = ()
    seeds: tuple[tuple[int, Callable[[], Callable[[Any], Any]]], ...] = ()
    note: str | None = None
    publishable: bool = True
    code: CodeSource | None = None
    """Where its code comes from, for a row that is neither this package's nor a baseline of
    the task."""
    code_path: Path | None = None
    """The file of `code.file` as it was run."""


@dataclasses.dataclass
class Row:
    """The scores of one predictor on one task."""

    predictor: Predictor
    record: dict[str, np.ndarray]
    metrics: dict[str, MetricValue]
    wall_seconds: float
    samples: dict[str, np.ndarray] = dataclasses.field(repr=False, default_factory=dict)
    seeds: list[SeedScores] = dataclasses.field(default_factory=list)
    cost: Cost | None = None
    group: str = "-"
    coverage: float = 1.0
    """Share of the examples that the headline score depends on."""
    resumed: bool = False


@dataclasses.dataclass
class TaskResult:
    """All rows of one task, best first by the headline metric; and what could not be run,
    with the reason."""

    spec: TaskSpec
    rows: list[Row] = dataclasses.field(default_factory=list)
    skipped: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    unavailable: list[str] = dataclasses.field(default_factory=list)
    postponed: bool = False
    """Whether the task was left out because only the whole domain was named
    (`TaskSpec.by_name_only`)."""


class Events:
    """What a run tells its caller; override what you want to show. Each call comes before
    the work it names."""

    def task(self, spec: TaskSpec, n_predictors: int) -> None: ...

    def predictor(self, predictor: Predictor) -> None: ...

    def done(self, row: Row) -> None:
        """Predictions are there; the row's scores may still be in the making."""


Candidate = tuple[str, Callable[[Task], Predictor], list[str]]
"""(id, maker, names of data files that only it needs)"""


def predictors(spec: TaskSpec, pattern: str = "*") -> list[Candidate]:
    """The rows that a task can have, baselines first.

    Raises:
        zoo.registry.UnknownName: the pattern matches nothing.
    """
    found: list[Candidate] = []
    for baseline in spec.baseline:
        found.append(
            (
                baseline.id,
                lambda task, baseline=baseline: _from_baseline(task, baseline),
                baseline.needs,
            )
        )
    for name, card in registry.models().items():
        if spec.id in card.tasks:
            found.append((name, lambda task, card=card: _from_model(card), []))
    chosen = set(registry.matching(pattern, [name for name, _, _ in found]))
    if not chosen:
        near = registry.did_you_mean(pattern, [name for name, _, _ in found])
        raise registry.UnknownName(f"no model or baseline of {spec.id} matches {pattern!r}; {near}")
    return [item for item in found if item[0] in chosen]


def _from_baseline(task: Task, spec: BaselineSpec) -> Predictor:
    return Predictor(
        spec.id,
        spec.title,
        spec.kind,
        spec.track,
        lambda: task.baseline(spec),
        note=spec.note,
        publishable=spec.publishable,
    )


def _from_model(card: ModelCard) -> Predictor:
    model = pretrained.load_model(card.id)
    plugin = registry.plugin_of(card.id)
    each = tuple(
        (weight.seed, lambda seed=weight.seed: model.predictor(seed)) for weight in card.weights
    )
    return Predictor(
        card.id,
        card.title,
        "model",
        card.track,
        model.predictor,
        n_params=card.n_params,
        weights=tuple(weight.sha256 for weight in card.weights),
        seeds=each if len(each) > 1 else (),
        code=package_source(plugin.distribution, plugin.package, card.weights) if plugin else None,
    )


def package_source(
    distribution: str,
    package: str,
    weights: Iterable[WeightFile] = (),
    *,
    factory: str | None = None,
) -> CodeSource:
    """What an entry says of an installed third-party package: name, version, address and
    the hash of its Python files.

    Raises:
        importlib.metadata.PackageNotFoundError: it is not installed.
    """
    about = importlib.metadata.metadata(distribution)
    listed = [line.partition(",")[2].strip() for line in about.get_all("Project-URL") or []]
    return CodeSource(
        factory=factory,
        distribution=about["Name"],
        version=about["Version"],
        weights=list(weights),
        url=next((url for url in listed if url.startswith("https://")), None),
        sha256=code_sha256(registry.package_folders(package.partition(".")[0])[0]),
    )


def from_factory(
    model: str,
    factory: Callable[[Task], Callable[[Any], Any]],
    *,
    title: str,
    track: str | None = None,
    note: str | None = None,
    code: CodeSource,
    code_path: Path | None = None,
) -> Candidate:
    """A row of somebody's own: `factory(task)` gives what predicts.

    The predictor may say of itself: `n_params` (a count), `weights` (descriptions of the
    files it reads, as in a model card) and `flops_per_example()`.
    """

    def make(task: Task) -> Predictor:
        call = factory(task)
        if not callable(call):
            raise ValueError(
                f"{code.factory} must return something that predicts when called with inputs, not "
                f"{type(call).__name__}"
            )
        listed = [
            each if isinstance(each, dict) else each.model_dump(mode="json")
            for each in getattr(call, "weights", ())
        ]
        source = CodeSource.model_validate(code.model_dump(mode="json") | {"weights": listed})
        return Predictor(
            model,
            title,
            "model",
            track,
            lambda: call,
            n_params=int(getattr(call, "n_params", 0)),
            note=note,
            code=source,
            code_path=code_path,
            weights=tuple(weight.sha256 for weight in source.weights),
        )

    return model, make, []


def bench_one(
    spec: TaskSpec,
    candidate: Candidate,
    *,
    all_seeds: bool = False,
    measure: bool = False,
    events: Events | None = None,
) -> TaskResult:
    """Benchmarks one predictor that no card lists (see `from_factory`) on one task."""
    use_compilation_cache()
    return _bench_task(spec, [candidate], all_seeds, measure, events or Events())


def bench(
    pattern: str,
    *,
    models: str = "*",
    all_seeds: bool = False,
    measure: bool = False,
    events: Events | None = None,
    data: Path | None = None,
) -> list[TaskResult]:
    """Benchmarks every predictor on every task that the pattern means.

    Args:
        pattern: a domain (`climate`), a task (`climate/enso`) or a wildcard. A domain
            leaves out tasks that ask to be named.
        models: wildcard over predictor ids.
        all_seeds: also score each training seed's weights alone.
        measure: also measure latency and FLOPs (several more calls each).
        events: told what is going on.
        data: a folder of the user's own with the data of the one task that is meant; see
            `zoo.interfaces.task.load_task`.

    Returns:
        One result per task. Rows are sorted by the headline metric and carry rank groups.
        Nothing is averaged over tasks.

    Raises:
        zoo.registry.UnknownName: nothing matches.
    """
    names = registry.list_tasks(pattern)
    if not names:
        near = registry.did_you_mean(pattern, registry.tasks())
        raise registry.UnknownName(
            f"no task matches {pattern!r}; {near} (`zoo list tasks` shows all)"
        )
    if data is not None and len(names) > 1:
        raise ValueError(
            f"a folder of data belongs to one task, {pattern!r} means {len(names)}: "
            f"{', '.join(names)}; name one"
        )
    chosen, unmatched = [], []
    for name in names:
        try:
            chosen.append((registry.task(name), predictors(registry.task(name), models)))
        except registry.UnknownName as error:
            unmatched.append(error)
    if not chosen:
        raise unmatched[0]
    use_compilation_cache()
    whole_domain = "/" not in pattern and not measure
    return [
        TaskResult(spec, postponed=True)
        if whole_domain and spec.by_name_only
        else _bench_task(spec, todo, all_seeds, measure, events or Events(), data)
        for spec, todo in chosen
    ]


def _bench_task(
    spec: TaskSpec,
    todo: list[Candidate],
    all_seeds: bool,
    measure: bool,
    events: Events,
    data: Path | None = None,
) -> TaskResult:
    result = TaskResult(spec)
    card = registry.dataset(spec.dataset)
    events.task(spec, len(todo))
    result.unavailable = _unavailable(card, _not_in(data, spec.needs))
    if result.unavailable:
        return result
    task = load_task(spec.id, data=data)
    if task.reads_folder and data is None:
        result.unavailable = [
            f"a folder of {card.title}: zoo bench {spec.id} --data DIR ({card.licence})"
        ]
        return result
    examples = task.examples()
    journal = Journal(spec, all_seeds=all_seeds, measure=measure, data=data)
    weights = stats.bootstrap_weights(len(examples), spec.resampling)
    # A row is resampled while the next one is being compiled and run; not where cost is
    # measured, which this would disturb.
    with concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="score") as aside:
        scored = []
        for name, make, needs in todo:
            lacking = _unavailable(card, _not_in(data, needs))
            if lacking:
                result.skipped.append((name, lacking[0]))
                continue
            try:
                predictor = make(task)
            except files.FileMissing as error:  # weights that are not here
                result.skipped.append((name, str(error)))
                continue
            events.predictor(predictor)
            row = journal.load(predictor)
            if row is None:
                row = run(task, examples, predictor, all_seeds=all_seeds, measure=measure)
                journal.save(row)
            scored.append(aside.submit(score, task, row, weights))
            if measure:
                scored[-1].result()
            result.rows.append(row)
            events.done(row)
        for each in scored:
            each.result()
    journal.close()
    rank(result)
    return result


def run(
    task: Task,
    examples: Examples,
    predictor: Predictor,
    *,
    all_seeds: bool = False,
    measure: bool = False,
) -> Row:
    """One predictor on one task's examples, without intervals yet (`score` adds them)."""
    begin = time.perf_counter()
    call = predictor.make()
    predictions = call(examples.inputs)
    arrays = {"example_id": np.asarray(examples.ids)} | task.record(predictions, examples)
    wall = time.perf_counter() - begin
    row = Row(predictor, arrays, {}, wall)
    if all_seeds:
        for seed, make in predictor.seeds:
            values = stats.scores(task, task.record(make()(examples.inputs), examples))
            row.seeds.append(
                SeedScores(
                    seed=seed,
                    metrics={
                        metric: value for metric, value in values.items() if math.isfinite(value)
                    },
                )
            )
    if measure:
        seconds = []
        while len(seconds) < REPEATS and sum(seconds) < LONG_SECONDS:
            begin = time.perf_counter()
            call(examples.inputs)
            seconds.append(time.perf_counter() - begin)
        p50, p95 = cost.latency(seconds, len(examples))
        row.cost = Cost(
            n_params=predictor.n_params,
            flops_per_example=call.flops_per_example()
            if isinstance(call, CostedPredictor)
            else None,
            latency_ms_p50=p50,
            latency_ms_p95=p95,
            repeats=len(seconds),
            peak_memory_bytes=cost.peak_memory_bytes(),
            wall_seconds=wall,
            load_average=cost.load_average(),
        )
    return row


def score(task: Task, row: Row, weights: np.ndarray) -> None:
    """Fills in a row's scores, their intervals and the resampled scores that groups are
    made from."""
    values = stats.scores(task, row.record)
    row.samples = stats.resample(task, row.record, weights)
    if math.isfinite(values[task.spec.headline]):
        row.coverage = float(stats.examples_that_count(task, row.record, task.spec.headline).mean())
    given = {name: value for name, value in values.items() if math.isfinite(value)}
    row.metrics = {
        name: MetricValue(value=value, ci95=stats.interval(row.samples[name], value))
        for name, value in given.items()
    }


def rank(result: TaskResult) -> None:
    """Sorts rows by the headline metric, best first (gaps last), and gives them rank groups.

    A row scored on clearly fewer examples than the task has gets no letter: a score over
    other years is another question.
    """
    headline = result.spec.headline
    direction = result.spec.metric_of(headline).direction

    def value(row: Row) -> float:
        return row.metrics[headline].value if headline in row.metrics else math.nan

    def order(row: Row) -> tuple[bool, float]:
        return (
            headline not in row.metrics,
            float(stats.badness(value(row), direction)) if headline in row.metrics else 0.0,
        )

    result.rows.sort(key=order)
    grouped = [
        row.samples.get(headline) if row.coverage >= stats.COVERAGE else None for row in result.rows
    ]
    groups = stats.rank_groups([value(row) for row in result.rows], grouped, direction)
    for row, group in zip(result.rows, groups, strict=True):
        row.group = group


def write_entries(
    result: TaskResult, folder: Path, *, command: str, submitted_by: str, note: str | None = None
) -> list[Path]:
    """Writes one entry and its record per publishable row:
    `<folder>/<domain>/<task>@<version>/<model>.json`.

    Raises:
        zoo.cards.CardError: the checkout has uncommitted changes, so the code of the scores
            could not be found again.
    """
    from zoo.cards import parse

    own = [row.predictor.code_path for row in result.rows if row.predictor.code_path is not None]
    where = environment.capture(known=own)
    spec = result.spec
    paths = []
    for row in result.rows:
        if not row.predictor.publishable:
            continue
        if row.cost is None:
            raise ValueError("entries need the measured cost: run bench(..., measure=True)")
        name = row.predictor.id.split("/")[1]
        target = folder / spec.key / f"{name}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f"{name}.record.zarr.zip")
        record.write(beside, row.record)
        made = Provenance(
            command=command,
            submitted_by=submitted_by,
            created=datetime.now(UTC).replace(microsecond=0),
            note=note or row.predictor.note,
        )
        entry = {
            "schema_version": 1,
            "id": f"{spec.key}/{name}",
            "task": spec.id,
            "task_version": spec.version,
            "model": row.predictor.id,
            "title": row.predictor.title,
            "kind": row.predictor.kind,
            "track": row.predictor.track,
            "n_examples": len(row.record["example_id"]),
            "metrics": {key: value.model_dump() for key, value in row.metrics.items()},
            "declined": sorted(
                {full for metric in spec.metric for full in metric.names} - row.metrics.keys()
            ),
            "training_seeds": [seed.model_dump() for seed in row.seeds],
            "record": beside.name,
            "code": row.predictor.code.model_dump(mode="json") if row.predictor.code else None,
            "hashes": hashes(
                spec, row.predictor.id, row.record["example_id"], row.predictor.weights, beside
            ).model_dump(),
            "cost": row.cost.model_dump(),
            "environment": where.model_dump(),
            "provenance": made.model_dump(),
        }
        files.write_text(target, dump(parse(entry, Entry, where=str(target))))
        if row.predictor.code_path is not None:
            beside = target.with_name(row.predictor.code.file)
            if row.predictor.code_path.resolve() != beside.resolve():
                files.copy(row.predictor.code_path, beside)
        paths.append(target)
    return paths


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


def use_compilation_cache() -> None:
    """Keeps XLA's compiled programs in the cache folder, so that a second run need not compile."""
    import jax

    folder = files.home() / "xla"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        warnings.warn(
            f"no compilation cache ({error}); point ZOO_HOME at a folder that can be written",
            stacklevel=2,
        )
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _unavailable(card: Any, names: list[str]) -> list[str]:
    """One line for each named file that is not here and cannot be fetched: name, size, URL,
    reason."""
    problems = []
    for file in registry.missing(card, names):
        try:
            files.get(file, folder=registry.dataset_folder(card))
        except files.FileMissing as error:
            where = file.urls[0] if file.urls else file.path
            problems.append(
                f"{file.name} ({file.bytes / 1e6:.2f} MB, {file.licence}): {where} ({error.reason})"
            )
    return problems


def _not_in(data: Path | None, names: list[str]) -> list[str]:
    """The named files that the user's own folder does not hold."""
    return names if data is None else [name for name in names if not (data / name).is_file()]


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

    def _path(self, predictor: Predictor) -> Path:
        parts = [*predictor.weights, *([predictor.code.sha256] if predictor.code else [])]
        weights = hashlib.sha256("|".join(parts).encode()).hexdigest()[:8]
        return self.folder / f"{predictor.id.split('/')[1]}-{weights}.json"

    def load(self, predictor: Predictor) -> Row | None:
        """The row of an earlier, interrupted run, or None."""
        path = self._path(predictor)
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            arrays = record.read(path.with_suffix(".zarr.zip"))
        except (OSError, ValueError):
            return None
        seeds = [SeedScores.model_validate(item) for item in kept["seeds"]]
        measured = Cost.model_validate(kept["cost"]) if kept["cost"] else None
        return Row(
            predictor, arrays, {}, kept["wall_seconds"], seeds=seeds, cost=measured, resumed=True
        )

    def save(self, row: Row) -> None:
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


def code_sha256(package: Path | None = None) -> str:
    """The hash of a package's Python files, names and bytes; by default of this package's."""
    package = package or registry.PACKAGE
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
