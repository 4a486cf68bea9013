"""Every shipped entry: hashes, scores and intervals come out of its files again, and a
verification of a re-run lies beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo import files, registry
from zoo.cards import Entry, Verification, read
from zoo.commands.verify import verify

BOARD = files.share() / "leaderboard"
ENTRIES = sorted((BOARD / "entries").rglob("*.json"))


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: "/".join(path.parts[-3:]))
def test_the_scores_come_out_of_the_record_again(path: Path):
    result = verify(path, level="rescored")
    assert result.ok, "\n".join(result.problems)


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: "/".join(path.parts[-3:]))
def test_a_re_run_confirmed_it(path: Path):
    verified = BOARD / "verified" / path.relative_to(BOARD / "entries")
    result = read(verified, Verification)
    assert result.entry_sha256 == files.sha256(path), (
        "the entry was changed after its verification: run `zoo verify --write` again"
    )
    assert (result.level, result.ok) == ("rerun", True)


def test_every_pretrained_model_and_publishable_baseline_stands_on_the_board():
    there = {(entry.task, entry.model) for entry in (read(path, Entry) for path in ENTRIES)}
    expected = {(task, name) for name, card in registry.models().items() for task in card.tasks}
    # A task that is run by name alone may need files that nobody here can have (gue_tf_3):
    # it has all of its rows, or none.
    ran = [
        spec
        for spec in registry.tasks().values()
        if not spec.by_name_only or any(task == spec.id for task, _ in there)
    ]
    expected |= {
        (spec.id, baseline.id) for spec in ran for baseline in spec.baseline if baseline.publishable
    }
    assert expected <= there, f"missing: {sorted(expected - there)}"


def test_no_record_repeats_data_that_may_not_be_shipped():
    withheld = {
        (spec.id, baseline.id)
        for spec in registry.tasks().values()
        for baseline in spec.baseline
        if not baseline.publishable
    }
    assert not withheld & {
        (entry.task, entry.model) for entry in (read(path, Entry) for path in ENTRIES)
    }
