"""The harness: same run, same numbers; an interruption costs nothing; what cannot run is
told with the reason."""

from __future__ import annotations

import json

import numpy as np
import pytest
import synthetic_task

from zoo import cards, files
from zoo.commands.bench import run as bench
from zoo.commands.bench.entry import write_entries
from zoo.commands.bench.row import TaskResult
from zoo.scoring import record

PATTERN = "climate/toy"


def one(**options) -> TaskResult:
    return bench.bench(PATTERN, **options)[0]


def test_two_runs_give_the_same_numbers(toy):
    first, second = one(), one()
    one_way, other_way = (
        [(row.predictor.id, row.metrics, row.group) for row in result.rows]
        for result in (first, second)
    )
    assert one_way == other_way
    assert len(synthetic_task.calls) == 2 * 5  # nothing was remembered from the first


def test_rows_are_sorted_by_the_headline_and_rows_that_tie_share_a_letter(toy):
    result = one()
    errors = [row.metrics["rmse.step1"].value for row in result.rows]
    assert errors == sorted(errors)
    groups = {row.predictor.id.split("/")[1]: row.group for row in result.rows}
    assert result.rows[-1].predictor.id == "climate/zero"
    assert groups["best"][0] == "a" and set(groups["best"]) & set(groups["best_twin"])
    assert not set(groups["best"]) & set(groups["zero"])


def test_scores_are_those_of_the_definition_with_their_intervals(toy):
    row = next(row for row in one().rows if row.predictor.id == "climate/best")
    series = np.load(toy / "datasets/climate/toy/series.npy")
    expected = np.sqrt(np.mean((0.9 * series[:60] - series[1:61]) ** 2))
    metric = row.metrics["rmse.step1"]
    assert metric.value == pytest.approx(expected, rel=1e-12)
    assert metric.ci95[0] < expected < metric.ci95[1]


def test_what_a_row_does_not_give_is_a_gap(toy):
    row = next(row for row in one().rows if row.predictor.id == "climate/short")
    assert "rmse.step2" not in row.metrics and "rmse.step1" in row.metrics


def test_an_interrupted_run_continues_and_a_finished_one_leaves_nothing(toy, isolated_home):
    synthetic_task.broken.add("best_twin")  # the third
    with pytest.raises(RuntimeError, match="best_twin broke"):
        one()
    assert synthetic_task.calls == ["zero", "best", "best_twin"]
    assert len(list((isolated_home / "runs").rglob("*.json"))) == 2
    synthetic_task.broken.clear()
    synthetic_task.calls.clear()
    result = one()
    assert synthetic_task.calls == ["best_twin", "short", "model"]
    assert {row.predictor.id.split("/")[1] for row in result.rows if row.resumed} == {
        "zero",
        "best",
    }
    assert list((isolated_home / "runs").iterdir()) == []
    fresh = one()
    assert [(row.predictor.id, row.metrics) for row in fresh.rows] == [
        (row.predictor.id, row.metrics) for row in result.rows
    ]


def test_a_journal_of_another_task_text_or_half_written_is_not_used(toy, isolated_home):
    synthetic_task.broken.add("best_twin")
    with pytest.raises(RuntimeError):
        one()
    for path in (isolated_home / "runs").rglob("zero*.json"):
        path.write_text(path.read_text()[:20])
    for path in (isolated_home / "runs").rglob("best-*.zarr.zip"):
        path.write_bytes(path.read_bytes()[:100])
    synthetic_task.broken.clear()
    synthetic_task.calls.clear()
    rows = one().rows
    assert len(rows) == 5 and not any(row.resumed for row in rows)


def test_a_row_whose_file_is_missing_says_which_how_large_and_how_to_get_it(toy):
    result = one()
    ((name, reason),) = result.skipped
    assert name == "climate/needy"
    for part in ("extra.npy", "1.23 MB", "https://example.org/data/extra.npy"):
        assert part in reason


def test_a_task_whose_data_are_missing_runs_nothing_and_says_why(toy):
    (toy / "datasets/climate/toy/series.npy").unlink()
    result = one()
    assert result.rows == [] and synthetic_task.calls == []
    assert (
        "series.npy" in result.unavailable[0]
        and "https://example.org/data/series.npy" in result.unavailable[0]
    )


def test_a_model_whose_weights_are_missing_is_skipped_and_the_others_run(toy, tmp_path):
    (tmp_path / "plugins/toy_models/line.seed1.safetensors").unlink()
    result = one()
    assert len(result.rows) == 4
    assert any(
        name == "climate/line.toy" and "line.seed1.safetensors" in reason
        for name, reason in result.skipped
    )


