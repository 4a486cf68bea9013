"""Genomes and their genes: FASTA and GenBank through Biopython, GFF3, and windows over a genome without loading it whole.

Coordinates are Python's: from 0, the stop excluded, on the forward strand whatever a gene's strand is. (GFF3 counts from 1, stop included.)
"""

from __future__ import annotations

import collections
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import numpy as np

from zoo.genomics import sequences as dna
from zoo.genomics.data.opening import DataError, kind_of, open_text
from zoo.genomics.data.tables import fasta_records

PIECE = 1 << 20
"""Bases of a FASTA file that are read at a time."""


@dataclasses.dataclass(frozen=True, eq=False)
class Genome:
    """Records (chromosomes, plasmids, contigs) of one genome.

    Attributes:
        names: identifier of each record, each once.
        tokens: int8 `[base]` of each record.
    """

    names: tuple[str, ...]
    tokens: tuple[np.ndarray, ...]

    def __getitem__(self, name: str) -> np.ndarray:
        """The tokens of one record. Raises `KeyError` with the names that there are."""
        if name not in self.names:
            raise KeyError(f"no record {name!r}; there are {', '.join(self.names[:10])}")
        return self.tokens[self.names.index(name)]

    @property
    def bases(self) -> int:
        """Bases of all records together."""
        return sum(map(len, self.tokens))


@dataclasses.dataclass(frozen=True, eq=False)
class Features:
    """Annotated stretches of a genome in the file's order; one row per row of the file, so a joined gene has several.

    Attributes:
        record: int64 `[feature]`, which record of the genome.
        start, stop: int64 `[feature]`, from 0, stop excluded, start < stop.
        strand: int8 `[feature]`, +1 forward, -1 reverse.
        phase: int8 `[feature]`, bases to leave out at the feature's 5' end before the first whole codon (0, 1, 2).
        pseudo: bool `[feature]`, marked as a pseudogene.
        names: protein or locus name of each.
        ids: GFF's ID (rows of one joined gene share it).
    """

    record: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    strand: np.ndarray
    phase: np.ndarray
    pseudo: np.ndarray
    names: tuple[str, ...]
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.start)

    def letters(self, genome: Genome, feature: int) -> np.ndarray:
        """Tokens `[base]` of one feature, read 5' to 3' on its own strand."""
        tokens = genome.tokens[self.record[feature]][self.start[feature] : self.stop[feature]]
        return tokens if self.strand[feature] > 0 else dna.reverse_complement(tokens)

    def covered(self, genome: Genome, *, strand: int = 0) -> tuple[np.ndarray, ...]:
        """Which bases of each record lie in a feature, bool `[base]`; of both strands (0), or of one."""
        masks = tuple(np.zeros(len(tokens), bool) for tokens in genome.tokens)
        for record, start, stop, own in zip(self.record, self.start, self.stop, self.strand, strict=True):
            if strand in (0, own):
                masks[record][start:stop] = True
        return masks


class Windows(NamedTuple):
    """A batch of windows: tokens int8 `[window, position]` (of the reverse strand: read on it), the record's number, start, strand."""

    tokens: np.ndarray
    record: np.ndarray
    start: np.ndarray
    strand: np.ndarray


