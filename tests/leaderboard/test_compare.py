"""Any two rows can be compared from the page alone, the history only ever improves, and
datasets speak Croissant."""

from __future__ import annotations

import base64
import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import synthetic_board as synthetic
from chromium import CHROMIUM, FLAGS

from zoo.leaderboard import board as boards
from zoo.leaderboard import compare, ranks
from zoo.scoring import stats

PROBE = """
addEventListener("load", () => setTimeout(() => {
  const form = document.getElementById("compare");
  form.elements.reference.value = "net_1.held_out";
  for (const box of form.querySelectorAll("input[type=checkbox]"))
    box.checked = box.value !== "net_1.held_out";
  form.dispatchEvent(new Event("input", { bubbles: true }));
  const texts = (row) => [...row.cells].map((cell) => cell.textContent);
  const rows = [...document.querySelectorAll("#compared tbody tr")].map(texts);
  const written = document.createElement("pre");
  written.id = "probe";
  const left = document.documentElement.scrollWidth - innerWidth;
  written.textContent = JSON.stringify({ rows, hash: location.hash, left });
  document.body.append(written);
}, 0));
"""


@pytest.fixture(scope="module")
def task(root) -> boards.TaskBoard:
    board = ranks.rank(boards.read(root))
    return next(task for task in board.tasks if task.spec.id == "climate/toy_weather")


def content(task: boards.TaskBoard) -> dict:
    return json.loads(compare.script(task).removeprefix("window.scizooCompare = ").rstrip(";\n"))


def unpack(score: dict) -> np.ndarray:
    codes = np.frombuffer(base64.b64decode(score["q"]), "<u2").astype(float)
    codes[codes == compare.STEPS] = np.nan
    return score["lo"] + codes / (compare.STEPS - 1) * (score["hi"] - score["lo"])


def test_what_is_packed_gives_the_same_paired_intervals(task):
    packed = {row["name"]: row["scores"][task.spec.headline] for row in content(task)["rows"]}
    rows = compare.rows(task)
    assert len(rows) > 2 and all(row.differences for row in rows)
    for row in rows:
        for difference in row.differences:
            other = difference.other.split("/")[-1]
            low, high = stats.interval(
                unpack(packed[row.name]) - unpack(packed[other]), difference.value
            )
            spread = packed[row.name]["hi"] - packed[row.name]["lo"]
            assert (low, high) == pytest.approx(
                (difference.low, difference.high), abs=1e-4 * spread
            )


def test_an_undefined_resample_stays_undefined():
    low, high, packed = compare.pack(np.array([1.0, np.nan, 3.0, 2.0]))
    given = unpack({"lo": low, "hi": high, "q": packed})
    np.testing.assert_allclose(given, [1.0, np.nan, 3.0, 2.0], atol=1e-4)
    assert compare.pack(np.full(3, 7.0))[:2] == (7.0, 7.0)


def test_a_task_of_many_rows_packs_its_headline_for_the_best_alone(task, monkeypatch):
    whole = len(compare.script(task))
    monkeypatch.setattr(compare, "BUDGET", whole // 3)
    small = content(task)
    assert [metric["name"] for metric in small["metrics"]] == [task.spec.headline]
    assert 2 <= len(small["rows"]) < len(compare.rows(task)) and small["left"] == len(
        compare.rows(task)
    ) - len(small["rows"])
    assert len(compare.script(task)) < whole


def test_the_table_without_javascript_is_antisymmetric(task):
    matrix = compare.matrix(task)
    assert len(matrix.rows) > 2
    for i in range(len(matrix.rows)):
        assert matrix.cells[i][i] is None
        for j in range(i):
            assert matrix.cells[i][j].value == pytest.approx(-matrix.cells[j][i].value)
            assert matrix.cells[i][j].low == pytest.approx(-matrix.cells[j][i].high)


def test_one_row_has_nothing_to_be_compared_with(small):
    spec = synthetic.weather_spec()
    synthetic.add_entry(
        small,
        spec,
        synthetic.ToyWeather(spec, file=Path),
        "net",
        synthetic.weather_record(skill=0.3, seed=7),
    )
    board = ranks.rank(boards.read(small))
    assert sum(len(task.rows) for task in board.tasks) == 1
    assert all(
        compare.script(task) is None and compare.matrix(task) is None and task.detectable is None
        for task in board.tasks
    )


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_the_page_computes_what_the_board_computed(site, task, tmp_path):
    copy = tmp_path / "site"
    shutil.copytree(site, copy)
    page = copy / "tasks" / task.key / "compare.html"
    (page.parent / "probe.js").write_text(PROBE, encoding="utf-8")
    page.write_text(
        page.read_text(encoding="utf-8").replace(
            "</head>", '<script src="probe.js" defer></script></head>'
        ),
        encoding="utf-8",
    )
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    found = json.loads(
        html.unescape(re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL).group(1))
    )
    assert found["hash"].startswith("#reference=net_1.held_out&rows=")
    assert found["left"] <= 0
    reference = next(row for row in compare.rows(task) if row.name == "net_1.held_out")
    by_title = {difference.title: difference for difference in reference.differences}
    places = next(
        column.decimals for column in task.spec.table if column.metric == task.spec.headline
    )
    assert len(found["rows"]) == len(by_title) + 1
    for title, headline, *_ in found["rows"][1:]:
        difference = by_title[title]
        said = re.search(r"([+−][\d.]+) +\[([−\d.]+), ([−\d.]+)\] (\w+)$", headline)
        numbers = [float(each.replace("−", "-")) for each in said.groups()[:3]]
        slack = 0.6 * 10.0**-places
        assert numbers == pytest.approx(
            [-difference.value, -difference.high, -difference.low], abs=slack
        )
        assert said[4] == {"better": "worse", "worse": "better", "tied": "tied"}[difference.verdict]
