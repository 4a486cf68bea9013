"""Simulated jets in ROOT files of the JetClass layout: branches, compression, and a digest of
the content that does not depend on the file's bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import files
from zoo.particle_physics.simulation.events import Flat

BASKET = 5000
"""Jets per basket of a ROOT file."""


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


def join_files(folder: str | Path, names: Sequence[str], target: str | Path) -> str:
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
    whole = {field: np.concatenate([part[field] for part in parts]) for field in parts[0]}
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int64)
    with files.whole(Path(target)) as partial:
        write_jets(partial, whole, offsets, small=True)
    return content_digest(whole | {"offsets": offsets})


def content_digest(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over names, types, shapes and values in the order of names: equal for equal
    data, whatever the file's bytes."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        value = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}:{value.dtype.str}:{value.shape};".encode() + value.tobytes())
    return digest.hexdigest()
