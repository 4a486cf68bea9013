"""How the data of `climate/held_suarez` are made: a resumable build of the truth on disk.

Layout of a build folder (`build(out_dir)`):

    manifest.json
        settings, seeds, package versions, and size + SHA-256 of every finished file
    <trajectory>/chunk-0000.zarr.zip
        fields every six hours, 30 days per chunk (the last may be shorter)
    <trajectory>/state-0000.npz
        the solver's state at the END of that chunk (restart; float32)
    <trajectory>/spinup.npz
        the state at the start of chunk 0, after 200 days of spin-up
    test/starts-0000.npz
        the states at the start dates in that chunk: arrays (start, layer, order, degree)

Trajectories: `test`, `validation`, `train-0` ... `train-3`. Each starts from its own random
noise and spins up on its own for 200 days, so that none shares weather with another. A file
is there under its final name only when it is complete, so every `chunk-*.zarr.zip` can be
read while the build goes on.

A chunk is a Zarr v3 group in an uncompressed zip: dims (time, level, longitude, latitude) =
(120, 5, 64, 32), WeatherBench 2's names, latitude ascending, `level` in hPa (int), int16
with CF `scale_factor` and `add_offset` (`PACKING`), one Zarr chunk per variable. To read
one, or a whole trajectory:

    xr.open_zarr(zarr.storage.ZipStore(path, mode="r"), consolidated=False)
    xr.concat([open_chunk(path) for path in finished_chunks(out_dir, "train-0")], "time")

Dates are nominal: the planet has no seasons and no day and night. Each trajectory starts at
00 on 1 January of a year of its own (test 2020, validation 2018, train-k 1900 + 4 k when
built with the defaults).

Cost: about .7 s per simulated day and core (T42, 8 layers, 45 min steps), so ten years and
the two short trajectories take 35 minutes on two free cores, and 1 GB. What each field is
and how it is interpolated: `zoo.climate.held_suarez.build.solver`.
"""

from __future__ import annotations

import concurrent.futures
import concurrent.futures.process
import dataclasses
import errno
import functools
import importlib.metadata
import itertools
import multiprocessing
import os
import platform
import queue
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from zoo.climate.data.packed import (
    PACKING,
    hours_since_1900,
    load_npz,
    open_zarr_zip,
    pack,
    packed_variable,
    write_npz,
    write_zarr_zip,
)
from zoo.climate.held_suarez.build.solver import (
    LATITUDE,
    LONGITUDE,
    Solver,
    import_dinosaur,
    state_to_arrays,
)
from zoo.climate.held_suarez.data import LEVELS, UNITS, VARIABLES
from zoo.manifest import Manifest

Progress = Callable[[str, int, int], None]

START_EVERY_DAYS = 2  # test start dates, 48 h apart
_PACKAGES = ("dinosaur-dycore", "jax", "jaxlib", "numpy", "xarray", "zarr", "numcodecs")
_SEEDS = {"test": 3000, "validation": 2000, "train": 1000}
_DAY_BYTES = 250_000  # of a chunk, per simulated day: for the check of free space only


