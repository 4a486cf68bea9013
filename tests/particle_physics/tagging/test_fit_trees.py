"""Fits read their classes, repeat themselves, and are the textbook's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from substructure import features, whole_jets

from zoo import files
from zoo.particle_physics.tagging import baselines as tagging
from zoo.particle_physics.tagging import fit_trees
from zoo.pretrained import weights


def test_gaussians_are_quadratic_discriminant_analysis():
    x, label = features()
    z = tagging.near_normal(x)
    theirs = QuadraticDiscriminantAnalysis(priors=np.full(4, 0.25)).fit(z, label).predict_proba(z)
    ours = tagging.gaussian_probability(x, fit_trees.fit_gaussians(x, label))
    np.testing.assert_allclose(ours, theirs, atol=5e-3)  # we add 1e-4 to the diagonal
    np.testing.assert_allclose(ours.sum(axis=1), 1)


def test_a_fit_reads_training_files_by_class_and_names_what_is_missing(tmp_path):
    import uproot

    for number, name in enumerate(("QCD", "Tbqq")):
        jets = whole_jets(30 + 10 * number, seed=number)
        with uproot.recreate(tmp_path / f"train-{name}-0.root") as file:
            file.mktree("tree", {key: "float32" for key in fit_trees.SCALARS}).extend(
                {key: jets.scalars[key] for key in fit_trees.SCALARS}
            )
    x, label = fit_trees.read_scalars(tmp_path, "train", ("QCD", "Tbqq"))
    assert x.shape == (60, 6) and np.bincount(label).tolist() == [30, 30]
    np.testing.assert_allclose(x[:30, 0], whole_jets(30, seed=0).scalars["jet_sdmass"])
    with pytest.raises(FileNotFoundError, match=r"no file train-Hbb-\*.root: run `zoo data build`"):
        fit_trees.read_scalars(tmp_path, "train", ("QCD", "Hbb"))


def test_fitting_twice_gives_the_same_file(tmp_path):
    x, label = features(800)
    for name in "ab":
        weights.save(tmp_path / f"{name}.safetensors", fit_trees.fit_trees(x, label, max_iter=4))
    assert files.sha256(tmp_path / "a.safetensors") == files.sha256(tmp_path / "b.safetensors")
