"""Every pretrained model of the domain is what `zoo.interfaces.predictor` says, and tells what
it is in three lines."""

from __future__ import annotations

import pytest

import zoo
from zoo import files, registry
from zoo.interfaces.predictor import PretrainedPredictor

MODELS = [name for name in registry.models() if name.startswith("climate/")]


def test_the_domain_ships_models():
    assert len(MODELS) >= 10


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_a_pretrained_predictor_and_says_so(name):
    try:
        model = zoo.load_model(name)
    except files.FileMissing as missing:
        pytest.skip(str(missing))
    assert isinstance(model.predict, PretrainedPredictor)
    lines = repr(model).splitlines()
    assert len(lines) == 3 and lines[0].startswith(f"{name}: ")
    assert model.predict.input_form in lines[1] and model.predict.output_form in lines[1]
    assert "\n" not in model.predict.input_form + model.predict.output_form
