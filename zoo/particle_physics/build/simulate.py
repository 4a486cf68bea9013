"""How the data of particle physics are made: Pythia jets in ROOT files of the JetClass
layout, resumable, two processes at a time.

    zoo data build particle_physics/jet_tagging --size S

| data set | what there is to train on |
|---|---|
| `jet_tagging` | 20,000 jets a class (size M: 100,000) |
| `quark_gluon` | 10,000 jets a class (size M: 50,000) |
| `anomaly` | 60,000 background and 2 x 10,000 signal events |
| `jet_generation` | 20,000 gluon and quark jets; its top jets are jet_tagging's |

Every file has a Pythia seed of its own, so no event is shared between files, and both jets
of an event lie in one file. A file appears under its final name only when it is whole;
`manifest.json` lists the content digest of each (`content_digest`), which two builds share
bit for bit, whatever the batch size. Cost: 40-66 jets per second and core (Tbl the slowest,
QCD the fastest; quark_gluon, whose window of pT is narrow, 26), three quarters of it in
Pythia. A build that is stopped keeps its whole files; as training files are made in rounds
over the classes, 40,000 jets a class are the first four rounds of size M.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import json
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import files
from zoo.particle_physics.build.generator import (
    PYTHIA,
    Flat,
    generate_dijets,
    generate_jets,
    import_generators,
)
from zoo.particle_physics.build.processes import DIJETS, MPI_OFF, PROCESSES
from zoo.particle_physics.data.jets import LABELS, QUARK_GLUON_LABELS

Progress = Callable[[str, int, int], None]
SIZES = {"S": 2, "M": 10}
"""Training files a class (of 10,000 jets; of 5,000 for `quark_gluon`)."""

BASKET = 5000
"""Jets per basket of a ROOT file."""

_SPLITS = {"test": 1, "mpi_off": 2, "validation": 3, "train": 4}
_SETS = {"jet_tagging": 0, "quark_gluon": 1, "jet_generation": 2, "anomaly": 3}


@dataclasses.dataclass(frozen=True)
class Part:
    """One file to be made.

    Attributes:
        name: of the file, without folder.
        process: class of jets or events.
        count: jets or events in it.
        seed: Pythia's; `seed + 1` belongs to the file too where a class has two variants.
        extra: Pythia settings of a shift.
        labels: classes of the dataset; empty for dijet events.
    """

    name: str
    process: str
    count: int
    seed: int
    extra: tuple[str, ...] = ()
    labels: tuple[str, ...] = LABELS


def seed_of(dataset: str, split: str, index: int, chunk: int) -> int:
    """Pythia's seed of a file: no two files of any dataset share one."""
    return (
        100_000_000 * (1 + _SETS[dataset])
        + 10_000_000 * _SPLITS[split]
        + 100_000 * index
        + 10 * chunk
    )


def plan(dataset: str, size: str = "S") -> list[Part]:
    """The files of a dataset, in the order in which they are made: test, shift, validation,
    then training in rounds over classes.

    Args:
        dataset: `jet_tagging`, `quark_gluon`, `jet_generation` or `anomaly`.
        size: `S` or `M`; `M` begins with the files of `S`.
    """
    if size not in SIZES:
        raise ValueError(f"size {size!r} is not known; sizes: {', '.join(SIZES)}")
    rounds = range(SIZES[size])

    def part(
        split: str,
        name: str,
        chunk: int,
        count: int,
        labels: Sequence[str] = LABELS,
        index: int | None = None,
        **more: Any,
    ) -> Part:
        number = list(labels).index(name) if index is None else index
        file = f"{split}-{name}-{chunk}" + (".npz" if not labels else ".root")
        return Part(
            file, name, count, seed_of(dataset, split, number, chunk), labels=tuple(labels), **more
        )

    if dataset == "jet_tagging":
        parts = [part("test", name, 0, 2000) for name in LABELS]
        parts += [part("mpi_off", name, 0, 500, extra=(MPI_OFF,)) for name in ("QCD", "Tbqq")]
        parts += [part("validation", name, 0, 1000) for name in LABELS]
        return parts + [part("train", name, chunk, 10_000) for chunk in rounds for name in LABELS]
    if dataset == "quark_gluon":
        two = QUARK_GLUON_LABELS
        parts = [part("test", name, 0, 3000, two) for name in two] + [
            part("validation", name, 0, 1000, two) for name in two
        ]
        return parts + [part("train", name, chunk, 5000, two) for chunk in rounds for name in two]
    if dataset == "jet_generation":
        kinds = ("dijet_gluon", "dijet_quark")
        return [part("train", name, chunk, 10_000, kinds) for chunk in rounds for name in kinds]
    if dataset == "anomaly":
        counts = {"qcd": 20_000, "wprime": 5000, "zprime": 5000}
        parts = [
            part("test", name, 0, count, (), index)
            for index, (name, count) in enumerate(counts.items())
        ]
        parts += [
            part("train", name, 0, 5000, (), index)
            for index, name in ((1, "wprime"), (2, "zprime"))
        ]
        return parts + [
            part("train", "qcd", chunk, 10_000, (), 0) for chunk in range(4 if size == "S" else 12)
        ]
    raise ValueError(f"dataset {dataset!r} is not simulated here; there are {', '.join(_SETS)}")


