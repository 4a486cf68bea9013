"""Files of other people's making: JetClass-II, Delphes, CMS Open Data, HZZ, Zmumu (card
`particle_physics/golden`)."""

from __future__ import annotations

import functools

import awkward as ak
import numpy as np
import pytest

from zoo.particle_physics.data import padding
from zoo.particle_physics.data.read import read_branches
from zoo.particle_physics.data.root import Tree

CMS = {
    "ttree": "nanoAOD_2015_CMS_Open_Data_ttbar.root",
    "rntuple": "cmsopendata2015_ttbar_19980_NANOAOD_RNTupleImporter_rntuple_v1-0-0-1.root",
}


@pytest.fixture
def golden(mirror_file):
    return functools.partial(mirror_file, "particle_physics/golden")


def test_counted_arrays_of_the_hzz_file(golden):
    read = read_branches(golden("uproot-HZZ.root"))
    assert len(read) == 51 and len(read["Muon_Px"]) == 2421
    assert ak.all(ak.num(read["Muon_Px"]) == read["NMuon"]) and ak.sum(read["NMuon"]) == 3825
    assert set(np.unique(ak.flatten(read["Muon_Charge"]))) == {-1, 1}


def test_flat_numbers_and_strings_of_the_zmumu_file(golden):
    read = read_branches(
        golden("uproot-Zmumu.root"),
        branches=["Type", "M", "E1", "px1", "py1", "pz1", "E2", "px2", "py2", "pz2"],
    )
    assert len(read["M"]) == 2304 and set(read["Type"].tolist()) == {"GT", "TT", "GG"}
    energy = read["E1"] + read["E2"]
    momentum = [read[f"p{axis}1"] + read[f"p{axis}2"] for axis in "xyz"]
    mass = np.sqrt(energy**2 - sum(each**2 for each in momentum))
    assert np.median(np.abs(mass / read["M"] - 1)) < 1e-3 and 85 < np.median(read["M"]) < 95


def test_split_objects_of_the_delphes_file(golden):
    read = read_branches(golden("events_delphes_example.root"))
    assert len(read) > 600 and all(len(each) == 10 for each in read.values())
    pt = next(
        value
        for name, value in read.items()
        if name.endswith("JetPUPPIAK8.PT") or name.endswith("Jet.PT")
    )
    assert pt.ndim == 2 and ak.min(pt) > 0
    assert (
        any(value.ndim > 2 for value in read.values() if hasattr(value, "ndim"))
        or ak.max(ak.num(pt)) > 1
    )


@pytest.mark.parametrize("layout", CMS)
def test_cms_open_data_as_ttree_and_as_rntuple(golden, layout):
    names = ["nJet", "Jet_pt", "Jet_eta", "event"]
    names = names if layout == "ttree" else names[1:]
    read = read_branches(golden(CMS[layout]), tree="Events", branches=names)
    assert (
        len(read["event"]) == {"ttree": 200, "rntuple": 10}[layout] and ak.min(read["Jet_pt"]) >= 10
    )
    if layout == "ttree":
        assert ak.all(ak.num(read["Jet_pt"]) == read["nJet"])


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize(
    ("file", "tree", "branch"),
    [
        ("uproot-HZZ.root", "events", "Jet_Px"),
        (CMS["ttree"], "Events", "Jet_pt"),
        (CMS["rntuple"], "Events", "Jet_pt"),
    ],
)
def test_the_fast_road_equals_the_plain_one_on_other_peoples_baskets(
    golden, engine, file, tree, branch
):
    if engine == "numba":
        pytest.importorskip("numba", reason="extra `fast` (numba) is not installed")
    expected = read_branches(golden(file), tree, [branch])[branch]
    with Tree(str(golden(file)), tree) as opened:
        for start, stop in ((0, opened.entries), (3, opened.entries - 2)):
            branches = opened.read([branch], start, stop)[branch]
            out = np.empty((1, stop - start, 3), np.float32)
            assert padding.pad([branches], out, engine=engine) is None
            assert np.array_equal(
                out[0],
                np.asarray(ak.fill_none(ak.pad_none(expected[start:stop], 3, clip=True), 0)).astype(
                    np.float32
                ),
            )