@dataclasses.dataclass(frozen=True)
class Trajectory:
    """One independent run: its seed, its nominal first date, its length."""

    name: str
    seed: int
    start: str
    days: int
    spinup_days: int
    chunk_days: int
    keep_starts: bool = False

    @property
    def chunks(self) -> int:
        """How many files the trajectory is stored in."""
        return -(-self.days // self.chunk_days)

    def chunk_length(self, index: int) -> int:
        """Days in chunk `index`."""
        return min(self.chunk_days, self.days - index * self.chunk_days)


def plan(
    *,
    years: float = 10.0,
    trajectories: int = 4,
    validation_days: int = 183,
    test_days: int = 210,
    spinup_days: int = 200,
    chunk_days: int = 30,
) -> list[Trajectory]:
    """The trajectories of a build, short ones first.

    Args:
        years: training years of 365 days in all, shared out evenly.
        trajectories: number of training trajectories.
        validation_days, test_days, spinup_days: lengths. The 96 test start dates and ten
            days of lead need 201 days.
        chunk_days: days per file; even, so that test start dates keep their 48 h spacing
            over chunks.
    """
    if trajectories < 1 or years <= 0:
        raise ValueError(f"years={years} and trajectories={trajectories} must be positive.")
    if chunk_days < 1 or chunk_days % START_EVERY_DAYS:
        raise ValueError(
            f"chunk_days={chunk_days} must be a positive multiple of {START_EVERY_DAYS}."
        )
    trajectory = functools.partial(Trajectory, spinup_days=spinup_days, chunk_days=chunk_days)
    train_days = int(np.ceil(years * 365 / trajectories))
    spacing = int(np.ceil(train_days / 365)) + 1
    return [
        trajectory("test", _SEEDS["test"], "2020-01-01", test_days, keep_starts=True),
        trajectory("validation", _SEEDS["validation"], "2018-01-01", validation_days),
        *(
            trajectory(f"train-{k}", _SEEDS["train"] + k, f"{1900 + spacing * k}-01-01", train_days)
            for k in range(trajectories)
        ),
    ]


def build(
    out_dir: str | os.PathLike[str],
    *,
    years: float = 10.0,
    trajectories: int = 4,
    validation_days: int = 183,
    test_days: int = 210,
    spinup_days: int = 200,
    chunk_days: int = 30,
    processes: int = 2,
    solver: Solver | None = None,
    progress: Progress | None = None,
) -> Path:
    """Simulates what is missing in `out_dir` and returns the path of its manifest.

    Stop it in any way and call it again: it continues after the last finished chunk, with
    bit-identical results on the same machine (every process computes on one thread).

    Args:
        out_dir: build folder, made if need be.
        years, trajectories, validation_days, test_days, spinup_days, chunk_days: see `plan`.
        processes: trajectories at a time; one core and about 1 GB of memory each.
        solver: the truth; default T42 with 8 layers and 45-minute steps.
        progress: called as `progress(trajectory, days_done, days_in_all)`, spin-up included.
    """
    import_dinosaur()
    out_dir, solver = Path(out_dir), solver or Solver()
    lengths = dict(
        validation_days=validation_days,
        test_days=test_days,
        spinup_days=spinup_days,
        chunk_days=chunk_days,
    )
    todo = plan(years=years, trajectories=trajectories, **lengths)
    settings = {
        "dataset": "climate/held_suarez",
        "solver": dataclasses.asdict(solver)
        | {"diffusion_hours": round(solver.diffusion_hours, 3)},
        "trajectories": {t.name: dataclasses.asdict(t) for t in todo},
    }
    try:
        for folder in (out_dir, *(out_dir / trajectory.name for trajectory in todo)):
            folder.mkdir(parents=True, exist_ok=True)
            for left_over in folder.glob("*.part"):  # of a build that was killed
                left_over.unlink(missing_ok=True)
        manifest = Manifest.open(out_dir, settings, record=_machine())
        _require_space(out_dir, todo, manifest)

        def report(name: str, done: int, total: int, written: list[Path]) -> None:
            manifest.add_files(written)
            if progress is not None:
                progress(name, done, total)

        if processes <= 1:
            for trajectory in todo:
                run_trajectory(out_dir, trajectory, solver, report)
        else:
            _run_parallel(out_dir, todo, solver, report, processes)
    except OSError as error:
        raise OSError(
            error.errno,
            f"{error.strerror or error}, in {error.filename or out_dir}. Finished chunks are kept "
            "and nothing is half written: make room (or make the folder writable) and run the same "
            "command again, or give another folder: zoo data build climate/held_suarez --out DIR",
        ) from error
    manifest.add_files([path for each in todo for path in sorted((out_dir / each.name).iterdir())])
    return manifest.path


def _machine() -> dict[str, Any]:
    """What the build ran on, for the record."""
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    machine = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
    }
    return {"versions": versions | machine, "xla": dict(_WORKER_ENVIRONMENT)}


