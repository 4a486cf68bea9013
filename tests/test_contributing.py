"""The worked example of CONTRIBUTING.md, as printed: from a fresh clone to a branch that a
reviewer would take."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from plugin_install import install

from zoo import cards, registry

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples/zoo-girth"
BLOCKS = re.findall(
    r"```sh\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), flags=re.S
)
WORKED = next(block for block in BLOCKS if block.startswith("git clone"))
ONE_FILE = next(block for block in BLOCKS if "narrow_jets.py" in block)


@pytest.fixture
def plugged(tmp_path, monkeypatch):
    """The example package, installed in a folder of its own."""
    install(EXAMPLE, tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    registry.forget()
    yield
    registry.forget()


def test_the_examples_model_loads_by_name_and_gives_what_its_card_says(plugged):
    from zoo.pretrained.model import load_model

    assert "particle_physics/girth.logistic" in registry.list_models("particle_physics")
    model = load_model("particle_physics/girth.logistic")
    expected = model.card.expected
    given = model.predictor().example_output(expected.input_seed).ravel()
    step = max(1, given.size // len(expected.values))
    np.testing.assert_allclose(
        given[::step][: len(expected.values)], expected.values, atol=expected.tolerance
    )
    assert registry.plugin_of(model.card.id) == ("zoo-girth", "0.1.0", "zoo_girth")


def test_the_examples_metadata_names_its_cards_folder():
    assert list((EXAMPLE / "zoo_girth").glob("*.toml"))
    assert 'girth = "zoo_girth"' in (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_worked_example_ends_in_a_branch_that_a_reviewer_would_take(tmp_path):
    """Two lines are done otherwise, since tests have no network: the clone is of this
    checkout, and what pip would install is linked."""
    origin, clone, site, tools = (
        tmp_path / name for name in ("origin.git", "scizoo", "site", "bin")
    )

    def git(*arguments: str) -> None:
        subprocess.run(["git", *map(str, arguments)], check=True, capture_output=True)

    # The working tree as it is, committed in a repository of its own: what is tested need
    # not be committed here.
    git("clone", "-q", "--no-hardlinks", ROOT, clone)
    changed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-mo", "--exclude-standard", "-z"],
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, changed.stdout.split("\0")):
        target = clone / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            target.write_bytes((ROOT / name).read_bytes())
        else:
            target.unlink(missing_ok=True)
    identity = ("-c", "user.name=you", "-c", "user.email=you@example.org")
    git("-C", clone, "checkout", "-q", "-B", "main")
    git("-C", clone, "add", "-A")
    git("-C", clone, *identity, "commit", "-q", "--allow-empty", "-m", "as it is")
    git("clone", "-q", "--bare", clone, origin)
    git("-C", clone, "remote", "set-url", "origin", origin)
    git("-C", clone, "fetch", "-q", "origin")
    install(EXAMPLE, site)
    tools.mkdir()
    code = "import sys; sys.argv[0] = 'zoo'; from zoo.cli import main; main()"
    (tools / "zoo").write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -c "{code}" "$@"\n')
    (tools / "zoo").chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{clone}{os.pathsep}{site}",
        "ZOO_HOME": str(tmp_path / "home"),
        "ZOO_OFFLINE": "1",
        "GIT_AUTHOR_NAME": "you",
        "GIT_AUTHOR_EMAIL": "you@example.org",
        "GIT_COMMITTER_NAME": "you",
        "GIT_COMMITTER_EMAIL": "you@example.org",
    }
    lines = WORKED.strip().splitlines()
    assert lines[0].startswith("git clone") and "pip install" in lines[1]
    begin = time.monotonic()

    def run(line: str) -> str:
        done = subprocess.run(
            line,
            shell=True,
            cwd=clone,
            env=environment,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    said = {line: run(line) for line in lines[2:]}
    assert time.monotonic() - begin < 900, "the promise is fifteen minutes"
    submitted = said[next(line for line in lines if line.startswith("zoo submit"))]
    printed = [line.strip() for line in submitted.splitlines() if line.strip().startswith("git ")]
    assert printed[0] in lines, "what `zoo submit` prints is what the example types"
    entry = cards.read(
        clone / "leaderboard/entries/particle_physics/quark_gluon@1/girth.logistic.json",
        cards.Entry,
    )
    assert entry.code.distribution == "zoo-girth" and 0.8 < entry.metrics["auc"].value < 0.9
    assert (
        "ok     particle_physics/quark_gluon@1/girth.logistic: rescored"
        in said["zoo verify --diff main --author github:you"]
    )
    run("git switch -q main && git switch -qc one-file")
    assert "girth" not in run(ONE_FILE.strip()).split("ready;")[1]
    narrow = cards.read(
        clone / "leaderboard/entries/particle_physics/quark_gluon@1/narrow.json", cards.Entry
    )
    assert narrow.code.file == "narrow.py" and narrow.title == "Narrow jets"
