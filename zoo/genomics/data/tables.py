"""Tables of sequences, with or without labels, as padded tokens: CSV, TSV, Parquet, FASTA
(text also gzipped) and our Zarr stores.

What is put right without a word: lower case, U for T, IUPAC letters (read as N), Windows
line ends, a byte-order mark, blank lines, sequences of different lengths (padded at their
end). What is refused, with the row and the way out: an empty table, wrong column names, an
empty sequence, a letter that is no base, a missing label, a label that is no class, one
class only, an id given twice, rows with too few or too many fields, a truncated file.
"""

from __future__ import annotations

import collections
import contextlib
import csv
import difflib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.genomics.data import sequences as dna
from zoo.genomics.data.containers import LabelledSequences
from zoo.genomics.data.opening import TABLES, DataError, fasta_records, kind_of, open_text
from zoo.genomics.data.store import from_zarr

MOST_CLASSES = 1000
"""More label values than this are a measured quantity, not classes."""


def read_table(
    path: str | os.PathLike,
    *,
    sequence: str = "sequence",
    label: str | None = "label",
    id: str | None = "id",
    classes: Sequence[str] | None = None,
    length: int | None = None,
) -> LabelledSequences:
    """The sequences of a table in the file's order.

    In FASTA the label is `label=NAME` anywhere in a header, or the whole number after its
    last `|`; headers without give no labels. Labels that are whole numbers keep their
    order; other names are sorted.

    Args:
        path: `.csv`, `.tsv`, `.fa`, `.fna`, `.fasta` (each also `.gz`), `.parquet` (extra
            `parquet`) or a `.zarr` store of `to_zarr`.
        sequence: name of the column of letters.
        label: name of the column of labels; None: no labels are read.
        id: name of a column of names, used where the table has it (FASTA: the headers'
            first words); None: rows are numbered from "1".
        classes: names of the classes in their order, from the training table; by default
            those of this table, of which it then needs at least two. With it, a table may
            lack classes, and another label is an error.
        length: positions of the tokens; by default those of the longest sequence.

    Raises:
        DataError: see the module; names the file, the row and what would be right.
        zoo.genomics.data.sequences.SequenceError: a sequence is empty, is no DNA, or is
            longer than `length`.
        ImportError: Parquet without pyarrow; says what to install.
    """
    path = Path(path)
    kind = kind_of(path, TABLES)
    if kind == "zarr":
        return _of_store(path, from_zarr(path), label=label, classes=classes, length=length)
    names: list[str] | None
    each: list[str] | None
    if kind == "fasta":
        letters, names, each = _fasta(path, label)
    elif kind == "parquet":
        letters, names, each = _parquet(path, sequence, label, id)
    else:
        letters, names, each = _delimited(path, "," if kind == "csv" else "\t", sequence, label, id)
    if not letters:
        raise DataError(f"{path} holds no sequence")
    tokens = dna.encode_all(letters, length=length, name=f"{path} sequence")
    if names is None or id is None:
        names = [str(number) for number in range(1, len(letters) + 1)]
    twice = [name for name, count in collections.Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"{path}: {len(twice)} ids are given more than once, first {twice[0]!r}; give each "
            "its own, or say id=None"
        )
    labels, found = (None, ()) if each is None else _classes(path, each, classes)
    return LabelledSequences(tokens, labels, tuple(names), found)


def read_column(path: str | os.PathLike, name: str) -> list[str | None]:
    """The values of one column of a table `[sequence]`, as text; None where a record has none.

    In FASTA a column is `NAME=VALUE` anywhere in a header.

    Args:
        path: as `read_table` takes it.
        name: of the column.

    Raises:
        DataError: no such column (names those that there are), or a Zarr store, which keeps none.
    """
    path = Path(path)
    kind = kind_of(path, TABLES)
    if kind == "zarr":
        raise DataError(
            f"{path} is a Zarr store, which keeps no column {name!r}; bring a table, or a "
            "validation file"
        )
    if kind == "fasta":
        return [_header_label(header, name) for header, _ in fasta_records(path)]
    if kind == "parquet":
        import pyarrow.parquet

        header = pyarrow.parquet.read_schema(path).names
        _columns(path, header, name, None, None)
        column = pyarrow.parquet.read_table(path, columns=[name])[name]
        return [None if value is None else str(value) for value in column.to_pylist()]
    values, _, _ = _delimited(path, "," if kind == "csv" else "\t", name, None, None)
    return list(values)


