"""Both strands agree where they are averaged."""

from __future__ import annotations

import jax
import numpy as np
from ecoli_toys import TINY
from flax import nnx
from random_modules import drawn

from zoo.genomics.ecoli.baselines.markov import Chain
from zoo.genomics.ecoli.predict import ChainedLanguageModel, MaskedLanguageModel
from zoo.genomics.models import masking
from zoo.genomics.models.sequence_encoder import SequenceEncoder, SequenceEncoderConfig


def test_both_strands_agree_where_they_are_averaged(genome):
    model = drawn(lambda: SequenceEncoder(SequenceEncoderConfig(**TINY), rngs=nnx.Rngs(0)))
    tokens = genome[:1024].reshape(2, 512).copy()
    tokens[:, ::9] = masking.MASK
    predict = MaskedLanguageModel([model])
    log = predict(tokens)["log_probability"]
    np.testing.assert_allclose(np.exp(log).sum(-1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(
        predict(masking.reverse_strand(tokens))["log_probability"][:, ::-1, ::-1], log, atol=1e-5
    )
    alone = MaskedLanguageModel([model], both_strands=False)(tokens)["log_probability"]
    np.testing.assert_allclose(
        alone, jax.jit(lambda tokens: jax.nn.log_softmax(model(tokens)))(tokens), atol=1e-5
    )
    assert predict.example_output(0).shape == (2 * 40 * 4,)
    chain = Chain(genome, 2, 10.0)
    both = ChainedLanguageModel([model], chain)(tokens)["log_probability"]
    hidden = tokens == masking.MASK
    product = np.exp(log[hidden]) * chain.both_sides(tokens)[hidden]
    product = np.sqrt(product)
    np.testing.assert_allclose(
        np.exp(both[hidden]), product / product.sum(-1, keepdims=True), rtol=1e-4
    )
    np.testing.assert_allclose(np.exp(both).sum(-1), 1.0, rtol=1e-5)
