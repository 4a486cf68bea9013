"""Genomes and their genes: FASTA and GenBank through Biopython, and GFF3.

Coordinates are Python's: from 0, the stop excluded, on the forward strand whatever a gene's
strand is. (GFF3 counts from 1, stop included.)
"""

from __future__ import annotations

import collections
import os
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from zoo.genomics.data import sequences as dna
from zoo.genomics.data.containers import Features, Genome
from zoo.genomics.data.opening import DataError, fasta_records, kind_of, open_text
from zoo.genomics.data.store import genome_from_zarr


def read_genome(path: str | os.PathLike) -> Genome:
    """A genome from FASTA (`.fna`, `.fa`, `.fasta`) or GenBank (`.gb`, `.gbff`), plain or
    `.gz`, or from a store of `to_zarr`.

    Raises:
        FileNotFoundError: there is no such file.
        DataError: empty, truncated, no such format, a record without bases or a name given twice.
        zoo.genomics.data.sequences.SequenceError: a letter that is no base; names the
            record and the place.
    """
    path = Path(path)
    kind = kind_of(path, ("fasta", "genbank", "zarr"))
    if kind == "zarr":
        return genome_from_zarr(path)
    if kind == "fasta":
        records = [
            ((header.split() or [""])[0], letters) for header, letters in fasta_records(path)
        ]
    else:
        records = [(record.id, _sequence(path, record)) for record in _genbank(path)]
    names = [name for name, _ in records]
    if not names:
        raise DataError(f"{path} holds no record")
    twice = next((name for name, count in collections.Counter(names).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"{path} has two records called {twice!r}")
    return Genome(
        tuple(names),
        tuple(dna.encode(letters, name=f"{path} record {name}") for name, letters in records),
    )


def _genbank(path: Path) -> list:
    from Bio import SeqIO

    with open_text(path) as text:
        try:
            return list(SeqIO.parse(text, "genbank"))
        except (ValueError, AssertionError) as error:
            if isinstance(error, DataError | UnicodeDecodeError):
                raise
            raise DataError(
                f"{path} is no readable GenBank file ({error}); fetch it again"
            ) from error


def _sequence(path: Path, record) -> str:
    from Bio.Seq import UndefinedSequenceError

    try:
        return str(record.seq)
    except UndefinedSequenceError as error:
        raise DataError(
            f"{path} record {record.id} has no sequence in it; fetch the full GenBank file "
            "(`.gbff`), or FASTA"
        ) from error


def read_features(path: str | os.PathLike, genome: Genome, *, kind: str = "CDS") -> Features:
    """The rows of one kind from GFF3 (`.gff`, `.gff3`) or GenBank (`.gb`, `.gbff`), plain
    or `.gz`, placed on a genome.

    A feature over the origin of a circular record becomes two rows.

    Args:
        path: the annotation.
        genome: what it annotates; names must agree.
        kind: type of feature, GFF's third column.

    Raises:
        FileNotFoundError: there is no such file.
        DataError: no GFF3; a row with other than nine columns, an unknown record, a place
            outside its record, no strand or no phase (CDS); no feature of that kind (names
            the kinds that there are).
    """
    path = Path(path)
    rows = (
        _gff(path, genome, kind)
        if kind_of(path, ("gff", "genbank")) == "gff"
        else _genbank_features(path, genome, kind)
    )
    record, start, stop, strand, phase, pseudo, names, ids = zip(*rows, strict=True)
    return Features(
        np.array(record, np.int64),
        np.array(start, np.int64),
        np.array(stop, np.int64),
        np.array(strand, np.int8),
        np.array(phase, np.int8),
        np.array(pseudo, bool),
        tuple(names),
        tuple(ids),
    )


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
                raise DataError(
                    f"{where} has {len(columns)} columns; GFF3 has nine, separated by tabs"
                )
            name, _, what, first, last, _, strand, phase, text_attributes = columns
            attributes = dict(
                part.split("=", 1) for part in text_attributes.strip(";").split(";") if "=" in part
            )
            kinds.add(what)
            if attributes.get("Is_circular") == "true":
                circular.add(unquote(name))
            if what != kind:
                continue
            name = unquote(name)
            if name not in numbers:
                raise DataError(
                    f"{where} lies on {name!r}, which the genome lacks; it has "
                    f"{', '.join(genome.names[:10])}"
                )
            if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
                raise DataError(
                    f"{where}: {first}..{last} is no stretch; start and end count from 1, start "
                    "first"
                )
            if strand not in "+-" or len(strand) != 1:
                raise DataError(f"{where}: strand is {strand!r}; a {kind} needs + or -")
            if phase not in ("0", "1", "2") and (kind == "CDS" or phase != "."):
                raise DataError(f"{where}: phase is {phase!r}; a CDS needs 0, 1 or 2")
            label = unquote(
                next(
                    (
                        attributes[key]
                        for key in ("protein_id", "locus_tag", "Name", "ID")
                        if key in attributes
                    ),
                    "",
                )
            )
            pseudo = attributes.get("pseudo") == "true" or "pseudogene" in attributes
            own = (
                0 if phase == "." else int(phase),
                pseudo,
                label,
                unquote(attributes.get("ID", "")),
            )
            rows += _placed(
                where,
                genome,
                numbers[name],
                int(first) - 1,
                int(last),
                1 if strand == "+" else -1,
                own,
                name in circular,
            )
    if not rows:
        raise DataError(
            f"{path} has no {kind}; it has {', '.join(sorted(kinds)) or 'no feature at all'}"
        )
    return rows


def _placed(
    where: str,
    genome: Genome,
    record: int,
    start: int,
    stop: int,
    strand: int,
    own: tuple,
    circular: bool,
) -> list[tuple]:
    """One row, or two where a feature runs over the origin of a circular record."""
    size = len(genome.tokens[record])
    if stop <= size:
        return [(record, start, stop, strand, *own)]
    if not circular or start >= size or stop > 2 * size:
        raise DataError(
            f"{where}: {start + 1}..{stop} reaches beyond the {size} bases of "
            f"{genome.names[record]}; is it another genome's?"
        )
    before, after = size - start, stop - size
    # Phase of the part downstream: what the part upstream (left on the forward strand,
    # right on the reverse) leaves of a codon.
    phase, rest = own[0], own[1:]
    downstream = (phase - (before if strand > 0 else after)) % 3
    phases = (phase, downstream) if strand > 0 else (downstream, phase)
    return [
        (record, start, size, strand, phases[0], *rest),
        (record, 0, after, strand, phases[1], *rest),
    ]


def _genbank_features(path: Path, genome: Genome, kind: str) -> list[tuple]:
    numbers = {name: number for number, name in enumerate(genome.names)}
    rows, kinds = [], set()
    for record in _genbank(path):
        for feature in record.features:
            kinds.add(feature.type)
            if feature.type != kind:
                continue
            if record.id not in numbers:
                raise DataError(
                    f"{path} annotates {record.id!r}, which the genome lacks; it has "
                    f"{', '.join(genome.names[:10])}"
                )
            what = feature.qualifiers
            label = next(
                (what[key][0] for key in ("protein_id", "locus_tag", "gene") if key in what), ""
            )
            pseudo, done = (
                "pseudo" in what or "pseudogene" in what,
                int(what.get("codon_start", ["1"])[0]) - 1,
            )
            for part in feature.location.parts:  # Biopython gives them 5' to 3'
                if part.strand not in (1, -1):
                    raise DataError(f"{path}: {kind} {label or feature.location} has no strand")
                own = (done, pseudo, label, what.get("locus_tag", [label])[0])
                start, stop = int(part.start), int(part.end)
                rows += _placed(
                    f"{path} {kind} {label}",
                    genome,
                    numbers[record.id],
                    start,
                    stop,
                    part.strand,
                    own,
                    False,
                )
                done = (done - (stop - start)) % 3
    if not rows:
        raise DataError(
            f"{path} has no {kind}; it has {', '.join(sorted(kinds)) or 'no feature at all'}"
        )
    return rows