@pytest.fixture
def soft_drop_ratio(golden):
    """Our soft-drop mass (beta 0, zcut 0.1; arXiv:1402.2657) of the hundred jets over the
    stored one, by prefix `[jet]`."""
    pytest.importorskip("fastjet", reason="extra `generate` (fastjet) is not installed")
    pytest.importorskip("pyarrow", reason="extra `parquet` (pyarrow) is not installed")
    from zoo.particle_physics.simulation.clustering import substructure

    def ratio(constituents, jet):
        names = {"px": "px", "py": "py", "pz": "pz", "e": "energy"}
        read = read_branches(
            golden("JetClassII_example.parquet"),
            branches=[*(f"{constituents}_{name}" for name in names.values()), f"{jet}_sdmass"],
        )
        counts = np.asarray(ak.num(read[f"{constituents}_px"]))
        flat = {
            new: np.asarray(ak.flatten(read[f"{constituents}_{old}"]), np.float64)
            for new, old in names.items()
        }
        mass = substructure(flat, np.concatenate([[0], np.cumsum(counts)]), 0.8)["sdmass"]
        return mass / np.asarray(read[f"{jet}_sdmass"])

    return ratio


def test_soft_drop_reproduces_the_stored_masses_of_a_hundred_jets(soft_drop_ratio):
    """Of the particles before the detector, which are complete: our groomer is JetClass-II's."""
    ratio = soft_drop_ratio("genpart", "genjet")
    assert len(ratio) == 100 and abs(np.median(ratio) - 1) < 5e-4
    assert (np.abs(ratio - 1) < 0.01).mean() >= 0.95


def test_soft_drop_of_detected_jets_is_near_their_stored_masses(soft_drop_ratio):
    """Near, not equal: the file's charged constituents have their eta at the calorimeter,
    the stored mass has it at the vertex."""
    ratio = soft_drop_ratio("part", "jet")
    assert len(ratio) == 100 and abs(np.median(ratio) - 1) < 0.01
    assert (np.abs(ratio - 1) < 0.01).mean() >= 0.45 and (np.abs(ratio - 1) < 0.1).mean() >= 0.75


def test_constituents_add_up_to_the_jet_across_the_beam_but_not_along_it(golden):
    """What stands behind the test above: pT agrees to the last bit, eta only to some hundredths."""
    pytest.importorskip("pyarrow", reason="extra `parquet` (pyarrow) is not installed")
    read = read_branches(golden("JetClassII_example.parquet"))
    px, py, pz = (
        np.asarray(ak.sum(ak.values_astype(read[f"part_p{axis}"], np.float64), axis=1))
        for axis in "xyz"
    )
    assert np.allclose(np.hypot(px, py), read["jet_pt"], rtol=1e-6)
    apart = np.abs(np.arcsinh(pz / np.hypot(px, py)) - np.asarray(read["jet_eta"]))
    assert 0.005 < np.median(apart) < 0.05 and apart.max() < 0.1


def test_real_jets_and_their_directions_agree_with_ours(golden):
    """The stored deta and dphi of JetClass-II are those that we compute where a file has none."""
    pytest.importorskip("pyarrow", reason="extra `parquet` (pyarrow) is not installed")
    from zoo.particle_physics.data.read import directions

    read = read_branches(golden("JetClassII_example.parquet"))
    counts = np.asarray(ak.num(read["part_px"]))
    momenta = (np.asarray(ak.flatten(read[f"part_p{axis}"])) for axis in "xyz")
    axis = (np.repeat(np.asarray(read[name]), counts) for name in ("jet_eta", "jet_phi"))
    deta, dphi = directions(*momenta, *axis)
    assert np.median(np.abs(deta - np.asarray(ak.flatten(read["part_deta"])))) < 1e-4
    assert np.median(np.abs(dphi - np.asarray(ak.flatten(read["part_dphi"])))) < 1e-4