def _delimited(
    path: Path, delimiter: str, sequence: str, label: str | None, id: str | None
) -> tuple[list[str], list[str] | None, list[str] | None]:
    with open_text(path) as text, _long_fields():
        rows = csv.reader(text, delimiter=delimiter)
        try:
            header = [name.strip() for name in next((row for row in rows if row), [])]
            column = _columns(path, header, sequence, label, id)
            letters, names, labels = [], [], []
            for row in rows:
                if not row or not any(field.strip() for field in row):
                    continue
                if len(row) != len(header):
                    raise DataError(
                        f"{path} line {rows.line_num} has {len(row)} fields, the header has "
                        f"{len(header)}: {', '.join(header)}"
                    )
                letters.append(row[column[0]].strip())
                if column[1] is not None:
                    labels.append(row[column[1]])
                if column[2] is not None:
                    names.append(row[column[2]].strip())
        except csv.Error as error:
            raise DataError(
                f"{path} line {rows.line_num} is no line of a table ({error})"
            ) from error
    return (
        letters,
        names if column[2] is not None else None,
        labels if column[1] is not None else None,
    )


@contextlib.contextmanager
def _long_fields() -> Iterator[None]:
    """The csv module refuses fields of more than 131,072 letters; sequences may be longer."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _columns(
    path: Path, header: list[str], sequence: str, label: str | None, id: str | None
) -> tuple[int, int | None, int | None]:
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise DataError(f"{path} has two columns called {twice[0]!r}")
    for wanted, option in ((sequence, "sequence"), (label, "label")):
        if wanted is not None and wanted not in header:
            near = difflib.get_close_matches(
                wanted.lower(), {name.lower(): name for name in header}, n=1
            )
            there = ", ".join(name[:40] for name in header[:20]) or "none"
            hint = next(
                (f"; did you mean {name!r}" for name in header if near and name.lower() == near[0]),
                "",
            )
            other = ", or label=None to read without labels" if option == "label" else ""
            raise DataError(
                f"{path} has no column {wanted!r}{hint}; its columns are: {there}. Say "
                f"{option}=NAME{other}"
            )
    return (
        header.index(sequence),
        None if label is None else header.index(label),
        header.index(id) if id in header else None,
    )


def _parquet(
    path: Path, sequence: str, label: str | None, id: str | None
) -> tuple[list[str], list[str] | None, list[str] | None]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            f"{path} is Parquet, which needs pyarrow: `pip install 'scizoo[parquet]'`"
        ) from error
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist or is no file")
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            header = list(file.schema_arrow.names)
            column = _columns(path, header, sequence, label, id)
            wanted = [header[place] for place in column if place is not None]
            content = {
                name: values.to_pylist()
                for name, values in zip(wanted, file.read(columns=wanted).columns, strict=True)
            }
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise DataError(
            f"{path} is no readable Parquet file ({error}); fetch or write it again"
        ) from error
    letters = content[sequence]
    for number, value in enumerate(letters, 1):
        if not isinstance(value, str):
            raise DataError(f"{path} row {number}: {sequence!r} is {value!r}, not letters")
    names = None if column[2] is None else [str(value) for value in content[id]]
    labels = (
        None if label is None else ["" if value is None else str(value) for value in content[label]]
    )
    return letters, names, labels


def _fasta(path: Path, label: str | None) -> tuple[list[str], list[str], list[str] | None]:
    letters, headers = [], []
    for header, sequence in fasta_records(path):
        headers.append(header)
        letters.append(sequence)
    names = [header.split()[0] if header.split() else "" for header in headers]
    nameless = [number for number, name in enumerate(names, 1) if not name]
    if nameless:
        raise DataError(f"{path} record {nameless[0]} has no name after '>'")
    found = [] if label is None else [_header_label(header, label) for header in headers]
    labels = [value for value in found if value is not None]
    if not labels:
        return letters, names, None
    if len(labels) < len(found):
        missing = [name for name, value in zip(names, found, strict=True) if value is None]
        raise DataError(
            f"{path}: some headers say {label}=NAME (or end in |NUMBER), {missing[0]!r} and "
            f"{len(missing) - 1} others do not"
        )
    return letters, names, labels


def _header_label(header: str, label: str) -> str | None:
    for word in header.split():
        if word.startswith(f"{label}="):
            return word[len(label) + 1 :]
    last = header.rsplit("|", 1)[-1].strip()
    return last if "|" in header and last.isdecimal() else None


def _classes(
    path: Path, values: list[str], given: Sequence[str] | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels as indices, and the names they stand for."""
    values = [value.strip() for value in values]
    empty = [
        number
        for number, value in enumerate(values, 1)
        if not value or value.lower() in ("nan", "none", "null", "na")
    ]
    if empty:
        raise DataError(
            f"{path}: sequence {empty[0]} has no label ({len(empty)} have none); leave those rows "
            "out, or say label=None"
        )
    numbers = _numbers(path, values)
    names = values if numbers is None else [str(number) for number in numbers]
    if given is not None:
        known = {str(name): index for index, name in enumerate(given)}
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise DataError(
                f"{path} has the label {unknown[0]!r}; the classes are {', '.join(known)}"
            )
    else:
        found = sorted(set(names), key=None if numbers is None else int)
        if len(found) < 2:
            raise DataError(
                f"{path}: every label is {found[0]!r}; one class can be neither learned nor "
                "scored (or say classes=NAMES)"
            )
        if len(found) > MOST_CLASSES:
            raise DataError(
                f"{path} has {len(found)} different labels, such as {found[0]!r}; classes are "
                f"wanted, at most {MOST_CLASSES}"
            )
        known = {name: index for index, name in enumerate(found)}
    return np.array([known[name] for name in names], np.int64), tuple(known)


