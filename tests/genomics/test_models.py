"""What every pretrained model of the domain can do, and says of itself."""

from __future__ import annotations

import pytest

from zoo import files, registry
from zoo.interfaces.predictor import PretrainedPredictor
from zoo.pretrained.model import load_model

MODELS = registry.list_models("genomics/*")


@pytest.mark.parametrize("name", MODELS)
def test_a_model_keeps_the_protocol_and_says_what_it_takes_and_gives(name):
    try:
        model = load_model(name)
    except files.FileMissing as error:
        pytest.skip(str(error))
    assert isinstance(model.predict, PretrainedPredictor)
    lines = repr(model).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(name) and "[" in lines[1].split(" -> ")[1]
    assert model.card.licence in lines[2]


def test_a_single_member_of_a_stack_keeps_the_protocol_too():
    model = load_model("genomics/committee.gue")
    regressions = [each.seed for each in model.card.weights if each.file.startswith("kmers.")]
    for seed in regressions:
        predictor = model.predictor(seed)
        assert isinstance(predictor, PretrainedPredictor)
        assert predictor.example_output(0).shape == (24,)
