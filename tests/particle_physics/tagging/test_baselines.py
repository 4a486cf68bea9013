"""Baselines point the way that physics says, trees are scikit-learn's to the last digit,
and altered files are refused."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier

from zoo import files
from zoo.particle_physics.data.jets import Jets
from zoo.particle_physics.tagging import baselines as tagging
from zoo.particle_physics.tagging import fit_trees
from zoo.particle_physics.tagging.trees import Trees, from_sklearn
from zoo.pretrained import weights


def whole_jets(n: int = 50, seed: int = 0, **scalars: np.ndarray) -> Jets:
    """Jets of which only the scalars are known."""
    rng = np.random.default_rng(seed)
    values = {f"jet_tau{k}": np.sort(rng.uniform(0.01, 0.5, n))[::-1] / k for k in range(1, 5)}
    values |= {
        "jet_sdmass": rng.uniform(0, 250, n),
        "jet_nparticles": rng.integers(5, 120, n),
        "jet_pt": rng.uniform(500, 1000, n),
    }
    values = {name: np.asarray(value, np.float32) for name, value in (values | scalars).items()}
    return Jets(
        np.zeros((n, 0, 0), np.float32),
        np.zeros((n, 0), bool),
        (),
        values,
        np.full(n, -1, np.int8),
        ("QCD", "Tbqq"),
    )


class TwoClasses:
    """All that a baseline's factory asks of a task."""

    classes = ("QCD", "Tbqq")


def features(n: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Substructure of four overlapping classes, rounded so that thresholds meet values, and
    their labels."""
    rng = np.random.default_rng(seed)
    label = rng.integers(4, size=n)
    x = np.abs(rng.normal(size=(n, len(tagging.SUBSTRUCTURE))) + label[:, None] * 0.5)
    return np.round(x, 2).astype(np.float32), label


@pytest.mark.parametrize("n_classes", [2, 4])
def test_trees_from_arrays_are_sklearns(n_classes):
    x, label = features()
    x, label = x[label < n_classes], label[label < n_classes]
    fitted = HistGradientBoostingClassifier(
        max_iter=30, max_leaf_nodes=16, max_depth=5, early_stopping=False, random_state=0
    ).fit(x, label)
    arrays = from_sklearn(fitted)
    fresh = np.concatenate([features(9000, seed=7)[0], x, x + np.float32(1e-7)])
    np.testing.assert_allclose(
        Trees(arrays).probability(fresh), fitted.predict_proba(fresh), atol=1e-6
    )
    assert Trees(arrays).n_classes == n_classes and all(
        array.dtype != object for array in arrays.values()
    )


def test_the_tree_test_can_fail():
    x, label = features()
    arrays = from_sklearn(
        HistGradientBoostingClassifier(max_iter=20, early_stopping=False).fit(x, label)
    )
    turned = arrays | {"left": arrays["right"], "right": arrays["left"]}
    assert np.abs(Trees(turned).probability(x) - Trees(arrays).probability(x)).max() > 0.1


def test_trees_that_do_not_fit_the_format_are_refused():
    x, label = features()
    big = HistGradientBoostingClassifier(
        max_iter=1, max_leaf_nodes=300, min_samples_leaf=1, early_stopping=False
    ).fit(x, label)
    with pytest.raises(ValueError, match="at most 256 nodes"):
        from_sklearn(big)


def test_gaussians_are_quadratic_discriminant_analysis():
    x, label = features()
    z = tagging.near_normal(x)
    theirs = QuadraticDiscriminantAnalysis(priors=np.full(4, 0.25)).fit(z, label).predict_proba(z)
    ours = tagging.gaussian_probability(x, fit_trees.fit_gaussians(x, label))
    np.testing.assert_allclose(ours, theirs, atol=5e-3)  # we add 1e-4 to the diagonal
    np.testing.assert_allclose(ours.sum(axis=1), 1)


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


def test_a_fit_reads_training_files_by_class_and_names_what_is_missing(tmp_path):
    uproot = pytest.importorskip("uproot")
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
