"""Searches on toy events: no label reaches CWoLa, folds are disjoint, what is published
loads and scores."""

from __future__ import annotations

import dataclasses
import json

import anomaly_toys as toys
import numpy as np
import pytest

from zoo.particle_physics.anomaly import data as dijets
from zoo.particle_physics.anomaly import train as training
from zoo.particle_physics.anomaly.data import SIGNAL_REGION, SIGNALS, Dijets
from zoo.particle_physics.anomaly.mixtures import inject, member_weights, unlabelled_sample
from zoo.particle_physics.anomaly.predict import AnomalyModel
from zoo.particle_physics.models.event_classifier import EventClassifierConfig
from zoo.particle_physics.models.jet_autoencoder import JetAutoencoderConfig
from zoo.pretrained import weights as storage

SMALL = EventClassifierConfig(hidden=8, folds=3)
CWOLA = training.AnomalyRecipe(
    "cwola", SMALL, fraction=0.05, steps=40, batch_size=256, validate_every=20
)


@pytest.fixture(scope="module")
def events() -> training.TrainingEvents:
    return training.TrainingEvents(
        toys.dijets("qcd", 4000, seed=1), tuple(toys.dijets(name, 600, seed=1) for name in SIGNALS)
    )


def relabelled(events: Dijets) -> Dijets:
    return Dijets(events.pairs, events.mjj, np.roll(events.process, 17) + 1)


def test_injection_gives_the_stated_signal_to_background_in_the_region(events):
    mixed = inject(events.qcd, events.signals[0], 0.05, seed=0)
    added = mixed[len(events.qcd) :]
    assert added.in_signal_region.sum() == round(0.05 * events.qcd.in_signal_region.sum())
    assert (added.process == 1).all()
    other = inject(events.qcd, events.signals[0], 0.05, seed=1)
    assert not np.array_equal(mixed.mjj[-10:], other.mjj[-10:])
    assert len(inject(events.qcd, events.signals[0], 0.0, seed=0)) == len(events.qcd)
    with pytest.raises(
        ValueError, match=r"S/B = 3 needs \d+ signal events in the signal region, there are"
    ):
        inject(events.qcd, events.signals[0], 3, seed=0)


def test_the_labels_of_the_mixture_reach_no_weight(events):
    """With so much signal that the networks move: one that found nothing would stay where
    it began, whatever it had read."""
    mixtures = [inject(events.qcd, signal, 0.5, seed=0) for signal in events.signals]

    def fit(each: list[Dijets]) -> dict[str, np.ndarray]:
        sample = unlabelled_sample(each, len(events.qcd), folds=3, seed=0)
        return storage.flatten(training.train_classifier(sample, CWOLA, seed=0).model)

    weights, other = fit(mixtures), fit([relabelled(mixture) for mixture in mixtures])
    assert weights["leave"].any(axis=(1, 2)).all()  # every member has moved
    for name, value in weights.items():
        assert np.array_equal(value, other[name])
    # The dijet mass does reach them: it says what is signal region. Were it not so, nothing
    # above could have failed.
    moved = fit([Dijets(each.pairs, np.roll(each.mjj, 17), each.process) for each in mixtures])
    assert not np.array_equal(moved["leave"], weights["leave"])


def test_folds_are_disjoint_and_a_member_trains_on_nothing_of_the_one_it_leaves_out(events):
    mixtures = [inject(events.qcd, signal, 0.05, seed=0) for signal in events.signals]
    sample = unlabelled_sample(mixtures, len(events.qcd), folds=3, seed=0)
    seen, left = (member_weights(sample, 3, held_out=held) > 0 for held in (False, True))
    assert not (seen & left).any()
    for member in range(6):
        assert (sample.fold[left[:, member]] == member % 3).all() and (
            sample.fold[seen[:, member]] != member % 3
        ).all()
    # every event of a mixture is left out exactly once
    assert (left[:, :3].sum(1) == (sample.label[:, 0] >= 0)).all()
    own = slice(len(events.qcd), len(mixtures[0]))
    # the second search never sees the first's signal
    assert seen[own, :3].any() and not seen[own, 3:].any()


def test_the_classes_of_the_fold_left_out_change_nothing_that_a_member_trains_on(events):
    sample = unlabelled_sample([events.qcd], len(events.qcd), folds=3, seed=0)
    label = np.where((sample.fold == 1)[:, None], 1 - sample.label, sample.label)
    before, after = (
        member_weights(each, 3, held_out=False)
        for each in (sample, dataclasses.replace(sample, label=label))
    )
    assert np.array_equal(before[:, 1], after[:, 1]) and not np.array_equal(
        before[:, 0], after[:, 0]
    )


def test_side_bands_weigh_alike_and_together_as_much_as_the_region(events):
    sample = unlabelled_sample([events.qcd], len(events.qcd), folds=3, seed=0)
    weight = member_weights(sample, 3, held_out=False)[:, 1].astype(np.float64)
    region = events.qcd.in_signal_region
    low, high = ~region & (events.qcd.mjj < SIGNAL_REGION[0]), events.qcd.mjj >= SIGNAL_REGION[1]
    total = weight.sum()
    assert [weight[part].sum() / total for part in (region, low, high)] == pytest.approx(
        [0.5, 0.25, 0.25], rel=1e-4
    )
    assert total == pytest.approx((weight > 0).sum(), rel=1e-4)


