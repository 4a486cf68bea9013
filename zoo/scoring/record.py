"""The per-example record on disk: named arrays, one row per example, in one Zarr zip whose
bytes depend on nothing but them.

It lies beside its entry and is hashed into it, so intervals, paired tests and rescoring all
come from the same small file. `write_group` also serves data sets of our own: a zip with
sorted members, fixed dates and fixed permissions can be rebuilt to the same SHA-256.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo import files


class RecordError(ValueError):
    """A record cannot be read."""


def write(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays as a deterministic Zarr v3 zip, to a temporary name first."""
    import zarr
    from zarr.storage import MemoryStore

    store = MemoryStore()
    with zarr.config.set({"json_indent": None}):  # a record has ten small arrays: 200 bytes of each
        group = zarr.create_group(store)
        for name in sorted(arrays):
            value = np.ascontiguousarray(arrays[name])
            if value.dtype.kind == "U":
                # UTF-8 bytes of one width: plain Zarr v3, readable by every implementation
                value = np.char.encode(value, "utf-8")
            attributes: dict[str, Any] = {}
            if value.dtype.kind == "S":
                attributes = {"text": "utf-8"}
                value = np.frombuffer(value.tobytes(), np.uint8).reshape(
                    *value.shape, max(value.dtype.itemsize, 1)
                )
            group.create_array(
                name,
                data=value,
                chunks=value.shape or "auto",
                compressors=_smallest(value),
                attributes=attributes,
            )
    members = {key: buffer.to_bytes() for key, buffer in store._store_dict.items()}
    write_zip(path, members)


def _smallest(value: np.ndarray) -> Any:
    """Zstandard by Blosc, with the order of bytes or bits that packs these numbers best.

    Why all three are tried: none is best for floats, flags and ranks alike, and the records
    of a board lie in the repository.
    """
    from numcodecs.blosc import BITSHUFFLE, NOSHUFFLE, SHUFFLE, Blosc
    from zarr.codecs import BloscCodec

    orders = {"shuffle": SHUFFLE, "bitshuffle": BITSHUFFLE, "noshuffle": NOSHUFFLE}

    def packed(order: str) -> int:
        return len(Blosc(cname="zstd", clevel=9, shuffle=orders[order]).encode(value))

    smallest: Any = min(orders, key=packed)
    return BloscCodec(cname="zstd", clevel=9, shuffle=smallest)


def write_zip(path: str | Path, members: Mapping[str, bytes], *, permissions: int = 0o644) -> None:
    """A zip of already compressed members whose bytes depend only on names, contents and
    `permissions`."""
    with (
        files.whole(Path(path)) as temporary,
        zipfile.ZipFile(temporary, "w", compression=zipfile.ZIP_STORED) as archive,
    ):
        for name in sorted(members):
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.external_attr = permissions << 16
            archive.writestr(info, members[name])


def read(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a record.

    Raises:
        RecordError: the file is truncated or no Zarr zip.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            # zarr's own complaint about what is no zip is an AttributeError
            quick = _as_written(archive)
        if quick is not None:
            return quick
        import zarr
        from zarr.storage import ZipStore

        with ZipStore(path, mode="r") as store:
            group = zarr.open_group(store, mode="r")
            arrays = {}
            for name, array in group.arrays():
                value = np.asarray(array[...])
                if array.attrs.get("text") == "utf-8":
                    value = np.char.decode(value.view(f"S{value.shape[-1]}")[..., 0], "utf-8")
                arrays[name] = value
            return arrays
    except (zipfile.BadZipFile, OSError, KeyError, ValueError, RuntimeError) as error:
        raise RecordError(f"{path} is no readable record ({error})") from error


def _as_written(archive: zipfile.ZipFile) -> dict[str, np.ndarray] | None:
    """The arrays of a record laid out as `write` does it (one chunk an array,
    little-endian, Blosc); None for any other layout.

    Why not always zarr: it takes ten milliseconds to open ten small arrays, and the board
    opens thousands of records.
    """
    from numcodecs.blosc import decompress

    names = set(archive.namelist())
    arrays = {}
    for member in sorted(names):
        name, _, last = member.rpartition("/")
        if last != "zarr.json" or not name:
            continue
        about = json.loads(archive.read(member))
        shape = tuple(about.get("shape", ()))
        codecs = [
            (codec["name"], codec.get("configuration", {})) for codec in about.get("codecs", [])
        ]
        plain = (
            about.get("node_type") == "array"
            and "/" not in name
            and about["data_type"] in PLAIN
            and about["chunk_grid"]
            == {"name": "regular", "configuration": {"chunk_shape": list(shape)}}
            and about["chunk_key_encoding"]
            == {"name": "default", "configuration": {"separator": "/"}}
            and [codec for codec, _ in codecs] == ["bytes", "blosc"]
            and codecs[0][1].get("endian", "little") == "little"
        )
        chunk = f"{name}/c" + "/0" * len(shape)
        if not plain or chunk not in names:  # a chunk of nothing but the fill value is not stored
            return None
        dtype = np.dtype(about["data_type"]).newbyteorder("<")
        content = decompress(archive.read(chunk))
        if len(content) != dtype.itemsize * math.prod(shape):
            return None
        value = np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))
        if about.get("attributes", {}).get("text") == "utf-8":
            value = np.char.decode(value.view(f"S{value.shape[-1]}")[..., 0], "utf-8")
        arrays[name] = value
    return arrays


PLAIN = {"bool", "float16", "float32", "float64"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
"""Types that NumPy and Zarr call by the same name."""
