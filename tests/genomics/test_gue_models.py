"""The networks of GUE: what they may not see, what they must not mind, training in small, the committee."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.optimize import nnls

from zoo.genomics import committee, predict_gue, training_encoder, training_gue
from zoo.genomics.data import LabelledSequences
from zoo.genomics.models.fold import FoldedConv
from zoo.genomics.models.sequence_cnn import SequenceCNN, SequenceCNNConfig, SequenceCNNs, SequenceCNNsConfig
from zoo.genomics.models.sequence_encoder import MASK, SequenceEncoder, SequenceEncoderConfig
from zoo.genomics.sequences import PADDING, one_hot, reverse_complement

SMALL = {"channels": (8, 12, 16), "features": 16, "heads": 2, "depth": 2, "head_features": 4}
TINY_CNN = {"filters": 8, "channels": 8, "hidden": 8, "bins": 4}


def random_tokens(n, length, seed=0):
    return np.random.default_rng(seed).integers(0, 4, (n, length)).astype(np.int8)


def motif_table(n, length, seed):
    """Sequences of which the positive ones hold TGACTCA in four places."""
    rng = np.random.default_rng(seed)
    tokens, labels = rng.integers(0, 4, (n, length)).astype(np.int8), rng.integers(0, 2, n)
    for row in np.flatnonzero(labels):
        for start in rng.integers(length - 7, size=4):
            tokens[row, start : start + 7] = [3, 2, 0, 1, 3, 1, 0]
    return LabelledSequences(tokens, labels, tuple(map(str, range(n))), ("0", "1"))


def test_a_folded_embedding_is_the_embedding_and_then_the_convolution():
    layer = FoldedConv(8, 16, padding="VALID", embedding=10, rngs=nnx.Rngs(0))
    tokens = random_tokens(3, 40)
    embedded = layer.embedding[...][tokens]
    expected = np.zeros((3, 33, 16))
    for place in range(33):
        expected[:, place] = np.einsum("bwe,wec->bc", embedded[:, place : place + 8], layer.kernel[...])
    np.testing.assert_allclose(layer(jnp.asarray(one_hot(tokens))), expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="SAME, VALID"):
        FoldedConv(8, 16, padding="same", rngs=nnx.Rngs(0))


@pytest.mark.parametrize("length", [70, 101, 300])
def test_a_cnn_reads_its_own_length_only(length):
    model = SequenceCNN(SequenceCNNConfig(length=length, **TINY_CNN), rngs=nnx.Rngs(0))
    assert model(jnp.asarray(one_hot(random_tokens(2, length)))).shape == (2,)
    with pytest.raises(ValueError, match=f"sequences of {length} bases, these have {length + 1}"):
        model(jnp.asarray(one_hot(random_tokens(2, length + 1))))


def test_the_weights_of_places_are_a_position_weight_matrix():
    model = SequenceCNN(SequenceCNNConfig(length=70, placed=True, **TINY_CNN), rngs=nnx.Rngs(0))
    tokens = random_tokens(4, 70)
    before = model(jnp.asarray(one_hot(tokens)))
    matrix = np.random.default_rng(1).normal(size=(70, 4)).astype(np.float32)
    model.places[...] = jnp.asarray(matrix)
    np.testing.assert_allclose(model(jnp.asarray(one_hot(tokens))) - before, matrix[np.arange(70), tokens].sum(1), rtol=1e-3, atol=1e-4)


def test_the_encoder_does_not_see_what_is_hidden_nor_what_pads():
    model = SequenceEncoder(SequenceEncoderConfig(tasks=2, **SMALL), rngs=nnx.Rngs(0))
    tokens = random_tokens(2, 101)
    hidden = tokens.copy()
    hidden[:, 50] = MASK
    other = tokens.copy()
    other[:, 50] = (tokens[:, 50] + 1) % 4
    other[:, 50] = MASK
    np.testing.assert_array_equal(model(jnp.asarray(hidden)), model(jnp.asarray(other)))
    assert model(jnp.asarray(tokens)).shape == (2, 101, 4)
    short = random_tokens(2, 64)
    padded = np.concatenate([short, np.full((2, 40), PADDING, np.int8)], 1)
    np.testing.assert_allclose(model.classify(jnp.asarray(short)), model.classify(jnp.asarray(padded)), atol=1e-5)
    with pytest.raises(ValueError, match="112 bases are longer than the 104"):
        model.classify(jnp.asarray(random_tokens(1, 112)))


def classifier(subsets=("tf_0", "prom_core_tata")):
    lengths = {"tf_0": 101, "prom_core_tata": 70}
    config = SequenceCNNsConfig(tuple(subsets), tuple(lengths[name] for name in subsets), {name: TINY_CNN for name in subsets})
    return predict_gue.GueClassifier([SequenceCNNs(config, rngs=nnx.Rngs(k)) for k in range(2)], subsets=subsets, lengths=lengths)


def test_a_site_is_a_site_on_both_strands_and_a_promoter_is_not():
    model = classifier()
    site, promoter = random_tokens(300, 101), random_tokens(5, 70)
    assert np.abs(model.logits(site, "tf_0") - model.logits(reverse_complement(site), "tf_0")).max() < 1e-5
    assert np.abs(model.logits(promoter, "prom_core_tata") - model.logits(reverse_complement(promoter), "prom_core_tata")).max() > 1e-3


def test_a_classifier_says_what_it_cannot_read():
    model = classifier()
    with pytest.raises(ValueError, match="it knows tf_0, prom_core_tata"):
        model(random_tokens(2, 101), subset="tf_3")
    with pytest.raises(ValueError, match="101 bases, these have 70"):
        model(random_tokens(2, 70), subset="tf_0")
    with pytest.raises(ValueError, match="subset= one of"):
        model(random_tokens(2, 101))


def test_training_learns_a_motif_and_leaves_a_file_that_loads(tmp_path):
    tables = {"train": motif_table(600, 101, 1), "dev": motif_table(300, 101, 2)}
    recipe = training_gue.CNNRecipe(network=dict(TINY_CNN, filters=16, channels=16), epochs=1, least_steps=250, learning_rate=2e-3)
    facts = training_gue.train_subset(
        "cnn", "tf_0", seed=0, out=tmp_path, recipe=recipe, load=lambda subset, split: tables[split], log=lambda line: None
    )
    assert facts["dev"]["auroc"] > 0.8 and json.loads((tmp_path / "run.json").read_text())["dev"] == facts["dev"]


def test_clean_tables_leave_out_what_any_dev_or_test_set_holds():
    base = {split: motif_table(40, 101, seed) for seed, split in enumerate(("train", "dev", "test"))}
    other = {split: motif_table(40, 70, 10 + seed) for seed, split in enumerate(("train", "dev", "test"))}
    copied = base["train"].tokens.copy()
    copied[3, :70] = reverse_complement(other["test"].tokens[5:6])[0]
    base["train"] = LabelledSequences(copied, base["train"].labels, base["train"].ids, base["train"].classes)
    tables = training_encoder.clean_tables(["a", "b"], lambda subset, split: (base if subset == "a" else other)[split])
    assert len(tables["a"]) == 39 and "3" not in tables["a"].ids and len(tables["b"]) == 40


def test_the_encoder_trains_on_several_subsets_at_once(tmp_path):
    tables = {
        subset: {split: motif_table(60, length, seed + length) for seed, split in enumerate(("train", "dev", "test"))}
        for subset, length in (("tf_0", 101), ("prom_300_tata", 300))
    }

    def load(subset, split):
        return tables[subset][split]

    common = {"subsets": ["tf_0", "prom_300_tata"], "load": load, "log": lambda line: None}
    recipe = training_encoder.EncoderRecipe(1.0, batch_size=16, network=SMALL)
    training_encoder.train("pretrain", seed=0, out=tmp_path / "a", recipe=recipe, steps=4, **common)
    start = tmp_path / "a" / "model.safetensors"
    facts = training_encoder.train("tune", seed=0, out=tmp_path / "b", start=start, recipe=recipe, steps=4, **common)
    assert set(facts["dev"]) == {"tf_0", "prom_300_tata"} and np.isfinite(facts["loss"])


def test_a_promoter_is_never_turned_in_training():
    table = motif_table(8, 70, 0)
    arrays = training_encoder.labelled({"prom_core_tata": table}, ["prom_core_tata"], 1)
    seen = []

    class Spy(nnx.Module):
        def classify(self, tokens, *, key=None):
            seen.append(np.asarray(tokens))
            return jnp.zeros((len(tokens), 1))

    training_encoder.label_loss(Spy(), {name: jnp.asarray(value) for name, value in arrays.items()}, jax.random.key(0))
    np.testing.assert_array_equal(seen[0][:, :70], table.tokens)


def test_weights_of_a_committee_are_the_best_that_are_not_negative():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 2, 4000)
    label = (rng.random(4000) < 1 / (1 + np.exp(-truth))).astype(int)
    logits = np.stack([truth + rng.normal(0, 0.3, 4000), rng.normal(0, 1, 4000), -truth], 1)
    weights, intercept = committee.fit_weights(logits, label)
    assert weights[0] > 0.8 and weights[1] < 0.1 and weights[2] == 0.0 and abs(intercept) < 0.15
    assert nnls(logits, truth)[0][2] == 0.0  # so does least squares

    def value(w, b):
        return np.logaddexp(0, -(2 * label - 1) * (logits @ w + b)).mean() + committee.PENALTY * (w**2).sum()

    best = value(weights, intercept)
    for step in np.eye(3) * 0.05:
        assert value(weights + step, intercept) > best
        assert value(np.maximum(weights - step, 0), intercept) >= best
    assert value(weights, intercept + 0.05) > best and value(weights, intercept - 0.05) > best


def test_a_committee_is_its_members_weighted_sum():
    class Member:
        def __init__(self, value):
            self.value = value

        def logits(self, tokens, subset):
            return np.full(len(tokens), self.value)

    members = {"network": Member(2.0), "spectrum": Member(-1.0)}
    both = committee.Committee(members, {"tf_0": {"network": 0.5, "spectrum": 0.25}}, {"tf_0": 0.1})
    np.testing.assert_allclose(both.logits(np.zeros((3, 5)), "tf_0"), 0.1 + 1.0 - 0.25)
    with pytest.raises(ValueError, match="it knows tf_0"):
        both.logits(np.zeros((3, 5)), "tf_1")
