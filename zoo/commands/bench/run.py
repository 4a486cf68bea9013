"""Runs predictors on tasks: predictions -> per-example record -> scores with intervals -> entry.

A row that is finished is kept in a journal in the cache until its run ends, so a run that
was interrupted continues where it stopped; a run that ended leaves nothing behind, so the
next one computes everything anew.
"""

from __future__ import annotations

import concurrent.futures
import math
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from zoo import files, registry
from zoo.cards import Cost, MetricValue, SeedScores, TaskSpec
from zoo.commands.bench.journal import Journal
from zoo.commands.bench.predictor import Candidate, NamedPredictor, predictors
from zoo.commands.bench.row import BenchEvents, BenchRow, TaskResult
from zoo.interfaces.predictor import CostedPredictor
from zoo.interfaces.task import Examples, Task, load_task
from zoo.scoring import cost, stats

REPEATS = 3
"""Warm calls by which latency is measured for an entry."""

LONG_SECONDS = 15.0
"""No further warm call is begun after so long; the entry says how many there were."""


def bench_one(
    spec: TaskSpec,
    candidate: Candidate,
    *,
    all_seeds: bool = False,
    measure: bool = False,
    events: BenchEvents | None = None,
) -> TaskResult:
    """Benchmarks one predictor that no card lists (see
    `zoo.commands.bench.predictor.from_factory`) on one task."""
    use_compilation_cache()
    return _bench_task(spec, [candidate], all_seeds, measure, events or BenchEvents())


def bench(
    pattern: str,
    *,
    models: str = "*",
    all_seeds: bool = False,
    measure: bool = False,
    events: BenchEvents | None = None,
    data: Path | None = None,
) -> list[TaskResult]:
    """Benchmarks every predictor on every task that the pattern means.

    Args:
        pattern: a domain (`climate`), a task (`climate/enso`) or a wildcard. A domain
            leaves out tasks that ask to be named.
        models: wildcard over predictor ids.
        all_seeds: also score each training seed's weights alone.
        measure: also measure latency and FLOPs (several more calls each).
        events: called as the run goes on.
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
        else _bench_task(spec, todo, all_seeds, measure, events or BenchEvents(), data)
        for spec, todo in chosen
    ]


def _bench_task(
    spec: TaskSpec,
    todo: list[Candidate],
    all_seeds: bool,
    measure: bool,
    events: BenchEvents,
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
    predictor: NamedPredictor,
    *,
    all_seeds: bool = False,
    measure: bool = False,
) -> BenchRow:
    """One predictor on one task's examples, without intervals yet (`score` adds them)."""
    begin = time.perf_counter()
    call = predictor.make()
    predictions = call(examples.inputs)
    arrays = {"example_id": np.asarray(examples.ids)} | task.record(predictions, examples)
    wall = time.perf_counter() - begin
    row = BenchRow(predictor, arrays, {}, wall)
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
        seconds: list[float] = []
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


def score(task: Task, row: BenchRow, weights: np.ndarray) -> None:
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

    def value(row: BenchRow) -> float:
        return row.metrics[headline].value if headline in row.metrics else math.nan

    def order(row: BenchRow) -> tuple[bool, float]:
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
