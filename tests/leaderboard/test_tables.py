"""Cells of Markdown are plain text."""

from __future__ import annotations

from zoo.leaderboard import tables


def test_markdown_cells_are_plain_text():
    assert tables.cell("a|b\n<b>*x*") == "a\\|b &lt;b&gt;\\*x\\*"
