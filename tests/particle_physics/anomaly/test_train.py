"""Searches on toy events: no label reaches CWoLa, folds are disjoint, what is published
loads and scores."""

from __future__ import annotations

import dataclasses

import anomaly_toys as toys
import numpy as np
import pytest

from zoo.particle_physics.anomaly import data as dijets
from zoo.particle_physics.anomaly import fitting, recipes
from zoo.particle_physics.anomaly import train as training
from zoo.particle_physics.anomaly.data import SIGNALS, Dijets
from zoo.particle_physics.anomaly.mixtures import inject, unlabelled_sample
from zoo.particle_physics.anomaly.predict import AnomalyModel
from zoo.particle_physics.models.event_classifier import EventClassifierConfig
from zoo.particle_physics.models.jet_autoencoder import JetAutoencoderConfig
from zoo.pretrained.weights import flatten

SMALL = EventClassifierConfig(hidden=8, folds=3)


CWOLA = recipes.AnomalyRecipe(
    "cwola", SMALL, fraction=0.05, steps=40, batch_size=256, validate_every=20
)


def relabelled(events: Dijets) -> Dijets:
    return Dijets(events.pairs, events.mjj, np.roll(events.process, 17) + 1)


def test_the_labels_of_the_mixture_reach_no_weight(events):
    """With so much signal that the networks move: one that found nothing would stay where
    it began, whatever it had read."""
    mixtures = [inject(events.qcd, signal, 0.5, seed=0) for signal in events.signals]

    def fit(each: list[Dijets]) -> dict[str, np.ndarray]:
        sample = unlabelled_sample(each, len(events.qcd), folds=3, seed=0)
        return flatten(fitting.fit_classifier(sample, CWOLA, seed=0).model)

    weights, other = fit(mixtures), fit([relabelled(mixture) for mixture in mixtures])
    assert weights["leave"].any(axis=(1, 2)).all()  # every member has moved
    for name, value in weights.items():
        assert np.array_equal(value, other[name])
    # The dijet mass does reach them: it says what is signal region. Were it not so, nothing
    # above could have failed.
    moved = fit([Dijets(each.pairs, np.roll(each.mjj, 17), each.process) for each in mixtures])
    assert not np.array_equal(moved["leave"], weights["leave"])


def enrichment(model, name: str) -> float:
    """TPR / FPR of the 10 % cut, W' on independent events."""
    test, signal = toys.dijets("qcd", 20_000, seed=9), toys.dijets("wprime", 1000, seed=9)
    cut = np.quantile(model(test.pairs)[name], 0.9)
    return float((model(signal.pairs)[name] > cut).mean() / 0.1)


def test_cwola_finds_much_signal_and_none_where_there_is_none(events):
    """On toys whose substructure does not depend on the dijet mass; enrichment is 1 for a
    random cut."""
    recipe = dataclasses.replace(CWOLA, fraction=0.3, steps=120)
    fitted, _ = training.fit_search(events, recipe, seed=0)
    zero = dataclasses.replace(recipe, fraction=0.0, config=dataclasses.replace(SMALL, signals=1))
    empty, _ = training.fit_search(events, zero, seed=0)
    assert enrichment(fitted, "wprime") > 8.0
    assert enrichment(empty, "score") < 2.0


def test_a_search_that_is_no_better_than_nothing_on_its_folds_cuts_at_random(events):
    rng = np.random.default_rng(0)
    shuffled = Dijets(events.qcd.pairs, rng.permutation(events.qcd.mjj), events.qcd.process)
    sample = unlabelled_sample([shuffled], len(shuffled), folds=3, seed=0)
    recipe = dataclasses.replace(
        CWOLA, config=dataclasses.replace(SMALL, signals=1), learning_rate=0.3, steps=20
    )
    fitted = fitting.fit_classifier(sample, recipe, seed=0)
    assert not fitted.logits(sample.features).any()
    assert np.ptp(fitted(shuffled.pairs)["score"]) > 0.9
    assert enrichment(fitted, "score") == pytest.approx(1.0, abs=0.3)


def test_one_seed_gives_the_same_weights_again_and_another_seed_others(events):
    def weights(seed: int) -> np.ndarray:
        return flatten(training.fit_search(events, CWOLA, seed=seed)[0].model)["inner"]

    assert np.array_equal(weights(0), weights(0)) and not np.array_equal(weights(0), weights(1))


