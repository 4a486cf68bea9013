"""Measures Zarr -> shuffled float32 batches of 32 samples with 20 channels, alternating in
this process.

    python benchmarks/speed/zarr_batches.py --store weatherbench --out zarr.json

Two stores, both of `--times` smooth random states on the 64x32 grid, four variables on five levels:

* `weatherbench`: Zarr v3, float32 (time, level, longitude, latitude), one chunk per
  variable and time, as in WeatherBench 2;
* `held_suarez`: the files of `zoo.climate.held_suarez.build.simulate`, int16, zips of 120
  times with one chunk per variable.

A sample counts when it lies in a float32 array [batch, longitude, latitude, 20], ready for
a training step. The page cache is hot for everybody. What else a variant keeps in memory
stands in `CACHED`; the time to fill it is measured apart, and the speed over a first epoch,
with that time counted in, is reported beside the steady one.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import alternate
import numpy as np

BATCH, TIMES_PER_FILE = 32, 120
LEVELS = (200, 500, 700, 850, 925)

CACHED = {
    "xarray isel per sample": "nothing",
    "xarray isel per batch": "nothing",
    "zarr-python per batch": "nothing",
    "tensorstore per batch": "nothing",
    "tensorstore per batch, 1 GB cache": "decoded chunks, up to 1 GB",
    "ours, streamed": (
        "weatherbench: nothing; held_suarez: the int16 series in host memory. Grain's threads "
        "read ahead"
    ),
    "ours, resident": (
        "the whole series on the device (int16 or float32); gathered and unpacked inside jit"
    ),
    "memmap": "nothing; a float32 .npy file with the channels last, written beforehand",
}
BASELINE, OURS, LIMIT = "xarray isel per sample", "ours, resident", "memmap"


def states(times: int) -> Iterator[dict[str, np.ndarray]]:
    """Files' worth of int16 fields by variable, [time, level, longitude, latitude]: T21,
    with a red spectrum."""
    import jax

    from zoo.climate.data.packed import PACKING, pack
    from zoo.climate.held_suarez.data import VARIABLES
    from zoo.climate.models.layers.spherical import synthesise

    random, evaluate = np.random.default_rng(0), jax.jit(synthesise)
    shape = (1.0 / (1.0 + np.arange(22.0)) ** 1.5)[:, None] * np.tri(22).T[:, :, None]
    spread = {
        "geopotential": 3000.0,
        "temperature": 10.0,
        "u_component_of_wind": 8.0,
        "v_component_of_wind": 8.0,
    }
    for _ in range(times // TIMES_PER_FILE):
        fields = {}
        for name in VARIABLES:
            drawn = random.normal(size=(TIMES_PER_FILE, 2, 22, 22, len(LEVELS))) * shape
            field = np.array(evaluate(drawn.astype(np.float32))).transpose(0, 3, 1, 2)
            scale, offset = PACKING[name]
            fields[name] = pack(
                offset + np.clip(field / field.std(), -4, 4) * spread[name],
                scale,
                offset,
                name=name,
            )
        yield fields


def write_held_suarez(folder: Path, times: int) -> None:
    """Chunk files as `zoo.climate.held_suarez.build.simulate` writes them."""
    import xarray as xr

    from zoo.climate.data.packed import PACKING, hours_since_1900, packed_variable
    from zoo.climate.models.layers.spherical import Grid

    dims, grid = ("time", "level", "longitude", "latitude"), Grid()
    (folder / "train-0").mkdir(parents=True)
    for index, fields in enumerate(states(times)):
        stamps = np.datetime64("1900-01-01", "h") + 6 * (
            index * TIMES_PER_FILE + np.arange(TIMES_PER_FILE)
        )
        coordinates = {
            "time": hours_since_1900(stamps),
            "level": ("level", np.array(LEVELS, np.int32)),
            "longitude": ("longitude", grid.longitude),
            "latitude": ("latitude", grid.latitude),
        }
        dataset = xr.Dataset(
            {name: packed_variable(dims, fields[name], PACKING[name]) for name in fields},
            coordinates,
        )
        write_zarr_zip(folder / "train-0" / f"chunk-{index:04d}.zarr.zip", {"": dataset})


def write_weatherbench(folder: Path, times: int) -> None:
    """One Zarr store with a chunk per variable and time, compressed as Zarr v3 does by
    default (zstd)."""
    import zarr

    from zoo.climate.data.packed import PACKING

    root = zarr.create_group(folder, zarr_format=3)
    arrays: dict[str, Any] = {}
    for index, fields in enumerate(states(times)):
        for name, packed in fields.items():
            if name not in arrays:
                shape = packed.shape[1:]
                dims = ("time", "level", "longitude", "latitude")
                arrays[name] = root.create_array(
                    name,
                    shape=(times, *shape),
                    chunks=(1, *shape),
                    dtype="float32",
                    dimension_names=dims,
                )
            scale, offset = PACKING[name]
            arrays[name][index * TIMES_PER_FILE : (index + 1) * TIMES_PER_FILE] = (
                packed * scale + offset
            ).astype(np.float32)
    root.create_array("level", data=np.array(LEVELS, np.int32), dimension_names=("level",))


def open_xarray(kind: str, folder: Path) -> Any:
    """The store as one lazy dataset, without Dask."""
    import xarray as xr

    if kind == "weatherbench":
        return xr.open_zarr(folder, consolidated=False, chunks=None)
    from zoo.climate.data.packed import open_zarr_zip

    return [open_zarr_zip(path) for path in sorted((folder / "train-0").glob("*.zip"))]


def isel(dataset: Any, times: Any) -> np.ndarray:
    """One time, or several, the plain xarray way; [*time, longitude, latitude, channel] in
    float32."""
    from zoo.climate.held_suarez.data import VARIABLES

    chosen = dataset.isel(time=times)
    arrays = [
        chosen[name].transpose(..., "longitude", "latitude", "level").values for name in VARIABLES
    ]
    return np.concatenate(arrays, -1, dtype=np.float32)


def readers(
    kind: str, folder: Path, scratch: Path, times: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Each variant as a function of the times of a batch, and the seconds that filled its cache."""
    from zoo.climate.held_suarez import data as held_suarez

    names, by_name, setup = held_suarez.VARIABLES, {}, {}
    dataset = open_xarray(kind, folder)

    def timed(name: str, build: Callable[[], Any]) -> Any:
        began = time.perf_counter(), time.process_time()
        made = build()
        setup[name] = {
            "wall": time.perf_counter() - began[0],
            "cpu": time.process_time() - began[1],
        }
        return made

    if kind == "weatherbench":
        by_name[BASELINE] = lambda chosen: np.stack([isel(dataset, int(t)) for t in chosen])
        by_name["xarray isel per batch"] = lambda chosen: isel(dataset, np.sort(chosen))
        by_name["zarr-python per batch"] = _zarr_python(folder, names)
        for label, context in (
            ("tensorstore per batch", None),
            ("tensorstore per batch, 1 GB cache", 1 << 30),
        ):
            by_name[label] = _tensorstore(folder, names, context)
        source = held_suarez.zarr_source(folder)
        by_name["ours, streamed"] = Streamed(source, times)
        whole = timed(OURS, lambda: source(np.arange(times)))
        by_name[OURS] = _resident(whole)
    else:
        by_name[BASELINE] = lambda chosen: np.stack(
            [isel(dataset[t // TIMES_PER_FILE], int(t) % TIMES_PER_FILE) for t in chosen]
        )

        def per_file(chosen: np.ndarray) -> np.ndarray:
            files, places = np.divmod(np.sort(chosen), TIMES_PER_FILE)
            return np.concatenate([isel(dataset[f], places[files == f]) for f in np.unique(files)])

        by_name["xarray isel per batch"] = per_file
        series = timed(
            OURS, lambda: held_suarez.load_trajectories(held_suarez.finished(folder, "train"))
        )
        setup["ours, streamed"] = setup[OURS]
        by_name["ours, streamed"] = Streamed(series.fields, times)
        by_name[OURS] = _resident(series.packed)
        whole = series.fields(np.arange(times))

    path = scratch / f"{kind}-{times}.npy"
    if not path.exists():
        np.save(path, whole)
    del whole
    flat = np.load(path, mmap_mode="r")
    by_name[LIMIT] = lambda chosen: flat[np.sort(chosen)]
    return by_name, setup


def _zarr_python(folder: Path, names: tuple[str, ...]) -> Callable[[np.ndarray], Any]:
    import zarr

    arrays = [zarr.open_group(folder, mode="r")[name] for name in names]

    def read(times: np.ndarray) -> np.ndarray:
        chosen = np.sort(times)
        return np.concatenate([array.oindex[chosen].transpose(0, 2, 3, 1) for array in arrays], -1)

    return read


def _tensorstore(
    folder: Path, names: tuple[str, ...], cache: int | None
) -> Callable[[np.ndarray], Any]:
    import tensorstore

    context = tensorstore.Context({"cache_pool": {"total_bytes_limit": cache}} if cache else {})
    specs = [
        {"driver": "zarr3", "kvstore": f"file://{folder / name}", "recheck_cached_data": "open"}
        for name in names
    ]
    stores = [tensorstore.open(spec, read=True, context=context).result() for spec in specs]

    def read(times: np.ndarray) -> np.ndarray:
        chosen = np.sort(times)
        pending = [store[chosen].read() for store in stores]  # all variables at once
        return np.concatenate([p.result().transpose(0, 2, 3, 1) for p in pending], -1)

    return read


@dataclasses.dataclass
class Streamed:
    """`zoo.train.batches.Stream` over a source, in its own order, which is shuffled, too.

    A turn reads a stream of its own to the end: threads that read ahead must not work while
    others are measured.
    """

    source: Callable[[np.ndarray], Any]
    examples: int
    step: int = 0

    def turn(self, calls: int) -> Any:
        """Reads the next `calls` batches."""
        from zoo.train.batches import Order, Stream

        order, start = Order(self.examples, BATCH), self.step
        self.step += calls
        for batch in Stream(self.source, self.examples).batches(order, start=start, stop=self.step):
            last = batch
        return last


def _resident(whole: np.ndarray) -> Callable[[np.ndarray], Any]:
    """What `zoo.train.loop` and the loss do with `Windows`: indices in, gathered and
    unpacked on the device."""
    import jax
    import jax.numpy as jnp

    from zoo.climate.held_suarez.data import OFFSET, SCALE

    gain, shift = (SCALE, OFFSET) if whole.dtype == np.int16 else (np.float32(1), np.float32(0))
    arrays = jax.device_put(whole)
    gather = jax.jit(lambda data, times: data[times].astype(jnp.float32) * gain + shift)
    return lambda times: gather(arrays, jnp.asarray(times, jnp.int32)).block_until_ready()


def first_epoch(steady: float, setup: float, times: int) -> float:
    """Seconds per batch over one epoch, with the time that filled the cache counted in."""
    return steady + setup * BATCH / times


def measure(kind: str, *, times: int, rounds: int, calls: int, scratch: Path) -> dict[str, Any]:
    """The samples of every variant on one store, as JSON values."""
    folder = scratch / f"{kind}-{times}"
    if not folder.exists():
        partial = scratch / f"{kind}-{times}.partial"
        (write_weatherbench if kind == "weatherbench" else write_held_suarez)(partial, times)
        os.rename(partial, folder)
    by_name, setup = readers(kind, folder, scratch, times)
    check(by_name)
    random = np.random.default_rng(1)

    def turn(read: Any, count: int) -> Callable[[], Any]:
        if isinstance(read, Streamed):
            return lambda: read.turn(count)

        def one_by_one() -> Any:
            for _ in range(count):
                batch = read(random.integers(0, times, BATCH))
            return batch

        return one_by_one

    # Turns of about one length: the slow ones read one batch, the fast ones `calls`.
    counts = {
        name: 1 if name.startswith("xarray") or name.startswith("zarr") else calls
        for name in by_name
    }
    turns = {name: turn(read, counts[name]) for name, read in by_name.items()}
    measured = alternate.alternate(turns, rounds=rounds, settle=False)
    return {
        "store": kind,
        "times": times,
        "batch": BATCH,
        "setup": setup,
        "cached": CACHED,
        "environment": alternate.environment(),
        "samples": {
            name: [per_batch(s, counts[name]) for s in each] for name, each in measured.items()
        },
    }


def per_batch(turn: alternate.Sample, batches: int) -> dict[str, float]:
    """The sample of one batch of a turn, as JSON values."""
    return {"wall": turn.wall / batches, "cpu": turn.cpu / batches, "load": turn.load}


def check(by_name: dict[str, Any]) -> None:
    """All variants return the same batch, to the precision of int16 packing."""
    times = np.arange(BATCH)  # of one file: the slowest variant decodes one file for each of them
    expected = np.asarray(by_name[BASELINE](times))
    for name, read in by_name.items():
        got = np.asarray(read.turn(1) if isinstance(read, Streamed) else read(times))
        if got.shape != expected.shape or got.dtype != np.float32:
            raise AssertionError(
                f"{name} returns {got.dtype}{got.shape}, {BASELINE} float32{expected.shape}"
            )
        if not isinstance(read, Streamed) and not np.allclose(got, expected, rtol=1e-5, atol=0.01):
            raise AssertionError(f"{name} returns other values than {BASELINE}")


def main() -> None:
    """Runs the measurement, prints its table and writes it as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", choices=["weatherbench", "held_suarez"], default="weatherbench")
    parser.add_argument(
        "--times",
        type=int,
        default=1440,
        help=f"samples in the store, a multiple of {TIMES_PER_FILE}",
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--calls", type=int, default=16, help="batches per turn (one for the slow variants)"
    )
    parser.add_argument(
        "--scratch",
        type=Path,
        help="folder for the stores, kept for the next run; default: a temporary one",
    )
    parser.add_argument("--out", type=Path, help="JSON file")
    given = parser.parse_args()
    alternate.pin(given.threads)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = given.scratch or Path(temporary)
        scratch.mkdir(parents=True, exist_ok=True)
        result = measure(
            given.store, times=given.times, rounds=given.rounds, calls=given.calls, scratch=scratch
        )
    if given.out:
        given.out.write_text(json.dumps(result))
    clock = alternate.clock(given.threads)
    loads = [s["load"] for each in result["samples"].values() for s in each]
    print(
        f"{given.store}, {given.times} times, {given.threads} thread(s), {clock} time, load "
        f"{min(loads):.1f}-{max(loads):.1f}"
    )
    print(alternate.table(result["samples"], clock=clock, reference=BASELINE, per=BATCH))
    print(
        "seconds to fill the cache:",
        {name: round(s[clock], 2) for name, s in result["setup"].items()},
    )


if __name__ == "__main__":
    main()
