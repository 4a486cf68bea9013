"""The gene labeller reads a language model's tokens and covers every base and both strands."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from ecoli_toys import TINY
from flax import nnx
from random_modules import drawn

from zoo.genomics.ecoli.predict import BaseLabeller
from zoo.genomics.models.gene_labeller import GeneLabeller, GeneLabellerConfig
from zoo.genomics.models.sequence_encoder import SequenceEncoderConfig


def test_labeller_covers_every_base_and_both_strands(genome):
    config = GeneLabellerConfig(**TINY | {"max_tokens": 8})
    model = drawn(lambda: GeneLabeller(config, rngs=nnx.Rngs(1)))
    labeller = BaseLabeller([model], length=64)
    arc = genome[:300]
    found = labeller.along(arc)
    assert found.shape == (300, 3)
    np.testing.assert_allclose(found.sum(-1), 1.0, rtol=1e-5)
    # The third piece begins at base 48 (pieces of 64 overlap by half, a quarter hangs over
    # the edge); its middle is 64 to 95.
    piece = jnp.asarray(arc[48:112])[None]
    answer = jax.jit(lambda tokens: jax.nn.softmax(model(tokens)))
    forward, reverse = (
        answer(piece)[0, 16:48],
        answer((3 - piece)[:, ::-1])[0, ::-1][16:48][:, jnp.array([0, 2, 1])],
    )
    np.testing.assert_allclose(found[64:96], (forward + reverse) / 2, atol=1e-6)
    np.testing.assert_allclose(
        labeller(arc[:256].reshape(4, 64))["probability"].reshape(256, 3)[64:200],
        found[64:200],
        atol=1e-6,
    )


def test_labeller_config_holds_the_encoders():
    names = {field.name for field in dataclasses.fields(SequenceEncoderConfig)}
    assert names < {field.name for field in dataclasses.fields(GeneLabellerConfig)}
