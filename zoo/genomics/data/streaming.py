"""Windows over a genome, in batches, without loading it whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.genomics.data import sequences as dna
from zoo.genomics.data.containers import Genome
from zoo.genomics.data.opening import DataError, kind_of, open_text
from zoo.genomics.data.store import genome_parts

PIECE = 1 << 20
"""Bases of a FASTA file that are read at a time."""


class Windows(NamedTuple):
    """A batch of windows: tokens int8 `[window, position]` (of the reverse strand: read on
    it), the record's number, start, strand."""

    tokens: np.ndarray
    record: np.ndarray
    start: np.ndarray
    strand: np.ndarray


def windows(
    genome: Genome | str | os.PathLike,
    length: int,
    stride: int | None = None,
    both_strands: bool = False,
    *,
    batch_size: int = 1024,
    tail: bool = False,
) -> Iterator[Windows]:
    """Batches of windows over every record, in order; of a path no more than a piece of a
    record is in memory at a time.

    Args:
        genome: tokens in memory; or a FASTA file (`.gz` too; read line by line) or a Zarr
            store of `to_zarr` (read chunk by chunk).
        length: bases of a window.
        stride: bases from one window to the next; by default `length`. Bases between
            windows (stride > length) are skipped.
        both_strands: whether each window is followed by its reverse complement (same
            `start`, strand -1).
        batch_size: windows in a batch; the last batch may be smaller.
        tail: whether a record's last bases, that fill no whole window, make one more,
            padded at its end; by default they are left out.

    Raises:
        ValueError: length, stride or batch_size below one.
        DataError, FileNotFoundError: as `read_genome`.
    """
    stride = length if stride is None else stride
    if min(length, stride, batch_size) < 1:
        raise ValueError(
            f"length={length}, stride={stride}, batch_size={batch_size}: each must be at least 1"
        )
    return _batches(_pieces(genome), length, stride, both_strands, batch_size, tail)


def _pieces(genome: Genome | str | os.PathLike) -> Iterator[tuple[int, np.ndarray]]:
    """(record number, tokens) of stretches that follow one another."""
    if isinstance(genome, Genome):
        yield from enumerate(genome.tokens)
        return
    path = Path(genome)
    if kind_of(path, ("fasta", "zarr")) == "zarr":
        _, lengths, array = genome_parts(path)
        end, step = 0, array.chunks[0]
        for number, size in enumerate(lengths):
            start, end = end, end + size
            while (
                start < end
                # up to the chunk's own end: no chunk is decompressed twice, but where two
                # records share it
            ):
                stop = min((start // step + 1) * step, end)
                yield number, np.asarray(array[start:stop])
                start = stop
        return
    # Why not Bio.SeqIO.index: it gives a whole record at once, and a record is a chromosome.
    lines: list[str] = []
    number, name, held = -1, "", 0
    with open_text(path) as text:
        for line in text:
            header = line.startswith(">")
            if header or held > PIECE:
                if lines:
                    yield number, dna.encode("".join(lines), name=f"{path} record {name}, a piece,")
                lines, held = [], 0
            if header:
                number, name = number + 1, line[1:].strip()
            elif line.strip():
                if number < 0:
                    raise DataError(
                        f"{path} is no FASTA file: it begins with {line[:30].rstrip()!r}, not "
                        "with '>'"
                    )
                lines.append(line.strip().replace(" ", ""))
                held += len(line)
    if lines:
        yield number, dna.encode("".join(lines), name=f"{path} record {name}, a piece,")


def _batches(
    pieces: Iterator[tuple[int, np.ndarray]],
    length: int,
    stride: int,
    both_strands: bool,
    batch_size: int,
    tail: bool,
) -> Iterator[Windows]:
    waiting: list[Windows] = []
    count = 0
    for found in _cut(pieces, length, stride, tail, batch_size):
        if both_strands:
            tokens = np.stack([found.tokens, dna.reverse_complement(found.tokens)], 1).reshape(
                -1, length
            )
            strand = np.tile(np.array([1, -1], np.int8), len(found.tokens))
            found = Windows(tokens, np.repeat(found.record, 2), np.repeat(found.start, 2), strand)
        waiting.append(found)
        count += len(found.tokens)
        if count >= batch_size:
            every = Windows(*map(np.concatenate, zip(*waiting, strict=True)))
            whole = count // batch_size * batch_size
            for start in range(0, whole, batch_size):
                yield Windows(*(part[start : start + batch_size] for part in every))
            waiting, count = [Windows(*(part[whole:] for part in every))], count - whole
    if count:
        yield Windows(*map(np.concatenate, zip(*waiting, strict=True)))


def _cut(
    pieces: Iterator[tuple[int, np.ndarray]], length: int, stride: int, tail: bool, most: int
) -> Iterator[Windows]:
    """The windows of each piece, with what the piece before it left over; never across two
    records, at most `most` at a time."""
    # `first`: where `kept` begins in its record; may lie beyond what was read
    record, kept, first, skip = -1, np.empty(0, np.int8), 0, 0
    for number, tokens in pieces:
        if number != record:
            if tail and len(kept):
                yield _rest(kept, record, first, length)
            record, kept, first, skip = number, np.empty(0, np.int8), 0, 0
        kept = np.concatenate([kept, tokens[skip:]])
        skip = max(skip - len(tokens), 0)
        n = (len(kept) - length) // stride + 1 if len(kept) >= length else 0
        if n:
            view = np.lib.stride_tricks.sliding_window_view(kept, length)[
                : (n - 1) * stride + 1 : stride
            ]
            for begin in range(0, n, most):
                part = view[begin : begin + most]
                start = first + stride * np.arange(begin, begin + len(part))
                yield Windows(
                    part, np.full(len(part), record, np.int64), start, np.ones(len(part), np.int8)
                )
            skip += max(n * stride - len(kept), 0)
            kept, first = kept[n * stride :], first + n * stride
    if tail and len(kept):
        yield _rest(kept, record, first, length)


def _rest(kept: np.ndarray, record: int, first: int, length: int) -> Windows:
    padded = np.full((1, length), dna.PADDING, np.int8)
    padded[0, : len(kept)] = kept[:length]
    return Windows(
        padded, np.array([record], np.int64), np.array([first], np.int64), np.ones(1, np.int8)
    )
