"""The public sets: published rows stand at the real tasks only, and a folder that is not
the data set says what it lacks."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest
from made_up_jets import made_up

from zoo import files, registry
from zoo.cards import PeerTable, read
from zoo.commands.bench import run as bench
from zoo.particle_physics.data.jets import LABELS, PARTICLE_BRANCHES, Jets
from zoo.particle_physics.tagging import public_sets
from zoo.scoring import stats

PUBLIC = ("jetclass", "top_landscape", "quark_gluon_kmt")
OURS = ("jet_tagging", "top_tagging", "quark_gluon")
PEERS = files.share() / "leaderboard" / "peers" / "particle_physics"


def task_of(name: str, folder):
    spec = registry.task(f"particle_physics/{name}")
    return registry.resolve(spec.code)(
        spec, file=lambda wanted: pytest.fail(f"opened {wanted}"), folder=folder
    )


def test_published_rows_name_their_source_and_only_metrics_that_their_task_defines():
    tables = [read(path, PeerTable) for path in sorted(PEERS.glob("*.toml"))]
    assert {"particle_physics/jetclass", "particle_physics/top_landscape"} <= {
        table.task for table in tables
    }
    for table in tables:
        assert table.row
        spec = registry.task(table.task)
        defined = {name for metric in spec.metric for name in metric.names}
        for row in table.row:
            assert row.metrics.keys() <= defined, row.name
            assert "Not re-run" in row.caveat and row.url, row.name
            assert row.track is None or row.track in spec.tracks
            assert all(
                0.5 < row.metrics[name] < 1 for name in ("auc", "accuracy") if name in row.metrics
            ), row.name


def test_no_published_number_stands_beside_our_own_simulation():
    assert not [path.name for path in PEERS.glob("*.toml") if path.name.split("@")[0] in OURS]
    for name in OURS:
        text = registry.path_of(f"particle_physics/{name}", "task").read_text()
        protocol = " ".join(tomllib.loads(text)["protocol"].split())
        assert "SIMULATED" in protocol and "NO DETECTOR" in protocol and "compare" in protocol


def test_public_sets_run_only_when_named_and_are_marked_as_simulated():
    for name in PUBLIC:
        spec = registry.task(f"particle_physics/{name}")
        assert (
            spec.by_name_only
            and spec.truth == "simulated"
            and registry.resolve(spec.code).reads_folder
        )
        assert not any(baseline.publishable for baseline in spec.baseline)


def test_a_folder_without_some_classes_names_them(tmp_path):
    for process in ("HToBB", "HToCC", "TTBarLep", "ZJetsToNuNu"):
        (tmp_path / f"{process}_100.root").touch()
    (tmp_path / "WToQQ_list.root").touch()
    with pytest.raises(
        files.FileMissing,
        match=r"lacks 6 of the 10 classes.*Wqq \(WToQQ_NNN.root\), Tbqq \(TTBar_NNN.root\)",
    ):
        task_of("jetclass", tmp_path).examples()
    with pytest.raises(files.FileMissing, match=r"zoo bench particle_physics/jetclass --data DIR"):
        task_of("jetclass", None).examples()


def test_the_first_file_of_the_test_split_is_taken(tmp_path):
    for process in public_sets.JETCLASS_FILES.values():
        for number in ("103", "101"):
            (tmp_path / "test_20M").mkdir(exist_ok=True)
            (tmp_path / "test_20M" / f"{process}_{number}.root").touch()
        (tmp_path / f"{process}_000.root").touch()
    found = task_of("jetclass", tmp_path).paths()
    assert list(found) == list(LABELS) and {path.stem.split("_")[1] for path in found.values()} == {
        "101"
    }
    assert found["Tbqq"].name == "TTBar_101.root" and found["Tbl"].name == "TTBarLep_101.root"


@pytest.mark.parametrize("name", PUBLIC[1:])
def test_a_folder_without_test_files_says_where_they_come_from(name, tmp_path):
    with pytest.raises(files.FileMissing, match=r"has no test.*; unpack .*tar \(https://"):
        task_of(name, tmp_path).examples()


@pytest.fixture
def jetclass_folder(tmp_path):
    """Ten files in JetClass's layout, 30 jets each, with labels of the mixed types of the
    original."""
    import awkward
    import uproot

    for name, process in public_sets.JETCLASS_FILES.items():
        jets: Jets = made_up(30, only=(name,), seed=LABELS.index(name))
        count = jets.mask.sum(axis=1)
        content = {
            branch: awkward.unflatten(jets.column(branch)[jets.mask], count)
            for branch in PARTICLE_BRANCHES
        } | {key: np.asarray(value) for key, value in jets.scalars.items()}
        kinds = {"Hbb": np.float32, "QCD": np.float32, "Tbl": np.bool_}
        content |= {
            f"label_{each}": np.full(30, each == name, kinds.get(each, np.int32)) for each in LABELS
        }
        with uproot.recreate(tmp_path / f"{process}_100.root") as file:
            types = {
                key: f"var * {value.layout.content.dtype}"
                if isinstance(value, awkward.Array)
                else value.dtype
                for key, value in content.items()
            }
            file.mktree("tree", types).extend(content)
    return tmp_path


def test_a_folder_of_jetclass_files_is_scored(jetclass_folder, monkeypatch):
    monkeypatch.setattr(public_sets.JetClass, "per_class", 20)
    task = task_of("jetclass", jetclass_folder)
    examples = task.examples()
    assert len(examples) == 200 and np.bincount(examples.targets.label).tolist() == [20] * 10
    assert examples.ids[:2] == ("QCD:000000", "QCD:000001") and examples.ids[-1] == "Tbl:000019"
    probability = np.eye(10)[examples.targets.label] * 0.9 + 0.01
    values = stats.scores(task, task.record({"probability": probability}, examples))
    assert values["accuracy"] == 1 and values["auc"] == pytest.approx(1, abs=1e-12)
    assert values.keys() == {name for metric in task.spec.metric for name in metric.names}
    monkeypatch.setattr(public_sets.JetClass, "per_class", 31)
    with pytest.raises(ValueError, match="has 30 jets of class QCD among its first 31"):
        task.examples()


def test_a_folder_belongs_to_one_task(tmp_path):
    with pytest.raises(ValueError, match=r"belongs to one task, 'particle_physics' means \d+"):
        bench.bench("particle_physics", data=tmp_path)
