"""An entry that is bound to another protocol is told what differs, as far as the clone knows."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import synthetic_task

from zoo import cards, registry
from zoo.cards import DatasetCard, Entry, TaskSpec
from zoo.commands import revisions, verify
from zoo.commands.bench import run as bench
from zoo.commands.bench.entry import write_entries
from zoo.scoring import protocol

TASK, DATASET = "benchmarks/climate/toy.toml", "datasets/climate/toy/card.toml"


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


def edit(share: Path, name: str, before: str, after: str) -> None:
    text = (share / name).read_text()
    assert before in text
    (share / name).write_text(text.replace(before, after))
    synthetic_task.forget_cards()


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> dict[str, bytes]:
    """The files of one true entry, by name; filled by the first test that needs them."""
    return {}


@pytest.fixture
def entry(toy, tmp_path, kept) -> Path:
    """A true entry of the synthetic task's baseline `best`."""
    folder = tmp_path / "entries"
    if not kept:
        result = bench.bench("climate/toy", models="climate/best", measure=True)[0]
        write_entries(result, folder, command="zoo bench climate/toy", submitted_by="ada")
        kept |= {path.name: path.read_bytes() for path in (folder / "climate/toy@3").iterdir()}
    (folder / "climate/toy@3").mkdir(parents=True, exist_ok=True)
    for name, content in kept.items():
        (folder / "climate/toy@3" / name).write_bytes(content)
    return folder / "climate/toy@3/best.json"


def told(path: Path) -> str:
    """What a static verification says of the protocol."""
    result = verify.verify(path, level="static")
    return next(line for line in result.problems if line.startswith("hashes.protocol: "))


def test_what_changed_since_the_entrys_commit_is_named_with_the_next_command(toy, entry):
    git(toy, "init", "-q")
    first = commit(toy)
    edit(toy, TASK, 'title = "A toy"', 'title = "Another toy"')
    newest = commit(toy)
    edit(toy, TASK, "seed = 7", "seed = 8")
    edit(toy, TASK, 'name = "best", factor = 0.9', 'name = "best", factor = 0.91')
    commit(toy)
    line = told(entry)
    assert newest != first and f"made under the cards of commit {newest[:12]}, since when: " in line
    assert (
        "baselines.climate/best.config.factor: 0.9 -> 0.91, resampling.seed: 7 -> 8; run it" in line
    )
    again = "zoo bench climate/toy --model climate/best --entries leaderboard/entries"
    assert line.endswith(f"; run it again: `{again}`")


def test_a_sentence_a_code_path_and_another_baseline_leave_it_true(toy, entry):
    edit(toy, TASK, "Forecast one and two steps.", "Forecast one step and two.")
    edit(toy, TASK, 'name = "zero", factor = 0.0', 'name = "zero", factor = 0.1')
    edit(toy, DATASET, 'role = "', 'role = "now ')
    assert verify.verify(entry, level="rescored").ok


def test_a_version_alone_is_named_without_any_history(toy, entry):
    edit(toy, TASK, "version = 3", "version = 4")
    assert "it was made under version 3; nothing else differs; run it again" in told(entry)


def test_without_a_clone_the_place_to_ask_is_named(toy, entry):
    edit(toy, TASK, "seed = 7", "seed = 8")
    assert "what differs is told in a clone of the project" in told(entry)


def test_a_state_that_nobody_committed_is_called_so(toy, entry):
    edit(toy, TASK, "seed = 7", "seed = 8")
    git(toy, "init", "-q")
    commit(toy)
    assert "no committed state of the task's and the dataset's card has it" in told(entry)


def test_the_hash_of_the_whole_task_is_recognised(toy, entry):
    spec = registry.task("climate/toy")
    whole = protocol.protocol_sha256(spec, registry.dataset("climate/toy"))
    own = cards.read(entry, Entry).hashes.protocol
    entry.write_text(entry.read_text().replace(own, whole))
    assert "it is the hash of the task with every baseline" in told(entry)


def test_cards_of_another_time_are_read_without_the_keys_that_are_gone(toy):
    text = (toy / TASK).read_text()
    old = (
        text.replace('title = "A toy"', 'title = "A toy"\nmood = "gay"')
        + "\n[[baseline.stage]]\nx = 1\n"
    )
    assert revisions.read_old(old.encode(), TaskSpec) == revisions.read_old(text.encode(), TaskSpec)
    with pytest.raises(cards.CardError, match="no DatasetCard even without unknown keys"):
        revisions.read_old(text.encode(), DatasetCard)
    with pytest.raises(cards.CardError, match="no TOML"):
        revisions.read_old(b"= 1", TaskSpec)
