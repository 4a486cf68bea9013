"""Measures ROOT file -> padded batches with a mask, alternating in this process.

    python benchmarks/speed/root_loader.py --compression lz4 --out root.json
    python benchmarks/speed/root_loader.py --compression zstd --threads 2

One synthetic file in a temporary folder: `--jets` jets (100 000) of 20-80 particles in
falling pT, 12 float32 branches of 13 mantissa bits, 10 000 jets to a basket, as our own
files have them. Every variant reads all branches of all jets and hands over batches of 1000
jets, 64 particles: float32 [jet, particle, column] and a mask (`memmap`: a copy of the same
array from a file written beforehand, the limit). Ours also sees to it that particles are in
falling pT and numbers finite. The page cache is hot for everybody.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import alternate
import numpy as np

BATCH, PARTICLES, BASKET = 1000, 64, 10_000
COLUMNS = tuple(
    f"part_{name}"
    for name in (
        "px",
        "py",
        "pz",
        "energy",
        "deta",
        "dphi",
        "d0val",
        "d0err",
        "dzval",
        "dzerr",
        "charge",
        "isPhoton",
    )
)
PLAIN, ITERATE, LIMIT = "uproot.arrays + ak.pad_none", "uproot.iterate + ak.pad_none", "memmap"
OURS, OURS_TWO, OURS_NUMPY = "ours, numba", "ours, numba, 2 threads", "ours, numpy"


def write(path: Path, compression: str, jets: int) -> None:
    """The synthetic file."""
    import awkward as ak
    import uproot

    kinds = {"lz4": uproot.LZ4(4), "zstd": uproot.ZSTD(5)}
    random = np.random.default_rng(0)
    with uproot.recreate(path, compression=kinds[compression]) as file:
        tree = file.mktree("tree", dict.fromkeys(COLUMNS, "var * float32"))
        for _ in range(jets // BASKET):
            counts = random.integers(20, 81, BASKET)
            of_jet, total = np.repeat(np.arange(BASKET), counts), int(counts.sum())
            pt, phi = random.exponential(10, total), random.uniform(-np.pi, np.pi, total)
            pt = pt[np.lexsort((-pt, of_jet))]
            values = {name: random.normal(size=total) for name in COLUMNS}
            values |= {"part_px": pt * np.cos(phi), "part_py": pt * np.sin(phi)}
            values |= {name: random.integers(0, 2, total) for name in COLUMNS[-2:]}
            offsets = ak.index.Index64(np.concatenate([[0], np.cumsum(counts)]))
            bits = {
                name: value.astype(np.float32).view(np.uint32) & np.uint32(0xFFFFFC00)
                for name, value in values.items()
            }
            tree.extend(
                {
                    name: ak.Array(
                        ak.contents.ListOffsetArray(
                            offsets, ak.contents.NumpyArray(value.view(np.float32))
                        )
                    )
                    for name, value in bits.items()
                }
            )


def pad_plainly(arrays: Any) -> tuple[np.ndarray, np.ndarray]:
    """The usual way: pad and fill each branch, stack them."""
    import awkward as ak

    columns = [
        ak.to_numpy(ak.fill_none(ak.pad_none(arrays[name], PARTICLES, clip=True), 0.0))
        for name in COLUMNS
    ]
    mask = np.arange(PARTICLES) < ak.to_numpy(ak.num(arrays[COLUMNS[0]]))[:, None]
    return np.stack(columns, -1).astype(np.float32, copy=False), mask


def plain(path: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Everything at once, then batches."""
    import uproot

    with uproot.open(path) as file:
        particles, mask = pad_plainly(file["tree"].arrays(COLUMNS))
    for begin in range(0, len(mask), BATCH):
        yield particles[begin : begin + BATCH], mask[begin : begin + BATCH]


