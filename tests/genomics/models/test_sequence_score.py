"""What an encoder is shown when a score of it is explained."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from random_modules import drawn

from zoo.genomics.data.sequences import one_hot
from zoo.genomics.models.sequence_encoder import MASK, SequenceEncoder, SequenceEncoderConfig
from zoo.genomics.models.sequence_score import attention_of, encoder_inputs, score_of

SMALL = SequenceEncoderConfig(
    channels=(4, 4, 4), widths=(3, 3, 3), features=8, heads=2, depth=2, max_tokens=4
)


@pytest.fixture
def tokens() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4, (3, 21)).astype(np.int8)


def test_inputs_are_those_of_the_encoder_and_a_hidden_base_is_its_mask(tokens):
    encoder = drawn(lambda: SequenceEncoder(SMALL, rngs=nnx.Rngs(0)))
    letters = jnp.asarray(one_hot(tokens), jnp.float32)
    np.testing.assert_array_equal(
        encoder_inputs(letters, 24)[:, :21], encoder.inputs(jnp.asarray(tokens))
    )
    hidden = tokens.copy()
    hidden[:, 5] = MASK
    given = encoder_inputs(letters, 24, hidden=5)
    np.testing.assert_array_equal(given[:, :21], encoder.inputs(jnp.asarray(hidden)))
    assert given.shape == (3, 24, 5) and not np.asarray(given[:, 21:]).any()


def test_attention_sums_to_one_over_what_is_there(tokens):
    encoder = drawn(lambda: SequenceEncoder(SMALL, rngs=nnx.Rngs(0)))
    known = np.arange(24) < 16  # the last token is padding
    maps = attention_of(encoder, tokens, known)
    assert list(maps) == ["layer 1", "layer 2"]
    for weights in maps.values():
        assert weights.shape == (3, 2, 3, 3)
        np.testing.assert_allclose(weights.sum(-1), 1.0, atol=1e-5)
        assert np.abs(weights[..., 2]).max() < 1e-6


def test_a_score_is_a_function_of_letters_alone():
    class Count(nnx.Module):
        def __init__(self):
            self.weight = nnx.Param(jnp.array([1.0, 2.0, 3.0, 4.0]))

        def __call__(self, x):
            return (x @ self.weight[...]).sum(-1, keepdims=True)

    score = score_of(Count())
    x = jnp.asarray(one_hot(np.array([[0, 1, 2, 3], [3, 3, 3, 3]], np.int8)), jnp.float32)
    np.testing.assert_allclose(score(x), [10.0, 16.0])
    gradient = jax.grad(lambda x: score(x).sum())(x)
    np.testing.assert_allclose(gradient, np.broadcast_to([1.0, 2.0, 3.0, 4.0], (2, 4, 4)))
