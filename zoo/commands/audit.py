"""`zoo audit`: what lies between a score and what it seems to say, for a registered data
set or anybody's own files.

    zoo audit genomics/gue:mouse_0            one subset of a data set
    zoo audit climate/enso particle_physics/quark_gluon
    zoo audit train.csv dev.csv test.csv      a user's own tables of sequences (CSV, TSV, Parquet, FASTA, Zarr)
    zoo audit train.nc test.nc                time series (NetCDF, Zarr, CSV); one file with --train-until 2003-12
    zoo audit 'train-*.root' 'test-*.root'    events

Each domain knows what to look for (`zoo.<domain>.audit`); this module finds out whose files
they are and prints what was found.
"""

from __future__ import annotations

import csv
import dataclasses
import glob
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import registry
from zoo.interfaces.findings import Finding, Report

if TYPE_CHECKING:
    from rich.console import Console

AUDITED = {
    "genomics/gue": ("zoo.genomics.audit:audit_dataset", None),
    "climate/enso": ("zoo.climate.audit:audit_dataset", "enso"),
    "climate/held_suarez": ("zoo.climate.audit:audit_dataset", "held_suarez"),
    "particle_physics/jet_tagging": ("zoo.particle_physics.audit:audit_dataset", "jet_tagging"),
    "particle_physics/quark_gluon": ("zoo.particle_physics.audit:audit_dataset", "quark_gluon"),
}
"""Data set -> its audit, and the subset that it is there; None: the user names the subset
after a colon."""
KINDS = ("sequences", "series", "events")
COLOURS = {"ok": "green", "note": "yellow", "leak": "bold red"}
_SUFFIXES = {
    "sequences": (".fa", ".fna", ".fasta", ".ffn", ".parquet", ".pq"),
    "series": (".nc", ".nc4", ".cdf", ".zarr.zip"),
    "events": (".root",),
}


class AuditError(ValueError):
    """It is not clear what is to be audited; says what would be."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What a user may say about files of his own.

    Attributes:
        kind: one of `KINDS`; None: by the files' names and headers.
        sequence, label: columns of a table of sequences; `label=""`: there is none.
        time: coordinate or column of times of a series.
        train_until, test_from: where one series is cut.
        tree: name of the tree in ROOT files.
    """

    kind: str | None = None
    sequence: str = "sequence"
    label: str = "label"
    time: str | None = None
    train_until: str | None = None
    test_from: str | None = None
    tree: str | None = None

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in KINDS:
            raise AuditError(f"kind is {self.kind!r}; there are {', '.join(KINDS)}")


def run(names: Sequence[str], options: Options | None = None) -> Iterator[Report]:
    """The audits of data sets, one after another, or the one audit of a user's files.

    Args:
        names: names of data sets, each perhaps with `:SUBSET`; or one to three files: all,
            train and test, or train, dev and test (`by_split`).
        options: what is said about the files.

    Raises:
        zoo.registry.UnknownName: neither a data set nor a file; offers the nearest.
        AuditError: data sets and files together, a data set that has no audit, or files
            whose kind is not clear.
        zoo.files.FileMissing: a data set's file is nowhere; says how to get it.
        ValueError, OSError: what the domain's reader says of a file.
    """
    options = Options() if options is None else options
    if not names:
        raise AuditError(f"name a data set ({', '.join(AUDITED)}) or files")
    here = [_is_path(name) for name in names]
    if all(here):
        yield _files(names, options)
        return
    if any(here):
        raise AuditError(
            f"{names[here.index(True)]} is a file and {names[here.index(False)]} is none: audit "
            "them one after the other"
        )
    parts = [
        _dataset(name) for name in names
    ]  # a wrong name is told before the first audit is paid for
    for code, subset in parts:
        yield from registry.resolve(code)(subset)


def render(report: Report, console: Console) -> None:
    """Prints one report as a table, worst findings coloured, and a sentence that sums it up."""
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    sizes = ", ".join(f"{split} {count:,}" for split, count in report.sizes.items())
    title = f"{escape(report.name)}: {report.kind}, {sizes}"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for heading, justify in (
        ("check", "left"),
        ("value", "right"),
        ("", "left"),
        ("meaning", "left"),
    ):
        table.add_column(heading, justify=justify)
    for finding in report.findings:
        cells = (
            finding.label,
            shown(finding),
            Text(finding.verdict, style=COLOURS[finding.verdict]),
            finding.explanation,
        )
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in cells))
    console.print(table)
    leaks = [finding.label for finding in report.findings if finding.verdict == "leak"]
    notes = sum(finding.verdict == "note" for finding in report.findings)
    if leaks:
        said = (
            f"{len(leaks)} of {len(report.findings)} checks found a leak, {notes} more are worth "
            "a sentence beside a score."
        )
        console.print(Text(said, style="bold red"))
    elif notes:
        console.print(
            Text(
                (
                    f"No leak; {notes} of {len(report.findings)} checks are worth a sentence "
                    "beside a score."
                ),
                style="yellow",
            )
        )
    else:
        console.print(Text(f"Nothing found in {len(report.findings)} checks.", style="green"))


