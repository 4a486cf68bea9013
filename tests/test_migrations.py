"""Entries are bound to another protocol only where it is shown that nothing else changed."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import synthetic_task

from zoo import files, registry
from zoo.commands import verify
from zoo.commands.bench import run as bench
from zoo.commands.bench.entry import write_entries
from zoo.scoring import protocol

SCRIPT = Path(__file__).resolve().parent.parent / "benchmarks/migrations/2026_11_protocol_hash.py"
TASK, DATASET = "benchmarks/climate/toy.toml", "datasets/climate/toy/card.toml"
ENTRY = "climate/toy@3/best.json"


def git(repo: Path, *arguments: str) -> str:
    identity = [
        "-c",
        "user.name=Ada",
        "-c",
        "user.email=ada@example.org",
        "-c",
        "commit.gpgsign=false",
    ]
    command = ["git", "-C", str(repo), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def commit(repo: Path) -> str:
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "A state")
    return git(repo, "rev-parse", "HEAD")


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    synthetic_task.forget_cards()


@pytest.fixture
def script() -> ModuleType:
    """The script as a module of its own, which remembers nothing of another test's history."""
    spec = importlib.util.spec_from_file_location("protocol_hash", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """A leaderboard with one true entry and its verification, made by the first test."""
    return tmp_path_factory.mktemp("kept") / "leaderboard"


@pytest.fixture
def board(toy, kept) -> Path:
    """The leaderboard of a clone of the synthetic benchmark; cards and board are committed."""
    if not kept.exists():
        result = bench.bench("climate/toy", models="climate/best", measure=True)[0]
        write_entries(result, kept / "entries", command="zoo bench climate/toy", submitted_by="ada")
        verify.write(verify.verify(kept / "entries" / ENTRY), kept / "verified")
    shutil.rmtree(toy / "leaderboard", ignore_errors=True)
    shutil.copytree(kept, toy / "leaderboard")
    git(toy, "init", "-q")
    commit(toy)
    return toy / "leaderboard"


def as_of_old(board: Path) -> None:
    """Names the two files in place of the protocol, and lets the verification follow."""
    path, verified = board / "entries" / ENTRY, board / "verified" / ENTRY
    before = files.sha256(path)
    content = json.loads(path.read_text())
    del content["hashes"]["protocol"]
    root = board.parent
    content["hashes"] |= {
        "task": files.sha256(root / TASK),
        "dataset_card": files.sha256(root / DATASET),
    }
    path.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    edit(verified, before, files.sha256(path))


def state(board: Path) -> dict[str, str]:
    return {
        path.as_posix(): files.sha256(path) for path in sorted(board.rglob("*")) if path.is_file()
    }


def test_an_entry_of_two_files_is_bound_to_the_protocol_and_nothing_else_changes(
    board, script, capsys
):
    true = state(board)
    as_of_old(board)
    assert state(board) != true
    assert script.main(["--check"]) == 0 and state(board) != true
    edit(board.parent / TASK, 'code = "synthetic_task:Toy"', 'code = "renamed:Toy"')
    assert script.main([]) == 0
    assert "1  bound; verification: follows" in capsys.readouterr().out
    assert state(board) == true  # entry and verification as the harness itself wrote them
    assert script.main([]) == 0 and state(board) == true
    assert "1  is bound to today's protocol already" in capsys.readouterr().out


def test_hashes_of_no_committed_file_are_refused(board, script, capsys):
    edit(board.parent / TASK, 'title = "A toy"', 'title = "Never committed"')
    as_of_old(board)
    edit(board.parent / TASK, 'title = "Never committed"', 'title = "A toy"')
    before = state(board)
    assert script.main([]) == 1 and state(board) == before
    told = capsys.readouterr().out
    assert (
        f"REFUSED climate/toy@3/best: hashes.task is that of no committed state of {TASK}" in told
    )


def test_a_file_of_another_protocol_is_refused(board, script, capsys):
    as_of_old(board)
    edit(board.parent / TASK, "seed = 7", "seed = 8")
    before = state(board)
    assert script.main([]) == 1 and state(board) == before
    told = capsys.readouterr().out
    assert "the cards that it names had another protocol: resampling.seed: 7 -> 8" in told


def test_a_verification_of_another_file_is_left(board, script, capsys):
    as_of_old(board)
    verified = board / "verified" / ENTRY
    edit(verified, files.sha256(board / "entries" / ENTRY), "0" * 64)
    before = files.sha256(verified)
    assert script.main([]) == 0 and files.sha256(verified) == before
    assert "verification: of neither file, left" in capsys.readouterr().out


def packed_anew(root: Path) -> str:
    """Changes the data file's hash in its card; the commit of the old card."""
    old = git(root, "rev-parse", "HEAD")
    card = root / DATASET
    known = registry.dataset("climate/toy").file[0].sha256
    edit(card, known, hashlib.sha256(b"packed anew").hexdigest())
    return old


def test_a_file_packed_anew_is_rebound_once_its_record_is_rescored(board, script, capsys):
    old = packed_anew(board.parent)
    path = board / "entries" / ENTRY
    assert script.main([]) == 1  # not without saying which cards
    assert script.main(["--rebind", old, "--check"]) == 0
    assert script.main(["--rebind", old]) == 0
    told = capsys.readouterr().out
    assert "1  bound; verification: follows" in told and "files.series.npy.sha256: " in told
    spec = registry.task("climate/toy")
    bound = json.loads(path.read_text())["hashes"]["protocol"]
    assert bound == protocol.protocol_sha256(spec, registry.dataset("climate/toy"), "climate/best")
    assert json.loads((board / "verified" / ENTRY).read_text())["entry_sha256"] == files.sha256(
        path
    )
    assert verify.verify(path, level="rescored").ok
    assert script.main(["--rebind", old]) == 0


def test_nothing_else_may_differ_unless_it_is_named(board, script, capsys):
    old = packed_anew(board.parent)
    edit(board.parent / TASK, "tolerance = 1e-3", "tolerance = 2e-3")
    before = state(board)
    assert script.main(["--rebind", old]) == 1 and state(board) == before
    told = capsys.readouterr().out
    assert "more than packed files differs: tolerance: 0.001 -> 0.002" in told
    assert script.main(["--rebind", old, "--allow", "tolerance"]) == 0 and state(board) != before


def test_an_entry_of_other_cards_than_those_named_is_refused(board, script, capsys):
    edit(board.parent / TASK, "seed = 7", "seed = 9")
    other = commit(board.parent)
    assert script.main(["--rebind", other]) == 1
    assert f"is not bound to the protocol of the cards at {other}" in capsys.readouterr().out


def test_scores_that_do_not_come_out_of_the_record_are_refused(board, script, capsys):
    old = packed_anew(board.parent)
    path = board / "entries" / ENTRY
    content = json.loads(path.read_text())
    content["metrics"]["rmse.step1"]["value"] *= 1 + 1e-8
    path.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    before = state(board)
    assert script.main(["--rebind", old]) == 1 and state(board) == before
    assert "metrics.rmse.step1: claimed" in capsys.readouterr().out


def test_an_entry_of_another_layout_is_refused(board, script, capsys):
    as_of_old(board)
    path = board / "entries" / ENTRY
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert script.main([]) == 1
    assert "has not the layout of zoo.cards.dump" in capsys.readouterr().out
