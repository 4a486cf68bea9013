"""The published ParticleNet: its file is read without running a pickle, and its answers are
the original's.

The expected outputs were made by the PyTorch original;
`tests/fixtures/make_expected_particle_net.py` says how.
"""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from make_expected_particle_net import TARGET, published_inputs
from torch_archives import Numbers, Tensor, archive, pickled

from zoo import files, registry
from zoo.cards import ModelCard, read
from zoo.particle_physics.models.features import FEATURE_SETS
from zoo.particle_physics.tagging import jetclass_weights
from zoo.particle_physics.tagging.jetclass_weights import load_parameters
from zoo.pretrained.model import build, load_model, parameters, weight_file
from zoo.pretrained.weights import WeightsError, flatten, load, restore, save
from zoo.scoring import cost

CARDS = {
    name: f"particle_physics/particle_net.{tag}" for name, (tag, _) in jetclass_weights.SETS.items()
}


TRAINABLE = {"kin": 368_216, "kinpid": 369_380, "full": 370_156}
"""Trainable numbers of the original, as PyTorch counts them."""


def published_file(feature_set: str) -> Path:
    """The authors' file, or a skip that says how to get it."""
    file = weight_file(registry.model(CARDS[feature_set]), 0)
    path = files.find(file)
    if path is None:
        pytest.skip(
            f"{file.name} ({file.bytes / 1e6:.1f} MB) is not here: `zoo mirror DIR "
            "particle_physics`, and set ZOO_MIRROR=DIR"
        )
    return path


@pytest.mark.parametrize("feature_set", CARDS)
def test_outputs_are_those_of_the_pytorch_original(feature_set):
    path = published_file(feature_set)
    card = registry.model(CARDS[feature_set])
    model = restore(build(card), parameters(card, path))
    features, mask = published_inputs(feature_set)
    vectors = jnp.zeros((*mask.shape, 4))  # not looked at
    logits = np.asarray(model(jnp.asarray(features), vectors, jnp.asarray(mask)))
    expected = np.load(TARGET)[feature_set]
    assert np.ptp(expected) > 10.0  # they say something
    np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=1e-4 / np.abs(expected).max())


def test_the_cards_name_what_the_original_is():
    for feature_set, name in CARDS.items():
        card = registry.model(name)
        assert card.n_params == TRAINABLE[feature_set]
        assert card.config["features"] == card.predictor_config["features"] == feature_set
        assert (
            card.licence == "MIT"
            and card.training.wall_seconds is None
            and card.training.steps == 1_000_000
        )
        assert [weight.file for weight in card.weights] == [f"ParticleNet_{feature_set}.pt"]
        # fetched, never shipped
        assert not (registry.path_of(name, "model").parent / card.weights[0].file).exists()


@pytest.mark.slow
def test_the_shipped_cards_are_those_that_are_written(tmp_path, monkeypatch):
    for feature_set in CARDS:
        published_file(feature_set)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    for path in jetclass_weights.write_cards(tmp_path):
        written = read(path, ModelCard)
        shipped = registry.model(written.id)
        np.testing.assert_allclose(
            written.expected.values, shipped.expected.values, atol=shipped.expected.tolerance
        )
        assert written.model_copy(update={"expected": shipped.expected}) == shipped


def test_the_converted_weights_survive_a_file_of_ours(tmp_path):
    card = registry.model(CARDS["kin"])
    found = parameters(card, published_file("kin"))
    assert cost.count_parameters(found) == card.n_params
    model = restore(build(card), found)
    save(tmp_path / "weights.safetensors", model)
    again, _, _ = load(tmp_path / "weights.safetensors")
    assert again.keys() == found.keys()
    for name, value in flatten(model).items():
        np.testing.assert_array_equal(again[name], value)


def test_load_model_converts(monkeypatch):
    published_file("kin")
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    module = load_model(CARDS["kin"]).module()
    assert module.inputs.scale[...].shape == (len(FEATURE_SETS["kin"]),)
    assert np.abs(np.asarray(module.inputs.scale[...]) - 1).max() > 0.1


def test_a_truncated_file_is_refused(tmp_path):
    whole = published_file("kin").read_bytes()
    for keep in (100, len(whole) // 2, len(whole) - 30):
        (tmp_path / "cut.pt").write_bytes(whole[:keep])
        with pytest.raises(WeightsError, match=r"cut\.pt"):
            load_parameters(tmp_path / "cut.pt")


def test_another_network_is_refused_by_name(tmp_path):
    path = archive(
        tmp_path / "other.pt",
        pickled({"mod.conv.weight": Tensor(Numbers("0", "cpu", 4), 0, (4,), (1,))}),
        s0=bytes(16),
    )
    with pytest.raises(
        WeightsError, match=r"no published ParticleNet: it has no tensor 'mod.bn_fts.weight'"
    ):
        load_parameters(path)
