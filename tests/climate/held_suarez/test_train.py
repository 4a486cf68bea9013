"""A weather model from `zoo train` to `zoo publish`: one run, resumed, gives both variants."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from made_up_planet import write_build
from safetensors.numpy import load_file

from zoo import cards, registry
from zoo.cards import ModelCard
from zoo.climate.held_suarez import recipes, train
from zoo.climate.held_suarez.recipes import RECIPES, Stage, stage_costs
from zoo.climate.held_suarez.transforms import Transforms
from zoo.interfaces.predictor import PretrainedPredictor
from zoo.pretrained.model import PretrainedModel
from zoo.pretrained.publish import publish_runs
from zoo.pretrained.run import find_runs, read_run
from zoo.pretrained.weights import load

SIZES = {"width": 8, "depth": 1, "expansion": 2, "kernel": 3}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small ConvNeXt's run on a made-up planet."""
    folder = tmp_path_factory.mktemp("held_suarez")
    build = write_build(folder / "build")
    stages = (Stage(3, 1, 1e-3, batch_size=2), Stage(2, 2, 1e-3, batch_size=2))
    small = dataclasses.replace(RECIPES["convnext"], sizes=SIZES, stages=stages)
    out = folder / "runs" / "convnext.seed0"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(recipes.RECIPES, "convnext", small)
        patch.setattr(train, "cause_of_death", lambda scores, transforms: None)
        lines = list(train.train("convnext", seed=0, data=build, out=out))
        assert lines[0].startswith("convnext, seed 0: 3 + 2 steps") and "wrote" in lines[-1]
        before = read_run(out).weights_sha256
        list(train.train("convnext", seed=0, data=build, out=out))  # nothing is left to be done
        assert read_run(out).weights_sha256 == before
    return out


@pytest.mark.slow
def test_a_run_holds_its_history_and_both_descriptions(run):
    found = read_run(run)
    assert (found.task, found.recipe, found.seed) == ("climate/held_suarez", "convnext", 0)
    assert found.storage == "float16" and found.died is None
    assert [model.id for model in found.model] == [
        "climate/convnext.held_suarez",
        "climate/convnext.held_suarez_damped",
    ]
    assert [model.predictor_config["damped"] for model in found.model] == [False, True]
    assert found.model[0].training.steps == 5 and found.model[0].config["width"] == 8
    history = [json.loads(line) for line in (run / train.HISTORY).read_text().splitlines()]
    assert [row["stage"] for row in history if "stage" in row] == [0, 1]
    card = cards.read(run / "convnext.held_suarez.toml", ModelCard)
    model = PretrainedModel(card, (run / card.weights[0].file,))
    assert isinstance(model.predict, PretrainedPredictor)
    assert len(repr(model).splitlines()) == 3


@pytest.mark.slow
def test_the_published_variants_share_their_weights(run, tmp_path):
    plain, damped = (
        cards.read(path, ModelCard)
        for path in publish_runs(find_runs([run.parent]), tmp_path / "weights")
    )
    assert plain.tasks == ["climate/held_suarez", "climate/held_suarez_drift"]
    assert damped.tasks == ["climate/held_suarez"]
    assert plain.weights == damped.weights and plain.expected == damped.expected
    assert plain.weights[0].file == "convnext.held_suarez.safetensors"
    stored = tmp_path / "weights" / plain.weights[0].file
    assert load(stored)[1]["damping"].shape == (10, 20)
    assert load_file(stored)["patches.head"].dtype == np.float16
    assert plain.training.command == "zoo train climate/held_suarez convnext --seed 0"
    assert plain.training.validation != damped.training.validation


def test_a_model_that_is_no_better_than_persistence_has_died():
    ones = np.ones(20, np.float32)
    transforms = Transforms(ones, ones, 300 * ones, ones, ones, ones[None])
    assert train.cause_of_death({"z500_rmse_day1": 120.0}, transforms) is None
    for error in (300.0, float("nan")):
        assert "of persistence 300" in train.cause_of_death({"z500_rmse_day1": error}, transforms)


def test_what_cannot_be_trained_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no recipe 'convnet'; it has convnext, sfno, conv_gru"):
        next(train.train("convnet", seed=0, data=tmp_path, out=tmp_path / "out"))
    with pytest.raises(FileNotFoundError, match="zoo data build climate/held_suarez"):
        next(train.train("sfno", seed=0, data=tmp_path / "no", out=tmp_path / "out"))


def test_steps_that_an_interruption_repeated_count_once():
    rows = [
        {"stage": 0},
        {"step": 50, "seconds_per_step": 1.0},
        {"step": 100, "seconds_per_step": 2.0},
        {"stage": 0},
        {"step": 100, "seconds_per_step": 3.0},
        {"stage": 1},
        {"step": 10, "seconds_per_step": 1.0},
    ]
    assert stage_costs(rows) == [(50 + 150, 100), (10, 10)]


def test_recipes_name_what_exists():
    for name, recipe in RECIPES.items():
        module, _, architecture = recipe.architecture.partition(":")
        assert module == f"zoo.climate.models.{name}" and architecture
        assert f"climate/{name}.held_suarez_damped" in registry.models()
