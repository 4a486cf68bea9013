"""Alternating measurement: ours, peer, ours, peer, ... in one process, so that a change of
the machine's load meets both.

Two numbers per sample: wall time (`perf_counter`) and CPU time of the whole process
(`process_time`). On a machine that other work shares only the CPU time of one pinned thread
is a fact about the code; wall time is a fact about the evening.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PACKAGES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "torch",
    "numpy",
    "xarray",
    "zarr",
    "tensorstore",
    "grain",
    "uproot",
    "awkward",
    "numba",
)


@dataclasses.dataclass(frozen=True)
class Sample:
    """Seconds of one call (the mean over the calls of one turn), and the one-minute load
    average at its end."""

    wall: float
    cpu: float
    load: float


def alternate(
    variants: Mapping[str, Callable[[], Any]],
    *,
    rounds: int,
    calls: int = 1,
    settle: bool = True,
    after_round: Callable[[dict[str, list[Sample]]], Any] = lambda samples: None,
) -> dict[str, list[Sample]]:
    """Samples of each variant, `rounds` of them, taken in turn.

    Args:
        variants: what to measure; each call must return only when its work is done.
        rounds: turns of each variant.
        calls: calls per turn.
        settle: begin each turn with a call that is not timed: threads of the variant before
            go to sleep, caches fill.
        after_round: gets the samples so far after each round: a run that is stopped leaves
            what it has.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in variants}
    for turn in range(rounds):
        # Every other round runs backwards, so that no variant is always the one that
        # follows a hot or a cold cache.
        for name in list(variants)[:: -1 if turn % 2 else 1]:
            if settle:
                variants[name]()
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(calls):
                variants[name]()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            samples[name].append(Sample(wall / calls, cpu / calls, os.getloadavg()[0]))
        after_round(samples)
    return samples


def ratios(
    samples: Mapping[str, list[Any]], ours: str, peer: str, *, clock: str
) -> tuple[float, float, float]:
    """(median, lowest, highest) over the rounds of peer time over ours: above 1, ours is faster."""
    each = [
        value(b, clock) / value(a, clock) for a, b in zip(samples[ours], samples[peer], strict=True)
    ]
    return statistics.median(each), min(each), max(each)


def value(sample: Sample | Mapping[str, float], clock: str) -> float:
    """One clock of a sample, also of one that went through JSON."""
    return sample[clock] if isinstance(sample, Mapping) else getattr(sample, clock)


def pin(threads: int) -> None:
    """Restricts this process to `threads` cores; call it before importing JAX or PyTorch,
    which size their pools by it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)


def environment() -> dict[str, Any]:
    """Processor, cores, versions: what has to stand beside every figure."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = dict(
            line.split(":", 1)
            for line in cpuinfo.read_text().split("\n\n")[0].splitlines()
            if ":" in line
        )
        fields = {key.strip(): text.strip() for key, text in lines.items()}
        amx = " amx_bf16" if "amx_bf16" in fields.get("flags", "").split() else ""
        model = (
            f"{fields.get('model name', model)}, family {fields.get('cpu family')} model "
            f"{fields.get('model')}{amx}"
        )
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version(), **versions}


def table(
    samples: Mapping[str, list[Any]],
    *,
    clock: str,
    reference: str,
    unit: float = 1e3,
    per: float | None = None,
) -> str:
    """A Markdown table: median [min-max] of each variant and its speed against `reference`.

    Args:
        samples: what `alternate` returned.
        clock: "wall" or "cpu".
        reference: the variant that has speed 1.
        unit: seconds are multiplied by it (1e3: milliseconds).
        per: work items of one call; if given, the table also has items per second.
    """
    rows = ["| variant | ms [min-max] | speed [min-max over rounds] |", "|---|---|---|"]
    if per:
        rows = [rows[0] + " items/s |", rows[1] + "---|"]
    for name, each in samples.items():
        times = [value(s, clock) * unit for s in each]
        middle, low, high = ratios(samples, name, reference, clock=clock)
        row = (
            f"| {name} | {statistics.median(times):.3g} [{min(times):.3g}-{max(times):.3g}] | "
            f"{middle:.2f} [{low:.2f}-{high:.2f}] |"
        )
        rows.append(row + (f" {per * unit / statistics.median(times):.0f} |" if per else ""))
    return "\n".join(rows)


class Shuffled:
    """The examples of one batch after the other, the same for every variant."""

    def __init__(self, examples: int, batch_size: int) -> None:
        from zoo.train.batches import Order

        self.order, self.step = Order(examples, batch_size), -1

    def __call__(self) -> Any:
        self.step += 1
        return self.order(self.step)


class Replay:
    """A clock for pytest-benchmark that plays recorded durations: rounds that alternated
    become its statistics.

    pytest-benchmark runs all rounds of one test before the next test; alternating
    measurements cannot be made inside it.
    """

    def __init__(self) -> None:
        self.now, self.left, self.__name__ = 0.0, iter(()), "replay"

    def __call__(self) -> float:
        return self.now

    def play(self, benchmark: Any, durations: list[float], **extra_info: Any) -> None:
        """Hands the durations to the `benchmark` fixture, whose timer must be this object."""
        self.left = iter(durations)
        benchmark.extra_info.update(extra_info)
        benchmark.pedantic(self._advance, rounds=len(durations), iterations=1)

    def _advance(self) -> None:
        self.now += next(self.left, 0.0)


replay = Replay()
reports: dict[str, str] = {}
"""Tables by title, printed at the end of a pytest run."""


def clock(threads: int) -> str:
    """The clock that means something: CPU time of one pinned thread, wall time of several."""
    return "cpu" if threads == 1 else "wall"


def median(samples: list[Any], clock: str) -> float:
    """Median seconds of a call."""
    return statistics.median(value(s, clock) for s in samples)


def run_script(script: Path, options: list[str]) -> dict[str, Any]:
    """What a measuring script of this folder writes with `--out`, from a fresh interpreter:
    pools are sized at start-up."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        done = subprocess.run(
            [sys.executable, "-B", str(script), *options, f"--out={out}"],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{script.name} {' '.join(options)} failed:\n{done.stderr[-3000:]}")
        return json.loads(out.read_text())


def report(
    title: str, result: Mapping[str, Any], *, threads: int, reference: str, per: float | None = None
) -> None:
    """Keeps the table of one result for the end of the pytest run."""
    loads = [s["load"] for each in result["samples"].values() for s in each]
    text = table(result["samples"], clock=clock(threads), reference=reference, per=per)
    reports[title] = (
        f"{text}\nspeed is relative to {reference}; load average {min(loads):.1f}-{max(loads):.1f}"
    )
