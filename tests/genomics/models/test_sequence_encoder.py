"""The encoder neither sees what is hidden nor what pads."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from motif_tables import SMALL, random_tokens
from random_modules import drawn

from zoo.genomics.data.sequences import PADDING
from zoo.genomics.gue import pretraining
from zoo.genomics.models import masking, sequence_encoder
from zoo.genomics.models.sequence_encoder import MASK, SequenceEncoder, SequenceEncoderConfig


def test_tokens_agree_with_the_encoder():
    assert masking.MASK == sequence_encoder.MASK


def test_the_encoder_does_not_see_what_is_hidden_nor_what_pads():
    model = drawn(lambda: SequenceEncoder(SequenceEncoderConfig(**SMALL), rngs=nnx.Rngs(0)))
    letters = jax.jit(lambda tokens: model(tokens))
    tokens, key = random_tokens(2, 101), jax.random.key(3)
    seen = []

    def spy(shown, key=None):
        seen.append(np.asarray(shown))
        return letters(shown)

    def loss(tokens):
        return float(pretraining.language_loss(spy, {"tokens": jnp.asarray(tokens)}, key)[0])

    first = loss(tokens)
    hidden = seen[0] == MASK
    assert 0.05 < hidden.mean() < 0.25  # what pre-training hides, at places that the key draws
    other = np.where(hidden, (tokens + 1) % 4, tokens).astype(np.int8)
    assert loss(other) != first  # other letters are asked for
    np.testing.assert_array_equal(seen[1], seen[0])  # and nothing of them is shown
    elsewhere = np.where(hidden, tokens, (tokens + 1) % 4).astype(np.int8)
    loss(elsewhere)
    assert np.abs(letters(seen[2]) - letters(seen[0])).max() > 1e-3
    assert letters(tokens).shape == (2, 101, 4)
    classifying = SequenceEncoderConfig(tasks=2, **SMALL)
    model = drawn(lambda: SequenceEncoder(classifying, rngs=nnx.Rngs(0)))
    classify = jax.jit(lambda tokens: model.classify(tokens))
    short = random_tokens(2, 64)
    padded = np.concatenate([short, np.full((2, 40), PADDING, np.int8)], 1)
    np.testing.assert_allclose(classify(short), classify(padded), atol=1e-5)
    with pytest.raises(ValueError, match="112 bases are longer than the 104"):
        model.classify(jnp.asarray(random_tokens(1, 112)))
