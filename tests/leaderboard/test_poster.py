"""The picture of the board: small, from the same rows, nothing typed becomes markup, same bytes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import synthetic_board as synthetic

from zoo.leaderboard import board as boards
from zoo.leaderboard import build, poster, ranks

SVG = "{http://www.w3.org/2000/svg}"


def test_the_picture_shows_the_best_rows_of_every_task(root, site):
    text = (root / "leaderboard" / "board.svg").read_text(encoding="utf-8")
    tree = ElementTree.fromstring(text)
    written = [element.text for element in tree.iter(f"{SVG}text")]
    board = ranks.rank(boards.read(root))
    for task in board.tasks:
        assert any(task.spec.title.startswith((said or "").rstrip("…")) for said in written if said)
        best = next(row for row in task.rows if row.score(task.spec.headline))
        assert best.entry.title in written
    assert len(text) < 30_000
    assert text == poster.svg(board)


def test_every_mark_lies_inside_its_panel(root, site):
    tree = ElementTree.parse(root / "leaderboard" / "board.svg")
    board = ranks.rank(boards.read(root))
    scored = [
        sum(row.score(task.spec.headline) is not None for row in task.rows) for task in board.tasks
    ]
    drawn = [row for row in tree.iter(f"{SVG}g") if row.find(f"{SVG}circle") is not None]
    assert len(drawn) == sum(min(poster.ROWS, rows) for rows in scored) > 4
    for row in drawn:
        low, high = map(float, re.findall(r"[MH]([\d.]+)", row.find(f"{SVG}path").get("d")))
        middle = float(row.find(f"{SVG}circle").get("cx"))
        assert poster.SCALE[0] <= low <= middle <= high <= poster.SCALE[1]
        assert low < high


def test_typed_text_stays_text(small):
    spec = synthetic.weather_spec(title="</text><script>alert(1)</script> & more")
    synthetic.write_specs(small, spec)
    task = synthetic.ToyWeather(spec, file=Path)
    synthetic.add_entry(
        small, spec, task, "net", synthetic.weather_record(skill=0.3, seed=7), title='<a href="x">&'
    )
    readme, _ = build(root=small)
    text = readme.with_name("board.svg").read_text(encoding="utf-8")
    assert {element.tag.removeprefix(SVG) for element in ElementTree.fromstring(text).iter()} <= {
        "svg",
        "title",
        "style",
        "rect",
        "text",
        "g",
        "path",
        "circle",
    }
