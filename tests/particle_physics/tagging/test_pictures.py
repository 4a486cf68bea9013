"""What a record shows: right by hand, never below ten survivors, and drawn into files by
`zoo figures`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import made_up_entries as stored
import numpy as np
import pytest

from zoo import files, registry
from zoo.interfaces.figures import Lines
from zoo.particle_physics.data.jets import LABELS
from zoo.particle_physics.tagging import pictures
from zoo.scoring import record

NAMES = ("top", "QCD")


def task_of(name: str):
    spec = registry.task(f"particle_physics/{name}")
    return registry.resolve(spec.code)(spec, file=lambda wanted: pytest.fail(f"opened {wanted}"))


def scores(n: int = 400, shift: float = 1.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    signal = np.arange(n) < n // 2
    return rng.normal(size=n) + shift * signal, signal


def test_a_roc_curve_is_that_of_sklearn_as_far_as_ten_survive():
    from sklearn.metrics import roc_curve

    score, signal = scores()
    line = pictures.roc(score, signal, ~signal, names=NAMES, points=(0.5, 0.8))
    fpr, tpr, _ = roc_curve(signal, score, drop_intermediate=False)
    for x, y, low, high in zip(line.x, line.y, line.low, line.high, strict=True):
        expected = fpr[np.argmax(tpr >= x - 1e-12)]
        assert 1 / y == pytest.approx(expected, rel=1e-3)
        assert round(200 / y) >= 10
        assert low < y < high
    next_lower = fpr[np.argmax(tpr >= line.x[0] - 0.01 - 1e-12)]
    assert next_lower * 200 < 10  # and no further than that


def test_marks_count_the_jets_that_are_left():
    score, signal = scores()
    line = pictures.roc(score, signal, ~signal, names=NAMES, points=(0.5, 0.8))
    marks = {mark.x: mark for mark in line.marks}
    assert set(marks) == {line.x[0], 0.5, 0.8}
    cut = np.sort(score[signal])[::-1][159]  # keeps 160 of 200
    left = int((score[~signal] >= cut).sum())
    assert marks[0.8].short == f"{left} left" and f"{left} of 200 QCD jets left" in marks[0.8].text


def test_a_perfect_score_has_no_curve_where_nothing_survives():
    signal = np.arange(40) < 20
    assert (
        pictures.roc(
            signal.astype(float), signal, ~signal & (np.arange(40) < 29), names=NAMES, points=(0.5,)
        )
        is None
    )
    line = pictures.roc(signal.astype(float), signal, ~signal, names=NAMES, points=(0.5,))
    assert line is None  # twenty background jets, none above any cut


def test_ties_pass_together():
    signal = np.arange(100) < 50
    line = pictures.roc(np.zeros(100), signal, ~signal, names=NAMES, points=(0.3,))
    assert set(line.y) == {1.0}


def test_confusion_by_hand():
    grid = pictures.confusion(np.array([0, 0, 1, 2, 2]), np.array([0, 0, 0, 1, 2]), ("a", "b", "c"))
    assert grid.values == [
        [pytest.approx(2 / 3, abs=1e-5), pytest.approx(1 / 3, abs=1e-5), 0],
        [0, 0, 1],
        [0, 0, 1],
    ]


def test_tagging_records_show_nominal_jets_only():
    task = task_of("jet_tagging")
    n = 200 * len(LABELS)
    label = np.repeat(np.arange(len(LABELS)), 200).astype(np.int8)
    rng = np.random.default_rng(0)
    log = np.log(rng.dirichlet(np.ones(10), n) + 0.3 * np.eye(10)[label]).astype(np.float16)
    nominal = {
        "log_probability": log,
        "label": label,
        "sample": np.zeros(n, np.int8),
        "jet_pt": np.full(n, 600, np.float32),
    }
    wrong = np.full((n, 10), -30, np.float16)
    wrong[:, 0] = 0
    spoiled = {name: np.concatenate([value, value]) for name, value in nominal.items()}
    spoiled["log_probability"][n:], spoiled["sample"][n:] = wrong, 1
    assert task.figures(spoiled) == task.figures(nominal)
    grid, curve = task.figures(nominal)
    assert grid.rows == list(LABELS)
    share = np.mean(log.argmax(1) == label)
    assert np.mean(np.diag(grid.values)) == pytest.approx(share, abs=1e-4)
    assert curve.title == "ROC curve: top against QCD"


def test_a_binary_record_with_gaps_in_shifted_jets_has_its_curve():
    task = task_of("top_tagging")
    score, signal = scores()
    arrays = {"score": np.append(score, [np.nan] * 5), "label": np.append(signal, [1, 0, 1, 0, 1])}
    arrays["sample"] = np.append(np.zeros(400), [2] * 5)
    (line,) = task.figures(arrays)
    assert line == pictures.roc(score, signal, ~signal, names=NAMES, points=(0.3, 0.5, 0.8))


def test_the_tasks_figures_need_no_jax_and_no_reader_of_files():
    code = (
        "import sys; import zoo.particle_physics.tagging.task, zoo.particle_physics.anomaly.task; "
        "print([m for m in ('jax', 'flax', 'uproot', 'awkward', 'numba', 'sklearn', 'matplotlib') "
        "if m in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


@pytest.fixture
def entries(tmp_path, monkeypatch) -> Path:
    """A root with two stored entries of top_tagging in place of the shipped ones."""
    task = task_of("top_tagging")
    for number, shift in enumerate((2.0, 1.0)):
        score, signal = scores(shift=shift, seed=number)
        arrays = {
            "example_id": np.array([f"jet:{i}" for i in range(400)]),
            "score": score.astype(np.float32),
            "is_probability": np.ones(400, bool),
            "label": signal.astype(np.int8),
            "sample": np.zeros(400, np.int8),
            "jet_pt": np.linspace(500, 999, 400, dtype=np.float32),
        }
        stored.add_entry(tmp_path, task, f"net_{number}", arrays)
    for folder in ("benchmarks", "datasets"):  # the real cards
        (tmp_path / folder).symlink_to(files.share() / folder)
    monkeypatch.setattr(files, "share", lambda: tmp_path)
    return tmp_path


def test_stored_entries_are_drawn_without_computing(entries, zoo_command, monkeypatch):
    from zoo.commands.bench import run as bench

    monkeypatch.setattr(bench, "bench", lambda *_, **__: pytest.fail("computed"))
    done = zoo_command(
        "figures", "particle_physics/top_tagging", "--out", entries / "out", "--no-samples"
    )
    assert done.code == 0, done.err
    assert {Path(line).name for line in done.out.split()} == {
        "roc.png",
        "by_auc_by_pt.png",
        "by_rejection.png",
    }
    assert all(
        (entries / "out" / name).read_bytes().startswith(b"\x89PNG")
        for name in ("roc.png", "by_auc_by_pt.png")
    )


def test_an_svg_is_the_same_again(entries, zoo_command):
    for folder in ("a", "b"):
        options = ("--out", entries / folder, "--no-samples", "--format", "svg")
        assert zoo_command("figures", "particle_physics/top_tagging", *options).code == 0
    assert (entries / "a" / "roc.svg").read_bytes() == (entries / "b" / "roc.svg").read_bytes()


def test_an_altered_record_is_named_and_the_rest_drawn(entries, zoo_command):
    record.write(
        entries / "leaderboard/entries/particle_physics/top_tagging@1/net_0.record.zarr.zip",
        {"score": np.zeros(3)},
    )
    done = zoo_command(
        "figures", "particle_physics/top_tagging", "--out", entries / "out", "--no-samples"
    )
    assert (
        done.code == 0
        and "no pictures of particle_physics/top_tagging@1/net_0's record" in done.err
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("particle_physics/top_taging",), 2, "did you mean particle_physics/top_tagging"),
        (
            ("particle_physics/top_tagging", "--format", "gif"),
            1,
            "format 'gif' is none of png, svg, json",
        ),
        (("particle_physics/jetclass", "--no-samples"), 1, "--model '*'"),
        (
            ("particle_physics/top_tagging", "--no-samples", "--model", "*nothing*"),
            2,
            "no model or baseline",
        ),
    ],
)
def test_what_cannot_be_drawn_says_why(entries, zoo_command, arguments, code, said):
    done = zoo_command("figures", *arguments, "--out", entries / "out")
    assert done.code == code and said in done.err
    assert not (entries / "out").exists()


def test_lines_of_every_task_with_an_axis_are_drawn():
    from zoo.cards import MetricValue
    from zoo.commands.figures import RowPictures, _of_rows

    spec = registry.task("climate/enso")
    metric = next(metric for metric in spec.metric if metric.positions)
    row = RowPictures(
        "net", {name: MetricValue(value=0.5, ci95=(0.4, 0.6)) for name in metric.names[1:]}, []
    )
    ((name, _, [(_, line)]),) = _of_rows(spec, [row])
    assert (
        name == f"by_{metric.name}" and isinstance(line, Lines) and line.x == metric.positions[1:]
    )
