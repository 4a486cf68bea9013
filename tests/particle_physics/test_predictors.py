"""Every pretrained model of particle physics is a predictor as it is written down."""

from __future__ import annotations

import pytest

import zoo
from zoo import files, registry
from zoo.interfaces.predictor import PretrainedPredictor

NAMES = [name for name in registry.models() if name.startswith("particle_physics/")]


@pytest.mark.parametrize("name", NAMES)
def test_a_model_says_what_it_takes_and_gives(name):
    try:
        model = zoo.load_model(name)
    except files.FileMissing as error:
        pytest.skip(f"others published its weights: {error}")
    predictor = model.predict
    assert isinstance(predictor, PretrainedPredictor)
    for form in (predictor.input_form, predictor.output_form):
        assert form and "\n" not in form
    said = repr(model).splitlines()
    assert len(said) == 3 and said[0].startswith(name) and "->" in said[1]
    assert model.card.licence in said[2]
