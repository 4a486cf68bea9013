"""The code keeps its measures: no file or function longer than a reader holds in
mind, and rooms with few doors.

Each list below names what still breaks a rule. It only shrinks: what keeps the rule must
leave the list.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "zoo"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PYTHON = [
    path
    for folder in ("zoo", "tests", "benchmarks", "examples")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
DOMAINS = sorted(
    path.parent for path in PACKAGE.glob("*/domain.py") if (path.parent / "data").is_dir()
)

FILE, FUNCTION, WIDTH, TOP, BESIDE = 500, 80, 92, 8, 6
"""Lines of a file and of a function; columns that nine lines of ten keep; files at the top of
the package and beside the folders of a domain."""

LONG_FILES: set[str] = set()
LONG_FUNCTIONS: set[str] = set()


def name(path: Path) -> str:
    """A file's path from the root of the repository."""
    return path.relative_to(ROOT).as_posix()


def only_shrinks(found: Iterable[str], known: set[str]) -> None:
    """Fails for a breach that is not known, and for a known one that is none any more."""
    found = set(found)
    assert found - known == set(), "these break the rule"
    assert known - found == set(), "these keep the rule now: take them off the list"


def test_there_is_something_to_measure():
    assert len(SOURCES) > 100 and [path.name for path in DOMAINS] == [
        "climate",
        "genomics",
        "particle_physics",
    ]


def test_nothing_is_kept_from_the_formatter():
    escapes = ("fmt: " + word for word in ("skip", "off"))
    texts = {name(path): path.read_text(encoding="utf-8") for path in PYTHON}
    assert [path for each in escapes for path, text in texts.items() if each in text] == []


def test_no_file_is_longer_than_its_reader_can_hold():
    only_shrinks(
        (
            name(path)
            for path in SOURCES
            if len(path.read_text(encoding="utf-8").splitlines()) > FILE
        ),
        LONG_FILES,
    )


def test_no_function_is_longer_than_a_page():
    only_shrinks(
        (
            f"{name(path)}:{node.name}"
            for path in SOURCES
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.end_lineno - node.lineno + 1 > FUNCTION
        ),
        LONG_FUNCTIONS,
    )


def test_nine_lines_of_ten_are_narrow():
    widths = sorted(
        len(line)
        for path in SOURCES
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    )
    assert widths[int(0.9 * len(widths))] <= WIDTH


def test_the_package_has_few_files_at_its_top():
    files = [path.name for path in PACKAGE.iterdir() if path.suffix == ".py"]
    assert 0 < len(files) <= TOP, files


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda path: path.name)
def test_a_domain_has_few_files_beside_its_folders(domain: Path):
    files = [path.name for path in domain.iterdir() if path.suffix == ".py"]
    assert 0 < len(files) <= BESIDE, files
