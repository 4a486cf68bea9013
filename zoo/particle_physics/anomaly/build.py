"""How the dijet events of `particle_physics/anomaly` are made.

    zoo data build particle_physics/anomaly                    60,000 QCD, 2 x 10,000 signal events
    zoo data build particle_physics/anomaly --step test_file   test.zarr.zip of them, as shipped

Both work in one folder (`--out`; default: where the simulation put its chunks).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo import files
from zoo.particle_physics.anomaly.data import (
    COLUMNS,
    PROCESSES,
    SIGNALS,
    Dijets,
    concatenate,
    read_split,
)
from zoo.particle_physics.simulation.simulate import Progress, run_step, simulate
from zoo.scoring import record

MANTISSA_BITS = 10
"""Of the test file's numbers: half a per mille, finer than any detector, and half the bytes."""


def build(
    out: str | Path, *, size: str = "S", step: str | None = None, progress: Progress | None = None
) -> None:
    """Behind `zoo data build particle_physics/anomaly`.

    Args:
        out: folder of the chunks, and of the test file.
        size: `S` or `M`.
        step: `simulation` (None) or `test_file`.
        progress: called with (dataset, events made, events in all).
    """
    folder = Path(out)

    def test_file() -> None:
        events, target = write_test(folder, folder / "test.zarr.zip"), folder / "test.zarr.zip"
        for index, name in enumerate(PROCESSES):
            chosen = events.process == index
            inside = int((chosen & events.in_signal_region).sum())
            print(f"{name}: {chosen.sum()} events, {inside} in the signal region")
        print(f'sha256 = "{files.sha256(target)}"\nbytes = {target.stat().st_size}')

    run_step(
        "particle_physics/anomaly",
        step,
        {
            "simulation": lambda: simulate(folder, dataset="anomaly", size=size, progress=progress),
            "test_file": test_file,
        },
    )


def write_test(folder: Path, target: Path, *, qcd: int = 100_000, signal: int = 6_000) -> Dijets:
    """Writes the test file: QCD over the whole mass range as it falls, and signal events of
    the signal region.

    Args:
        folder: of the chunks.
        target: a `.zarr.zip`, whose bytes depend on the events alone.
        qcd: at most so many background events.
        signal: at most so many events of each signal.
    """
    parts = [read_split(folder, "qcd", "test")[:qcd]]
    for name in SIGNALS:
        events = read_split(folder, name, "test")
        parts.append(events[events.in_signal_region][:signal])
    events = concatenate(parts)
    arrays = {name: round_to_bits(events.pairs.column(name)) for name in COLUMNS}
    record.write(target, arrays | {"mjj": events.mjj, "process": events.process})
    return events


def round_to_bits(values: np.ndarray, bits: int = MANTISSA_BITS) -> np.ndarray:
    """Float32 with at most `bits` bits of mantissa after the first; integers up to 2^(bits
    + 1) stay exact."""
    fraction, exponent = np.frexp(np.asarray(values, np.float32))
    return np.ldexp(np.round(np.ldexp(fraction, bits + 1)), exponent - bits - 1).astype(np.float32)
