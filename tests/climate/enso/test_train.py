"""An ENSO ensemble from `zoo train` to `zoo publish`: its seeds become one model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from enso_fakes import FakeEnso, fake_observations

from zoo import cards
from zoo.cards import ModelCard
from zoo.climate.enso import recipes, train
from zoo.climate.enso.recipes import RECIPES
from zoo.climate.models.seasonal_inverse import SeasonalInverseConfig
from zoo.pretrained.model import PretrainedModel
from zoo.pretrained.publish import publish_runs
from zoo.pretrained.run import find_runs, read_run

NAME = "seasonal_inverse.modes_causal"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs of two seeds on made-up observations."""
    folder, task = tmp_path_factory.mktemp("enso"), FakeEnso(fake_observations())
    small = dataclasses.replace(RECIPES[NAME], config=SeasonalInverseConfig(members=2, hidden=4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(recipes.RECIPES, NAME, small)
        for seed in (0, 1):
            lines = list(train.train_on(task, NAME, seed=seed, out=folder / str(seed), steps=2))
            assert lines[-1].startswith("wrote ")
            assert any("on 1994-2003: mean_correlation" in line for line in lines)
    return folder


@pytest.mark.slow
def test_a_run_says_what_its_card_will(runs):
    run = read_run(runs / "0")
    assert (run.task, run.recipe, run.storage, run.died) == ("climate/enso", NAME, "float32", None)
    (model,) = run.model
    assert model.ensemble and model.track == "modes" and model.training.steps == 2
    assert model.predictor_config == {"state": "modes_causal", "window": 1}
    assert model.training.validation["mean_correlation"] > 0


@pytest.mark.slow
def test_seeds_are_published_as_one_ensemble(runs, tmp_path):
    (path,) = publish_runs(find_runs([runs]), tmp_path)
    card = cards.read(path, ModelCard)
    assert [weight.seed for weight in card.weights] == [0, 1]
    alone = cards.read(runs / "0" / f"{NAME}.toml", ModelCard)
    assert card.n_params == 2 * alone.n_params
    assert card.training.command.endswith(f"{NAME} --seed 0 (and --seed 1)")
    paths = tuple(tmp_path / weight.file for weight in card.weights)
    inputs = FakeEnso(fake_observations()).examples().inputs
    both = PretrainedModel(card, paths)
    each = [both.predictor(seed=seed)(inputs)["mean"] for seed in (0, 1)]
    np.testing.assert_allclose(both(inputs)["mean"], np.mean(each, 0), rtol=1e-6, atol=1e-9)


def test_a_forecast_that_does_not_vary_has_died():
    assert train.cause_of_death({"mean_correlation": 0.8, "mean_crps": 0.3}) is None
    for correlation in (float("nan"), -0.1):
        said = train.cause_of_death({"mean_correlation": correlation, "mean_crps": 0.5})
        assert said is not None and "constant" in said


def test_what_cannot_be_trained_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no recipe 'enso_mlp'; it has enso_mlp\.core,"):
        next(train.train_on(FakeEnso(fake_observations()), "enso_mlp", seed=0, out=tmp_path))
    with pytest.raises(ValueError, match="trains on the files of its card"):
        next(train.train(NAME, seed=0, data=tmp_path, out=tmp_path))


def test_only_the_tags_that_saw_cmip6_say_so():
    for name, recipe in RECIPES.items():
        said = recipes.description(name, recipe, seed=0, validation={}, wall_seconds=1.0)
        assert bool(said["pretrained_on"]) == (name == "enso_mlp.core")
        assert ("predict_file" in said) == (recipe.state == "core")
        assert (recipes.LOOK_AHEAD in said["caveats"]) == (name == "seasonal_inverse.modes")
