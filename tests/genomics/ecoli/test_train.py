"""Recipes and predictors of the E. coli networks, with networks of a few hundred parameters
on a made-up genome."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ecoli_toys import TINY
from flax import nnx

from zoo import cards, registry
from zoo.cards import ModelCard
from zoo.genomics.ecoli import task as ecoli
from zoo.genomics.ecoli import train as training_ecoli
from zoo.genomics.ecoli.recipes import RECIPES
from zoo.genomics.models.sequence_encoder import SequenceEncoder, SequenceEncoderConfig
from zoo.pretrained import weights
from zoo.pretrained.publish import publish_runs
from zoo.pretrained.run import find_runs

LM = dataclasses.replace(RECIPES["sequence_encoder.ecoli"], steps=2, batch_size=2, network=TINY)


GENES = dataclasses.replace(RECIPES["gene_labeller.ecoli"], steps=2, batch_size=2, network=TINY)


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
