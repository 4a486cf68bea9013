"""Opening one text file of sequences, plain or gzip, and saying in the reader's words what
is wrong with it."""

from __future__ import annotations

import contextlib
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from zoo.genomics.data.sequences import SequenceError

KINDS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".zarr": "zarr",
    ".fa": "fasta",
    ".fna": "fasta",
    ".fasta": "fasta",
    ".ffn": "fasta",
    ".gb": "genbank",
    ".gbk": "genbank",
    ".gbff": "genbank",
    ".genbank": "genbank",
    ".gff": "gff",
    ".gff3": "gff",
}


TABLES = ("csv", "tsv", "parquet", "fasta", "zarr")
"""Kinds of files that hold a table of sequences."""


class DataError(SequenceError):
    """A file of sequences cannot be used as it is; the message names the file, what is
    wrong and what would be right."""


def kind_of(path: Path, wanted: tuple[str, ...]) -> str:
    """What a file is by its suffix (`.gz` is left out of account): one of `wanted`.

    Raises:
        DataError: another suffix, or one that is known for something else; names the
            suffixes that would do.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".bgz"):
        suffixes.pop()
    kind = KINDS.get(suffixes[-1]) if suffixes else None
    if kind not in wanted:
        legal = ", ".join(suffix for suffix, each in KINDS.items() if each in wanted)
        raise DataError(
            f"{path}: what it holds is not clear from its name; names end in {legal}, text also "
            "in .gz after that"
        )
    return kind


@contextlib.contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """The text of a file, decompressed where its first bytes are gzip's, without a
    byte-order mark; any line end reads as a newline.

    Raises:
        FileNotFoundError: there is no such file.
        DataError: while it is open: an empty file, a truncated or damaged gzip, text that
            is not UTF-8.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist or is no file")
    with open(path, "rb") as raw:
        start = raw.read(2)
        raw.seek(0)
        if not start:
            raise DataError(f"{path} is empty")
        compressed = start == b"\x1f\x8b"
        if path.suffix.lower() in (".gz", ".bgz") and not compressed:
            raise DataError(
                f"{path} is called .gz and is no gzip file; rename it, or fetch it again"
            )
        if start in (b"\xff\xfe", b"\xfe\xff"):
            raise DataError(f"{path} is UTF-16 text; save it as UTF-8")
        binary = gzip.GzipFile(fileobj=raw) if compressed else raw
        try:
            with io.TextIOWrapper(binary, encoding="utf-8-sig") as text:
                yield text
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(
                f"{path} is a truncated or damaged gzip file ({error}); fetch or copy it again"
            ) from error
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path} is not UTF-8 text (byte {error.start} of a block: {error.reason}); save "
                "it as UTF-8"
            ) from error


def fasta_records(path: Path) -> list[tuple[str, str]]:
    """(header, letters) of every record of a FASTA file, by Biopython.

    Raises:
        DataError: the file is empty, does not begin with '>', or holds no record.
    """
    from Bio.SeqIO.FastaIO import SimpleFastaParser

    with open_text(path) as text:
        first = next((line for line in text if line.strip()), "")
        if not first.startswith(">"):
            raise DataError(
                f"{path} is no FASTA file: it begins with {first[:30].rstrip()!r}, not with '>'"
            )
    with open_text(path) as text:
        records = [
            (header, letters.replace("\t", "")) for header, letters in SimpleFastaParser(text)
        ]
    return records
