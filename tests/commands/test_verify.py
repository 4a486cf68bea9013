"""A true entry climbs to re-run; every way to bend one is caught, and the message names the
field."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import synthetic_task

from zoo import cards, files
from zoo.commands import verify
from zoo.commands.bench import run as bench
from zoo.commands.bench.entry import ids_sha256, write_entries
from zoo.registry import UnknownName
from zoo.scoring import record


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """Where the true entries are kept, computed by the first test that needs them."""
    return tmp_path_factory.mktemp("kept") / "entries"


@pytest.fixture
def entries(toy, tmp_path, kept) -> Path:
    """The folder with a copy of the true entries of the synthetic task."""
    if not kept.exists():
        result = bench.bench("climate/toy", all_seeds=True, measure=True)[0]
        write_entries(result, kept, command="zoo bench climate/toy", submitted_by="ada")
    shutil.copytree(kept, tmp_path / "entries")
    return tmp_path / "entries/climate/toy@3"


def bend(path: Path, change) -> Path:
    """Changes an entry's JSON by a function."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def swap_record(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """Replaces an entry's record and corrects the hashes as a careful forger would."""
    entry = cards.read(path, cards.Entry)
    beside = path.with_name(entry.record)
    record.write(beside, arrays)

    def rehash(content):
        content["hashes"] |= {
            "record": files.sha256(beside),
            "example_ids": ids_sha256(arrays["example_id"]),
        }

    return bend(path, rehash)


def problems(path: Path, level: str = "rerun") -> str:
    result = verify.verify(path, level=level)
    assert not result.ok
    return "\n".join(result.problems)


@pytest.mark.parametrize("name", ["best", "short", "line.toy"])
def test_a_true_entry_reaches_the_re_run(entries, name):
    result = verify.verify(entries / f"{name}.json")
    assert result.ok and result.level == "rerun" and result.problems == []
    assert result.largest_relative_difference == 0 and result.entry_sha256 == files.sha256(
        entries / f"{name}.json"
    )
    assert result.metrics
    assert all(pair.claimed == pair.obtained for pair in result.metrics.values())


def test_each_level_stops_where_it_was_asked_to(entries):
    synthetic_task.calls.clear()
    assert [
        verify.verify(entries / "best.json", level=level).level for level in ("static", "rescored")
    ] == ["static", "rescored"]
    assert synthetic_task.calls == []
    with pytest.raises(ValueError, match="level 'all' is none of static, rescored, rerun"):
        verify.verify(entries / "best.json", level="all")


def test_the_verification_is_written_at_the_entrys_own_path(entries, tmp_path):
    result = verify.verify(entries / "best.json", level="static")
    path = verify.write(result, tmp_path / "verified")
    assert (
        path == tmp_path / "verified/climate/toy@3/best.json"
        and cards.read(path, cards.Verification) == result
    )


def test_a_better_value_is_caught(entries):
    def better(content):
        content["metrics"]["rmse.step1"]["value"] *= 0.999

    assert "metrics.rmse.step1: claimed" in problems(
        bend(entries / "best.json", better), "rescored"
    )


def test_a_narrower_interval_is_caught(entries):
    def narrow(content):
        metric = content["metrics"]["rmse.step1"]
        metric["ci95"] = [metric["value"] - 1e-3, metric["value"] + 1e-3]

    assert "metrics.rmse.step1.ci95: claimed" in problems(
        bend(entries / "best.json", narrow), "rescored"
    )


def test_an_interval_left_out_is_caught(entries):
    def without(content):
        content["metrics"]["rmse.step1"]["ci95"] = None

    assert "metrics.rmse.step1.ci95: claimed None" in problems(
        bend(entries / "best.json", without), "rescored"
    )


def test_another_rows_record_is_caught_by_its_hash(entries):
    shutil.copy(entries / "best.record.zarr.zip", entries / "zero.record.zarr.zip")
    assert "hashes.record: claimed" in problems(entries / "zero.json", "static")


def test_another_rows_record_with_hash_is_caught_by_rescoring(entries):
    path = swap_record(entries / "zero.json", record.read(entries / "best.record.zarr.zip"))
    assert "metrics.rmse.step1: claimed" in problems(path, "rescored")


def test_another_rows_record_with_hash_and_scores_is_caught_by_the_re_run(entries):
    best = json.loads((entries / "best.json").read_text())
    path = swap_record(entries / "zero.json", record.read(entries / "best.record.zarr.zip"))
    bend(path, lambda content: content.update(metrics=best["metrics"]))
    assert verify.verify(path, level="rescored").ok  # consistent in itself
    assert "re-run gives" in problems(path)


def test_examples_in_another_order_are_caught(entries):
    arrays = {
        name: value[::-1] for name, value in record.read(entries / "best.record.zarr.zip").items()
    }
    found = problems(swap_record(entries / "best.json", arrays))
    assert "hashes.example_ids" in found or ".ci95" in found


def test_examples_left_out_are_caught(entries):
    arrays = {
        name: value[:50] for name, value in record.read(entries / "best.record.zarr.zip").items()
    }
    path = swap_record(entries / "best.json", arrays)
    assert "n_examples: claimed 60, the record has 50" in problems(path, "static")


def test_renamed_examples_are_caught_by_the_re_run(entries):
    arrays = record.read(entries / "best.record.zarr.zip")
    arrays["example_id"] = np.char.add("x", arrays["example_id"])
    assert "hashes.example_ids: the task's examples are others" in problems(
        swap_record(entries / "best.json", arrays)
    )


def test_other_weights_are_caught(entries):
    def other(content):
        content["hashes"]["weights"][0] = "f" * 64

    assert "hashes.weights: claimed" in problems(bend(entries / "line.toy.json", other), "static")


def test_a_changed_protocol_is_caught(entries, toy):
    path = toy / "benchmarks/climate/toy.toml"
    path.write_text(path.read_text().replace("seed = 7", "seed = 8"))
    synthetic_task.forget_cards()
    assert "hashes.protocol: claimed" in problems(entries / "best.json", "static")


def test_a_newer_version_of_the_task_is_named(entries, toy, tmp_path):
    path = toy / "benchmarks/climate/toy.toml"
    path.write_text(path.read_text().replace("version = 3", "version = 4"))
    synthetic_task.forget_cards()
    assert (
        "task_version: the entry is of version 3, the task is at version 4; run it again"
        in problems(entries / "best.json", "static")
    )


def test_a_metric_too_many_is_caught(entries):
    bend(
        entries / "best.json",
        lambda content: content["metrics"].update(applause={"value": 1.0, "ci95": None}),
    )
    assert "metrics.applause: task climate/toy defines no such metric" in problems(
        entries / "best.json", "static"
    )


def test_a_metric_left_out_is_caught_also_where_it_is_said_to_be_declined(entries):
    bend(entries / "zero.json", lambda content: content["metrics"].pop("rmse.step2"))
    assert "metrics.rmse.step2: neither given nor declined" in problems(
        entries / "zero.json", "static"
    )
    bend(entries / "zero.json", lambda content: content["declined"].append("rmse.step2"))
    assert "declined: rmse.step2 is said to be declined, rescored gives" in problems(
        entries / "zero.json", "rescored"
    )


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("cost.n_params", lambda content: content["cost"].update(n_params=2)),
        ("kind", lambda content: content.update(kind="baseline")),
        ("track", lambda content: content.update(track="secret")),
        ("title", lambda content: content.update(title="The best model")),
        ("training_seeds", lambda content: content.update(training_seeds=[])),
    ],
)
def test_what_an_entry_says_of_its_model_is_what_the_card_says(entries, field, change):
    assert f"{field}: claimed" in problems(bend(entries / "line.toy.json", change), "static")


def test_a_bent_training_seed_is_caught_by_the_re_run(entries):
    def better(content):
        content["training_seeds"][1]["metrics"]["rmse.step1"] *= 0.9

    assert "training_seeds[1].rmse.step1: claimed" in problems(
        bend(entries / "line.toy.json", better)
    )


def test_a_record_elsewhere_is_caught(entries, tmp_path):
    beside = entries / "best.record.zarr.zip"
    beside.rename(tmp_path / "elsewhere.zarr.zip")
    assert "record: best.record.zarr.zip does not lie beside" in problems(
        entries / "best.json", "static"
    )
    beside.symlink_to(tmp_path / "elsewhere.zarr.zip")
    assert "record: best.record.zarr.zip does not lie beside" in problems(
        entries / "best.json", "static"
    )


def test_a_truncated_record_is_a_problem_not_a_crash(entries):
    beside = entries / "best.record.zarr.zip"
    beside.write_bytes(beside.read_bytes()[:300])
    assert "record: " in problems(entries / "best.json")


def test_an_entry_in_another_place_is_caught(entries, tmp_path):
    shutil.copytree(entries, tmp_path / "genomics/toy@3")
    assert "id: climate/toy@3/best must lie at climate/toy@3/best.json" in problems(
        tmp_path / "genomics/toy@3/best.json", "static"
    )


def test_an_entry_of_a_model_that_nobody_ships_is_caught(entries):
    content = json.loads((entries / "best.json").read_text())
    content |= {"model": "climate/mine", "id": "climate/toy@3/mine"}
    (entries / "mine.json").write_text(json.dumps(content))
    assert "model: climate/mine is neither an installed model nor a baseline" in problems(
        entries / "mine.json", "static"
    )


def test_an_entry_of_an_unknown_task_or_no_entry_at_all_is_told(entries):
    content = json.loads((entries / "best.json").read_text())
    (entries / "gone.json").write_text(
        json.dumps(content | {"task": "climate/gone", "id": "climate/gone@3/best"})
    )
    with pytest.raises(UnknownName, match="no task is called 'climate/gone'"):
        verify.verify(entries / "gone.json")
    (entries / "no.json").write_text("[]")
    with pytest.raises(cards.CardError, match="is no valid Entry"):
        verify.verify(entries / "no.json")


def test_a_re_run_without_its_data_says_what_is_missing(entries, toy):
    (toy / "datasets/climate/toy/series.npy").unlink()
    with pytest.raises(files.FileMissing, match=r"series.npy"):
        verify.verify(entries / "best.json")
    assert verify.verify(entries / "best.json", level="rescored").ok  # formulas need no data