def make(part: Part, folder: Path) -> dict[str, Any]:
    """Makes one file; returns its manifest entry."""
    path = folder / part.name
    if not part.labels:
        arrays = generate_dijets(DIJETS[part.process], part.count, seed=part.seed)
        digest = content_digest(arrays)
        with files.whole(path) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)
    else:
        columns, offsets, scalars = generate_jets(
            PROCESSES[part.process], part.count, seed=part.seed, extra=part.extra
        )
        arrays = jet_arrays(columns, offsets, scalars, [part.process] * part.count, part.labels)
        digest = content_digest(arrays | {"offsets": offsets})
        with files.whole(path) as partial:
            write_jets(partial, arrays, offsets)
    return {
        "process": part.process,
        "count": part.count,
        "seed": part.seed,
        "content": digest,
        "bytes": path.stat().st_size,
    }


def jet_arrays(
    columns: Flat,
    offsets: np.ndarray,
    scalars: Flat,
    processes: Sequence[str],
    labels: Sequence[str],
) -> dict[str, np.ndarray]:
    """JetClass's branches of generated jets: `part_*` flat, the others `[jet]`."""
    flags = {
        name: (value.astype(np.int8) if value.dtype == bool else value.astype(np.float32))
        for name, value in columns.items()
    }
    arrays = {f"part_{name}": value for name, value in flags.items()}
    arrays["part_charge"] = arrays["part_charge"].astype(np.int8)
    arrays |= {
        f"label_{name}": np.array([process == name for process in processes], bool)
        for name in labels
    }
    for name in (
        "pt",
        "eta",
        "phi",
        "energy",
        "nparticles",
        "sdmass",
        "tau1",
        "tau2",
        "tau3",
        "tau4",
    ):
        arrays[f"jet_{name}"] = scalars[name].astype(np.float32)
    return arrays | {"aux_event": scalars["event"].astype(np.int64)}


def write_jets(
    path: Path, arrays: Mapping[str, np.ndarray], offsets: np.ndarray, *, small: bool = False
) -> None:
    """A ROOT file with one TTree `tree`: LZ4 as JetClass, or the best compression that every
    reader of ROOT files has.

    Args:
        path: of the file.
        arrays: branch -> flat constituents (`part_*`) or `[jet]`.
        offsets: `[jet + 1]` of the constituents.
        small: LZMA, a fifth smaller than ZSTD-19; all columns of 20,000 jets are then read in
            1.5 s of CPU time in place of .5 s.
    """
    import awkward as ak
    import uproot

    compression = _lzma_of_words() if small else uproot.LZ4(4)
    jagged = {
        name.removeprefix("part_"): value
        for name, value in arrays.items()
        if name.startswith("part_")
    }
    flat = {name: value for name, value in arrays.items() if not name.startswith("part_")}
    with uproot.recreate(path, compression=compression) as file:
        file.mktree(
            "tree",
            {
                "part": "var * {"
                + ", ".join(f"{name}: {value.dtype.name}" for name, value in jagged.items())
                + "}"
            }
            | {name: value.dtype for name, value in flat.items()},
            title="simulated jets, JetClass layout",
        )
        for start in range(0, len(offsets) - 1, BASKET):
            stop = min(start + BASKET, len(offsets) - 1)
            counts = np.diff(offsets[start : stop + 1])
            inside = slice(int(offsets[start]), int(offsets[stop]))
            records = ak.zip(
                {name: ak.unflatten(value[inside], counts) for name, value in jagged.items()}
            )
            file["tree"].extend(
                {"part": records} | {name: value[start:stop] for name, value in flat.items()}
            )


def _lzma_of_words() -> Any:
    """ROOT's LZMA-9, told that numbers are four bytes long.

    A basket is a stream of big-endian words: exponents stand in every fourth byte, and the
    last bytes of rounded mantissas are zero. With contexts by place in the word (lp = pb = 2,
    lc = 0) such streams are 4 % smaller than by the preset, and any reader of xz unpacks them.
    """
    import lzma

    import uproot

    words = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 2, "pb": 2}
    words["dict_size"] = 1 << 22  # more than a basket; the preset's 64 MiB would be a reader's cost

    class Words(uproot.LZMA):
        code_pair = (uproot.const.kLZMA, 9)

        def compress(self, data: bytes) -> bytes:
            return lzma.compress(
                data, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, filters=[words]
            )

    return Words(9)


