"""The steps of `zoo data build climate/held_suarez`, without the simulation."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_planet import write_build

from zoo.climate.held_suarez import linear_fit
from zoo.climate.held_suarez.build import dataset
from zoo.pretrained.weights import load


def test_unknown_steps_and_misplaced_years_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no step 'fit'; it has truth, products, regression"):
        dataset.build(tmp_path, step="fit")
    with pytest.raises(ValueError, match="years=2 belongs to the step truth"):
        dataset.build(tmp_path, step="products", years=2.0)


@pytest.mark.parametrize("step", ["products", "regression"])
def test_a_step_without_the_truth_says_what_to_do_first(tmp_path, step):
    with pytest.raises(FileNotFoundError, match="zoo data build climate/held_suarez"):
        dataset.build(tmp_path / "nothing", step=step)


def test_the_regression_is_fitted_to_daily_training_states(tmp_path, monkeypatch):
    given = {}

    def fit(train, validation, **options):
        given.update(options, train=train, validation=validation)
        return {"mean": options["mean"].astype(np.float32)}

    monkeypatch.setattr(linear_fit, "fit", fit)
    path = dataset.build(write_build(tmp_path), step="regression")
    assert path == tmp_path / "products/linear_regression.safetensors"
    (train,) = given["train"]
    # 60 times six hours apart are 15 days.
    assert train.shape == given["validation"].shape == (15, 64, 20, 32)
    assert given["mean"].shape == (20, 32) and given["scale"].shape == (20, 1)
    assert given["weights"].mean() == pytest.approx(1)
    parameters, _, metadata = load(path)
    assert parameters["mean"].shape == (20, 32) and "train-0" in str(metadata["trajectories"])
