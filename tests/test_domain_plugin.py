"""A whole fourth domain in a package of its own (`examples/zoo-tides`): every command answers for
it, and no line of the core is changed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from plugin_install import install

import zoo
from zoo import cards, registry
from zoo.interfaces import domain as interface

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples/zoo-tides"
TASK, MODEL = "tides/harbour", "tides/surge_net.harbour"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The package, installed in a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    install(EXAMPLE, folder)
    return folder


@pytest.fixture
def tides(site, monkeypatch, isolated_home):
    """The package on the path, and an empty cache."""
    monkeypatch.syspath_prepend(str(site))
    # A command line that starts now has the options of the domains that are installed now.
    for name in [name for name in sys.modules if name.partition(".cli")[0] == "zoo"]:
        if name.startswith("zoo.cli"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(zoo, "cli", raising=False)
    registry.forget()
    interface.forget()
    yield
    registry.forget()
    interface.forget()


def test_the_core_names_no_domain():
    """What the core knows of domains it knows from their descriptors."""
    named = re.compile(r"zoo\.(climate|genomics|particle_physics)\.|[\"'](climate|genomics)[\"']")
    core = [
        path
        for path in (ROOT / "zoo").rglob("*.py")
        if path.relative_to(ROOT / "zoo").parts[0]
        not in ("climate", "genomics", "particle_physics")
    ]
    assert len(core) > 60
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in core
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if named.search(line) and path.name != "domain.py"
    ]
    assert found == []


def test_cards_of_every_kind_are_listed_with_the_package_that_brings_them(tides, zoo_command):
    assert zoo.list_tasks("tides") == zoo.list_datasets("tides") == [TASK]
    assert zoo.list_models("tides") == [MODEL]
    for name, kind in ((TASK, "dataset"), (TASK, "task"), (MODEL, "model")):
        assert registry.plugin_of(name, kind).distribution == "zoo-tides"
    said = zoo_command("info", TASK)
    assert said.code == 0 and "simulated" in said.out


def test_bench_ranks_the_network_before_the_tide_table_and_that_before_persistence(tides):
    (result,) = zoo.bench("tides")
    assert [row.predictor.id for row in result.rows] == [
        MODEL,
        "tides/harmonic",
        "tides/persistence",
    ]
    hour = {row.predictor.id: row.metrics["rmse.h1"].value for row in result.rows}
    assert hour[MODEL] < 0.5 * hour["tides/harmonic"], "an hour ahead it has seen the surge"


def test_the_model_gives_what_its_card_says_and_says_what_it_takes(tides):
    model = zoo.load_model(MODEL)
    expected = model.card.expected
    output = model.predict.example_output(expected.input_seed)
    step = max(1, output.size // len(expected.values))
    given = output[::step][: len(expected.values)]
    np.testing.assert_allclose(given, expected.values, atol=expected.tolerance)
    lines = repr(model).splitlines()
    assert len(lines) == 3 and "[example, 72]" in lines[1] and "Apache-2.0" in lines[2]


def test_its_files_are_audited_with_its_own_option(tides, tmp_path, zoo_command):
    whole = (EXAMPLE / "zoo_tides/datasets/harbour/harbour.tide.csv").read_text().splitlines()
    first, second = tmp_path / "train.tide.csv", tmp_path / "test.tide.csv"
    first.write_text("\n".join(whole[:201]) + "\n")
    second.write_text("\n".join([whole[0], *whole[101:301]]) + "\n")
    said = zoo_command("audit", first, second, "--datum", "1.5", "--json")
    assert said.code == 0 and '"kind": "gauges"' in said.out
    assert '"verdict": "leak"' in said.out, "a hundred hours stand in both"
    wrong = zoo_command("audit", first, "--tree", "Events")
    assert wrong.code != 0 and "--tree means nothing to `zoo audit` in tides" in wrong.err
    assert zoo_command("audit", TASK).code == 0


def test_its_data_are_built_again_byte_for_byte(tides, tmp_path, zoo_command):
    said = zoo_command("data", "build", TASK, "--days", "240", "--out", tmp_path)
    assert said.code == 0, said.err
    (card,) = registry.dataset(TASK).file
    from zoo import files

    assert files.sha256(tmp_path / card.name) == card.sha256
    wrong = zoo_command("data", "build", TASK, "--years", "2", "--out", tmp_path)
    assert wrong.code != 0 and "--years means nothing to tides/harbour" in wrong.err
    text = zoo_command("data", "build", TASK, "--days", "many", "--out", tmp_path)
    assert text.code != 0 and "--days 'many' is no int" in text.err


@pytest.mark.slow
def test_a_run_predicts_and_seeds_are_published_together(tides, tmp_path, zoo_command):
    runs = [tmp_path / f"seed{seed}" for seed in (0, 1)]
    for seed, run in enumerate(runs):
        said = zoo_command(
            "train", TASK, "surge_net.harbour", "--seed", seed, "--steps", 50, "--out", run
        )
        assert said.code == 0, said.err
    source = EXAMPLE / "zoo_tides/datasets/harbour/harbour.tide.csv"
    said = zoo_command("predict", runs[0], source, tmp_path / "next.csv", "--hours", 12)
    assert said.code == 0, said.err
    assert len((tmp_path / "next.csv").read_text().splitlines()) == 13
    said = zoo_command("publish", *runs, "--out", tmp_path / "weights")
    assert said.code == 0, said.err
    card = cards.read(tmp_path / "weights/surge_net.harbour.toml", cards.ModelCard)
    assert [weight.seed for weight in card.weights] == [0, 1]
    twice = zoo_command("publish", runs[0], runs[0].parent / "seed0", "--out", tmp_path / "again")
    assert twice.code == 0, "one folder named twice is one run"


def test_a_broken_descriptor_is_left_out_with_a_warning(tmp_path, monkeypatch):
    info = tmp_path / "broken-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[zoo.domains]\nbroken = nowhere.domain:DOMAIN\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    interface.forget()
    with pytest.warns(UserWarning, match="domain 'broken' left out"):
        known = interface.domains()
    assert set(known) == {"climate", "genomics", "particle_physics"}
    with pytest.raises(
        registry.UnknownName, match="no domain is called 'tide'; there are: climate"
    ):
        interface.domain_of("tide/harbour")
    interface.forget()


@pytest.mark.slow
def test_its_entry_is_submitted_verified_and_shown_on_the_board(site, tmp_path):
    """In a clone, by the commands: `zoo submit`, `verify`, `leaderboard build`."""
    clone = tmp_path / "scizoo"
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", ROOT, clone], check=True)
    environment = os.environ | {
        "PYTHONPATH": f"{clone}{os.pathsep}{site}",
        "ZOO_HOME": str(tmp_path / "home"),
        "ZOO_OFFLINE": "1",
    }
    call = [sys.executable, "-P", "-c", "from zoo.cli import main; main()"]

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*call, *arguments], cwd=clone, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    said = run("submit", TASK, "--model", MODEL, "--submitted-by", "github:you")
    assert "checked: rerun; place 1 of 1" in said
    entry = f"leaderboard/entries/{TASK}@1/surge_net.harbour.json"
    assert "ok     tides/harbour@1/surge_net.harbour: rerun" in run("verify", entry)
    run("leaderboard", "build", "--out", str(tmp_path / "site"))
    assert MODEL.split("/")[1] in (tmp_path / "site/index.html").read_text(encoding="utf-8")
    assert "The level of a harbour" in (clone / "leaderboard/README.md").read_text(encoding="utf-8")
