"""Zarr to training batches against xarray; how to run it and what was measured: README.md
in this folder."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import alternate
import pytest
from zarr_batches import BASELINE, BATCH, CACHED, LIMIT, OURS, first_epoch

SCRIPT = Path(__file__).with_name("zarr_batches.py")
STORES = ("weatherbench", "held_suarez")
BAR = 5.0

pytestmark = pytest.mark.benchmark(timer=alternate.replay)


@functools.cache
def measured(store: str, threads: int, rounds: int) -> dict:
    """One alternating run in a process of its own."""
    result = alternate.run_script(
        SCRIPT, [f"--store={store}", f"--threads={threads}", f"--rounds={rounds}"]
    )
    alternate.report(
        f"{store} store, batches of {BATCH}, {threads} thread(s)",
        result,
        threads=threads,
        reference=BASELINE,
        per=BATCH,
    )
    return result


@pytest.fixture
def run(request):
    """`run(store)` with the options of the command line."""
    return functools.partial(
        measured,
        threads=request.config.getoption("--threads"),
        rounds=request.config.getoption("--rounds"),
    )


@pytest.mark.parametrize("variant", list(CACHED))
@pytest.mark.parametrize("store", STORES)
def test_report_batches(benchmark, request, run, store, variant):
    result, threads = run(store), request.config.getoption("--threads")
    if variant not in result["samples"]:
        pytest.skip("this reader opens no zip")
    samples, clock = result["samples"][variant], alternate.clock(threads)
    benchmark.group = f"{store}, {clock} time"
    alternate.replay.play(
        benchmark,
        [s[clock] for s in samples],
        clock=clock,
        threads=threads,
        load=[s["load"] for s in samples],
        cached=CACHED[variant],
        fill=result["setup"].get(variant),
        samples_per_second=BATCH / alternate.median(samples, clock),
        environment=result["environment"],
    )


@pytest.mark.parametrize("store", STORES)
def test_batches_meet_their_bar(request, run, store):
    if not request.config.getoption("--bars"):
        pytest.skip(
            f"load {os.getloadavg()[0]:.1f}: ratios are asserted with --bars, on a quiet machine"
        )
    threads = request.config.getoption("--threads")
    result, clock = run(store), alternate.clock(threads)
    middle, low, high = alternate.ratios(result["samples"], OURS, BASELINE, clock=clock)
    assert middle >= BAR, f"{middle:.2f} [{low:.2f}-{high:.2f}] times {BASELINE}, promised {BAR}"
    ours = first_epoch(
        alternate.median(result["samples"][OURS], clock),
        result["setup"][OURS][clock],
        result["times"],
    )
    whole = alternate.median(result["samples"][BASELINE], clock) / ours
    assert whole >= BAR, (
        f"with the loading counted in, {whole:.2f} times {BASELINE} over the first epoch, "
        f"promised {BAR}"
    )
    assert LIMIT in result["samples"]
