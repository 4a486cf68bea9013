"""The training step against PyTorch twins; how to run it and what was measured: README.md
in this folder."""

from __future__ import annotations

import functools
import importlib.util
import os
from pathlib import Path

import alternate
import pytest
from train_step import VARIANTS

SCRIPT = Path(__file__).with_name("train_step.py")
ROLLOUTS = (1, 2)
# (ours, its peers) by architecture: the ratio is against the fastest of the peers.
CONTESTS = {
    "convnext": ("jax", ("torch_nchw", "torch_nhwc")),
    "sfno": ("jax", ("torch_matrix", "torch_fft")),
}
BARS = {"convnext": 0.9, "sfno": 1.2}
COMPILED = {"convnext": ("torch_nhwc_compile",), "sfno": ("torch_matrix_compile",)}

pytestmark = [
    pytest.mark.benchmark(timer=alternate.replay),
    pytest.mark.skipif(
        not importlib.util.find_spec("torch"), reason="no peer: pip install 'scizoo[speed]'"
    ),
]


@functools.cache
def measured(architecture: str, rollout: int, threads: int, rounds: int, compiled: bool) -> dict:
    """One alternating run in a process of its own, with all the variants."""
    variants = VARIANTS[architecture]
    chosen = (*variants, *(COMPILED[architecture] if compiled else ()))
    options = [
        architecture,
        f"--rollout={rollout}",
        f"--threads={threads}",
        f"--rounds={rounds}",
        f"--variants={','.join(chosen)}",
    ]
    result = alternate.run_script(SCRIPT, options)
    title = (
        f"{architecture}, {rollout}-step rollout, batch {result['batch']}, {threads} thread(s), "
        f"{alternate.clock(threads)} time"
    )
    alternate.report(
        title,
        result,
        threads=threads,
        reference=min(peers(result), key=lambda p: median(result, p, threads)),
    )
    return result


def peers(result: dict) -> list[str]:
    """The twins in full precision."""
    return [name for name in result["samples"] if name.startswith("torch")]


def median(result: dict, variant: str, threads: int) -> float:
    """Median seconds of a step."""
    return alternate.median(result["samples"][variant], alternate.clock(threads))


@pytest.fixture
def run(request):
    """`run(architecture, rollout)` with the options of the command line."""
    option = request.config.getoption
    return functools.partial(
        measured,
        threads=option("--threads"),
        rounds=option("--rounds"),
        compiled=option("--compiled"),
    )


@pytest.mark.parametrize("rollout", ROLLOUTS)
@pytest.mark.parametrize(
    ("architecture", "variant"), [(a, v) for a, names in VARIANTS.items() for v in names]
)
def test_report_step(benchmark, request, run, architecture, variant, rollout):
    result, threads = run(architecture, rollout), request.config.getoption("--threads")
    samples, clock = result["samples"][variant], alternate.clock(threads)
    benchmark.group = f"{architecture}, rollout {rollout}, {clock} time"
    loads = [s["load"] for s in samples]
    alternate.replay.play(
        benchmark,
        [s[clock] for s in samples],
        clock=clock,
        threads=threads,
        load=[min(loads), max(loads)],
        wall=[s["wall"] for s in samples],
        environment=result["environment"],
    )


@pytest.mark.parametrize("rollout", ROLLOUTS)
@pytest.mark.parametrize("architecture", list(VARIANTS))
def test_twins_compute_the_same_losses(run, architecture, rollout):
    losses = run(architecture, rollout)["losses"]
    for values in losses.values():
        # AdamW's first steps divide by gradients near zero: rounding grows with each step.
        assert values[0] == pytest.approx(losses["jax"][0], rel=1e-4)
        assert values == pytest.approx(losses["jax"], rel=5e-2)


@pytest.mark.parametrize("rollout", ROLLOUTS)
@pytest.mark.parametrize("contest", list(BARS))
def test_step_meets_its_bar(request, run, contest, rollout):
    if not request.config.getoption("--bars"):
        pytest.skip(
            f"load {os.getloadavg()[0]:.1f}: ratios are asserted with --bars, on a quiet machine"
        )
    threads = request.config.getoption("--threads")
    result, (ours, twins) = run(contest.split("_")[0], rollout), CONTESTS[contest]
    best = min(twins, key=lambda name: median(result, name, threads))
    middle, low, high = alternate.ratios(
        result["samples"], ours, best, clock=alternate.clock(threads)
    )
    assert middle >= BARS[contest], (
        f"{contest}: {middle:.2f} [{low:.2f}-{high:.2f}] times {best}, promised {BARS[contest]}"
    )
