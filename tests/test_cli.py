"""The command line: exit codes that mean something, one line an error, plain text where
nobody looks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from zoo import files, registry
from zoo.commands.bench import run as bench
from zoo.commands.bench.entry import write_entries


def test_the_lists_show_names_one_a_line(toy, zoo_command):
    assert zoo_command("list", "models").out == "climate/line.toy\t1\tsimulated\tclimate/toy\n"
    assert zoo_command("list", "tasks").out.startswith(
        "climate/toy\t3\tsimulated\trmse.step1\tA toy"
    )
    assert zoo_command("list", "datasets", "climate").out.startswith("climate/toy\tsimulated\t")
    assert json.loads(zoo_command("list", "models", "--json").out)[0]["model"] == "climate/line.toy"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("list", "tasks", "tyo"), "nothing matches 'tyo'; did you mean climate/toy?"),
        (("info", "climate/tyo"), "nothing is called 'climate/tyo'; did you mean climate/toy"),
        (("info", "climate/toy", "--kind", "mdel"), "kind 'mdel' is none of model, task, dataset"),
        (("bench", "climate/tyo"), "no task matches 'climate/tyo'; did you mean climate/toy"),
        (
            ("bench", "climate/toy", "--model", "bset"),
            "no model or baseline of climate/toy matches 'bset'; did you mean climate/best",
        ),
        (
            ("data", "get", "climate/tyo"),
            "no dataset is called 'climate/tyo'; did you mean climate/toy",
        ),
        (
            ("predict", "climate/lin.toy", "a.nc", "b.nc"),
            "no model is called 'climate/lin.toy'; did you mean climate/line.toy",
        ),
    ],
)
def test_a_wrong_name_exits_with_2_and_one_line_that_offers_the_nearest(
    toy, zoo_command, arguments, message
):
    done = zoo_command(*arguments)
    assert done.code == 2 and message in done.err
    assert len(done.err.strip().splitlines()) == 1 and "Traceback" not in done.err


@pytest.mark.parametrize(
    "arguments", [("--no-such-option",), ("bench",), ("nonsense",), ("bench", "x", "--seeds=maybe")]
)
def test_a_wrong_command_line_exits_with_2(zoo_command, arguments):
    done = zoo_command(*arguments)
    assert done.code == 2 and "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("data", "build", "climate/toy"),
            "climate/toy is not made by this project; `zoo data get climate/toy` fetches it",
        ),
        (("train", "climate/toy", "line"), "climate/toy has no training recipe"),
        (
            ("predict", "climate/line.toy", "a.nc", "b.nc"),
            "climate/line.toy does not predict from files",
        ),
        (("verify", "nothing.json"), "nothing.json"),
    ],
)
def test_what_cannot_be_done_exits_with_1_and_says_why(toy, zoo_command, arguments, message):
    done = zoo_command(*arguments)
    assert done.code == 1 and message in done.err and "Traceback" not in done.err


def test_a_broken_card_of_ours_exits_with_1_and_names_the_file(toy, zoo_command):
    (toy / "benchmarks/climate/toy.toml").write_text("id = 3\n")
    done = zoo_command("list", "tasks")
    assert done.code == 1 and "toy.toml is no valid TaskSpec" in done.err


def test_info_shows_the_card_of_each_kind(toy, zoo_command):
    assert zoo_command("info", "climate/line.toy").out.startswith(
        "model climate/line.toy    (line.toy.toml)\n"
    )
    task = zoo_command("info", "climate/toy")
    assert (
        task.out.startswith("task climate/toy")
        and "zoo info climate/toy --kind dataset" in task.out
    )
    assert zoo_command("info", "climate/toy", "--kind", "dataset").out.startswith(
        "dataset climate/toy    (card.toml)\n"
    )
    assert json.loads(zoo_command("info", "climate/toy", "--json").out)["headline"] == "rmse.step1"
    assert (
        json.loads(zoo_command("info", "climate/toy", "--json", "--kind", "dataset").out)["loader"]
        == "numpy:load"
    )


def test_data_check_says_where_each_file_is_and_exits_with_1_for_an_altered_one(toy, zoo_command):
    done = zoo_command("data", "check", "climate/toy")
    assert done.code == 0
    assert (
        "ok       series.npy: " in done.out
        and "absent   extra.npy: 1.23 MB at https://example.org/data/extra.npy" in done.out
    )
    path = toy / "datasets/climate/toy/series.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    done = zoo_command("data", "check", "climate/toy")
    assert done.code == 1 and "ALTERED  series.npy" in done.out


def test_data_get_without_a_network_exits_with_3_and_the_three_ways(toy, zoo_command):
    done = zoo_command("data", "get", "climate/toy")
    assert done.code == 3 and "Three ways" in done.err


def test_bench_exits_with_3_where_nothing_could_run(toy, zoo_command):
    (toy / "datasets/climate/toy/series.npy").unlink()
    done = zoo_command("bench", "climate/toy")
    assert done.code == 3 and "cannot run here" in done.out and "series.npy" in done.out


def test_bench_prints_a_plain_table_of_80_columns(toy, zoo_command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = zoo_command("bench", "climate/toy")
    assert done.code == 0 and "\x1b" not in done.out + done.err
    table = [
        line
        for line in done.out.splitlines()
        if line and not line.startswith(("not run", "  needy", "  "))
    ]
    assert max(len(line.rstrip()) for line in done.out.splitlines() if " ±" in line) <= 80
    assert any(line.startswith("a") and "best" in line and "±" in line for line in table)
    assert "not run: needy" in done.out and "SIMULATED" in done.out


@pytest.mark.parametrize(
    ("value", "bounds", "shown"),
    [
        (0.5, (0.45, 0.55), ".50 ±.05"),
        (-0.5, (-0.6, -0.4), "-.50 ±.10"),
        (0.5, (-10.0, 10.5), ".50 ±10.25"),
        (10.25, (10.0, 10.5), "10.25 ±0.25"),
    ],
)
def test_a_table_drops_leading_zeros_but_never_a_digit(value, bounds, shown):
    from zoo.cards import MetricValue, TableColumn
    from zoo.commands.bench import report

    assert (
        report.cell(MetricValue(value=value, ci95=bounds), TableColumn(metric="rmse", label=""))
        == shown
    )


def test_verify_exits_with_0_for_true_entries_1_for_false_ones_3_where_files_lack(
    toy, tmp_path, zoo_command
):
    result = bench.bench("climate/toy", models="*best*", measure=True)[0]
    true, bent = write_entries(result, tmp_path / "entries", command="c", submitted_by="ada")
    done = zoo_command("verify", true, "--write", tmp_path / "verified")
    assert done.code == 0 and done.out.startswith("ok     climate/toy@3/")
    assert (tmp_path / "verified/climate/toy@3" / true.name).is_file()
    bent.write_text(bent.read_text().replace('"n_params": 0', '"n_params": 1'))
    (tmp_path / "no.json").write_text("{}")
    done = zoo_command("verify", tmp_path / "no.json", bent, true)
    assert done.code == 1
    for part in (
        "is no valid Entry",
        "cost.n_params: claimed 1, the card says 0",
        "\nok     climate/toy@3/",
    ):
        assert part in done.out
    (toy / "datasets/climate/toy/series.npy").unlink()
    done = zoo_command("verify", true)
    assert done.code == 3 and "NOT RUN" in done.out and "series.npy" in done.out


def test_entries_from_uncommitted_code_are_refused_before_anything_runs(
    toy, tmp_path, zoo_command, monkeypatch
):
    import synthetic_task

    from zoo.scoring import environment

    monkeypatch.setattr(environment, "checkout_state", lambda root, known=(): ("0" * 40, True))
    done = zoo_command("bench", "climate/toy", "--entries", tmp_path / "entries")
    assert done.code == 1 and "not committed" in done.err and synthetic_task.calls == []


def test_doctor_says_what_works_and_exits_with_1_for_a_problem(
    toy, isolated_home, zoo_command, monkeypatch
):
    done = zoo_command("doctor")
    assert done.code == 0, done.out
    for part in (
        "Python 3",
        "cards: 1 datasets, 1 tasks, 1 pretrained models",
        str(isolated_home),
        "forbidden by ZOO_OFFLINE",
        "dataset climate/toy: 1 files verified, 1 absent",
        "weights: 3 files verified",
        "JAX ",
    ):
        assert part in done.out
    monkeypatch.setenv("ZOO_MIRROR", "/nowhere/at/all")
    path = toy / "datasets/climate/toy/series.npy"
    path.write_bytes(path.read_bytes()[:-1])
    done = zoo_command("doctor")
    assert done.code == 1
    assert "PROBLEM  ZOO_MIRROR folder /nowhere/at/all does not exist" in done.out
    assert "truncated" in done.out


def test_an_interruption_says_that_the_same_command_continues(toy, zoo_command, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(registry, "models", interrupted)
    done = zoo_command("list", "models")
    assert done.code == 130


def test_the_installed_command_prints_no_colours_and_no_traceback():
    command = shutil.which("zoo", path=os.path.dirname(sys.executable))
    if command is None:
        pytest.skip("the command `zoo` is not installed beside this Python")
    done = subprocess.run(
        [command, "info", "climate/nothing_of_the_kind"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2 and "\x1b" not in done.stdout + done.stderr
    assert done.stderr.startswith("zoo: nothing is called") and len(done.stderr.splitlines()) == 1


def test_the_shipped_benchmark_fits_80_columns(isolated_home, zoo_command, monkeypatch):
    folder = files.share() / "datasets/climate/held_suarez"
    if not (folder / "climatology.zarr.zip").is_file() or not (folder / "card.toml").is_file():
        pytest.skip("datasets/climate/held_suarez is not complete here")
    monkeypatch.setenv("COLUMNS", "80")
    done = zoo_command("bench", "climate/held_suarez", "--model", "*persistence*")
    assert done.code == 0 and "\x1b" not in done.out
    rows = [line for line in done.out.splitlines() if "persistence" in line]
    assert len(rows) == 1 and len(rows[0].rstrip()) <= 80 and "…" not in rows[0]
    assert rows[0].count("±") >= 3  # value and interval stand in one line


def test_data_build_hands_on_only_what_its_builder_takes(
    isolated_home, zoo_command, monkeypatch, tmp_path
):
    from zoo.particle_physics.tagging import build

    seen = {}
    monkeypatch.setattr(
        build,
        "build_quark_gluon",
        lambda out, *, size="S", progress=None: seen.update(out=out, size=size),
    )
    assert (
        zoo_command(
            "data", "build", "particle_physics/quark_gluon", "--size", "M", "--out", str(tmp_path)
        ).code
        == 0
    )
    assert seen == {"out": tmp_path, "size": "M"}
    refused = zoo_command(
        "data", "build", "particle_physics/quark_gluon", "--years", "2", "--out", str(tmp_path)
    )
    assert (
        refused.code != 0
        and "--years means nothing to particle_physics/quark_gluon; its builder takes out, size"
        in refused.err
    )
