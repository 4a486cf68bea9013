"""Features under a new last layer are the old network's."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from random_modules import drawn
from tiny_networks import published

from zoo.genomics.data.sequences import one_hot
from zoo.pretrained import weights as storage
from zoo.pretrained.model import load_model


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> dict[str, Path]:
    """Tiny networks of each kind with random weights, published as any other model."""
    return published(tmp_path_factory.mktemp("sources"))


def test_features_and_the_old_last_layer_give_the_old_network(sources):
    """For each convolutional design: its own last layer on our features is what it always
    said, also with letters at their places."""
    from zoo.genomics.finetune import SequenceClassifier, SequenceClassifierConfig, backbones

    for name, part, length in (
        ("cnn.tiny", "placed", 40),
        ("cnn.tiny", "long", 48),
        ("cnn_local.tiny", "", 100),
    ):
        source = load_model(sources[name])
        own, old = backbones(source)[part], source.module()
        config = SequenceClassifierConfig(own.kind, own.settings, 2, own.longest)
        ours = drawn(lambda config=config: SequenceClassifier(config, rngs=nnx.Rngs(9)))
        head = {
            key: value for key, value in storage.flatten(ours).items() if key.startswith("head.")
        }
        storage.restore(ours, own.parameters | head)
        tokens = np.random.default_rng(0).integers(0, 4, (3, length)).astype(np.int8)
        old = old.networks[part] if part else old
        expected = np.asarray(jax.jit(lambda tokens, old=old: old(one_hot(tokens, xp=jnp)))(tokens))
        layer = old.logit if own.kind == "cnn" else old.out
        found = np.asarray(jax.jit(ours.features)(tokens))
        logit = found[:, : layer.kernel[...].shape[0]] @ np.asarray(layer.kernel[...])[
            :, 0
        ] + float(layer.bias[...][0])
        np.testing.assert_allclose(
            logit + (found[:, -1] if part == "placed" else 0), expected, atol=1e-4
        )


@pytest.mark.parametrize(
    ("name", "part"), [("sequence_encoder.tiny", ""), ("encoders.tiny", "long")]
)
def test_padding_a_sequence_changes_nothing_for_the_encoder(sources, name, part):
    from zoo.genomics.finetune import SequenceClassifier, SequenceClassifierConfig, backbones

    source = load_model(sources[name])
    own = backbones(source)[part]
    tokens = np.random.default_rng(0).integers(0, 4, (2, 24)).astype(np.int8)
    found = []
    for length in (24, 40):
        config = SequenceClassifierConfig("encoder", own.settings, 2, length)
        ours = drawn(lambda config=config: SequenceClassifier(config, rngs=nnx.Rngs(9)))
        head = {
            key: value for key, value in storage.flatten(ours).items() if key.startswith("head.")
        }
        found.append(
            np.asarray(jax.jit(storage.restore(ours, own.parameters | head).features)(tokens))
        )
    encoder = source.module().networks[part] if part else source.module()
    x = jax.jit(
        lambda tokens: encoder.encode(encoder.inputs(tokens), jnp.ones(tokens.shape, bool))[0]
    )(tokens)
    np.testing.assert_allclose(found[0], np.concatenate([x.mean(1), x.max(1)], 1), atol=1e-5)
    # The last convolutions look three tokens ahead into the padding, so the ends may
    # differ; the bulk is the same.
    assert np.abs(found[0] - found[1]).mean() < 0.2