@pytest.mark.slow
def test_every_recipe_leaves_a_run_that_is_published_and_loads(
    tmp_path, monkeypatch, isolated_home
):
    from zoo.cards import ModelCard, read
    from zoo.pretrained.publish import publish_runs
    from zoo.pretrained.run import find_runs, read_run
    from zoo.registry import resolve

    folder = toys.write_chunks(tmp_path / "chunks", qcd=1200, signal=400)
    for name, recipe in list(recipes.RECIPES.items()):
        small = (
            JetAutoencoderConfig(hidden=4)
            if recipe.method == "autoencoder"
            else dataclasses.replace(recipe.config, hidden=4, folds=2)
        )
        small_recipe = dataclasses.replace(
            recipe, config=small, batch_size=256, validate_every=10, learning_rate=2e-2
        )
        monkeypatch.setitem(recipes.RECIPES, name, small_recipe)
        for seed in [0, 1] if name in ("jet_autoencoder.qcd", "event_classifier.cwola") else [1]:
            out = tmp_path / "runs" / f"{name}.seed{seed}"
            lines = list(training.train(name, seed=seed, data=folder, out=out, steps=20))
            assert lines[-1] == f"wrote {out / name}.toml"
            assert read_run(out).died is None
    paths = list(publish_runs(find_runs([tmp_path / "runs"]), tmp_path / "weights"))
    assert sorted(path.stem for path in paths) == sorted(recipes.RECIPES)
    pairs = toys.dijets("qcd", 300, seed=3).pairs
    for path in paths:
        card = read(path, ModelCard)
        weights = [path.parent / weight.file for weight in card.weights]
        model: AnomalyModel = resolve(card.predictor)(card, weights)
        scores = model(pairs)
        assert scores and set(scores) <= {"score", *SIGNALS}
        for value in scores.values():
            assert value.shape == (len(pairs), len(weights)) and np.isfinite(value).all()
            assert len(weights) == 1 or not np.array_equal(value[:, 0], value[:, 1])
        alone = resolve(card.predictor)(card, weights[-1:])(pairs)
        assert all(np.array_equal(alone[key][:, 0], scores[key][:, -1]) for key in scores)
        assert model.flops_per_example() > 0
        output = model.example_output(card.expected.input_seed)
        assert list(output.shape) == card.expected.shape
    cwola = read(tmp_path / "weights/event_classifier.cwola.toml", ModelCard)
    assert "S/B = 3 % in the signal region." in cwola.caveats[0]
    assert cwola.training.command.endswith(
        "event_classifier.cwola --seed 0 --steps 20 (and --seed 1)"
    )


def test_recipes_say_what_the_shipped_cards_say():
    from zoo import registry

    for name, recipe in recipes.RECIPES.items():
        shipped = registry.model(f"particle_physics/{name}")
        described = recipes.describe(
            name,
            recipe,
            events={"qcd": 120_000, "wprime": 5000, "zprime": 5000},
            command="",
            hardware="",
            wall_seconds=1.0,
            validation={},
        )
        same = set(described) - {"training", "caveats"}
        assert shipped.model_dump(mode="json", include=same) == {
            key: described[key] for key in same
        }
        assert [*described["caveats"][:-2], described["caveats"][-1]] == [
            *shipped.caveats[:-2],
            shipped.caveats[-1],
        ]


def test_a_supervised_search_that_finds_nothing_has_failed_and_an_unlabelled_one_has_not(events):
    empty = dataclasses.replace(CWOLA, steps=1, learning_rate=0.0)
    fitted, _ = training.fit_search(events, empty, seed=0)
    assert training.failure(fitted, empty, events) is None
    supervised = dataclasses.replace(empty, method="supervised")
    assert "no better than nothing" in training.failure(fitted, supervised, events)
    still = recipes.AnomalyRecipe("autoencoder", JetAutoencoderConfig(), steps=1, learning_rate=0.0)
    fitted, _ = training.fit_search(events, still, seed=0)
    assert "reproduction error" in training.failure(fitted, still, events)


def test_a_recipe_that_does_not_exist_or_has_no_data_says_so(tmp_path):
    with pytest.raises(
        ValueError,
        match=r"no recipe 'cwola'; it has event_classifier.cwola, event_classifier.cwola_zero",
    ):
        list(training.train("cwola", seed=0, data=tmp_path, out=tmp_path))
    with pytest.raises(FileNotFoundError, match="zoo data build particle_physics/anomaly"):
        list(training.train("jet_autoencoder.qcd", seed=0, data=tmp_path, out=tmp_path))


def test_outputs_do_not_depend_on_how_many_events_are_asked_for(events):
    fitted, _ = training.fit_search(events, dataclasses.replace(CWOLA, steps=20), seed=0)
    pairs = events.qcd.pairs
    whole, part = fitted(pairs)["wprime"], fitted(dijets.JetPairs(pairs.values[:7]))["wprime"]
    assert np.allclose(whole[:7], part, atol=1e-5)
