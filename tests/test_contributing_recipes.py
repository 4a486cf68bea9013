"""The three recipes of CONTRIBUTING.md, run as printed in a copy of `examples/zoo-tides`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from plugin_install import install

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.slow


def block(title: str) -> str:
    """The shell lines below a heading."""
    found = re.search(rf"### {title}[^\n]*\n\n```sh\n(.*?)```", TEXT, flags=re.S)
    assert found is not None, f"CONTRIBUTING.md has no recipe {title!r}"
    return found.group(1)


@pytest.fixture
def package(tmp_path):
    """`run(shell)` in an installed copy of the example, with `zoo` on the path."""
    folder, tools = tmp_path / "site", tmp_path / "bin"
    install(ROOT / "examples/zoo-tides", folder)
    shutil.copy(ROOT / "examples/zoo-tides/pyproject.toml", folder)
    tools.mkdir()
    code = "import sys; sys.argv[0] = 'zoo'; from zoo.cli import main; main()"
    (tools / "zoo").write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -c "{code}" "$@"\n')
    (tools / "zoo").chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}",
        "ZOO_HOME": str(tmp_path / "home"),
        "ZOO_OFFLINE": "1",
    }

    def run(shell: str) -> str:
        done = subprocess.run(
            ["bash", "-e", "-c", shell], cwd=folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run.folder = folder
    return run


def test_a_new_model_is_one_file_and_one_line(package):
    said = package(block("A new model"))
    assert "line.harbour" in said and "RMSE" in said
    assert (package.folder / "zoo_tides/weights/line.harbour.safetensors").is_file()


def test_a_new_task_is_one_folder_and_two_cards(package):
    said = package(block("A new task"))
    assert "tides/quay@1" in said and "harmonic" in said and "persistence" in said


def test_a_new_domain_is_no_line_of_the_core(package, tmp_path):
    package(block("A new domain"))
    project = tmp_path / "lakes"
    project.mkdir()
    shutil.copy(package.folder / "pyproject.lakes.toml", project / "pyproject.toml")
    shutil.move(package.folder / "zoo_lakes", project / "zoo_lakes")
    install(project, package.folder)
    assert "lakes/harbour" in package("zoo list tasks 'lakes/*'")
    said = package("zoo bench lakes")
    assert "lakes/harbour@1" in said and "harmonic" in said
    assert "lake gauges" in package("zoo audit lakes/harbour --json")
