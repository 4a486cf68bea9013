"""One synthetic board per test session: built once, read by many tests, changed by none
(those that change one make their own)."""

from __future__ import annotations

from pathlib import Path

import pytest
import synthetic_board

from zoo.leaderboard import board as boards
from zoo.leaderboard import ranks


@pytest.fixture(scope="session")
def root(tmp_path_factory) -> Path:
    return synthetic_board.make_board(tmp_path_factory.mktemp("board"), weather=9, seasons=12)


@pytest.fixture(scope="session")
def site(root) -> Path:
    from zoo.leaderboard import build

    readme, index = build(root=root)
    assert readme == root / "leaderboard" / "README.md"
    return index.parent


@pytest.fixture
def small(tmp_path) -> Path:
    """A root with the two task specs and no entry, for a test to fill."""
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    synthetic_board.write_specs(
        tmp_path, synthetic_board.weather_spec(), synthetic_board.seasons_spec()
    )
    return tmp_path


@pytest.fixture(scope="module")
def ranked(root):
    return ranks.rank(boards.read(root))
