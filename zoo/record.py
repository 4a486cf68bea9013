"""The per-example record on disk: named arrays, one row per example, in one Zarr zip whose bytes depend on nothing but them.

It lies beside its entry and is hashed into it, so intervals, paired tests and rescoring all come from the same small file.
`write_group` also serves data sets of our own: a zip with sorted members, fixed dates and fixed permissions can be rebuilt to
the same SHA-256.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from zoo import files


class RecordError(ValueError):
    """A record cannot be read."""


def write(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays as a deterministic Zarr v3 zip, to a temporary name first."""
    import zarr
    from zarr.codecs import BloscCodec
    from zarr.storage import MemoryStore

    store = MemoryStore()
    group = zarr.create_group(store)
    for name in sorted(arrays):
        value = np.ascontiguousarray(arrays[name])
        if value.dtype.kind == "U":  # stored as UTF-8 bytes of one width: plain Zarr v3, readable by every implementation
            value = np.char.encode(value, "utf-8")
        if value.dtype.kind == "S":
            value = np.frombuffer(value.tobytes(), np.uint8).reshape(*value.shape, max(value.dtype.itemsize, 1))
            array = group.create_array(name, data=value, chunks=value.shape, compressors=BloscCodec(cname="zstd", clevel=9))
            array.attrs["text"] = "utf-8"
        else:
            codec = BloscCodec(cname="zstd", clevel=9, shuffle="shuffle")
            group.create_array(name, data=value, chunks=value.shape or "auto", compressors=codec)
    members = {key: buffer.to_bytes() for key, buffer in store._store_dict.items()}
    write_zip(path, members)


def write_zip(path: str | Path, members: Mapping[str, bytes]) -> None:
    """A zip of already compressed members whose bytes depend only on names and contents."""
    with files.whole(Path(path)) as temporary, zipfile.ZipFile(temporary, "w", compression=zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            archive.writestr(info, members[name])


def read(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a record.

    Raises:
        RecordError: the file is truncated or no Zarr zip.
    """
    import zarr
    from zarr.storage import ZipStore

    try:
        with zipfile.ZipFile(path):  # zarr's own complaint about what is no zip is an AttributeError
            pass
        with ZipStore(path, mode="r") as store:
            group = zarr.open_group(store, mode="r")
            arrays = {}
            for name, array in group.arrays():
                value = np.asarray(array[...])
                if array.attrs.get("text") == "utf-8":
                    value = np.char.decode(value.view(f"S{value.shape[-1]}")[..., 0], "utf-8")
                arrays[name] = value
            return arrays
    except (zipfile.BadZipFile, OSError, KeyError, ValueError) as error:
        raise RecordError(f"{path} is no readable record ({error})") from error
