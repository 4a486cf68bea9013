"""Shifted samples shift what they say and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_jets import made_up

from zoo.particle_physics.tagging import samples


def test_smearing_moves_momenta_by_five_percent_and_leaves_directions_and_padding():
    jets = made_up(200, classes=("QCD", "Tbqq"))
    moved = samples.smear(jets, seed=1)
    np.testing.assert_array_equal(samples.smear(jets, seed=1).particles, moved.particles)
    assert (samples.smear(jets, seed=2).particles != moved.particles).any()
    assert (moved.mask == jets.mask).all() and (moved.particles[~moved.mask] == 0).all()
    pt, before = (
        np.hypot(each.column("part_px"), each.column("part_py")) for each in (moved, jets)
    )
    assert (np.diff(pt, axis=1)[moved.mask[:, 1:]] <= 0).all()  # hardest first again
    ratio = np.concatenate(
        [np.sort(a[m]) / np.sort(b[m]) for a, b, m in zip(pt, before, jets.mask, strict=True)]
    )
    assert ratio.mean() == pytest.approx(1, abs=0.01) and 0.03 < ratio.std() < 0.06
    mass2 = moved.column("part_energy") ** 2 - pt**2 - moved.column("part_pz") ** 2
    # massless stays massless
    assert np.abs(mass2).max() < 1e-3 * moved.column("part_energy").max() ** 2
    scale = moved.scalars["jet_pt"] / jets.scalars["jet_pt"]
    assert scale.mean() == pytest.approx(1, abs=0.01) and 0.005 < scale.std() < 0.05
    assert np.isnan(moved.scalars["jet_sdmass"]).all() and np.isnan(moved.scalars["jet_tau3"]).all()
    assert np.isfinite(jets.scalars["jet_sdmass"]).all()  # the nominal jets are not touched


def test_an_absent_class_is_named_with_what_there_is():
    jets = made_up(5, only=("QCD", "Tbqq", "Hbb"))
    assert np.bincount(samples.select(jets, ("QCD", "Tbqq")).label).tolist() == [5, 5]
    with pytest.raises(ValueError, match="no jets of class Tbl; the files hold QCD, Hbb, Tbqq"):
        samples.select(jets, ("QCD", "Tbl"))