def iterate(path: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Basket by basket, then batches."""
    import uproot

    for arrays in uproot.iterate(f"{path}:tree", COLUMNS, step_size=BASKET):
        particles, mask = pad_plainly(arrays)
        for begin in range(0, len(mask), BATCH):
            yield particles[begin : begin + BATCH], mask[begin : begin + BATCH]


def ours(path: Path, **options: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The public stream in the file's order."""
    from zoo.particle_physics.data.stream import stream_batches

    stream = stream_batches(
        path,
        batch_size=BATCH,
        max_particles=PARTICLES,
        columns=COLUMNS,
        classes=(),
        scalars=(),
        shuffle_buffer=0,
        prefetch=0,
        **options,
    )
    for batch in stream:
        yield batch.particles, batch.mask


def memmap(folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Copies of a padded cache."""
    particles, mask = (
        np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("particles", "mask")
    )
    for begin in range(0, len(mask), BATCH):
        yield np.array(particles[begin : begin + BATCH]), np.array(mask[begin : begin + BATCH])


def variants(
    path: Path, threads: int
) -> dict[str, Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]]]:
    """Each reader by name."""
    by_name = {
        PLAIN: lambda: plain(path),
        ITERATE: lambda: iterate(path),
        LIMIT: lambda: memmap(path.parent),
        OURS_NUMPY: lambda: ours(path, engine="numpy"),
        OURS: lambda: ours(path, engine="numba"),
    }
    if threads > 1:
        by_name[OURS_TWO] = lambda: ours(path, engine="numba", threads=2)
    return by_name


def count(batches: Iterator[tuple[np.ndarray, np.ndarray]]) -> int:
    """Goes through all batches."""
    return sum(len(mask) for _, mask in batches)


def measure(compression: str, *, jets: int, rounds: int, threads: int) -> dict[str, Any]:
    """Alternating samples of every variant, after all of them returned the same numbers."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "jets.root"
        write(path, compression, jets)
        whole = [np.concatenate(each) for each in zip(*iterate(path), strict=True)]
        for name, value in zip(("particles", "mask"), whole, strict=True):
            np.save(path.parent / f"{name}.npy", value)
        by_name = variants(path, threads)
        for name, read in by_name.items():
            got = [np.concatenate(each) for each in zip(*read(), strict=True)]
            if not all(np.array_equal(a, b) for a, b in zip(got, whole, strict=True)):
                raise AssertionError(f"{name} returns other jets than {ITERATE}")
            del got
        turns = {name: lambda read=read: count(read()) for name, read in by_name.items()}
        measured = alternate.alternate(turns, rounds=rounds, settle=False)
        return {
            "compression": compression,
            "jets": jets,
            "bytes": path.stat().st_size,
            "environment": alternate.environment(),
            "samples": {
                name: [{"wall": s.wall, "cpu": s.cpu, "load": s.load} for s in each]
                for name, each in measured.items()
            },
        }


def main() -> None:
    """Runs the measurement, prints its table and writes it as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--compression", choices=["lz4", "zstd"], default="lz4")
    parser.add_argument("--jets", type=int, default=100_000, help=f"a multiple of {BASKET}")
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="1: CPU time of one pinned core; more: wall time, and our two-thread row",
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="JSON file")
    given = parser.parse_args()
    alternate.pin(given.threads)
    result = measure(given.compression, jets=given.jets, rounds=given.rounds, threads=given.threads)
    if given.out:
        given.out.write_text(json.dumps(result))
    clock, samples = alternate.clock(given.threads), result["samples"]
    loads = [s["load"] for each in samples.values() for s in each]
    size = f"{given.jets} jets, {result['bytes'] / 1e6:.0f} MB"
    print(
        f"{given.compression}, {size}, {given.threads} thread(s), {clock} time, load "
        f"{min(loads):.1f}-{max(loads):.1f}"
    )
    print(alternate.table(samples, clock=clock, reference=PLAIN, per=given.jets))
    middle, low, high = alternate.ratios(samples, LIMIT, OURS, clock=clock)
    print(f"{OURS} takes {middle:.2f} [{low:.2f}-{high:.2f}] times the time of {LIMIT}")


if __name__ == "__main__":
    main()
