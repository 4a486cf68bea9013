"""What an entry says of where it ran: enough to repeat it, nothing of whose machine it was."""

from __future__ import annotations

import getpass
import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from zoo import files
from zoo.scoring import environment


def git(repo: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(repo), *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repo(tmp_path) -> Path:
    """A checkout with one commit."""
    git(tmp_path, "init", "-q")
    (tmp_path / "code.py").write_text("x = 1\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "all")
    return tmp_path


def test_a_clean_checkout_is_its_commit(repo):
    assert environment.checkout_state(repo) == (git(repo, "rev-parse", "HEAD"), False)


def test_a_changed_or_an_added_file_makes_it_dirty(repo):
    (repo / "code.py").write_text("x = 2\n")
    assert environment.checkout_state(repo)[1]
    git(repo, "checkout", "-q", "--", "code.py")
    (repo / "new.py").write_text("")
    assert environment.checkout_state(repo)[1]
    assert not environment.checkout_state(repo, known=[repo / "new.py"])[1]


@pytest.mark.parametrize("written", environment.WRITTEN_BY_RUNS)
def test_what_a_run_writes_does_not(repo, written):
    path = repo / written / "x.json" if written.endswith("/") else repo / written
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    assert not environment.checkout_state(repo)[1]


def test_an_installed_package_has_no_commit_and_a_broken_checkout_is_dirty(tmp_path):
    assert environment.checkout_state(tmp_path) == (None, False)
    (tmp_path / ".git").mkdir()
    assert environment.checkout_state(tmp_path) == (None, True)


def test_no_name_of_a_host_a_user_or_a_folder_is_told(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", " --xla_dump_max_hlo_modules=1   ")
    told = environment.capture()
    text = json.dumps(told.model_dump())
    assert told.xla_flags == "--xla_dump_max_hlo_modules=1"
    assert set(told.packages) == set(environment.REPORTED) and told.cpu_count >= 1
    for secret in (socket.gethostname(), str(Path.home()), str(files.share()), os.getcwd()):
        assert secret not in text
    assert f'"{getpass.getuser()}"' not in text
