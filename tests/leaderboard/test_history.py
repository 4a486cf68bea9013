"""The history of a task only improves."""

from __future__ import annotations

from zoo.leaderboard import board as boards
from zoo.leaderboard import history, ranks


def test_the_history_only_improves(root):
    board = ranks.rank(boards.read(root))
    assert board.tasks
    for task in board.tasks:
        assert task.rows
        direction = task.spec.metric_of(task.spec.headline).direction
        for track in {row.entry.track for row in task.rows}:
            steps = [record for record in history.records(task) if record.track == track]
            assert steps
            bad = [
                boards.badness(record.row.score(task.spec.headline).value, direction)
                for record in steps
            ]
            assert bad == sorted(bad, reverse=True) and len(set(bad)) == len(bad)
            assert [record.when for record in steps] == sorted(record.when for record in steps)
            assert [record.before for record in steps[1:]] == [
                record.row.score(task.spec.headline).value for record in steps[:-1]
            ]


def test_the_last_step_of_the_history_is_todays_best(root):
    board = ranks.rank(boards.read(root))
    assert board.tasks
    for task in board.tasks:
        last = {record.track: record.row.name for record in history.records(task)}
        assert last and last == {row.entry.track: row.name for row in task.best()}
