"""The generation task and its baselines, on made-up jets."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.particle_physics.generation import baselines
from zoo.particle_physics.generation.data import CLASSES, PARTICLES
from zoo.particle_physics.generation.task import SCORES
from zoo.scoring import record as storage
from zoo.scoring import stats


@pytest.fixture(scope="module")
def scored(task):
    examples = task.examples()
    rows = {
        name: getattr(baselines, name)(task)
        for name in ("truth_sample", "gaussian_copula", "independent_particles")
    }
    records = {
        name: task.record(generate(examples.inputs), examples) for name, generate in rows.items()
    }
    return {name: (record, stats.scores(task, record)) for name, record in records.items()}


def test_the_truth_scores_best_and_correlations_help(scored):
    truth, copula, independent = (
        scored[name][1] for name in ("truth_sample", "gaussian_copula", "independent_particles")
    )
    for kind in CLASSES:
        for score in ("w1_mass", "fpd", "kpd", "auc"):
            assert truth[f"{score}.{kind}"] < independent[f"{score}.{kind}"], (score, kind)
        assert truth[f"auc.{kind}"] < copula[f"auc.{kind}"]
        assert copula[f"w1_mass.{kind}"] < independent[f"w1_mass.{kind}"]


def test_a_score_is_the_mean_of_its_record_over_the_class(scored):
    record, values = scored["gaussian_copula"]
    assert set(values) == {f"{name}.{kind}" for name in SCORES for kind in CLASSES}
    for name in SCORES:
        assert values[f"{name}.top"] == pytest.approx(
            record[name][record["label"] == 2].mean(dtype=np.float64), rel=1e-9
        )


def test_a_stored_record_gives_the_same_scores(task, scored, tmp_path):
    record, values = scored["gaussian_copula"]
    storage.write(tmp_path / "record.zarr.zip", record)
    again = stats.scores(task, storage.read(tmp_path / "record.zarr.zip"))
    assert again == pytest.approx(values, rel=1e-12)


def test_a_jet_is_named_by_class_and_number(task):
    ids = task.examples().ids
    assert len(ids) == len(set(ids)) == 600 and ids[0] == "gluon-00000" and ids[-1] == "top-00199"


def test_the_order_of_particles_is_invisible(task, scored):
    examples = task.examples()
    floor = task.floor
    order = np.random.default_rng(0).permutation(PARTICLES)
    turned = {"particles": floor.particles[:, order], "mask": floor.mask[:, order]}
    values = stats.scores(task, task.record(turned, examples))
    assert values == pytest.approx(scored["truth_sample"][1], rel=1e-4, abs=1e-4)


def wrong(name, value):
    particles, mask = np.full((600, 30, 3), 0.1, np.float32), np.ones((600, 30), bool)
    predictions = {"particles": particles, "mask": mask}
    if callable(value):
        value(predictions[name])
        return predictions
    return predictions | {name: value}


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ({"particles": np.zeros((600, 30, 3))}, "no 'mask'"),
        (wrong("particles", np.zeros((600, 20, 3))), r"needed is \(600, 30, 3\)"),
        (wrong("mask", np.ones((600, 30))), "needed is bool"),
        (
            wrong("mask", lambda mask: mask.__setitem__(5, False)),
            "1 generated jets have no particle; the first is number 5",
        ),
        (
            wrong("particles", lambda p: p.__setitem__((3, 2, 1), np.nan)),
            "1 generated particles are not finite",
        ),
        (wrong("particles", lambda p: p.__setitem__((3, 2, 2), 0.0)), "no positive ptrel"),
    ],
)
def test_bad_predictions_are_refused(task, predictions, message):
    with pytest.raises(ValueError, match=message):
        task.record(predictions, task.examples())
