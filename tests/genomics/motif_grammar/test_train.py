"""Recipes of the motif networks from `zoo train` to `zoo publish`, in a few steps."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from zoo import cards
from zoo.cards import ModelCard
from zoo.genomics.data.sequences import reverse_complement
from zoo.genomics.motif_grammar import build, data, train
from zoo.genomics.motif_grammar.recipes import RECIPES
from zoo.pretrained.model import PretrainedModel, load_model
from zoo.pretrained.publish import publish_runs
from zoo.pretrained.run import find_runs


@pytest.fixture
def few(monkeypatch):
    """A tenth of the sequences; `cnn_dist.exponential` is the quick design."""
    planted = {split: data.load(split=split)[:200] for split in ("train", "validation")}
    monkeypatch.setattr(train, "read_split", lambda name, split, data: planted[split])
    local = dataclasses.replace(RECIPES["cnn_dist.exponential"].config, kind="local")
    recipe = dataclasses.replace(RECIPES["cnn_dist.exponential"], config=local)
    monkeypatch.setitem(RECIPES, "cnn_dist.exponential", recipe)
    monkeypatch.setattr(train, "CHOSEN_ON", 4)
    return planted


def model_of(path) -> PretrainedModel:
    card = cards.read(path, ModelCard)
    return PretrainedModel(card, tuple(path.parent / each.file for each in card.weights))


@pytest.mark.slow
def test_two_seeds_are_published_and_combined_over_both_strands(few, tmp_path):
    runs = tmp_path / "runs"
    for seed in (0, 1):
        lines = list(
            train.train("cnn_dist.exponential", seed=seed, data=None, out=runs / str(seed), steps=2)
        )
        assert "declared" in lines[-2] and "wrote" in lines[-1]
    lines = list(train.train("cnn_dist.exponential_both", seed=0, data=None, out=runs / "both"))
    assert lines[0].startswith("seeds 0, 1 of cnn_dist.exponential")
    found = find_runs([runs])
    assert [run.died for run in found.values()] == [None, None, None]
    assert load_model(runs / "1").card.id == "genomics/cnn_dist.exponential"
    single, both = map(model_of, publish_runs(found, tmp_path / "weights"))
    assert single.card.id == "genomics/cnn_dist.exponential" and len(single.weights) == 2
    assert {"auroc", "auroc_seed1", "attribution_auroc_ism"} <= set(single.card.training.validation)
    assert both.card.n_params == 2 * single.card.n_params and len(both.weights) == 1
    assert both.card.title == "CNN-local, exponential, 2 seeds, both strands"
    tokens = few["validation"].tokens[:5]
    each = [
        single.predictor(seed).logits(strand)
        for seed in (0, 1)
        for strand in (tokens, reverse_complement(tokens))
    ]
    np.testing.assert_allclose(both.predict.logits(tokens), np.mean(each, 0), atol=1e-4)
    for model in (single, both):
        output = model.predictor().example_output(0)
        chosen = output[:: max(1, output.size // 16)][:16]
        np.testing.assert_allclose(
            chosen, model.card.expected.values, atol=model.card.expected.tolerance
        )


def test_a_network_that_says_one_thing_died(few):
    class Constant:
        def logits(self, tokens):
            return np.full(len(tokens), 0.3)

    assert "same logit" in train.cause_of_death(Constant(), few["validation"])


def test_unknown_recipes_and_steps_are_named_with_those_there_are(tmp_path):
    with pytest.raises(ValueError, match=r"cnn_dist\.exponential, .*cnn_dist\.exponential_both"):
        next(train.train("cnn_far.relu", seed=0, data=None, out=tmp_path))
    with pytest.raises(ValueError, match=r"sequences, words\.motif_grammar"):
        build.build(tmp_path, step="letters")


def test_words_are_fitted_and_said_in_the_files_header(few, tmp_path, monkeypatch):
    from zoo.pretrained.weights import load

    monkeypatch.setattr(build, "load", lambda name, split: few[split])
    monkeypatch.setattr(build, "STRENGTHS", (1e-3, 1e-1))
    told = []
    (path,) = build.build(
        tmp_path, step="words.motif_grammar", progress=lambda *each: told.append(each)
    )
    assert path.name == "words.motif_grammar.safetensors" and told[-1][1:] == (2, 2)
    parameters, _, header = load(path)
    assert parameters["weight"].shape == (4**6,) and float(header["validation_auroc"]) > 0.6
