"""What is read, what is left out and why, and which rows are tied."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import synthetic_board as synthetic
from ranked_boards import weather_rows

from zoo.leaderboard import board as boards
from zoo.leaderboard import ranks
from zoo.leaderboard.board import BoardError


def toy_weather():
    return synthetic.ToyWeather(synthetic.weather_spec(), file=Path)


def add(root, name, **changes):
    arrays = changes.pop("arrays", None) or synthetic.weather_record(skill=0.3, seed=7)
    return synthetic.add_entry(
        root, synthetic.weather_spec(), toy_weather(), name, arrays, **changes
    )


def test_everything_that_fits_is_read(ranked):
    assert ranked.problems == []
    assert {task.key: len(task.rows) for task in ranked.tasks} == {
        "climate/toy_weather@1": 9,
        "genomics/toy_seasons@2": 12,
    }
    assert list(ranked.datasets) == ["climate/toy_planet"]
    assert len(ranked.models) == 5


def test_an_altered_record_is_noticed(small):
    add(small, "net").with_name("net.record.zarr.zip").write_bytes(b"PK other")
    row = weather_rows(ranks.rank(boards.read(small)))[0]
    assert row.groups == "-"
    assert "not the one that the entry names by hash" in row.no_group


def test_a_value_outside_its_own_interval_is_no_entry(small):
    path = add(small, "net")
    entry = json.loads(path.read_text())
    entry["metrics"]["z500_rmse.day5"]["value"] *= 2
    path.write_text(json.dumps(entry))
    assert "outside its own interval" in boards.read(small).problems[0]


def test_a_record_that_gives_another_score_is_not_grouped(small):
    path = add(small, "net")
    entry = json.loads(path.read_text())
    entry["metrics"]["z500_rmse.day5"] = {"value": 1.0, "ci95": [0.5, 1.5]}
    path.write_text(json.dumps(entry))
    row = weather_rows(ranks.rank(boards.read(small)))[0]
    assert row.groups == "-"
    assert row.no_group.startswith("its record gives 2")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"metrics": {"nonsense": {"value": 1.0, "ci95": None}}},
            "does not define metric nonsense",
        ),
        (
            {"task": "climate/none", "id": "climate/none@1/net"},
            "belongs to leaderboard/entries/climate/none@1/net.json",
        ),
        ({"declined": ["z500_rmse.day5"]}, "both scored and declined"),
        ({"extra": 1}, "extra"),
    ],
)
def test_what_does_not_fit_is_left_out_and_named(small, change, problem):
    path = add(small, "net")
    add(small, "other")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    board = boards.read(small)
    assert [row.name for row in weather_rows(board)] == ["other"]
    assert problem in board.problems[0]
    assert str(small) not in board.problems[0]


def test_a_task_whose_code_cannot_be_loaded_keeps_its_rows(small):
    add(small, "net")
    synthetic.write_specs(small, synthetic.weather_spec(code="no_such_module:Task"))
    row = weather_rows(ranks.rank(boards.read(small)))[0]
    assert row.groups == "-"
    assert "no_such_module:Task cannot be loaded (ModuleNotFoundError)" in row.no_group


def test_an_older_version_is_shown_as_retired(small):
    add(small, "net")
    synthetic.write_specs(small, synthetic.weather_spec(version=2))
    board = ranks.rank(boards.read(small))
    retired = next(task for task in board.tasks if task.key == "climate/toy_weather@1")
    assert retired.retired
    assert "retired" in retired.rows[0].no_group


def test_a_verification_of_an_earlier_file_is_stale(small):
    path = add(small, "net")
    synthetic.verify(small, path)
    assert weather_rows(boards.read(small))[0].verified == "rerun"
    synthetic.verify(small, path, sha256=synthetic.SHA)
    assert weather_rows(boards.read(small))[0].verified == "stale"
    synthetic.verify(small, path, ok=False)
    assert weather_rows(boards.read(small))[0].verified == "failed"


def test_a_verification_without_its_entry_is_named(small):
    path = add(small, "net")
    synthetic.verify(small, path)
    path.unlink()
    assert "no entry" in boards.read(small).problems[0]


@pytest.mark.parametrize(
    "name", ["../x/y@1/z", "a/../b", "a/b@1/.hidden", "A/b", "a//b", "a/b\n", "a/b c", "a/..b.html"]
)
def test_no_id_leaves_the_folder(name):
    with pytest.raises(BoardError):
        boards.place(name)


def test_letters_are_single_letters_with_their_digits():
    assert boards.letters("ab") == ["a", "b"]
    assert boards.letters("za1") == ["z", "a1"]
    assert boards.letters("-") == []


def test_the_board_needs_neither_jax_nor_xarray(root, tmp_path):
    code = (
        "import sys; from pathlib import Path; from zoo.leaderboard import build; "
        "build(sys.argv[1], root=sys.argv[2]); "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'jax', 'flax', 'xarray', "
        "'uproot', 'optax'}))"
    )
    here = Path(__file__).parent
    lean = tmp_path / "root"
    shutil.copytree(root / "benchmarks", lean / "benchmarks")
    (lean / "pyproject.toml").write_text("")
    shutil.copytree(root / "leaderboard" / "peers", lean / "leaderboard" / "peers")
    paths = f"import sys; sys.path[:0] = [{str(here.parents[1])!r}, {str(here)!r}]; "
    done = subprocess.run(
        [sys.executable, "-P", "-c", paths + code, str(tmp_path / "out"), str(lean)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