def read_genome(path: str | os.PathLike) -> Genome:
    """A genome from FASTA (`.fna`, `.fa`, `.fasta`) or GenBank (`.gb`, `.gbff`), plain or `.gz`, or from a store of `to_zarr`.

    Raises:
        FileNotFoundError: there is no such file.
        DataError: empty, truncated, no such format, a record without bases or a name given twice.
        zoo.genomics.sequences.SequenceError: a letter that is no base; names the record and the place.
    """
    path = Path(path)
    kind = kind_of(path, ("fasta", "genbank", "zarr"))
    if kind == "zarr":
        from zoo.genomics.data.store import genome_from_zarr

        return genome_from_zarr(path)
    if kind == "fasta":
        records = [((header.split() or [""])[0], letters) for header, letters in fasta_records(path)]
    else:
        records = [(record.id, _sequence(path, record)) for record in _genbank(path)]
    names = [name for name, _ in records]
    if not names:
        raise DataError(f"{path} holds no record")
    twice = next((name for name, count in collections.Counter(names).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"{path} has two records called {twice!r}")
    return Genome(tuple(names), tuple(dna.encode(letters, name=f"{path} record {name}") for name, letters in records))


def _genbank(path: Path) -> list:
    from Bio import SeqIO

    with open_text(path) as text:
        try:
            return list(SeqIO.parse(text, "genbank"))
        except (ValueError, AssertionError) as error:
            if isinstance(error, DataError | UnicodeDecodeError):
                raise
            raise DataError(f"{path} is no readable GenBank file ({error}); fetch it again") from error


def _sequence(path: Path, record) -> str:
    from Bio.Seq import UndefinedSequenceError

    try:
        return str(record.seq)
    except UndefinedSequenceError as error:
        raise DataError(f"{path} record {record.id} has no sequence in it; fetch the full GenBank file (`.gbff`), or FASTA") from error


def read_features(path: str | os.PathLike, genome: Genome, *, kind: str = "CDS") -> Features:
    """The rows of one kind from GFF3 (`.gff`, `.gff3`) or GenBank (`.gb`, `.gbff`), plain or `.gz`, placed on a genome.

    A feature over the origin of a circular record becomes two rows.

    Args:
        path: the annotation.
        genome: what it annotates; names must agree.
        kind: type of feature, GFF's third column.

    Raises:
        FileNotFoundError: there is no such file.
        DataError: no GFF3; a row with other than nine columns, an unknown record, a place outside its record, no strand or no phase (CDS);
            no feature of that kind (names the kinds that there are).
    """
    path = Path(path)
    rows = _gff(path, genome, kind) if kind_of(path, ("gff", "genbank")) == "gff" else _genbank_features(path, genome, kind)
    record, start, stop, strand, phase, pseudo, names, ids = zip(*rows, strict=True)
    return Features(
        np.array(record, np.int64), np.array(start, np.int64), np.array(stop, np.int64), np.array(strand, np.int8),
        np.array(phase, np.int8), np.array(pseudo, bool), tuple(names), tuple(ids),
    )  # fmt: skip


def _gff(path: Path, genome: Genome, kind: str) -> list[tuple]:
    numbers = {name: number for number, name in enumerate(genome.names)}
    rows, kinds, circular = [], set(), set()
    with open_text(path) as text:
        for place, line in enumerate(text, 1):
            if line.startswith("##FASTA") or line.startswith(">"):
                break
            line = line.rstrip("\n")
            if not line.strip() or line.startswith("#"):
                continue
            columns = line.split("\t")
            where = f"{path} line {place}"
            if len(columns) != 9:
                raise DataError(f"{where} has {len(columns)} columns; GFF3 has nine, separated by tabs")
            name, _, what, first, last, _, strand, phase, text_attributes = columns
            attributes = dict(part.split("=", 1) for part in text_attributes.strip(";").split(";") if "=" in part)
            kinds.add(what)
            if attributes.get("Is_circular") == "true":
                circular.add(unquote(name))
            if what != kind:
                continue
            name = unquote(name)
            if name not in numbers:
                raise DataError(f"{where} lies on {name!r}, which the genome lacks; it has {', '.join(genome.names[:10])}")
            if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
                raise DataError(f"{where}: {first}..{last} is no stretch; start and end count from 1, start first")
            if strand not in "+-" or len(strand) != 1:
                raise DataError(f"{where}: strand is {strand!r}; a {kind} needs + or -")
            if phase not in ("0", "1", "2") and (kind == "CDS" or phase != "."):
                raise DataError(f"{where}: phase is {phase!r}; a CDS needs 0, 1 or 2")
            label = unquote(next((attributes[key] for key in ("protein_id", "locus_tag", "Name", "ID") if key in attributes), ""))
            pseudo = attributes.get("pseudo") == "true" or "pseudogene" in attributes
            own = (0 if phase == "." else int(phase), pseudo, label, unquote(attributes.get("ID", "")))
            rows += _placed(where, genome, numbers[name], int(first) - 1, int(last), 1 if strand == "+" else -1, own, name in circular)
    if not rows:
        raise DataError(f"{path} has no {kind}; it has {', '.join(sorted(kinds)) or 'no feature at all'}")
    return rows


def _placed(where: str, genome: Genome, record: int, start: int, stop: int, strand: int, own: tuple, circular: bool) -> list[tuple]:
    """One row, or two where a feature runs over the origin of a circular record."""
    size = len(genome.tokens[record])
    if stop <= size:
        return [(record, start, stop, strand, *own)]
    if not circular or start >= size or stop > 2 * size:
        raise DataError(f"{where}: {start + 1}..{stop} reaches beyond the {size} bases of {genome.names[record]}; is it another genome's?")
    before, after = size - start, stop - size
    # Phase of the part downstream: what the part upstream (left on the forward strand, right on the reverse) leaves of a codon.
    phase, rest = own[0], own[1:]
    downstream = (phase - (before if strand > 0 else after)) % 3
    phases = (phase, downstream) if strand > 0 else (downstream, phase)
    return [(record, start, size, strand, phases[0], *rest), (record, 0, after, strand, phases[1], *rest)]


def _genbank_features(path: Path, genome: Genome, kind: str) -> list[tuple]:
    numbers = {name: number for number, name in enumerate(genome.names)}
    rows, kinds = [], set()
    for record in _genbank(path):
        for feature in record.features:
            kinds.add(feature.type)
            if feature.type != kind:
                continue
            if record.id not in numbers:
                raise DataError(f"{path} annotates {record.id!r}, which the genome lacks; it has {', '.join(genome.names[:10])}")
            what = feature.qualifiers
            label = next((what[key][0] for key in ("protein_id", "locus_tag", "gene") if key in what), "")
            pseudo, done = "pseudo" in what or "pseudogene" in what, int(what.get("codon_start", ["1"])[0]) - 1
            for part in feature.location.parts:  # Biopython gives them 5' to 3'
                if part.strand not in (1, -1):
                    raise DataError(f"{path}: {kind} {label or feature.location} has no strand")
                own = (done, pseudo, label, what.get("locus_tag", [label])[0])
                start, stop = int(part.start), int(part.end)
                rows += _placed(f"{path} {kind} {label}", genome, numbers[record.id], start, stop, part.strand, own, False)
                done = (done - (stop - start)) % 3
    if not rows:
        raise DataError(f"{path} has no {kind}; it has {', '.join(sorted(kinds)) or 'no feature at all'}")
    return rows


def windows(
    genome: Genome | str | os.PathLike,
    length: int,
    stride: int | None = None,
    both_strands: bool = False,
    *,
    batch_size: int = 1024,
    tail: bool = False,
) -> Iterator[Windows]:
    """Batches of windows over every record, in order; of a path no more than a piece of a record is in memory at a time.

    Args:
        genome: tokens in memory; or a FASTA file (`.gz` too; read line by line) or a Zarr store of `to_zarr` (read chunk by chunk).
        length: bases of a window.
        stride: bases from one window to the next; by default `length`. Bases between windows (stride > length) are skipped.
        both_strands: whether each window is followed by its reverse complement (same `start`, strand -1).
        batch_size: windows in a batch; the last batch may be smaller.
        tail: whether a record's last bases, that fill no whole window, make one more, padded at its end; by default they are left out.

    Raises:
        ValueError: length, stride or batch_size below one.
        DataError, FileNotFoundError: as `read_genome`.
    """
    stride = length if stride is None else stride
    if min(length, stride, batch_size) < 1:
        raise ValueError(f"length={length}, stride={stride}, batch_size={batch_size}: each must be at least 1")
    return _batches(_pieces(genome), length, stride, both_strands, batch_size, tail)


def _pieces(genome: Genome | str | os.PathLike) -> Iterator[tuple[int, np.ndarray]]:
    """(record number, tokens) of stretches that follow one another."""
    if isinstance(genome, Genome):
        yield from enumerate(genome.tokens)
        return
    path = Path(genome)
    if kind_of(path, ("fasta", "zarr")) == "zarr":
        from zoo.genomics.data.store import genome_parts

        _, lengths, array = genome_parts(path)
        end, step = 0, array.chunks[0]
        for number, size in enumerate(lengths):
            start, end = end, end + size
            while start < end:  # up to the chunk's own end: no chunk is decompressed twice, but where two records share it
                stop = min((start // step + 1) * step, end)
                yield number, np.asarray(array[start:stop])
                start = stop
        return
    # Why not Bio.SeqIO.index: it gives a whole record at once, and a record is a chromosome.
    number, name, lines, held = -1, "", [], 0
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
                    raise DataError(f"{path} is no FASTA file: it begins with {line[:30].rstrip()!r}, not with '>'")
                lines.append(line.strip().replace(" ", ""))
                held += len(line)
    if lines:
        yield number, dna.encode("".join(lines), name=f"{path} record {name}, a piece,")


def _batches(
    pieces: Iterator[tuple[int, np.ndarray]], length: int, stride: int, both_strands: bool, batch_size: int, tail: bool
) -> Iterator[Windows]:
    waiting: list[Windows] = []
    count = 0
    for found in _cut(pieces, length, stride, tail, batch_size):
        if both_strands:
            tokens = np.stack([found.tokens, dna.reverse_complement(found.tokens)], 1).reshape(-1, length)
            strand = np.tile(np.array([1, -1], np.int8), len(found.tokens))
            found = Windows(tokens, np.repeat(found.record, 2), np.repeat(found.start, 2), strand)
        waiting.append(found)
        count += len(found.tokens)
        if count >= batch_size:
            joined = Windows(*map(np.concatenate, zip(*waiting, strict=True)))
            whole = count // batch_size * batch_size
            for start in range(0, whole, batch_size):
                yield Windows(*(part[start : start + batch_size] for part in joined))
            waiting, count = [Windows(*(part[whole:] for part in joined))], count - whole
    if count:
        yield Windows(*map(np.concatenate, zip(*waiting, strict=True)))


def _cut(pieces: Iterator[tuple[int, np.ndarray]], length: int, stride: int, tail: bool, most: int) -> Iterator[Windows]:
    """The windows of each piece, with what the piece before it left over; never across two records, at most `most` at a time."""
    record, kept, first, skip = -1, np.empty(0, np.int8), 0, 0  # `first`: where `kept` begins in its record; may lie beyond what was read
    for number, tokens in pieces:
        if number != record:
            if tail and len(kept):
                yield _rest(kept, record, first, length)
            record, kept, first, skip = number, np.empty(0, np.int8), 0, 0
        kept = np.concatenate([kept, tokens[skip:]])
        skip = max(skip - len(tokens), 0)
        n = (len(kept) - length) // stride + 1 if len(kept) >= length else 0
        if n:
            view = np.lib.stride_tricks.sliding_window_view(kept, length)[: (n - 1) * stride + 1 : stride]
            for begin in range(0, n, most):
                part = view[begin : begin + most]
                start = first + stride * np.arange(begin, begin + len(part))
                yield Windows(part, np.full(len(part), record, np.int64), start, np.ones(len(part), np.int8))
            skip += max(n * stride - len(kept), 0)
            kept, first = kept[n * stride :], first + n * stride
    if tail and len(kept):
        yield _rest(kept, record, first, length)


def _rest(kept: np.ndarray, record: int, first: int, length: int) -> Windows:
    padded = np.full((1, length), dna.PADDING, np.int8)
    padded[0, : len(kept)] = kept[:length]
    return Windows(padded, np.array([record], np.int64), np.array([first], np.int64), np.ones(1, np.int8))
