"""Simulation: the plan's seeds, digests that do not depend on the batch size, files that
resume, physics that is right."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from zoo.particle_physics.data.jets import LABELS
from zoo.particle_physics.simulation import simulate
from zoo.particle_physics.simulation.clustering import delta_r
from zoo.particle_physics.simulation.constituents import round_mantissa
from zoo.particle_physics.simulation.events import make_pythia, take_lists
from zoo.particle_physics.simulation.generator import generate_dijets, generate_jets
from zoo.particle_physics.simulation.jet_files import content_digest, jet_arrays, join_files
from zoo.particle_physics.simulation.plan import plan
from zoo.particle_physics.simulation.processes import DIJETS, PROCESSES

needs_pythia = pytest.mark.generate
SHIPPED = Path(__file__).parents[3] / "datasets" / "particle_physics" / "jet_tagging" / "test.root"


@pytest.fixture(scope="module")
def pythia():
    return pytest.importorskip("pythia8mc", reason='needs pip install "scizoo[generate]"')


def test_no_two_files_share_a_seed():
    parts = [
        part
        for name in ("jet_tagging", "quark_gluon", "jet_generation", "anomaly")
        for part in plan(name, "M")
    ]
    used = [part.seed + variant for part in parts for variant in (0, 1)]
    assert len(used) == len(set(used))
    assert max(used) <= 900_000_000


def test_the_small_plan_is_part_of_the_large_one():
    for name in ("jet_tagging", "quark_gluon", "jet_generation", "anomaly"):
        small, large = plan(name, "S"), plan(name, "M")
        assert set(small) < set(large)
    assert (
        sum(part.count for part in plan("jet_tagging", "S") if part.name.startswith("train"))
        == 10 * 20_000
    )


@pytest.mark.parametrize(("dataset", "size"), [("jets", "S"), ("jet_tagging", "XL")])
def test_an_unknown_plan_is_refused_with_the_known_ones(dataset, size):
    with pytest.raises(ValueError, match=r"there are jet_tagging|sizes: S, M"):
        plan(dataset, size)


def test_mantissas_are_rounded_to_nearest():
    value = np.float32([1.0, 1.0 + 2**-12, 1.0 + 2**-11, -3.14159265, 0.0])
    rounded = round_mantissa(value, 11)
    assert np.array_equal(rounded[[0, 2, 4]], value[[0, 2, 4]])
    assert np.all(np.abs(rounded - value) <= 2**-12 * np.abs(value))
    assert np.all(rounded.view(np.uint32) % 2**12 == 0)


def test_lists_are_taken_in_the_order_asked_for():
    content, offsets = np.arange(10), np.array([0, 3, 3, 7, 10])
    taken, new = take_lists(content, offsets, np.array([3, 0, 1]))
    assert taken.tolist() == [7, 8, 9, 0, 1, 2]
    assert new.tolist() == [0, 3, 6, 6]


def test_delta_r_wraps_in_phi():
    assert delta_r(np.zeros(1), np.array([3.1]), np.zeros(1), np.array([-3.1])) == pytest.approx(
        2 * np.pi - 6.2
    )


def test_digests_see_names_types_shapes_and_values():
    a = {"x": np.arange(4.0), "n": np.int64(1)}
    changed = [
        {"y": np.arange(4.0), "n": np.int64(1)},
        {"x": np.arange(4, dtype=np.float32), "n": np.int64(1)},
        {"x": np.arange(4.0).reshape(2, 2), "n": np.int64(1)},
        {"x": np.arange(4.0) + 1e-12, "n": np.int64(1)},
    ]
    digests = {content_digest(each) for each in (a, *changed)}
    assert len(digests) == 5
    assert content_digest(dict(reversed(a.items()))) == content_digest(a)


@needs_pythia
@pytest.mark.parametrize("name", ["Tbqq", "Hqql"])
def test_one_seed_gives_one_digest_whatever_the_batch_size(pythia, name):
    digests = []
    for batch in (37, 110):
        columns, offsets, scalars = generate_jets(PROCESSES[name], 12, seed=4242, batch=batch)
        digests.append(
            content_digest(
                jet_arrays(columns, offsets, scalars, [name] * 12, LABELS) | {"offsets": offsets}
            )
        )
    assert digests[0] == digests[1]


@needs_pythia
@pytest.mark.parametrize("name", ["QCD", "Tbqq"])
def test_the_shipped_test_jets_come_out_again(pythia, name):
    import awkward as ak
    import uproot

    part = next(part for part in plan("jet_tagging") if part.name == f"test-{name}-0.root")
    columns, _, scalars = generate_jets(PROCESSES[name], 30, seed=part.seed)
    with uproot.open(SHIPPED) as file:
        parts = [f"part_{axis}" for axis in ("px", "py", "pz", "energy")]
        jets = file["tree"].arrays([f"label_{name}", "jet_sdmass", "jet_tau3", "aux_event", *parts])
    jets = jets[jets[f"label_{name}"] == 1][:30]
    for axis in ("px", "py", "pz", "energy"):
        np.testing.assert_array_equal(ak.to_numpy(ak.flatten(jets[f"part_{axis}"])), columns[axis])
    np.testing.assert_array_equal(ak.to_numpy(jets["aux_event"]), scalars["event"])
    for observable in ("sdmass", "tau3"):
        np.testing.assert_allclose(
            ak.to_numpy(jets[f"jet_{observable}"]), scalars[observable], rtol=1e-5, atol=1e-5
        )


@needs_pythia
def test_top_jets_hold_their_decay_and_weigh_as_a_top(pythia):
    columns, offsets, scalars = generate_jets(PROCESSES["Tbqq"], 60, seed=11)
    pt = np.hypot(columns["px"], columns["py"])
    inside = np.diff(pt) <= 1e-3 * pt[:-1]
    inside[offsets[1:-1] - 1] = True  # from one jet to the next it may rise
    assert inside.all(), "constituents are sorted by falling pT"
    assert 165 < np.median(scalars["sdmass"]) < 185
    assert 60 < np.diff(offsets).mean() < 105
    assert np.all((scalars["pt"] > 500) & (scalars["pt"] < 1000) & (np.abs(scalars["eta"]) < 2))
    sums = {
        name: np.add.reduceat(columns[name].astype(float), offsets[:-1])
        for name in ("px", "py", "energy")
    }
    assert np.allclose(np.hypot(sums["px"], sums["py"]), scalars["pt"], rtol=1e-3)
    assert np.allclose(sums["energy"], scalars["energy"], rtol=1e-3)
    flags = sum(
        columns[name].astype(int)
        for name in ("isChargedHadron", "isNeutralHadron", "isPhoton", "isElectron", "isMuon")
    )
    assert np.all(flags == 1)
    charged = columns["charge"] != 0
    assert np.all(columns["d0err"][charged] > 0) and not columns["d0val"][~charged].any()


@needs_pythia
def test_resonances_appear_in_the_dijet_mass(pythia):
    events = generate_dijets(DIJETS["zprime"], 25, seed=3)
    assert events["events"].shape == (25, 2, 9)
    assert np.all(events["events"][:, 0, 0] > 1200) and np.all(
        events["events"][:, 0, 0] >= events["events"][:, 1, 0]
    )
    assert 2800 < np.median(events["mjj"]) < 3600


@needs_pythia
def test_a_build_resumes_and_refuses_a_changed_file(pythia, tmp_path, monkeypatch):
    parts = [dataclasses.replace(part, count=4) for part in plan("jet_tagging")[:2]]
    monkeypatch.setattr(simulate, "plan", lambda dataset, size="S": parts)
    seen = []
    simulate.simulate(tmp_path, dataset="jet_tagging", processes=1, first=1)
    simulate.simulate(
        tmp_path,
        dataset="jet_tagging",
        processes=1,
        progress=lambda name, done, total: seen.append((done, total)),
    )
    assert seen == [(4, 8), (8, 8)], "the finished file was not made again"
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert sorted(manifest["files"]) == sorted(part.name for part in parts)
    (tmp_path / parts[0].name).write_bytes(b"short")
    with pytest.raises(ValueError, match=r"damaged\. Delete it and run the same command again"):
        simulate.simulate(tmp_path, dataset="jet_tagging", processes=1)
    digest = join_files(tmp_path, [parts[1].name], tmp_path / "joined.root")
    assert digest == manifest["files"][parts[1].name]["content"]


def test_an_unknown_setting_is_named(pythia):
    wrong = dataclasses.replace(PROCESSES["QCD"], settings=(("Hard:nonsense=on",),))
    with pytest.raises(ValueError, match="Hard:nonsense"):
        make_pythia(wrong, 0, seed=1)
    with pytest.raises(ValueError, match="900000000"):
        make_pythia(PROCESSES["QCD"], 0, seed=0)