def _require_space(out_dir: Path, todo: list[Trajectory], manifest: Manifest) -> None:
    """Says before the start that the disk is too small."""
    there = sum(file["bytes"] for file in manifest.files.values())
    need = sum(_DAY_BYTES * each.days for each in todo) - there
    free = shutil.disk_usage(out_dir).free
    if free < need:
        raise OSError(
            errno.ENOSPC,
            f"only {free / 1e6:.0f} MB free where about {need / 1e6:.0f} MB more are needed",
        )


def run_trajectory(
    out_dir: Path,
    trajectory: Trajectory,
    solver: Solver,
    report: Callable[[str, int, int, list[Path]], None],
) -> None:
    """Spins up and integrates one trajectory, from its last finished chunk on; writes each
    chunk when complete."""
    folder, total = out_dir / trajectory.name, trajectory.spinup_days + trajectory.days
    first = next(i for i in itertools.count() if not (folder / f"chunk-{i:04d}.zarr.zip").exists())
    if first >= trajectory.chunks:
        report(trajectory.name, total, total, [])
        return
    if first:
        state = solver.state_from_arrays(load_npz(folder / f"state-{first - 1:04d}.npz"))
    else:
        state = _spin_up(
            folder / "spinup.npz",
            trajectory,
            solver,
            lambda day: report(trajectory.name, day, total, []),
        )
    for index in range(first, trajectory.chunks):
        days, starts = [], []
        for day in range(trajectory.chunk_length(index)):
            if trajectory.keep_starts and day % START_EVERY_DAYS == 0:
                starts.append(state_to_arrays(state))
            state, fields = solver.day(state)
            days.append(
                {
                    name: pack(np.asarray(fields[name]), *PACKING[name], name=name)
                    for name in VARIABLES
                }
            )
            done = trajectory.spinup_days + index * trajectory.chunk_days + day + 1
            report(trajectory.name, done, total, [])
        packed = {name: np.concatenate([d[name] for d in days]) for name in VARIABLES}
        begin = np.datetime64(trajectory.start, "h") + index * trajectory.chunk_days * 24
        written = [folder / f"state-{index:04d}.npz", folder / f"chunk-{index:04d}.zarr.zip"]
        if starts:
            written.insert(0, folder / f"starts-{index:04d}.npz")
            write_npz(written[0], {k: np.stack([s[k] for s in starts]) for k in starts[0]})
        write_npz(written[-2], state_to_arrays(state))
        times = begin + 6 * np.arange(len(packed["temperature"]))
        # last: it says "done"
        write_zarr_zip(written[-1], {"": _dataset(packed, times, trajectory, solver)})
        report(trajectory.name, done, total, written)


def finished_chunks(out_dir: str | os.PathLike[str], trajectory: str) -> list[Path]:
    """The readable chunks of one trajectory in order of time, also while a build is running."""
    return sorted((Path(out_dir) / trajectory).glob("chunk-*.zarr.zip"))


def open_chunk(path: str | os.PathLike[str]) -> Any:
    """One chunk as a lazy `xarray.Dataset` in physical units."""
    return open_zarr_zip(path)


def simulate(
    days: int, *, seed: int = 0, spinup_days: int = 0, solver: Solver | None = None
) -> Any:
    """A short run in memory as an `xarray.Dataset`, six-hourly: for tests and for a first
    look (default solver: T21)."""
    import xarray as xr

    solver = solver or Solver(truncation=21)
    trajectory = Trajectory("sample", seed, "2000-01-01", days, spinup_days, 2)
    state = solver.initial_state(seed)
    for _ in range(spinup_days):
        state = solver.advance_day(state)
    parts = []
    for _ in range(days):
        state, fields = solver.day(state)
        parts.append(
            {name: pack(np.asarray(fields[name]), *PACKING[name], name=name) for name in VARIABLES}
        )
    packed = {name: np.concatenate([p[name] for p in parts]) for name in VARIABLES}
    times = np.datetime64(trajectory.start, "h") + 6 * np.arange(4 * days)
    return xr.decode_cf(_dataset(packed, times, trajectory, solver))


