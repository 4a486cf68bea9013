"""Taggers learn, and leave a run that is published; what cannot be trained says why."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_up_jets import write_padded

from zoo.cards import ModelCard, read
from zoo.particle_physics.models.features import COLUMNS
from zoo.particle_physics.tagging import recipes, train
from zoo.particle_physics.tagging.predict import load_tagger, made_up_jets
from zoo.pretrained.publish import publish_runs
from zoo.pretrained.run import find_runs, read_run


def test_rotating_and_mirroring_a_jet_keeps_distances_and_everything_else():
    import jax

    features = np.random.default_rng(0).normal(size=(5, 7, 9)).astype(np.float32)
    other = np.asarray(train.rotate_and_mirror(features, jax.random.key(0)))
    assert np.array_equal(other[..., :-2], features[..., :-2])
    assert np.allclose(
        np.hypot(*np.moveaxis(other[..., -2:], -1, 0)),
        np.hypot(*np.moveaxis(features[..., -2:], -1, 0)),
        atol=1e-5,
    )
    assert not np.allclose(other[..., -2:], features[..., -2:], atol=0.1)


def test_a_recipe_learns_and_its_runs_are_published(tmp_path, monkeypatch):
    for split, count in (("train", 96), ("validation", 48)):
        for seed, name in enumerate(("QCD", "Tbqq")):
            jets = made_up_jets(
                count, 24, seed=seed + 10 * (split == "train"), columns=COLUMNS["full"]
            )
            if name == "Tbqq":  # tops are harder here, so that there is something to learn
                scale = np.array(
                    [3.0 if column in COLUMNS["kin"][:4] else 1.0 for column in jets.columns],
                    np.float32,
                )
                jets = dataclasses.replace(jets, particles=jets.particles * scale)
            write_padded(tmp_path / f"{split}-{name}-0.root", jets, name)
    recipe = recipes.TaggerRecipe("pfn", "kinpid", 24, 12.0, batch_size=32, per_class=80)
    monkeypatch.setitem(recipes.RECIPES, "top_tagging/pfn", recipe)
    for seed in (1, 2):
        out = tmp_path / "runs" / str(seed)
        lines = list(train.train_top_tagging("pfn", seed=seed, data=tmp_path, out=out))
        assert lines[-1] == f"wrote {out / 'pfn.top_tagging.toml'}"
        assert (out / "history.jsonl").is_file()
    run = read_run(tmp_path / "runs/1")
    (described,) = run.model
    assert run.died is None and (run.task, run.recipe) == ("particle_physics/top_tagging", "pfn")
    assert described.training.data == ["particle_physics/jet_tagging:train (160 jets)"]
    assert described.training.steps == 60 and described.training.validation["auc"] > 0.8
    assert described.predictor_config["classes"] == ["QCD", "Tbqq"]
    (path,) = publish_runs(find_runs([tmp_path / "runs"]), tmp_path / "weights")
    card = read(path, ModelCard)
    assert (
        card.training.command
        == "zoo train particle_physics/top_tagging pfn --seed 1 (and --seed 2)"
    )
    assert {"auc", "auc_seed2"} <= card.training.validation.keys()
    tagger = load_tagger(card, [path.parent / card.weights[0].file])
    two = dataclasses.replace(jets, classes=("QCD", "Tbqq"))
    assert np.allclose(tagger(two)["probability"].sum(1), 1.0, atol=1e-5)


def test_what_cannot_be_trained_says_why(tmp_path):
    recipe = recipes.RECIPES["quark_gluon/pfn"]
    with pytest.raises(FileNotFoundError, match="zoo data build particle_physics/quark_gluon"):
        train.load_split(tmp_path, "train", "quark_gluon", recipe)
    with pytest.raises(ValueError, match=r"top_tagging has no recipe 'pfm'; it has pfn, particle"):
        list(train.train_top_tagging("pfm", seed=0, data=tmp_path, out=tmp_path, steps=1))


def test_a_network_that_knows_no_more_than_nothing_has_failed():
    assert train.failure({"cross_entropy": 0.6}, 2) is None
    assert "that of knowing nothing is 0.693" in train.failure({"cross_entropy": 0.692}, 2)


def test_recipes_say_what_the_shipped_cards_say():
    from zoo import registry

    shipped = registry.models()
    for name, recipe in recipes.RECIPES.items():
        described = recipes.describe(
            name,
            config={},
            jets=0,
            steps=1,
            command="",
            hardware="",
            wall_seconds=1.0,
            validation={},
        )
        if described["id"] not in shipped:  # ParticleNet-lite for ten classes
            assert name == "jet_tagging/particle_net"
            continue
        card = shipped[described["id"]]
        same = set(described) - {"training", "config", "predictor_config"}
        assert card.model_dump(mode="json", include=same) == {key: described[key] for key in same}
        assert {"batch": 64, **card.predictor_config} == described["predictor_config"]
        assert card.config.items() >= {"features": recipe.features}.items()