def join(folder: str | Path, names: Sequence[str], target: str | Path) -> str:
    """Joins finished files of a build into one that is small enough to ship; returns its
    content digest.

    Args:
        folder: of the build.
        names: of its files, in order.
        target: ROOT file to write.
    """
    import awkward as ak
    import uproot

    parts, sizes = [], []
    for name in names:
        with uproot.open(Path(folder) / name) as file:
            arrays = file["tree"].arrays()
        sizes.append(ak.to_numpy(arrays["npart"]))
        flat = {field: arrays[field] for field in arrays.fields if field != "npart"}
        parts.append(
            {
                field: ak.to_numpy(ak.flatten(value) if field.startswith("part_") else value)
                for field, value in flat.items()
            }
        )
    joined = {field: np.concatenate([part[field] for part in parts]) for field in parts[0]}
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int64)
    with files.whole(Path(target)) as partial:
        write_jets(partial, joined, offsets, small=True)
    return content_digest(joined | {"offsets": offsets})


def content_digest(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over names, types, shapes and values in the order of names: equal for equal
    data, whatever the file's bytes."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        value = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}:{value.dtype.str}:{value.shape};".encode() + value.tobytes())
    return digest.hexdigest()


def build(
    out: str | Path,
    *,
    dataset: str,
    size: str = "S",
    processes: int = 2,
    progress: Progress | None = None,
    first: int | None = None,
) -> Path:
    """Makes the files of a dataset that are not there yet.

    Args:
        out: folder; made if need be.
        dataset: as in `plan`.
        size: `S` or `M`.
        processes: worker processes.
        progress: called with (dataset, jets made, jets in all).
        first: only that many files of the plan.

    Raises:
        ImportError: the extra `generate` is missing.
        ValueError: the folder holds a file that its manifest describes otherwise.
    """
    import_generators()
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    parts = plan(dataset, size)[:first]
    manifest = _Manifest(folder / "manifest.json", dataset)
    todo = [part for part in parts if not manifest.has(part)]
    total, done = (
        sum(part.count for part in parts),
        sum(part.count for part in parts if part not in todo),
    )
    tell = progress or (lambda name, done, total: None)
    tell(dataset, done, total)
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(max(1, processes), mp_context=spawn) as pool:
        running = {pool.submit(make, part, folder): part for part in todo}
        try:
            for future in concurrent.futures.as_completed(running):
                manifest.add(running[future], future.result())
                done += running[future].count
                tell(dataset, done, total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return folder


def build_jet_tagging(
    out: str | Path, *, size: str = "S", progress: Progress | None = None
) -> Path:
    """Behind `zoo data build particle_physics/jet_tagging`."""
    return build(out, dataset="jet_tagging", size=size, progress=progress)


def build_quark_gluon(
    out: str | Path, *, size: str = "S", progress: Progress | None = None
) -> Path:
    """Behind `zoo data build particle_physics/quark_gluon`."""
    return build(out, dataset="quark_gluon", size=size, progress=progress)


def build_jet_generation(
    out: str | Path, *, size: str = "S", progress: Progress | None = None
) -> Path:
    """Behind `zoo data build particle_physics/jet_generation`."""
    return build(out, dataset="jet_generation", size=size, progress=progress)


def build_anomaly(out: str | Path, *, size: str = "S", progress: Progress | None = None) -> Path:
    """Behind `zoo data build particle_physics/anomaly`."""
    return build(out, dataset="anomaly", size=size, progress=progress)


class _Manifest:
    """`manifest.json` of a build folder: settings, versions, and each finished file's
    process, count, seed and digest."""

    def __init__(self, path: Path, dataset: str):
        self.path = path
        self.content: dict[str, Any] = {
            "dataset": f"particle_physics/{dataset}",
            "format": 1,
            "pythia": PYTHIA,
            "files": {},
        }
        if path.exists():
            self.content = json.loads(path.read_text(encoding="utf-8"))
        if self.content["dataset"] != f"particle_physics/{dataset}":
            raise ValueError(
                f"{path.parent} holds {self.content['dataset']}, not particle_physics/{dataset}; "
                "give another folder"
            )

    def has(self, part: Part) -> bool:
        known, file = self.content["files"].get(part.name), self.path.parent / part.name
        if known is None or not file.exists():
            return False
        if (known["seed"], known["count"], known["process"]) != (
            part.seed,
            part.count,
            part.process,
        ):
            raise ValueError(
                f"{file} was made with other settings ({known}); delete it, or build in another "
                "folder"
            )
        if file.stat().st_size != known["bytes"]:
            raise ValueError(
                f"{file} has {file.stat().st_size} bytes where the manifest says "
                f"{known['bytes']}; delete it and build again"
            )
        return True

    def add(self, part: Part, entry: dict[str, Any]) -> None:
        self.content["files"] = dict(sorted((self.content["files"] | {part.name: entry}).items()))
        files.write_text(self.path, json.dumps(self.content, indent=1) + "\n")