# One thread per process: two such processes are faster than one with two threads, and sums
# keep their order.
_WORKER_ENVIRONMENT = {
    "NPROC": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "JAX_PLATFORMS": "cpu",
}
_messages: Any = None
_stop: Any = None


class _StoppedError(Exception):
    """The build that started this worker has ended."""


def _start_worker(messages: Any, stop: Any) -> None:
    global _messages, _stop
    _messages, _stop = messages, stop
    os.environ.update(_WORKER_ENVIRONMENT)  # before JAX makes its backend


def _work(out_dir: Path, trajectory: Trajectory, solver: Solver) -> None:
    parent = os.getppid()

    def report(*message: Any) -> None:
        # killed: end within a simulated day, because a restarted build must be alone
        if os.getppid() != parent:
            os._exit(1)
        if _stop.is_set():
            raise _StoppedError
        _messages.put(message)

    run_trajectory(out_dir, trajectory, solver, report)


def _run_parallel(
    out_dir: Path,
    todo: list[Trajectory],
    solver: Solver,
    report: Callable[[str, int, int, list[Path]], None],
    processes: int,
) -> None:
    context = multiprocessing.get_context("spawn")
    messages, stop = context.Queue(), context.Event()
    with concurrent.futures.ProcessPoolExecutor(
        processes, mp_context=context, initializer=_start_worker, initargs=(messages, stop)
    ) as pool:
        running = {pool.submit(_work, out_dir, trajectory, solver) for trajectory in todo}
        try:
            while running:
                try:
                    report(*messages.get(timeout=0.5))
                except queue.Empty:
                    done, running = concurrent.futures.wait(running, timeout=0)
                    for future in done:
                        future.result()
        except concurrent.futures.process.BrokenProcessPool as error:
            raise ChildProcessError(
                errno.ECHILD,
                f"a worker process ended (out of memory? each of {processes} needs about 1 GB)",
            ) from error
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def _spin_up(
    path: Path, trajectory: Trajectory, solver: Solver, report: Callable[[int], None]
) -> Any:
    """The state after the spin-up; its progress is kept every `chunk_days`, too."""
    import jax

    if path.exists():
        saved = load_npz(path)
        day, state = int(saved.pop("day")), solver.state_from_arrays(saved)
    else:
        day, state = 0, solver.initial_state(trajectory.seed)
    while day < trajectory.spinup_days:
        state, day = jax.block_until_ready(solver.advance_day(state)), day + 1
        if day % trajectory.chunk_days == 0 or day == trajectory.spinup_days:
            write_npz(path, state_to_arrays(state) | {"day": np.int64(day)})
        report(day)
    return state


def _dataset(
    packed: dict[str, np.ndarray], times: np.ndarray, trajectory: Trajectory, solver: Solver
) -> Any:
    """Packed arrays (time, level, longitude, latitude) as a dataset in WeatherBench 2's
    layout, still int16."""
    import xarray as xr

    dims = ("time", "level", "longitude", "latitude")
    return xr.Dataset(
        {
            name: packed_variable(dims, packed[name], PACKING[name], units=UNITS[name])
            for name in PACKING
        },
        {
            "time": hours_since_1900(times),
            "level": ("level", np.array(LEVELS, np.int32), {"units": "hPa"}),
            "longitude": ("longitude", LONGITUDE, {"units": "degrees_east"}),
            "latitude": ("latitude", LATITUDE, {"units": "degrees_north"}),
        },
        {
            "title": (
                f"Held-Suarez benchmark planet, trajectory {trajectory.name}, dates are nominal"
            ),
            "source": (
                f"dinosaur-dycore, T{solver.truncation}, {solver.layers} sigma layers, "
                f"{solver.step_minutes} min steps"
            ),
            "references": "Held & Suarez 1994, doi:10.1175/1520-0477(1994)075<1825:APFTIO>2.0.CO;2",
            "interpolation": (
                "Gaussian grid, linear in ln p to pressure (continued below the lowest layer "
                "centre), then truncated to total wavenumber 21 (wind as vorticity and "
                "divergence), then evaluated on this grid"
            ),
            "seed": trajectory.seed,
        },
    )
