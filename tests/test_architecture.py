"""The house keeps its own rules: imports run one way, data folders are no packages, nothing
is too large or names a machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "zoo").rglob("*.py"))
assert SOURCES
LIMIT, TOTAL = 20_000_000, 85_000_000
"""Bytes: of one file (the largest are 22,000 test jets), and of all that a clone checks out."""


def tracked() -> list[Path]:
    """The files of the repository; outside a checkout there is nothing to look at."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_imports_keep_their_contracts():
    code = (
        "import sys; from importlinter.cli import lint_imports_command; "
        "lint_imports_command(['--no-cache'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=["rules", "layout"])
def test_ruff_has_nothing_to_say(command):
    """Over the tracked files by name, so that no default of an ignored folder hides one."""
    sources = [str(path) for path in tracked() if path.suffix == ".py"]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--no-cache", "--force-exclude", *sources],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_tracked_file_is_ignored():
    """What `.gitignore` names is missing from the wheel and unseen by ruff."""
    tracked()
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--ignored", "--exclude-standard"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""


def test_data_folders_are_no_packages():
    """A package called `datasets` would hide Hugging Face's."""
    for folder in ("datasets", "benchmarks", "leaderboard"):
        assert list((ROOT / folder).rglob("__init__.py")) == []


def test_every_module_has_a_name_of_its_own():
    nameless = re.compile(r"(^|_)(utils?|helpers?|misc|common|tools)(_|$)")
    assert [
        str(path)
        for path in SOURCES
        if nameless.search(path.stem) or nameless.search(path.parent.name)
    ] == []


def test_no_tracked_file_is_too_large():
    large = {
        str(path.relative_to(ROOT)): path.stat().st_size
        for path in tracked()
        if path.stat().st_size >= LIMIT
    }
    assert large == {}
    assert sum(path.stat().st_size for path in tracked()) < TOTAL


def test_no_tracked_text_names_a_developers_machine():
    machine = re.compile(rb"(?<![\w.>}])/(home|work|Users)/[a-z]")
    found = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" in content[:8000] or path == Path(__file__).resolve():
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}"
            for number, line in enumerate(content.splitlines(), 1)
            if machine.search(line)
        ]
    assert found == []


def public_without_docstring(path: Path) -> list[str]:
    """The public functions, classes and methods of a module's top level that say nothing of
    themselves."""
    found = []

    def look(node: ast.AST, inside: str) -> None:
        for item in ast.iter_child_nodes(node):
            if not isinstance(
                item, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
            ) or item.name.startswith("_"):
                continue
            # the body of a protocol's method
            stub = (
                isinstance(item.body[-1], ast.Expr)
                and getattr(item.body[-1].value, "value", None) is ...
            )
            if ast.get_docstring(item) is None and not stub:
                found.append(f"{path.relative_to(ROOT)}:{item.lineno} {inside}{item.name}")
            if isinstance(item, ast.ClassDef) and not item.name.startswith("_"):
                look(item, f"{item.name}.")

    look(ast.parse(path.read_text(encoding="utf-8")), "")
    return found


def test_every_public_function_says_what_it_does():
    """Overrides inherit theirs: the three answers of a task are documented in
    `zoo.interfaces.task`."""
    inherited = {"statistics", "values", "record", "examples", "setup", "resolve_type"}
    silent = [
        item
        for path in SOURCES
        for item in public_without_docstring(path)
        if item.rsplit(".", 1)[-1] not in inherited
    ]
    assert silent == []


def test_every_module_says_what_it_is():
    assert [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ] == []
