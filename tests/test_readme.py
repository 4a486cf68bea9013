"""The README's promises: its commands are the ones CI runs, and its Python works as printed."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from zoo import files, registry

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


def test_ci_runs_the_readmes_test_command_word_for_word():
    command = blocks("sh")[1].strip()
    assert command.endswith("pytest")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert command in script
    # What that command leaves out runs in the same place, and nothing else is left out.
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]
    assert re.findall(r"-m '([^']*)'", options["ini_options"]["addopts"]) == ["not slow"]
    assert script.index(command) < script.index(".venv/bin/pytest -m slow")


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


def test_the_readmes_bench_runs_as_printed(isolated_home, capsys):
    (code,) = [block for block in blocks("python") if "zoo.bench(" in block]
    exec(compile(code, "README.md", "exec"), {})
    assert re.fullmatch(
        r"particle_physics/multiplicity AUC 0\.\d{3}, 95 % interval 0\.\d{3} to 0\.\d{3}\n",
        capsys.readouterr().out,
    )


def test_the_readmes_submission_runs_as_printed(isolated_home, tmp_path, monkeypatch):
    """Its file and its line, as the shell would; the entry goes to a clone of its own."""
    import shlex

    from zoo.commands import submit, verify

    (block,) = [block for block in blocks("sh") if "zoo submit" in block]
    name, content = re.match(r"cat > (\S+) <<'EOF'\n(.*?)EOF\n", block, flags=re.S).groups()
    words = shlex.split(block[block.index("zoo submit") :])
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(ROOT), str(clone)], check=True)
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(content, encoding="utf-8")
    monkeypatch.setattr(files, "share", lambda: clone)
    registry.forget()
    try:
        done = submit.submit(words[2], words[4], title=words[6], submitted_by=words[8], base="HEAD")
        assert done.problems == [] and done.verification.level == "rerun" and done.commands
        assert done.standing.startswith("place ") and verify.verify(done.entry, run_code=True).ok
    finally:
        registry.forget()


def test_each_way_in_has_less_than_ten_lines():
    ways = [
        blocks("python")[0],
        *(
            block
            for block in blocks("python") + blocks("sh")
            if "zoo.bench(" in block or "zoo submit" in block
        ),
    ]
    assert len(ways) == 3 and all(len(way.strip().splitlines()) < 10 for way in ways)


def test_the_readmes_picture_is_small_and_asks_for_nothing():
    text = (ROOT / "leaderboard/board.svg").read_text(encoding="utf-8")
    assert len(text) < 60_000 and "<script" not in text and "url(" not in text
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"]


def test_every_zoo_command_of_the_readme_exists():
    from typer.main import get_command

    from zoo.cli import app

    known = get_command(app).commands
    words = re.findall(r"(?:^|`)zoo (\w+)", "\n".join(blocks("sh")) + "\n" + README, flags=re.M)
    assert len(set(words)) > 5
    for word in words:
        assert word in known, f"README names `zoo {word}`, which is no command"
