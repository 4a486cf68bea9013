"""`zoo audit`: what lies between a score and what it seems to say, for a registered data
set or anybody's own files.

    zoo audit genomics/gue:mouse_0            one subset of a data set
    zoo audit climate/enso particle_physics/quark_gluon
    zoo audit train.csv dev.csv test.csv      a user's own tables of sequences
    zoo audit train.nc test.nc                time series; one file with --train-until 2003-12
    zoo audit 'train-*.root' 'test-*.root'    events

Tables are CSV, TSV, Parquet, FASTA or Zarr; time series are NetCDF, Zarr or CSV.

Each domain knows what to look for (`zoo.<domain>.audit`); this module finds out whose files
they are and prints what was found.
"""

from __future__ import annotations

import glob
import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import registry
from zoo.interfaces.domain import Domain, domains
from zoo.interfaces.findings import Finding, Report

if TYPE_CHECKING:
    from rich.console import Console

COLOURS = {"ok": "green", "note": "yellow", "leak": "bold red"}


class AuditError(ValueError):
    """It is not clear what is to be audited; says what would be."""


def audited() -> dict[str, tuple[str, str | None]]:
    """Every data set that has an audit of its own -> its code path, and the subset that it is
    there; None: the user names the subset after a colon."""
    return {
        name: audit
        for domain in domains().values()
        for name, audit in domain.dataset_audits.items()
    }


def kinds() -> dict[str, Domain]:
    """What a user's own files may hold ("sequences", "series", ...) -> the domain that
    audits it."""
    return {
        domain.file_audit.kind: domain
        for domain in domains().values()
        if domain.file_audit is not None
    }


def run(
    names: Sequence[str], *, kind: str | None = None, options: Mapping[str, Any] | None = None
) -> Iterator[Report]:
    """The audits of data sets, one after another, or the one audit of a user's files.

    Args:
        names: names of data sets, each perhaps with `:SUBSET`; or one to three files: all,
            train and test, or train, dev and test (`by_split`).
        kind: one of `kinds()`; None: by the files' names and headers.
        options: what is said about the files; legal is what their domain declares
            (`zoo.interfaces.domain.Domain.options`).

    Raises:
        zoo.registry.UnknownName: neither a data set nor a file; offers the nearest.
        AuditError: data sets and files together, a data set that has no audit, an option
            that means nothing here, or files whose kind is not clear.
        zoo.files.FileMissing: a data set's file is nowhere; says how to get it.
        ValueError, OSError: what the domain's reader says of a file.
    """
    given = dict(options or {})
    if kind is not None and kind not in kinds():
        raise AuditError(f"kind is {kind!r}; there are {', '.join(kinds())}")
    if not names:
        raise AuditError(f"name a data set ({', '.join(audited())}) or files")
    here = [_is_path(name) for name in names]
    if all(here):
        yield _files(names, kind, given)
        return
    if any(here):
        raise AuditError(
            f"{names[here.index(True)]} is a file and {names[here.index(False)]} is none: audit "
            "them one after the other"
        )
    # A wrong name is told before the first audit is paid for.
    for code, subset in [_dataset(name) for name in names]:
        yield from registry.resolve(code)(subset)


def render(report: Report, console: Console) -> None:
    """Prints one report as a table, worst findings coloured, and a sentence that sums it up."""
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    sizes = ", ".join(f"{split} {count:,}" for split, count in report.sizes.items())
    title = f"{escape(report.name)}: {report.kind}, {sizes}"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for heading in ("check", "value", "", "meaning"):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for finding in report.findings:
        cells = (
            finding.label,
            value_text(finding),
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


def value_text(finding: Finding) -> str:
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
    known = audited()
    if dataset not in known:
        if dataset in registry.datasets():
            raise AuditError(
                f"{dataset} has no audit of its own; there are audits of {', '.join(known)}, "
                "and of your own files"
            )
        if dataset in registry.tasks():
            raise AuditError(
                f"{dataset} is a task; audit its data set: `zoo audit "
                f"{registry.task(dataset).dataset}`"
            )
        raise registry.UnknownName(
            f"{name!r} is neither a file nor a data set; {registry.did_you_mean(dataset, known)}"
        )
    code, fixed = known[dataset]
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


def _files(paths: Sequence[str], kind: str | None, given: Mapping[str, Any]) -> Report:
    paths = by_split(paths)
    found = {path: kind or _kind(path, given) for path in paths}
    if len(set(found.values())) > 1:
        raise AuditError(
            "files of one kind can be compared; these are "
            + ", ".join(f"{path}: {each}" for path, each in found.items())
        )
    domain = kinds()[found[paths[0]]]
    options = domain.options_of("audit", given)
    assert domain.file_audit is not None
    return registry.resolve(domain.file_audit.run)(paths, **options)


def _kind(path: str, given: Mapping[str, Any]) -> str:
    """What a file holds: by its ending, else by what a domain recognises in it."""
    name = path.lower().removesuffix(".gz")
    every = [domain.file_audit for domain in kinds().values() if domain.file_audit is not None]
    for each in every:
        if name.endswith(each.suffixes):
            return each.kind
    for each in every:
        if each.recognise is not None and registry.resolve(each.recognise)(path, given):
            return each.kind
    hints = "; ".join(f"{each.kind}: {each.hint}" for each in every if each.hint)
    columns = _columns(Path(path))
    has = f"{path} has the columns {', '.join(columns[:20])}" if columns else f"{path} is unclear"
    raise AuditError(f"{has}; recognised are {hints}; or say --kind {' or '.join(kinds())}")


def _columns(path: Path) -> list[str]:
    """The header of a table (CSV, TSV), for a message; of anything else nothing."""
    name = path.name.lower()
    plain = name.removesuffix(".gz")
    if not path.is_file() or not plain.endswith((".csv", ".tsv", ".txt")):
        return []
    try:
        with (gzip.open if name != plain else open)(path, "rt", encoding="utf-8-sig") as text:
            line = text.readline()
    except (OSError, UnicodeDecodeError):
        return []
    return [each.strip() for each in line.split("," if plain.endswith(".csv") else "\t")]