def test_altered_weights_or_data_stop_the_run(toy, tmp_path):
    path = tmp_path / "plugins/toy_models/line.seed0.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(files.FileAltered, match=r"line.seed0.safetensors was altered"):
        one()


def test_models_are_chosen_by_wildcard_and_an_empty_choice_is_an_error(toy):
    from zoo.registry import UnknownName

    assert {row.predictor.id for row in one(models="*best*").rows} == {
        "climate/best",
        "climate/best_twin",
    }
    with pytest.raises(
        UnknownName,
        match="no model or baseline of climate/toy matches 'climate/bset'; "
        "did you mean climate/best",
    ):
        one(models="climate/bset")
    with pytest.raises(UnknownName, match="no task matches 'climat'"):
        bench.bench("climat")


def test_a_task_whose_dataset_has_no_card_is_not_passed_over_in_silence(toy):
    from zoo.registry import UnknownName

    second = toy / "benchmarks/climate/other.toml"
    text = synthetic_task.SPEC.replace('"climate/toy"', '"climate/other"')
    second.write_text(text.replace('dataset = "climate/other"', 'dataset = "climate/gone"'))
    with pytest.raises(UnknownName, match="no dataset is called 'climate/gone'"):
        bench.bench("climate")


def test_a_cache_that_cannot_be_written_warns_and_the_run_goes_on(toy, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "file"))
    with pytest.warns(
        UserWarning, match=r"point ZOO_HOME at a folder that can be written"
    ) as caught:
        assert len(one().rows) == 5
    assert len(caught) == 2  # the compilation cache and the journal, once each


def test_each_training_seed_is_scored_alone(toy):
    row = one(models="*line*", all_seeds=True).rows[0]
    assert [scores.seed for scores in row.seeds] == [0, 1, 2]
    # the first is the model
    assert row.seeds[0].metrics["rmse.step1"] == row.metrics["rmse.step1"].value
    assert len({scores.metrics["rmse.step1"] for scores in row.seeds}) == 3


def test_entries_are_valid_and_name_everything_by_hash(toy, tmp_path):
    result = one(all_seeds=True, measure=True)
    paths = write_entries(
        result, tmp_path / "entries", command="zoo bench climate/toy", submitted_by="ada"
    )
    assert sorted(path.name for path in paths) == [
        "best.json",
        "best_twin.json",
        "line.toy.json",
        "short.json",
        "zero.json",
    ]
    for path in paths:
        entry = cards.read(path, cards.Entry)
        beside = path.with_name(entry.record)
        assert entry.hashes.record == files.sha256(beside)
        assert tuple(record.read(beside)["example_id"]) == tuple(f"t{i:03d}" for i in range(60))
        assert (
            entry.cost.repeats == bench.REPEATS
            and entry.n_examples == 60
            and entry.task_version == 3
        )
        assert str(tmp_path) not in path.read_text()  # no path of the machine
    short = cards.read(tmp_path / "entries/climate/toy@3/short.json", cards.Entry)
    assert short.declined == ["rmse.step2"]
    model = cards.read(tmp_path / "entries/climate/toy@3/line.toy.json", cards.Entry)
    assert (
        len(model.hashes.weights) == 3
        and model.cost.n_params == 1
        and len(model.training_seeds) == 3
    )
    assert (
        cards.read(tmp_path / "entries/climate/toy@3/best.json", cards.Entry).provenance.note
        == "knows the truth"
    )
    assert not [path for path in (tmp_path / "entries").rglob("*") if path.name.endswith(".part")]


def test_entries_of_a_dirty_checkout_are_refused(toy, tmp_path, monkeypatch):
    from zoo.scoring import environment

    monkeypatch.setattr(environment, "checkout_state", lambda root, known=(): ("0" * 40, True))
    with pytest.raises(cards.CardError, match="commit first"):
        write_entries(
            one(models="*zero", measure=True), tmp_path / "entries", command="c", submitted_by="ada"
        )
    assert not list((tmp_path / "entries").rglob("*.json"))


def test_entries_need_the_measured_cost(toy, tmp_path):
    with pytest.raises(ValueError, match="measure=True"):
        write_entries(one(models="*zero"), tmp_path, command="c", submitted_by="ada")


def test_the_json_output_is_plain_data(toy, tmp_path, zoo_command):
    done = zoo_command("bench", PATTERN, "--json", tmp_path / "out.json")
    assert done.code == 0
    content = json.loads((tmp_path / "out.json").read_text())
    assert content[0]["rows"][0]["metrics"]["rmse.step1"]["value"] > 0
    assert content[0]["not_run"][0]["model"] == "climate/needy"
