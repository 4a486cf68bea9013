"""Audits of events: the same jet in two splits is found whatever its label, near-copies are
not, and single observables have exact AUCs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from zoo.commands import audit as front
from zoo.particle_physics.audit import audit, read_events
from zoo.particle_physics.data.root import JetFileError


def jets(count: int, seed: int) -> dict[str, np.ndarray]:
    """Flat branches of jets with one to six particles, two labels, and numbers of their own."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 7, count)
    label = rng.integers(0, 2, count)
    return {
        "counts": counts,
        **{
            f"part_{name}": rng.normal(size=counts.sum()).astype(np.float32)
            for name in ("px", "py", "pz", "energy")
        },
        "jet_pt": rng.normal(size=count).astype(np.float32) + label,
        "label_QCD": (label == 0).astype(np.int8),
        "label_Tbqq": (label == 1).astype(np.int8),
        "aux_event": np.arange(count, dtype=np.int64) + 1000 * seed,
    }


def taken(data: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    ends = np.cumsum(data["counts"])
    pieces = np.concatenate([np.arange(ends[row] - data["counts"][row], ends[row]) for row in rows])
    return {
        name: value[pieces] if name.startswith("part_") else value[rows]
        for name, value in data.items()
    }


def joined(*parts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def write(
    path: Path, data: dict[str, np.ndarray], *, tree: str = "tree", reverse: bool = False
) -> Path:
    import awkward as ak
    import uproot

    names = [name for name in data if name != "counts"]
    branches = {
        name: ak.unflatten(data[name], data["counts"]) if name.startswith("part_") else data[name]
        for name in names
    }
    if reverse:
        branches = dict(reversed(branches.items()))
    with uproot.recreate(path) as file:
        file[tree] = branches
    return path


def test_the_same_jet_in_two_splits(tmp_path):
    train, test = jets(300, 1), jets(100, 2)
    copies = taken(train, np.array([3, 50, 299]))
    # under the other label
    copies["label_QCD"], copies["label_Tbqq"] = copies["label_Tbqq"], copies["label_QCD"]
    near = taken(train, np.array([7]))
    near["part_px"] = near["part_px"] + np.float32(1e-3)
    a, b = (
        write(tmp_path / "train.root", train),
        write(tmp_path / "test.root", joined(test, copies, near), reverse=True),
    )
    (report,) = front.run([str(b), str(a)])
    assert report.kind == "events" and report.sizes == {"train": 300, "test": 104}
    assert (
        report["copies.test_in_train"].value == 3
        and report["copies.test_in_train"].verdict == "leak"
    )
    assert (
        report["copies.within_train"].value == 0 and report["copies.train_conflicting"].value == 0
    )


def test_the_order_of_particles_matters_and_so_does_which_number_is_which(tmp_path):
    data = {
        "counts": np.array([2]),
        "part_px": np.array([1, 2], np.float32),
        "part_py": np.array([3, 4], np.float32),
    }
    turned = data | {"part_px": np.array([2, 1], np.float32)}
    exchanged = data | {"part_px": data["part_py"], "part_py": data["part_px"]}
    events = read_events(write(tmp_path / "a.root", joined(data, data, turned, exchanged)))
    assert (
        len(np.unique(events.content, axis=0)) == 3
        and (events.content[0] == events.content[1]).all()
    )


def test_repeats_labels_and_empty_events(tmp_path):
    data = jets(50, 3)
    again = taken(data, np.array([0, 1]))
    again["label_QCD"][0], again["label_Tbqq"][0] = (
        1 - again["label_QCD"][0],
        1 - again["label_Tbqq"][0],
    )
    empty = {
        name: np.zeros(2 if not name.startswith("part_") else 0, value.dtype)
        for name, value in data.items()
    }
    report = audit(read_events(write(tmp_path / "a.root", joined(data, again, empty)), name="all"))
    assert report["copies.within_all"].value == 2 and report["copies.all_conflicting"].value == 1
    assert report["empty.all"].value == 2  # they equal each other and are no copies


def test_events_by_seed_and_number(tmp_path):
    train, test = jets(60, 4), jets(40, 5)
    # the other jet of the same event has another content
    test["aux_event"][:5] = train["aux_event"][:5]
    for folder, data in (("one", train), ("two", test)):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "x.root", data)
    paths = [str(tmp_path / "one"), str(tmp_path / "two")]
    (report,) = front.run(paths)
    assert (
        report["origin.test_in_train"].value is None
        and report["origin.test_in_train"].verdict == "note"
    )
    for seeds, shared in (((7, 7), 5), ((7, 8), 0)):
        for folder, seed in zip(("one", "two"), seeds, strict=True):
            (tmp_path / folder / "manifest.json").write_text(
                json.dumps({"files": {"x.root": {"seed": seed}}})
            )
        (report,) = front.run(paths)
        assert (
            report["origin.test_in_train"].value == shared
            and report["copies.test_in_train"].value == 0
        )
    assert report["origin.test_in_train"].verdict == "ok"


def test_single_observables_have_exact_aucs(tmp_path):
    data = jets(400, 6)
    report = audit(read_events(write(tmp_path / "a.root", data), name="test"))
    for name, value in (("jet_pt", data["jet_pt"]), ("number_of_particles", data["counts"])):
        auc = roc_auc_score(data["label_Tbqq"], value)
        assert report[f"one_feature.{name}"].value == pytest.approx(max(auc, 1 - auc), abs=1e-4)


def test_pieces_give_what_the_whole_gives(tmp_path, monkeypatch):
    from zoo.particle_physics import audit as module

    path = write(tmp_path / "a.root", jets(500, 8))
    whole = read_events(path)
    monkeypatch.setattr(module, "AT_ONCE", 37)
    pieces = read_events(path)
    np.testing.assert_array_equal(whole.content, pieces.content)
    np.testing.assert_array_equal(whole.label, pieces.label)


def test_other_trees_and_what_is_refused(tmp_path):
    path = write(tmp_path / "a.root", jets(20, 9), tree="mine")
    assert len(read_events(path)) == 20 == len(read_events(path, tree="mine"))
    with pytest.raises(JetFileError, match="no tree 'tree'"):
        read_events(path, tree="tree")
    other = jets(20, 9)
    other["jet_eta"] = other["jet_pt"]
    with pytest.raises(JetFileError, match=r"other branches.*jet_eta"):
        read_events([write(tmp_path / "b.root", jets(20, 9)), write(tmp_path / "c.root", other)])
    with pytest.raises(JetFileError, match="no branch of numbers"):
        read_events(
            write(
                tmp_path / "d.root",
                {"counts": np.ones(3, int), "aux_event": np.arange(3), "label_x": np.ones(3)},
            )
        )
    (tmp_path / "e.root").write_bytes(b"root" + bytes(100))
    with pytest.raises(JetFileError):
        read_events(tmp_path / "e.root")
    with pytest.raises(FileNotFoundError):
        read_events(tmp_path / "no.root")


def test_jets_of_the_repository_are_each_their_own():
    reports = {report.name: report for report in front.run(["particle_physics/quark_gluon"])}
    report = reports["particle_physics/quark_gluon (test)"]
    assert report.sizes == {"test": 6000} and report["copies.within_test"].value == 0
    # what the task's own audit says
    assert report["one_feature.jet_pt"].value == pytest.approx(0.507, abs=1e-3)
    with pytest.raises(front.AuditError, match="has no subsets"):
        list(front.run(["particle_physics/quark_gluon:x"]))


def test_a_foreign_file_with_objects_in_it(mirror_file):
    """CMS open data: whatever branches are numbers are looked at; run and event numbers say
    which event it is."""
    path = mirror_file("particle_physics/golden", "nanoAOD_2015_CMS_Open_Data_ttbar.root")
    events = read_events(path)
    report = audit(events, None, events)
    assert (
        report["copies.test_in_train"].value
        == report["origin.test_in_train"].value
        == len(events)
        > 0
    )
