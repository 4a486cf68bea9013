"""The workflows hold no logic and no more rights than they need."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

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
            if not re.match(r"(actions|pypa)/[a-z-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", one)
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
        assert checkouts or not any("run" in step for step in job["steps"]), name
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

    root = get_command(app)
    commands = root.commands
    found = 0
    for path in FILES:
        for line in [line for step in steps(path) for line in step.get("run", "").splitlines()]:
            for words in re.findall(r"\bzoo ((?:[a-z]+ )+)?(.*)", line):
                names = words[0].split()
                command = commands[names[0]] if names else root
                if names[:1] == ["leaderboard"]:
                    command = command.commands[names[1]]
                known = {option for parameter in command.params for option in parameter.opts}
                assert set(re.findall(r"(?<!\S)--[a-z-]+", words[1])) <= known, line
                found += 1
    assert found >= 9


def test_what_the_daily_run_skips_runs_weekly():
    """Whatever a test imports or skips, it does not do without unless the weekly job has it."""
    (job,) = load(FOLDER / "weekly.yml")["jobs"].values()
    runs = [step.get("run", "") for step in job["steps"]]
    (marked,) = [run for run in runs if run.startswith("pytest")]
    assert "--none-skipped" in marked and "generate or browser or optional" in marked
    (installed,) = [run for run in runs if run.startswith("pip install")]
    project = tomllib.loads((FOLDER.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    extra = project["project"]["optional-dependencies"]["generate"]
    names = {re.split(r"[<>=]", each)[0] for each in extra} | set(installed.split()[4:])
    brings = {"dinosaur-dycore": "dinosaur"}
    brought = {brings.get(name, name) for name in names}
    asked = {
        module.partition(".")[0]
        for path in (FOLDER.parents[1] / "tests").rglob("*.py")
        for module in re.findall(r'importorskip\("([^"]+)"', path.read_text(encoding="utf-8"))
    }
    assert len(asked) >= 5 and asked <= brought, asked - brought


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


def test_the_job_that_publishes_runs_nothing_of_ours():
    """PyPI trusts the workflow, so the job with that right holds no checkout and no command."""
    path = FOLDER / "release.yml"
    jobs = load(path)["jobs"]
    trusted = {name for name, job in jobs.items() if "id-token" in job.get("permissions", {})}
    assert trusted == {"publish"} and jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["publish"]["needs"] == "build" and jobs["publish"]["environment"]["name"] == "pypi"
    assert [step["uses"].split("@")[0] for step in jobs["publish"]["steps"]] == [
        "actions/download-artifact",
        "pypa/gh-action-pypi-publish",
    ]
    assert load(path)[True] == {"push": {"tags": ["v*"]}}, "`on` is true in YAML 1.1"


def test_a_release_is_checked_before_it_is_kept():
    written = [step.get("run", step.get("uses", "")) for step in steps(FOLDER / "release.yml")]
    order = ["release.py tag", "python -m build", "release.py files", "zoo --version", "upload-art"]
    places = [next(i for i, run in enumerate(written) if part in run) for part in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "path", sorted((FOLDER.parent / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.name
)
def test_an_issue_form_asks_what_it_takes_to_see_the_fault(path):
    """GitHub drops a form without a word where a field of it is unknown."""
    form = load(path)
    if path.name == "config.yml":
        assert form == {"blank_issues_enabled": True}
        return
    assert set(form) == {"name", "description", "labels", "body"}
    asked = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in asked} <= {"input", "textarea", "dropdown"}
    assert len({field["id"] for field in asked}) == len(asked) >= 4
    assert all(field["attributes"]["label"] for field in asked)
    assert sum(field.get("validations", {}).get("required", False) for field in asked) >= 3


def test_what_the_templates_tell_to_type_exists():
    from typer.main import get_command

    from zoo.cli import app

    commands = get_command(app).commands
    texts = [
        path.read_text(encoding="utf-8")
        for path in [
            *(FOLDER.parent / "ISSUE_TEMPLATE").glob("*.yml"),
            FOLDER.parent / "PULL_REQUEST_TEMPLATE.md",
        ]
    ]
    typed = re.findall(r"`zoo ([a-z]+)([^`]*)`", "\n".join(texts))
    assert {name for name, _ in typed} >= {"verify", "doctor", "audit", "submit"}
    for name, rest in typed:
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= known, (name, rest)


def test_the_hooks_before_a_commit_are_local_and_name_tools_of_the_extra_dev():
    import tomllib

    root = FOLDER.parents[1]
    (repository,) = load(root / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tools = {"ruff": "ruff", "lint-imports": "import-linter"}
    used = {
        tools[hook["entry"].split()[0]]
        for hook in repository["hooks"]
        if hook["language"] == "system"
    }
    named = {re.match(r"[\w-]+", need)[0] for need in project["optional-dependencies"]["dev"]}
    assert used == {"ruff", "import-linter"} <= named
