"""Contract of every pretrained model: it loads, it gives its card's stored output, its card
tells the truth about its size."""

from __future__ import annotations

import numpy as np
import pytest

from zoo import files, registry
from zoo.pretrained import weights
from zoo.pretrained.model import PretrainedModel, blank, build, parameters
from zoo.pretrained.model import load_model as load
from zoo.scoring import cost


def load_model(name: str) -> PretrainedModel:
    """The model; skips where its weights are others', lie at an address and are not here."""
    try:
        return load(name)
    except files.FileMissing as error:
        if registry.model(name).converter is None:
            raise
        pytest.skip(f"weights that others published are not here: {error}")


@pytest.mark.parametrize("name", registry.list_models())
def test_the_stored_output_comes_out_again(name):
    model = load_model(name)
    expected = model.card.expected
    assert expected is not None, (
        f"{name} has no expected output; publish it with zoo.pretrained.publish"
    )
    output = model.predictor().example_output(expected.input_seed)
    assert list(output.shape) == expected.shape
    chosen = output.ravel()[:: max(1, output.size // len(expected.values))][: len(expected.values)]
    np.testing.assert_allclose(chosen, expected.values, atol=expected.tolerance, rtol=0)


@pytest.mark.parametrize("name", registry.list_models())
def test_the_card_counts_parameters_and_names_known_tasks(name):
    card = registry.model(name)
    model = load_model(name)
    # What the file holds: kernels that several networks in it share count once.
    stored = [
        weights.load(path)[0] if path.suffix == ".safetensors" else parameters(card, path)
        for path in model.weights
    ]
    sizes = [cost.count_parameters(each) for each in stored]
    assert card.n_params == (sum(sizes) if card.ensemble else sizes[0])
    assert set(card.tasks) <= set(registry.tasks())
    assert card.weights and all(weight.bytes <= 5_000_000 for weight in card.weights)


def test_there_are_pretrained_models():
    assert registry.list_models()


@pytest.mark.parametrize("name", ["particle_physics/pfn.top_tagging", "climate/enso_mlp.core"])
def test_a_blank_module_takes_the_weights_that_a_built_one_takes(name):
    from flax import nnx

    from zoo.pretrained.weights import flatten, restore

    model = load_model(name)
    weights = parameters(model.card, model.weights[0])
    built, filled = (restore(make(model.card), weights) for make in (build, blank))
    assert flatten(built).keys() == flatten(filled).keys()
    assert flatten(built)
    for key, value in flatten(built).items():
        np.testing.assert_array_equal(flatten(filled)[key], value, strict=True)
    assert nnx.graphdef(built) == nnx.graphdef(filled)


def test_a_blank_module_holds_shapes_and_draws_nothing():
    import jax
    from flax import nnx

    card = registry.model("particle_physics/pfn.top_tagging")
    leaves = jax.tree.leaves(nnx.state(blank(card)))
    assert leaves and all(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in leaves)


@pytest.mark.parametrize("name", [name for name, card in registry.models().items() if card.shared])
def test_a_card_lists_the_files_that_its_weights_name(name):
    model = load_model(name)
    named = {weights.shared_file(path) for path in model.weights} - {None}
    assert named == {model.weights[0].with_name(each.file) for each in model.card.shared}


def test_every_file_that_weights_name_is_on_their_card():
    for card in registry.models().values():
        folder = registry.path_of(card.id, "model").parent
        paths = [folder / each.file for each in card.weights]
        named = {
            weights.shared_file(path)
            for path in paths
            if path.is_file() and path.suffix == ".safetensors"
        }
        assert named - {None} == {folder / each.file for each in card.shared}, card.id