def shown(finding: Finding) -> str:
    """A finding's value as it is printed: a count with its share, a number, words, or a dash."""
    if finding.value is None:
        return "-"
    if isinstance(finding.value, str):
        return finding.value
    if isinstance(finding.value, float):
        return f"{finding.value:.3f}" if abs(finding.value) < 10 else f"{finding.value:,.1f}"
    share = f" of {finding.of:,} ({100 * finding.value / finding.of:.1f} %)" if finding.of else ""
    return f"{finding.value:,}{share}"


def to_json(reports: Sequence[Report]) -> str:
    """Reports as one JSON list."""
    return (
        json.dumps(
            [json.loads(report.to_json()) for report in reports],
            indent=1,
            sort_keys=True,
            ensure_ascii=False,
        )
        + "\n"
    )


def _is_path(name: str) -> bool:
    return (
        "://" in name
        or Path(name).exists()
        or (glob.has_magic(name) and bool(glob.glob(name, recursive=True)))
    )


def _dataset(name: str) -> tuple[str, str | None]:
    """The audit of a data set and the subset to give it."""
    dataset, _, subset = name.partition(":")
    if dataset not in AUDITED:
        if dataset in registry.datasets():
            raise AuditError(
                f"{dataset} has no audit of its own; there are audits of {', '.join(AUDITED)}, "
                "and of your own files"
            )
        if dataset in registry.tasks():
            raise AuditError(
                f"{dataset} is a task; audit its data set: `zoo audit "
                f"{registry.task(dataset).dataset}`"
            )
        raise registry.UnknownName(
            f"{name!r} is neither a file nor a data set; {registry.did_you_mean(dataset, AUDITED)}"
        )
    code, fixed = AUDITED[dataset]
    if fixed is not None and subset:
        raise AuditError(f"{dataset} has no subsets; leave out ':{subset}'")
    return code, fixed or subset or None


def by_split(paths: Sequence[str]) -> list[str]:
    """Files in the order train, dev, test where their names say so (a shell sorts `*.csv`
    otherwise); else as they were given.

    A name says so where exactly one of train, dev (val, valid, validation) and test is a
    word of it, and no two files say the same.
    """
    words = {"train": 0, "training": 0, "dev": 1, "val": 1, "valid": 1, "validation": 1, "test": 2}
    said = [
        {words[word] for word in re.split(r"[^a-z]+", Path(path).name.lower()) if word in words}
        for path in paths
    ]
    if any(len(each) != 1 for each in said):
        return list(paths)
    place = [each.pop() for each in said]
    if len(set(place)) < len(place) or 0 not in place:
        return list(paths)
    return [path for _, path in sorted(zip(place, paths, strict=True))]


def _files(paths: Sequence[str], options: Options) -> Report:
    paths = by_split(paths)
    kinds = {path: options.kind or _kind(path, options) for path in paths}
    if len(set(kinds.values())) > 1:
        raise AuditError(
            "files of one kind can be compared; these are "
            + ", ".join(f"{path}: {kind}" for path, kind in kinds.items())
        )
    kind = kinds[paths[0]]
    if kind == "sequences":
        from zoo.genomics import audit as sequences

        return sequences.audit_files(paths, sequence=options.sequence, label=options.label or None)
    if kind == "series":
        from zoo.climate import audit as series

        return series.audit_files(
            paths, time=options.time, train_until=options.train_until, test_from=options.test_from
        )
    from zoo.particle_physics import audit as events

    return events.audit_files(paths, tree=options.tree)


def _kind(path: str, options: Options) -> str:
    """What a file holds, by its name; a table by its header, a Zarr store by its attributes."""
    name = path.lower().removesuffix(".gz")
    for kind, suffixes in _SUFFIXES.items():
        if name.endswith(suffixes):
            return kind
    if name.endswith(".zarr"):
        return "sequences" if _is_token_store(Path(path)) else "series"
    if Path(path).is_dir() and any(Path(path).rglob("*.root")):
        return "events"
    if name.endswith((".csv", ".tsv", ".txt")):
        header = _header(Path(path), "," if name.endswith(".csv") else "\t")
        if options.sequence in header:
            return "sequences"
        from zoo.climate.data.series import STAMPS

        if options.time in header or any(column.lower() in STAMPS for column in header):
            return "series"
        raise AuditError(
            f"{path} has the columns {', '.join(header[:20]) or 'none'}: neither "
            f"{options.sequence!r} (say --sequence NAME) "
            "nor a column of times (say --time NAME)"
        )
    raise AuditError(
        f"what {path} holds is not clear from its name; say --kind {' or '.join(KINDS)}"
    )


def _header(path: Path, delimiter: str) -> list[str]:
    from zoo.genomics.data.opening import open_text

    with open_text(path) as text:
        return [
            name.strip()
            for name in next((row for row in csv.reader(text, delimiter=delimiter) if row), [])
        ]


def _is_token_store(path: Path) -> bool:
    try:
        attributes = json.loads((path / "zarr.json").read_text(encoding="utf-8")).get(
            "attributes", {}
        )
    except (OSError, ValueError):
        return False
    return str(attributes.get("format", "")).startswith("scizoo ")
