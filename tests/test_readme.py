"""The README's promises: its commands are the ones CI runs, and its Python works as printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


def test_ci_runs_the_readmes_test_command_word_for_word():
    command = blocks("sh")[1].strip()
    assert command.endswith("pytest")
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_first_command_ends_in_the_climate_benchmark():
    command = blocks("sh")[0].strip()
    assert command.endswith("zoo bench climate")
    assert command.startswith("python3 -m venv")


@pytest.mark.slow
def test_the_readmes_python_runs_as_printed(isolated_home, capsys):
    exec(compile(blocks("python")[0], "README.md", "exec"), {})
    assert "temperature" in capsys.readouterr().out


def test_the_readmes_python_for_jets_runs_as_printed(isolated_home, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    exec(compile(blocks("python")[1], "README.md", "exec"), {})
    assert "(100, 2)" in capsys.readouterr().out


def test_every_zoo_command_of_the_readme_exists():
    from typer.main import get_command

    from zoo.cli import app

    known = get_command(app).commands
    for word in re.findall(r"(?:^|`)zoo (\w+)", "\n".join(blocks("sh")) + "\n" + README, flags=re.M):
        assert word in known, f"README names `zoo {word}`, which is no command"
