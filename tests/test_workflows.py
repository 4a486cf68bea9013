"""The workflows hold no logic and no more rights than they need."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")
FOLDER = Path(__file__).resolve().parents[1] / ".github/workflows"
FILES = sorted(FOLDER.glob("*.yml"))


def load(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(path: Path) -> list[dict]:
    return [step for job in load(path)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_workflow_reads_unless_it_says_why_not(path):
    content, text = load(path), path.read_text(encoding="utf-8")
    assert content["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in text, "would run a stranger's pull request with our rights"
    assert "secrets." not in text
    writing = {
        name
        for name, job in content["jobs"].items()
        if job.get("permissions", {}).get("contents") == "write"
    }
    assert writing == ({"write"} if path.name == "verify.yml" else set())
    assert all(job.get("timeout-minutes", 999) <= 180 for job in content["jobs"].values())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_actions_are_named_by_commit(path):
    """A tag can be moved to other code; the version stands beside the commit for the reader."""
    used = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert (
        used
        and [
            one
            for one in used
            if not re.match(r"actions/[a-z-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", one)
        ]
        == []
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_the_job_that_pushes_keeps_its_token(path):
    for name, job in load(path)["jobs"].items():
        checkouts = [
            step.get("with", {})
            for step in job["steps"]
            if step.get("uses", "").startswith("actions/checkout")
        ]
        assert checkouts
        pushes = any("git push" in step.get("run", "") for step in job["steps"])
        assert all(("persist-credentials" not in each) == pushes for each in checkouts), name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_a_pull_request_says_never_becomes_a_command(path):
    """`${{ github.event... }}` inside `run` would be pasted into the shell; it goes through
    the environment."""
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_logic_is_in_python(path):
    written = [step.get("run", "") for step in steps(path)]
    assert [
        run
        for run in written
        if len(run.strip().splitlines()) > 6 or re.search(r"\b(if|for|while)\b.*;", run)
    ] == []


@pytest.mark.parametrize("name", ["entries.yml", "rerun.yml"])
def test_pull_requests_are_judged_by_the_base_branch(name):
    path = FOLDER / name
    checkouts = [
        step["with"] for step in steps(path) if step.get("uses", "").startswith("actions/checkout")
    ]
    assert [(each["path"], each["ref"].split(".")[-2]) for each in checkouts] == [
        ("base", "base"),
        ("request", "head"),
    ]
    assert all(each["persist-credentials"] is False for each in checkouts)
    assert [step["run"] for step in steps(path) if "pip" in step.get("run", "")] == [
        "pip install -q -e base"
    ]


def test_every_zoo_command_of_a_workflow_exists():
    from typer.main import get_command

    from zoo.cli import app

    commands = get_command(app).commands
    found = 0
    for path in FILES:
        for line in [line for step in steps(path) for line in step.get("run", "").splitlines()]:
            for words in re.findall(r"\bzoo ((?:[a-z]+ )+)?(.*)", line):
                names = words[0].split()
                command = commands[names[0]]
                if names[0] == "leaderboard":
                    command = command.commands[names[1]]
                known = {option for parameter in command.params for option in parameter.opts}
                assert set(re.findall(r"(?<!\S)--[a-z-]+", words[1])) <= known, line
                found += 1
    assert found >= 6


def test_the_job_that_writes_runs_no_entry():
    jobs = load(FOLDER / "verify.yml")["jobs"]
    written = "\n".join(step.get("run", "") for step in jobs["write"]["steps"])
    assert "--run-code" not in written and "--install" not in written and "--accept" in written
    assert jobs["rerun"].get("permissions") is None
    assert "git add leaderboard/verified leaderboard/README.md leaderboard/board.svg\n" in written
    attested = [step["with"] for step in jobs["write"]["steps"] if "attest" in step.get("uses", "")]
    assert (
        attested == [{"subject-checksums": "accepted.sha256"}]
        and "--checksums accepted.sha256" in written
    )
    assert "--run-code" not in "\n".join(
        step.get("run", "") for step in steps(FOLDER / "entries.yml")
    )