def _numbers(path: Path, values: list[str]) -> list[int] | None:
    """Whole numbers where all labels are numbers (1.0 is 1); None where they are names."""
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return None
    for place, number in enumerate(numbers, 1):
        if number != round(number) or abs(number) > 2**31:
            raise DataError(
                f"{path}: the label of sequence {place} is {values[place - 1]}, no whole number; "
                "classes are wanted, not measured values"
            )
    return [int(number) for number in numbers]


def _of_store(
    path: Path,
    stored: LabelledSequences,
    *,
    label: str | None,
    classes: Sequence[str] | None,
    length: int | None,
) -> LabelledSequences:
    """A store's content under the options of `read_table`."""
    tokens = stored.tokens
    if length is not None:
        longest = int(dna.lengths(tokens).max())
        if longest > length:
            raise DataError(
                f"{path} holds sequences of {longest} bases, more than the {length} that are "
                "asked for; cut them"
            )
        wide = np.full((len(tokens), length), dna.PADDING, np.int8)
        wide[:, : min(length, tokens.shape[1])] = tokens[:, :length]
        tokens = wide
    labels, names = (None, ()) if label is None else (stored.labels, stored.classes)
    if labels is not None and classes is not None:
        labels, names = _classes(path, [names[index] for index in labels], classes)
    return LabelledSequences(tokens, labels, stored.ids, names)


def holds_sequences(path: str | os.PathLike, options: Mapping[str, Any]) -> bool:
    """Whether a table has the column of letters (`options["sequence"]`, else "sequence"), or a
    Zarr store holds our tokens: how `zoo audit` recognises sequences."""
    path = Path(path)
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".zarr"):
        try:
            attributes = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]
        except (OSError, ValueError, KeyError):
            return False
        return str(attributes.get("format", "")).startswith("scizoo ")
    if not name.endswith((".csv", ".tsv", ".txt")):
        return False
    with open_text(path) as text:
        rows = csv.reader(text, delimiter="," if name.endswith(".csv") else "\t")
        header = next((row for row in rows if row), [])
    return options.get("sequence", "sequence") in [column.strip() for column in header]
