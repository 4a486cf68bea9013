"""Baselines point the way that physics says, trees are scikit-learn's to the last digit,
and altered files are refused."""

from __future__ import annotations

import numpy as np
import pytest
from substructure import features, whole_jets

from zoo import files
from zoo.particle_physics.tagging import baselines as tagging
from zoo.particle_physics.tagging import fit_trees
from zoo.pretrained import weights


class TwoClasses:
    """All that a baseline's factory asks of a task."""

    classes = ("QCD", "Tbqq")


def test_a_jet_at_the_top_mass_with_three_prongs_scores_above_one_at_the_w_mass_with_two():
    jets = whole_jets(
        2,
        jet_sdmass=np.array([173.0, 80.0]),
        jet_tau2=np.array([0.2, 0.1]),
        jet_tau3=np.array([0.05, 0.08]),
    )
    mass = tagging.mass_window(TwoClasses())(jets)["score"]
    prongs = tagging.observable(TwoClasses(), name="tau32", sign=-1)(jets)["score"]
    assert mass[0] > mass[1] and prongs[0] > prongs[1]


def test_an_unknown_observable_and_sign_are_refused():
    with pytest.raises(ValueError, match=r"no observable is called 'girth'; there are pt, mass"):
        tagging.observable(TwoClasses(), name="girth")(whole_jets())
    with pytest.raises(ValueError, match="neither 1"):
        tagging.observable(TwoClasses(), name="pt", sign=0)


def test_a_ratio_of_a_jet_with_too_few_particles_is_zero_and_an_unknown_tau_stays_unknown():
    jets = whole_jets(
        3, jet_tau1=np.array([0.0, 0.4, np.nan]), jet_tau2=np.array([0.0, 0.1, np.nan])
    )
    np.testing.assert_allclose(tagging.observables(jets, ["tau21"])[:, 0], [0, 0.25, np.nan])


def test_jets_without_substructure_get_no_probability_and_spoil_no_other(tmp_path, monkeypatch):
    digest = stored(tmp_path, monkeypatch)
    jets = whole_jets(20)
    whole = tagging.boosted_trees(TwoClasses(), file="trees.toy.safetensors", sha256=digest)(jets)[
        "probability"
    ]
    jets.scalars["jet_tau3"][4] = np.nan
    holed = tagging.boosted_trees(TwoClasses(), file="trees.toy.safetensors", sha256=digest)(jets)[
        "probability"
    ]
    assert np.isnan(holed[4]).all() and np.isfinite(whole).all()
    np.testing.assert_array_equal(np.delete(holed, 4, axis=0), np.delete(whole, 4, axis=0))


def test_a_stored_fit_is_checked_before_it_is_used(tmp_path, monkeypatch):
    digest = stored(tmp_path, monkeypatch)
    with pytest.raises(files.FileAltered, match="the task says 000"):
        tagging.boosted_trees(TwoClasses(), file="trees.toy.safetensors", sha256="0" * 64)
    with pytest.raises(files.FileMissing, match="--step baselines"):
        tagging.boosted_trees(TwoClasses(), file="absent.safetensors", sha256=digest)


def stored(folder, monkeypatch) -> str:
    """Toy trees in a folder of their own; their SHA-256."""
    x, label = features(500)
    arrays = fit_trees.fit_trees(x, (label > 1).astype(int), max_iter=5)
    monkeypatch.setattr(tagging, "FOLDER", folder)
    path = folder / "trees.toy.safetensors"
    weights.save(path, arrays, metadata={"classes": "[]"})
    return files.sha256(path)
