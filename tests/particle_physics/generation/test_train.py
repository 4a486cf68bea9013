"""Generators learn, leave a run that is published and gives the same jets again; the GAN's
gradients go where they belong."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from made_up_clouds import SMALL_FLOW, SMALL_GAN, made_up, write_products

from zoo.cards import ModelCard, read
from zoo.particle_physics.generation import recipes, train
from zoo.particle_physics.generation.predict import load_generator
from zoo.particle_physics.generation.task import GenerationRequest
from zoo.pretrained.publish import publish_runs
from zoo.pretrained.run import find_runs, read_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_products(tmp_path_factory.mktemp("generation"))


@pytest.mark.parametrize("name", ["epic_flow.dijets", "epic_gan.dijets"])
@pytest.mark.slow
def test_a_run_is_published_and_its_weights_give_the_same_jets_again(
    name, folder, tmp_path, monkeypatch
):
    config = SMALL_FLOW if "flow" in name else SMALL_GAN
    small = dataclasses.replace(
        recipes.RECIPES[name], config=config, batch_size=16, midpoint_steps=2
    )
    monkeypatch.setitem(recipes.RECIPES, name, small)
    seeds = [0, 1] if "flow" in name else [1]
    for seed in seeds:
        out = tmp_path / f"runs/{name}.seed{seed}"
        lines = list(train.train(name, seed=seed, data=folder, out=out, steps=6))
        assert "validation: w1_mass.gluon" in lines[-2] and lines[-1].startswith("wrote ")
    run = read_run(out)
    assert run.died is None and run.model[0].training.command.endswith(f"{name} --seed 1 --steps 6")
    (card_path,) = publish_runs(find_runs([tmp_path / "runs"]), tmp_path / "weights")
    card = read(card_path, ModelCard)
    assert [weight.seed for weight in card.weights] == seeds
    assert {"fpd.top", *(f"fpd.top_seed{seed}" for seed in seeds[1:])} <= (
        card.training.validation.keys()
    )
    model = load_generator(card, [card_path.parent / weight.file for weight in card.weights])
    request = GenerationRequest(np.array([2, 0, 1, 1], np.int8), 5)
    first, again, other = (
        model(request),
        model(request),
        model(dataclasses.replace(request, seed=6)),
    )
    np.testing.assert_array_equal(first["particles"], again["particles"])
    assert not np.array_equal(first["particles"], other["particles"])
    assert first["particles"].shape == (4, 30, 3) and np.isfinite(first["particles"]).all()
    assert (first["particles"][first["mask"]][:, 2] > 0).all() and (
        first["particles"][~first["mask"]] == 0
    ).all()
    assert np.isfinite(model.example_output(0)).all() and model.flops_per_example() > 1e4


def test_recipes_say_what_the_shipped_cards_say():
    from zoo import registry

    for name, recipe in recipes.RECIPES.items():
        shipped = registry.model(f"particle_physics/{name}")
        described = recipes.describe(
            name,
            dataclasses.replace(recipe, steps=shipped.training.steps),
            jets=0,
            command="",
            hardware="",
            wall_seconds=1.0,
            validation={},
        )
        given = shipped.model_dump(mode="json", include=set(described) - {"training"})
        assert given == {key: value for key, value in described.items() if key != "training"}


def test_jets_that_are_all_alike_are_a_failure():
    jets = made_up(40, 3)
    alike = {"particles": np.zeros_like(jets.particles), "mask": jets.mask}
    alike["particles"][:, 0] = [0.1, 0.0, 1.0]
    assert train.failure({"particles": jets.particles, "mask": jets.mask}, jets) is None
    assert "gluon jets are all alike" in train.failure(alike, jets)


def test_a_small_flow_learns_the_width_of_a_jet():
    jets = made_up(400, 3)
    chosen = {
        "steps": 150,
        "batch_size": 64,
        "learning_rate": 5e-3,
        "ema_decay": 0.98,
        "midpoint_steps": 5,
    }
    recipe = recipes.GenerationRecipe(SMALL_FLOW, **chosen)
    model = train.fit_generator(jets, recipe, seed=0)
    made = model(GenerationRequest(jets.label, 1))
    for label in range(3):
        mine = jets.label == label
        true = np.abs(jets.particles[mine][jets.mask[mine]][:, 0]).mean()
        ours = np.abs(made["particles"][mine][made["mask"][mine]][:, 0]).mean()
        assert ours == pytest.approx(true, rel=0.3)


def test_unknown_recipes_and_missing_data_are_named(tmp_path, isolated_home):
    with pytest.raises(ValueError, match=r"no recipe 'epic'; it has epic_flow\.dijets"):
        list(train.train("epic", seed=0, data=tmp_path, out=tmp_path))
    for data in (None, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"--step products`, or say --data FOLDER"):
            list(train.train("epic_gan.dijets", seed=0, data=data, out=tmp_path))
