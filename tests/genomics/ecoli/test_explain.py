"""The scores of the E. coli encoders that explanations differentiate are what the networks say."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from zoo.genomics.data import LabelledSequences
from zoo.genomics.data.sequences import one_hot
from zoo.genomics.ecoli.explain import sequence_score
from zoo.genomics.models.gene_labeller import GeneLabeller, GeneLabellerConfig
from zoo.genomics.models.masking import MASK
from zoo.genomics.models.periodic_cnn import PeriodicCNN, PeriodicCNNConfig
from zoo.genomics.models.sequence_encoder import SequenceEncoder, SequenceEncoderConfig
from zoo.interfaces.explanation import NotExplainable

TINY = {
    "channels": (4, 4, 4),
    "widths": (3, 3, 3),
    "features": 8,
    "heads": 2,
    "depth": 1,
    "dropout": 0.0,
}


@pytest.fixture
def table() -> LabelledSequences:
    tokens = np.random.default_rng(0).integers(0, 4, (2, 21)).astype(np.int8)
    return LabelledSequences(tokens, None, ("a", "b"))


def model_of(module: nnx.Module) -> SimpleNamespace:
    card = SimpleNamespace(id="genomics/tiny", tasks=[])
    return SimpleNamespace(card=card, module=lambda: module)


@pytest.mark.slow
def test_a_language_model_is_asked_for_its_hidden_middle_base(table):
    module = SequenceEncoder(SequenceEncoderConfig(**TINY), rngs=nnx.Rngs(0))
    score = sequence_score(model_of(module), table, examples=2, target=None)
    hidden = table.tokens.copy()
    hidden[:, 10] = MASK
    log = jax.nn.log_softmax(module(jnp.asarray(hidden)))[:, 10]
    expected = np.asarray(log)[np.arange(2), table.tokens[:, 10]]
    np.testing.assert_allclose(
        score.function(jnp.asarray(one_hot(table.tokens))), expected, atol=1e-5
    )
    maps = score.attention()
    assert maps["layer 1"].shape == (2, 2, 3, 3)  # 21 bases are three tokens
    with pytest.raises(NotExplainable, match=r"outputs 0\.\.0"):
        sequence_score(model_of(module), table, examples=2, target="1")


def test_a_gene_labeller_is_asked_for_coding_on_either_strand(table):
    module = GeneLabeller(GeneLabellerConfig(**TINY), rngs=nnx.Rngs(1))
    log = jax.nn.log_softmax(module(jnp.asarray(table.tokens)))
    for target, label in (("0", 1), ("1", 2)):
        score = sequence_score(model_of(module), table, examples=2, target=target)
        np.testing.assert_allclose(
            score.function(jnp.asarray(one_hot(table.tokens))),
            (log[..., label] - log[..., 0]).mean(1),
            atol=1e-5,
        )


def test_a_network_that_reads_tokens_is_refused(table):
    module = PeriodicCNN(PeriodicCNNConfig(channels=4, dilations=(3,)), rngs=nnx.Rngs(0))
    with pytest.raises(NotExplainable, match="PeriodicCNN"):
        sequence_score(model_of(module), table, examples=2, target=None)
