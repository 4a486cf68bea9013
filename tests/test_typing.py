"""mypy over the package, as `pyproject.toml` sets it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
SOURCES = sorted((ROOT / "zoo").rglob("*.py"))


@pytest.mark.slow
def test_mypy_finds_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_ignored_finding_has_a_code_and_a_reason():
    """`# type: ignore[code]  # why`; a comment that mypy no longer needs is a finding itself."""
    bare = []
    for path in SOURCES:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if "type: ignore" in line and not re.search(
                r"# type: ignore\[[a-z-]+(, [a-z-]+)*\]  # \w", line
            ):
                bare.append(f"{path.relative_to(ROOT)}:{number}")
    assert bare == []
    assert SETTINGS["warn_unused_ignores"] and SETTINGS["packages"] == ["zoo"]


def test_what_all_stands_on_is_checked_strictly_and_nothing_of_it_is_left_out():
    strict = next(each for each in SETTINGS["overrides"] if each.get("disallow_untyped_defs"))
    core = {"zoo", "zoo.files", "zoo.registry"}
    rooms = {"zoo.cards.*", "zoo.interfaces.*", "zoo.pretrained.*", "zoo.scoring.*"}
    assert core | rooms <= set(strict["module"])
    assert all(strict[rule] is True for rule in ("disallow_any_generics", "warn_return_any"))


def test_only_packages_that_are_not_ours_may_lack_types():
    untyped = [each for each in SETTINGS["overrides"] if each.get("ignore_missing_imports")]
    assert all(not name.startswith("zoo") for each in untyped for name in each["module"])
    assert (ROOT / "zoo/py.typed").read_bytes() == b""
