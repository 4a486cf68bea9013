"""Generated jets weigh what their process says; the shipped ones come out again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pythia_files import needs_pythia

from zoo.particle_physics.simulation.generator import generate_dijets, generate_jets
from zoo.particle_physics.simulation.plan import plan
from zoo.particle_physics.simulation.processes import DIJETS, PROCESSES

SHIPPED = Path(__file__).parents[3] / "datasets" / "particle_physics" / "jet_tagging" / "test.root"


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
