"""Taggers as predictors: batches, classes, files."""

from __future__ import annotations

import dataclasses
import types

import numpy as np
import pytest
import uproot
from flax import nnx
from made_up_jets import write_padded

from zoo.particle_physics.data.jets import LABELS
from zoo.particle_physics.data.read import read_jets
from zoo.particle_physics.models.features import COLUMNS
from zoo.particle_physics.models.particle_net import ParticleNet, ParticleNetConfig
from zoo.particle_physics.models.pfn import PFN, PFNConfig
from zoo.particle_physics.tagging.predict import JetTagger, predict_file


@pytest.fixture(scope="module")
def tagger() -> JetTagger:
    return JetTagger(
        [PFN(PFNConfig(features="kinpid"), rngs=nnx.Rngs(0))],
        feature_set="kinpid",
        particles=40,
        batch=8,
    )


def test_probabilities_do_not_depend_on_batches_order_or_neighbours(tagger, jets):
    together = tagger(jets)["probability"]
    assert np.allclose(together.sum(1), 1.0, atol=1e-5)
    backwards = tagger(jets[np.arange(len(jets))[::-1]])["probability"][::-1]
    alone = np.concatenate([tagger(jets[i : i + 1])["probability"] for i in range(3)])
    assert np.allclose(together, backwards, atol=1e-5) and np.allclose(
        together[:3], alone, atol=1e-5
    )


def test_two_of_ten_classes_are_renormalised(tagger, jets):
    ten = tagger(jets)["probability"]
    two = tagger(dataclasses.replace(jets, classes=("QCD", "Tbqq")))["probability"]
    wanted = ten[:, [LABELS.index("QCD"), LABELS.index("Tbqq")]]
    assert np.allclose(two, wanted / wanted.sum(1, keepdims=True), atol=1e-5)
    with pytest.raises(ValueError, match=r"knows no class gluon, quark.*QCD"):
        tagger(dataclasses.replace(jets, classes=("gluon", "quark")))


def test_missing_columns_are_named(tagger, jets):
    few = dataclasses.replace(jets, particles=jets.particles[..., :4], columns=jets.columns[:4])
    with pytest.raises(ValueError, match="part_charge"):
        tagger(few)
    with pytest.raises(ValueError, match="kin, kinpid, full"):
        JetTagger([PFN(rngs=nnx.Rngs(0))], feature_set="all", particles=4)


def test_an_ensemble_is_the_mean_of_its_members(tagger, jets):
    other = PFN(PFNConfig(features="kinpid"), rngs=nnx.Rngs(1))
    both = JetTagger([tagger.models[0], other], feature_set="kinpid", particles=40, batch=8)
    alone = JetTagger([other], feature_set="kinpid", particles=40, batch=8)
    assert np.allclose(
        both(jets)["probability"],
        (tagger(jets)["probability"] + alone(jets)["probability"]) / 2,
        atol=1e-5,
    )


def test_jets_in_a_file_are_scored_into_root_and_csv(tagger, jets, tmp_path):
    class Model:
        card = types.SimpleNamespace(predictor_config={"features": "kinpid", "particles": 40})

        def __call__(self, given):
            return tagger(given)

    write_padded(tmp_path / "in.root", jets, "QCD")
    predict_file(Model(), tmp_path / "in.root", tmp_path / "out.root")
    predict_file(Model(), tmp_path / "in.root", tmp_path / "out.csv")
    with uproot.open(tmp_path / "out.root") as file:
        scores = file["tree"].arrays(library="np")
    expected = tagger(read_jets(tmp_path / "in.root", max_particles=40, columns=COLUMNS["kinpid"]))[
        "probability"
    ]
    assert np.array_equal(np.stack([scores[f"score_{name}"] for name in LABELS], 1), expected)
    table = np.loadtxt(tmp_path / "out.csv", delimiter=",", skiprows=1)
    assert np.allclose(table, expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"\.root or \.csv"):
        predict_file(Model(), tmp_path / "in.root", tmp_path / "out.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.root", "out.csv", "out.root"]


def test_operations_are_counted_also_where_the_call_has_options_of_its_own(tagger):
    assert tagger.flops_per_example() > 1e4
    wide = ParticleNet(ParticleNetConfig(channels=((8, 8),), hidden=(8,)), rngs=nnx.Rngs(0))
    assert JetTagger([wide], feature_set="kinpid", particles=12).flops_per_example() > 1e4
