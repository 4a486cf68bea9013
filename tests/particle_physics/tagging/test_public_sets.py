"""Public sets are scored from a folder, which names what it lacks."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_jets import made_up
from public_tasks import PUBLIC

from zoo import files, registry
from zoo.commands.bench import run as bench
from zoo.particle_physics.data.jets import LABELS, PARTICLE_BRANCHES, Jets
from zoo.particle_physics.tagging import public_sets
from zoo.scoring import stats


def task_of(name: str, folder):
    spec = registry.task(f"particle_physics/{name}")
    return registry.resolve(spec.code)(
        spec, file=lambda wanted: pytest.fail(f"opened {wanted}"), folder=folder
    )


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
