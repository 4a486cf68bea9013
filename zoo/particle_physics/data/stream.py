"""Endless or single passes over ROOT files as batches: a shuffle buffer over baskets, read
ahead by a thread.

The order depends on the seed and the files alone, not on threads, prefetching or the
engine. Files and baskets come in a drawn order; their jets replace, one by one, those that
a batch has taken out of the buffer. No jet is left out: the last batch is shorter (or, if
asked for, padded or dropped by name).
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import functools
import itertools
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Literal

import numpy as np

from zoo.particle_physics.data import padding
from zoo.particle_physics.data.jets import LABELS, PARTICLE_BRANCHES, Jets
from zoo.particle_physics.data.read import (
    JETS_AT_ONCE,
    Paths,
    Selection,
    _empty,
    _tuple,
    open_tree,
    read_range,
)
from zoo.particle_physics.data.root import resolve

Last = Literal["keep", "pad", "drop"]


def stream_batches(
    paths: Paths,
    *,
    batch_size: int,
    max_particles: int = 128,
    columns: Sequence[str] = PARTICLE_BRANCHES,
    classes: Sequence[str] | None = LABELS,
    scalars: Sequence[str] | None = None,
    shuffle_buffer: int = 50_000,
    seed: int = 0,
    epochs: int | None = 1,
    last: Last = "keep",
    prefetch: int = 2,
    threads: int = 1,
    tree: str = "tree",
    engine: str = "auto",
) -> Iterator[Jets]:
    """Batches of `batch_size` jets, every array of the same shape (but for the last batch's
    length).

    Args:
        paths, max_particles, columns, classes, scalars, tree, engine: as for `read_jets`.
        batch_size: jets per batch.
        shuffle_buffer: jets that are kept to draw from; 0: the files' own order.
        seed: of the order.
        epochs: passes over all jets; None: without end. Each has its own order and its own
            last batch.
        last: what becomes of the jets that fill no batch: "keep" a shorter batch, "pad" it
            with empty jets (label -1, no particle), "drop" them.
        prefetch: batches made ahead by a thread; 0: none, read in this thread.
        threads: ranges of baskets decompressed side by side.

    Raises:
        zoo.particle_physics.data.root.JetFileError: see `read_jets`; from the first `next` on.
    """
    _check(batch_size, shuffle_buffer, prefetch, threads, last)
    selection = Selection(
        max_particles,
        tuple(columns),
        None if scalars is None else tuple(scalars),
        _tuple(classes),
        engine,
    )
    files = resolve(paths)

    def batches() -> Generator[Jets, None, None]:
        with contextlib.ExitStack() as stack:
            trees = [stack.enter_context(open_tree(path, tree)) for path in files]
            settled = selection.settled(trees[0].branches, trees[0].path)
            for each in trees:
                settled.settled(each.branches, each.path)
            chosen = padding.chosen_engine(engine, sum(each.entries for each in trees))
            ranges = [
                (each, *part)
                for each in trees
                for part in each.ranges(settled.needed(each.branches), jets=JETS_AT_ONCE)
            ]
            for epoch in itertools.count() if epochs is None else range(epochs):
                random = np.random.default_rng((seed, epoch))
                order = random.permutation(len(ranges)) if shuffle_buffer else range(len(ranges))
                jobs = (
                    functools.partial(read_range, *ranges[i], settled, engine=chosen) for i in order
                )
                # Closed before the files are: a thread that still reads a file's mapped
                # memory after it is gone kills the process.
                with contextlib.closing(_side_by_side(jobs, threads)) as parts:
                    if shuffle_buffer:
                        drawn = _shuffled(parts, batch_size, shuffle_buffer, random, settled)
                    else:
                        drawn = _in_order(parts, batch_size)
                    for batch in drawn:
                        if len(batch) == batch_size or last == "keep":
                            yield batch
                        elif last == "pad":
                            yield padded(batch, batch_size)

    return _ahead(batches, prefetch) if prefetch else batches()


def _check(batch_size: int, shuffle_buffer: int, prefetch: int, threads: int, last: Last) -> None:
    """Raises ValueError where a number of `stream_batches` makes no sense; says which."""
    if batch_size < 1 or shuffle_buffer < 0 or prefetch < 0 or threads < 1:
        raise ValueError(
            f"batch_size={batch_size} and threads={threads} must be at least 1, "
            f"shuffle_buffer={shuffle_buffer} and prefetch={prefetch} at least 0"
        )
    if last not in ("keep", "pad", "drop"):
        raise ValueError(f"last={last!r}; choose from keep, pad, drop")


def _side_by_side(jobs: Iterator[Callable[[], Jets]], threads: int) -> Generator[Jets, None, None]:
    """Results of the jobs in their order; `threads` of them at work, and at most as many
    waiting."""
    if threads == 1:
        for job in jobs:
            yield job()
        return
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        waiting: collections.deque[concurrent.futures.Future[Jets]] = collections.deque()
        try:
            for job in jobs:
                waiting.append(pool.submit(job))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _in_order(parts: Iterator[Jets], size: int) -> Iterator[Jets]:
    """Batches in the files' order; views of what was read where a batch does not straddle
    two parts."""
    from zoo.particle_physics.data.jets import concatenate

    rest: list[Jets] = []
    for part in parts:
        begin = 0
        if rest:
            begin = min(size - sum(map(len, rest)), len(part))
            rest.append(part[:begin])
            if sum(map(len, rest)) == size:
                yield concatenate(rest)
                rest = []
        while len(part) - begin >= size:
            yield part[begin : begin + size]
            begin += size
        if begin < len(part):
            rest.append(part[begin:])
    if rest:
        yield concatenate(rest)


def _shuffled(
    parts: Iterator[Jets],
    size: int,
    capacity: int,
    random: np.random.Generator,
    selection: Selection,
) -> Iterator[Jets]:
    """Batches of jets drawn from a buffer of `capacity`; each place taken is filled with
    the next jet of the files."""
    capacity = max(capacity, size)
    buffer = _empty(capacity, selection)
    filled, part, begin = 0, None, 0

    def refill(places: np.ndarray) -> int:
        """Puts the next jets of the files into these places; how many there were."""
        nonlocal part, begin
        done = 0
        while done < len(places):
            if part is None or begin == len(part):
                part, begin = next(parts, None), 0
                if part is None:
                    break
            count = min(len(places) - done, len(part) - begin)
            _put(buffer, places[done : done + count], part[begin : begin + count])
            done, begin = done + count, begin + count
        return done

    filled = refill(np.arange(capacity))
    while filled == capacity:
        places = random.choice(capacity, size, replace=False)
        yield _take(buffer, places)
        come = refill(places)
        if come < size:  # the files are at their end: the places without a new jet leave the draw
            left = np.setdiff1d(np.arange(capacity), places[come:], assume_unique=True)
            for begin in range(0, len(order := random.permutation(left)), size):
                yield _take(buffer, order[begin : begin + size])
            return
    order = random.permutation(filled)
    for begin in range(0, filled, size):
        yield _take(buffer, order[begin : begin + size])


def _columns(jets: Jets) -> np.ndarray:
    """The particles as they lie in memory, `[column, jet, particle]`."""
    return np.moveaxis(jets.particles, -1, 0)


def _put(buffer: Jets, places: np.ndarray, jets: Jets) -> None:
    for to, value in zip(_columns(buffer), _columns(jets), strict=True):
        to[places] = value
    buffer.mask[places], buffer.label[places] = jets.mask, jets.label
    for name, values in buffer.scalars.items():
        values[places] = jets.scalars[name]


def _take(buffer: Jets, places: np.ndarray) -> Jets:
    particles = np.moveaxis(np.take(_columns(buffer), places, axis=1), 0, -1)
    scalars = {name: values[places] for name, values in buffer.scalars.items()}
    return Jets(
        particles,
        buffer.mask[places],
        buffer.columns,
        scalars,
        buffer.label[places],
        buffer.classes,
    )


def padded(jets: Jets, size: int) -> Jets:
    """The jets and behind them empty ones (no particle, scalars 1 so that their logarithm
    is finite, label -1) up to `size`."""
    more = size - len(jets)
    particles = np.pad(_columns(jets), ((0, 0), (0, more), (0, 0)))
    scalars = {
        name: np.pad(values, (0, more), constant_values=1) for name, values in jets.scalars.items()
    }
    label = np.pad(jets.label, (0, more), constant_values=-1)
    return Jets(
        np.moveaxis(particles, 0, -1),
        np.pad(jets.mask, ((0, more), (0, 0))),
        jets.columns,
        scalars,
        label,
        jets.classes,
    )


def _ahead(make: Callable[[], Generator[Jets, None, None]], count: int) -> Iterator[Jets]:
    """The same items, made ahead by a thread that ends with the iteration, however that ends."""
    waiting: queue.Queue[tuple[str, Any]] = queue.Queue(maxsize=count)
    stopped = threading.Event()

    def put(item: tuple[str, Any]) -> bool:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                waiting.put(item, timeout=0.1)
                return True
        return False

    def work() -> None:
        try:
            with contextlib.closing(make()) as items:
                for item in items:
                    if not put(("item", item)):
                        return
        except BaseException as error:  # raised again in the thread that asked
            put(("error", error))
        else:
            put(("end", None))

    thread = threading.Thread(target=work, name="jets ahead", daemon=True)
    thread.start()
    try:
        while True:
            kind, item = waiting.get()
            if kind == "error":
                raise item
            if kind == "end":
                return
            yield item
    finally:
        stopped.set()
        thread.join()
