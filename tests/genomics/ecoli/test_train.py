"""Recipes and predictors of the E. coli networks, with networks of a few hundred parameters
on a made-up genome."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from random_modules import drawn

from zoo import cards, registry
from zoo.cards import ModelCard
from zoo.genomics.ecoli import task as ecoli
from zoo.genomics.ecoli import train as training_ecoli
from zoo.genomics.ecoli.baselines.markov import Chain
from zoo.genomics.ecoli.predict import BaseLabeller, ChainedLanguageModel, MaskedLanguageModel
from zoo.genomics.ecoli.recipes import RECIPES
from zoo.genomics.models import masking, sequence_encoder
from zoo.genomics.models.gene_labeller import GeneLabeller, GeneLabellerConfig
from zoo.genomics.models.hidden_letters import hide_letters
from zoo.genomics.models.periodic_cnn import PeriodicCNN, PeriodicCNNConfig, shifted_copies
from zoo.genomics.models.sequence_encoder import SequenceEncoder, SequenceEncoderConfig
from zoo.pretrained import weights
from zoo.pretrained.publish import publish_runs
from zoo.pretrained.run import find_runs

TINY = {
    "channels": (4, 4, 4),
    "widths": (3, 3, 3),
    "features": 8,
    "heads": 1,
    "depth": 1,
    "dropout": 0.0,
}
LM = dataclasses.replace(RECIPES["sequence_encoder.ecoli"], steps=2, batch_size=2, network=TINY)
GENES = dataclasses.replace(RECIPES["gene_labeller.ecoli"], steps=2, batch_size=2, network=TINY)


@pytest.fixture(scope="module")
def genome() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4, 5120).astype(np.int8)


def toy(cls: type, genome: np.ndarray) -> ecoli.EColi:
    spec = registry.task(f"genomics/{'ecoli_lm' if cls is ecoli.EColiLanguage else 'ecoli_genes'}")
    task = cls(spec.model_copy(update={"id": "genomics/toy"}), file=None)
    task.__dict__ |= {
        "tokens": genome,
        "labels": (np.arange(len(genome)) // 100 % 4).astype(np.uint8),
    }
    return task


@pytest.fixture
def arcs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        ecoli.EColi, "arcs", {"train": (0, 3072), "validation": (3072, 4096), "test": (4096, None)}
    )


def test_tokens_agree_with_the_encoder():
    assert masking.MASK == sequence_encoder.MASK


def test_training_reads_either_strand():
    tokens, labels = (
        jnp.array([[0, 1, 2, 2, 3, 0, 1, 1]] * 64, jnp.int8),
        jnp.array([[0, 1, 1, 1, 2, 2, 3, 0]] * 64),
    )
    turned, named = training_ecoli.either_strand(tokens, jax.random.key(0), labels)
    one, other = (
        ([0, 1, 2, 2, 3, 0, 1, 1], [0, 1, 1, 1, 2, 2, 3, 0]),
        ([2, 2, 3, 0, 1, 1, 2, 3], [0, 3, 1, 1, 2, 2, 2, 0]),
    )
    found = list(zip(turned.tolist(), named.tolist(), strict=True))
    assert all(each in (one, other) for each in found) and 16 < found.count(other) < 48


def test_training_corrupts_as_the_task_does():
    tokens = jnp.zeros((400, 512), jnp.int8) + 2
    shown, chosen = hide_letters(tokens, jax.random.key(1))
    shown, chosen = np.asarray(shown), np.asarray(chosen)
    assert chosen.mean() == pytest.approx(0.15, abs=0.003) and (shown[~chosen] == 2).all()
    assert (shown[chosen] == masking.MASK).mean() == pytest.approx(0.8, abs=0.01)
    assert (shown[chosen] == 2).mean() == pytest.approx(0.125, abs=0.01)


def test_genes_start_from_the_language_model(tmp_path, genome, arcs):
    path = tmp_path / "model.safetensors"
    weights.save(path, SequenceEncoder(SequenceEncoderConfig(**TINY), rngs=nnx.Rngs(5)))
    model = training_ecoli.build_network(GENES, seed=3, start=path)
    given, own = weights.load(path)[0], weights.flatten(model)
    same = {
        name
        for name, value in given.items()
        if np.array_equal(own[f"encoder.{name}"], value) and np.ptp(value) > 0
    }
    assert {"convolutions.0.kernel", "hidden.kernel", "blocks.0.up.kernel"} <= same and own[
        "encoder.letters.kernel"
    ].shape == (8, 3)


@pytest.mark.slow
def test_a_recipe_ends_in_a_run_that_predicts_and_is_published(tmp_path, genome, arcs, monkeypatch):
    tasks = {
        "genomics/ecoli_lm": toy(ecoli.EColiLanguage, genome),
        "genomics/ecoli_genes": toy(ecoli.EColiGenes, genome),
    }
    monkeypatch.setattr(training_ecoli, "load_task", tasks.__getitem__)
    # Letters drawn at random cannot be predicted: two steps leave the language model dead.
    monkeypatch.setattr(training_ecoli, "KNOWS_NOTHING", 2.0)
    for name, recipe in (("sequence_encoder.ecoli", LM), ("gene_labeller.ecoli", GENES)):
        monkeypatch.setitem(training_ecoli.RECIPES, name, recipe)
        out = tmp_path / f"{name}.seed1"
        assert "wrote" in list(training_ecoli.train(name, seed=1, data=None, out=out))[-1]
    weight = tmp_path / "sequence_encoder.ecoli.seed1" / "model.safetensors"
    assert training_ecoli.first_weights(tmp_path / "new", "sequence_encoder.ecoli", 0) == weight
    runs = find_runs([tmp_path])
    assert [run.died for run in runs.values()] == [None, None]
    published = {path.stem: path for path in publish_runs(runs, tmp_path / "weights")}
    assert set(published) == {
        "sequence_encoder.ecoli",
        "sequence_encoder.ecoli_chain",
        "gene_labeller.ecoli",
    }
    for path in published.values():
        card = cards.read(path, ModelCard)
        predictor = registry.resolve(card.predictor)(card, [path.parent / card.weights[0].file])
        found = predictor.example_output(card.expected.input_seed)
        chosen = found[:: max(1, found.size // 16)][:16]
        np.testing.assert_allclose(chosen, card.expected.values, atol=card.expected.tolerance)
        assert card.training.command.endswith(f"{path.stem.removesuffix('_chain')} --seed 1")


def test_a_network_that_learned_nothing_died():
    cause = training_ecoli.cause_of_death
    assert cause({"cross_entropy": 1.25, "cross_entropy_one_strand": 1.26}) is None
    assert "1.3863" in cause({"cross_entropy": 1.4})
    assert "nan" in cause({"cross_entropy": float("nan")})
    assert cause({"macro_f1": 0.9, "mcc": 0.9}) is None
    assert "same label" in cause({"macro_f1": 0.2, "mcc": 0.0})


def test_genes_need_a_language_model_or_say_so(tmp_path, monkeypatch):
    from zoo.pretrained import model as pretrained

    def none(name: str) -> None:
        raise registry.UnknownName(name)

    monkeypatch.setattr(pretrained, "load_model", none)
    with pytest.raises(FileNotFoundError, match="zoo train genomics/ecoli_lm"):
        training_ecoli.first_weights(tmp_path / "genes.seed0", "sequence_encoder.ecoli", 0)
    with pytest.raises(ValueError, match="no recipe 'cnn'"):
        next(training_ecoli.train("cnn", seed=0, data=None, out=tmp_path))


def test_loss_looks_at_what_counts_only():
    class Says(nnx.Module):
        def __call__(self, tokens, *, key=None):
            return jnp.zeros((*tokens.shape, 3)).at[..., 1].set(50.0)

    labels = jnp.array([[1, 1, 3, 3]])
    seen = set()
    for key in range(4):  # on the other strand the labels are 2 and the answer is wrong
        value, scalars = training_ecoli.labels_loss(
            Says(), {"tokens": jnp.zeros((1, 4), jnp.int8), "labels": labels}, jax.random.key(key)
        )
        seen.add((float(value), float(scalars["accuracy"])))
    assert seen == {(0.0, 1.0), (50.0, 0.0)}


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


def test_what_periodic_layers_gather_stays_in_frame():
    """Without the first and the last layer's reach, an output depends on bases of its own
    frame alone."""
    x = jnp.zeros((1, 61, 1)).at[0, 30, 0].set(1.0)
    y = np.asarray(shifted_copies(shifted_copies(x, 5, 3).sum(-1, keepdims=True), 5, 9).sum(-1))[0]
    assert (
        set(np.flatnonzero(y) % 3) == {0}
        and y.sum() == 25
        and np.flatnonzero(y).tolist()
        == sorted({30 + 3 * a + 9 * b for a in range(-2, 3) for b in range(-2, 3)})
    )
    z = np.asarray(shifted_copies(jnp.arange(6.0)[None, :, None], 3, 2))[0]
    assert z.tolist() == [[0, 0, 2], [0, 1, 3], [0, 2, 4], [1, 3, 5], [2, 4, 0], [3, 5, 0]]


def test_periodic_network_trains(genome):
    model = PeriodicCNN(PeriodicCNNConfig(channels=4, dilations=(3,)), rngs=nnx.Rngs(0))
    batch = {
        "tokens": jnp.asarray(genome[:128].reshape(2, 64)),
        "labels": jnp.ones((2, 64), jnp.int32),
    }
    value, gradient = nnx.jit(
        nnx.value_and_grad(lambda m: training_ecoli.labels_loss(m, batch, jax.random.key(0))[0])
    )(model)
    assert 0.5 < float(value) < 3.0 and all(
        np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(nnx.state(gradient))
    )


def test_labeller_config_holds_the_encoders():
    names = {field.name for field in dataclasses.fields(SequenceEncoderConfig)}
    assert names < {field.name for field in dataclasses.fields(GeneLabellerConfig)}
