"""Tokens in Zarr v3: int8 in chunks of rows, so that a set or a genome larger than memory
is read piece by piece.

    <store>/    attributes: format, ids, classes, names, lengths
        tokens  int8 [sequence, position] or [base]
        labels  int64 [sequence]

A store is written under a temporary name beside its own and renamed when it is whole.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from zoo.genomics.data.containers import Genome, LabelledSequences
from zoo.genomics.data.opening import DataError
from zoo.genomics.data.sequences import PADDING

ROWS, BASES = 4096, 1 << 20
"""Rows of a table and bases of a genome in one chunk."""
SEQUENCES, GENOME = "scizoo sequences 1", "scizoo genome 1"


def to_zarr(
    content: LabelledSequences | Genome, path: str | os.PathLike, *, overwrite: bool = False
) -> Path:
    """Writes a table of sequences or a genome as a folder store; the path.

    Raises:
        FileExistsError: the path exists and `overwrite` is false.
    """
    import zarr
    from zarr.codecs import BloscCodec

    path = Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; say overwrite=True to replace it")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    codec = BloscCodec(cname="zstd", clevel=5, shuffle="noshuffle")
    try:
        group = zarr.create_group(part, zarr_format=3)
        if isinstance(content, Genome):
            lengths = [len(tokens) for tokens in content.tokens]
            group.attrs.update({"format": GENOME, "names": list(content.names), "lengths": lengths})
            shape: tuple[int, ...] = (sum(lengths),)
            chunks: tuple[int, ...] = (BASES,)
            array = group.create_array(
                "tokens",
                shape=shape,
                chunks=chunks,
                dtype="int8",
                compressors=codec,
                fill_value=PADDING,
            )
            start = 0
            for tokens in content.tokens:
                array[start : start + len(tokens)] = tokens
                start += len(tokens)
        else:
            group.attrs.update(
                {"format": SEQUENCES, "ids": list(content.ids), "classes": list(content.classes)}
            )
            shape = content.tokens.shape
            chunks = (min(ROWS, max(shape[0], 1)), max(shape[1], 1))
            array = group.create_array(
                "tokens",
                shape=shape,
                chunks=chunks,
                dtype="int8",
                compressors=codec,
                fill_value=PADDING,
            )
            array[...] = content.tokens
            if content.labels is not None:
                group.create_array(
                    "labels", data=content.labels.astype(np.int64), compressors=codec
                )
        if path.exists():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        part.replace(path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return path


def from_zarr(path: str | os.PathLike) -> LabelledSequences:
    """The table of sequences of a store.

    Raises:
        FileNotFoundError: there is no such store.
        DataError: it is no store of `to_zarr`, or its parts do not belong together.
    """
    group = _open(path, SEQUENCES)
    labels = np.asarray(group["labels"][...]) if "labels" in group else None
    return LabelledSequences(
        np.asarray(group["tokens"][...]),
        labels,
        tuple(group.attrs["ids"]),
        tuple(group.attrs["classes"]),
    )


def genome_from_zarr(path: str | os.PathLike) -> Genome:
    """The genome of a store, loaded whole; `windows` reads the same store piece by piece.
    Raises as `from_zarr`."""
    names, lengths, array = genome_parts(path)
    ends = np.cumsum(lengths)
    return Genome(
        names,
        tuple(
            np.asarray(array[end - length : end]) for end, length in zip(ends, lengths, strict=True)
        ),
    )


def genome_parts(path: str | os.PathLike) -> tuple[tuple[str, ...], tuple[int, ...], Any]:
    """Names, lengths, and the (unread) Zarr array of all bases of a genome store, one
    record after another. Raises as `from_zarr`."""
    group = _open(path, GENOME)
    return tuple(group.attrs["names"]), tuple(group.attrs["lengths"]), group["tokens"]


def _open(path: str | os.PathLike, kind: str) -> Any:
    import zarr

    if not Path(path).exists():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        group = zarr.open_group(path, mode="r")
        found = group.attrs.get("format")
        array = group["tokens"] if found == kind else None
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} is no Zarr store of this format ({error})") from error
    if array is None:
        raise DataError(
            f"{path} is {found or 'a Zarr store without `format`'}, not {kind!r}; `to_zarr` "
            "writes one"
        )
    return group