def enrichment(model, name: str) -> float:
    """TPR / FPR of the 10 % cut, W' on independent events."""
    test, signal = toys.dijets("qcd", 20_000, seed=9), toys.dijets("wprime", 1000, seed=9)
    cut = np.quantile(model(test.pairs)[name], 0.9)
    return float((model(signal.pairs)[name] > cut).mean() / 0.1)


def test_cwola_finds_much_signal_and_none_where_there_is_none(events):
    """On toys whose substructure does not depend on the dijet mass; enrichment is 1 for a
    random cut."""
    recipe = dataclasses.replace(CWOLA, fraction=0.3, steps=120)
    fitted, _ = training.train(events, recipe, seed=0)
    zero = dataclasses.replace(recipe, fraction=0.0, config=dataclasses.replace(SMALL, signals=1))
    empty, _ = training.train(events, zero, seed=0)
    assert enrichment(fitted, "wprime") > 8.0
    assert enrichment(empty, "score") < 2.0


def test_a_search_that_is_no_better_than_nothing_on_its_folds_cuts_at_random(events):
    rng = np.random.default_rng(0)
    shuffled = Dijets(events.qcd.pairs, rng.permutation(events.qcd.mjj), events.qcd.process)
    sample = unlabelled_sample([shuffled], len(shuffled), folds=3, seed=0)
    # it over-fits at once
    recipe = dataclasses.replace(
        CWOLA, config=dataclasses.replace(SMALL, signals=1), learning_rate=0.3, steps=20
    )
    fitted = training.train_classifier(sample, recipe, seed=0)
    assert not fitted.logits(sample.features).any()
    assert np.ptp(fitted(shuffled.pairs)["score"]) > 0.9
    assert enrichment(fitted, "score") == pytest.approx(1.0, abs=0.3)


def test_one_seed_gives_the_same_weights_again_and_another_seed_others(events):
    def weights(seed: int) -> np.ndarray:
        return storage.flatten(training.train(events, CWOLA, seed=seed)[0].model)["inner"]

    assert np.array_equal(weights(0), weights(0)) and not np.array_equal(weights(0), weights(1))


def test_every_recipe_runs_and_its_weights_are_published_and_load(
    events, tmp_path, monkeypatch, isolated_home
):
    from zoo.cards import ModelCard, read
    from zoo.particle_physics.anomaly import publish as publish_anomaly

    folder = toys.write_chunks(tmp_path / "chunks", qcd=1200, signal=200)
    for name, recipe in training.RECIPES.items():
        small = (
            JetAutoencoderConfig(hidden=4)
            if recipe.method == "autoencoder"
            else dataclasses.replace(recipe.config, hidden=4, folds=2)
        )
        recipe = dataclasses.replace(
            recipe, config=small, steps=20, batch_size=256, validate_every=10
        )
        seeds = [0, 1] if name in ("jet_autoencoder.qcd", "event_classifier.cwola") else [1]
        lines = list(
            training.run(name, seeds=seeds, data=folder, out=tmp_path / "runs", recipe=recipe)
        )
        assert lines[-1].endswith(f"{name}.seed1.safetensors")
    (tmp_path / "room").mkdir()
    monkeypatch.setattr(publish_anomaly, "__file__", str(tmp_path / "room/anomaly/publish.py"))
    publish_anomaly.main(str(tmp_path / "runs"))
    pairs = toys.dijets("qcd", 300, seed=3).pairs
    from zoo.registry import resolve

    for name in training.RECIPES:
        card = read(tmp_path / f"room/weights/{name}.toml", ModelCard)
        paths = [tmp_path / "room/weights" / weight.file for weight in card.weights]
        model: AnomalyModel = resolve(card.predictor)(card, paths)
        scores = model(pairs)
        assert scores and set(scores) <= {"score", *SIGNALS}
        for value in scores.values():
            assert value.shape == (len(pairs), len(paths)) and np.isfinite(value).all()
            assert len(paths) == 1 or not np.array_equal(value[:, 0], value[:, 1])
        alone = resolve(card.predictor)(card, paths[-1:])(pairs)
        assert all(np.array_equal(alone[key][:, 0], scores[key][:, -1]) for key in scores)
        assert model.flops_per_example() > 0
        output = model.example_output(card.expected.input_seed)
        assert list(output.shape) == card.expected.shape
    assert (
        json.loads((tmp_path / "runs/event_classifier.cwola.json").read_text())["fraction"] == 0.03
    )


def test_a_recipe_that_does_not_exist_or_has_no_data_says_so(tmp_path):
    with pytest.raises(
        ValueError,
        match=r"no recipe 'cwola'; it has event_classifier.cwola, event_classifier.cwola_zero",
    ):
        list(training.recipe("cwola", seed=0, data=tmp_path, out=tmp_path))
    with pytest.raises(FileNotFoundError, match="zoo data build particle_physics/anomaly"):
        list(training.recipe("jet_autoencoder.qcd", seed=0, data=tmp_path, out=tmp_path))


def test_outputs_do_not_depend_on_how_many_events_are_asked_for(events):
    fitted, _ = training.train(events, dataclasses.replace(CWOLA, steps=20), seed=0)
    pairs = events.qcd.pairs
    whole, part = fitted(pairs)["wprime"], fitted(dijets.JetPairs(pairs.values[:7]))["wprime"]
    assert np.allclose(whole[:7], part, atol=1e-5)
