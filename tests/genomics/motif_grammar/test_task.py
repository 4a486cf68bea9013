"""The planted sets, the networks on them, and how explanations are scored."""

from __future__ import annotations

import numpy as np
import pytest
from planted_motifs import TASKS

from zoo.interfaces.task import load_task


@pytest.mark.parametrize("name", TASKS)
def test_a_perfect_explanation_scores_one_and_noise_one_half(name):
    from zoo.scoring.stats import bootstrap_weights, resample, scores

    task = load_task(name)
    examples = task.examples()
    assert len(examples) == 4000
    assert len(examples.inputs.explained) == task.spec.parameter("explained") == 500
    assert (examples.targets.label[examples.inputs.explained] == 1).all()
    truth = examples.targets.planted()[examples.inputs.explained]
    noise = np.random.default_rng(0).random(truth.shape)
    given = {
        "score": examples.targets.label.astype(float),
        "threshold": 0.5,
        "declared": "ism",
        "attribution": {"ism": truth, "saliency": noise},
    }
    record = task.record(given, examples)
    values = scores(task, record)
    for metric in (
        "attribution_auroc",
        "attribution_aupr",
        "auroc",
        "accuracy",
        "auroc_by_method.ism",
    ):
        assert values[metric] == pytest.approx(1.0)
    assert values["auroc_by_method.saliency"] == pytest.approx(0.5, abs=0.02)
    assert set(values) <= {metric for family in task.spec.metric for metric in family.names}
    resampled = resample(task, record, bootstrap_weights(len(examples), task.spec.resampling)[:20])
    assert resampled["auroc_by_method.saliency"].std() > 0
    assert [figure.name for figure in task.figures(record)] == ["attribution_auroc"]


def test_predictions_that_cannot_be_scored_are_refused():
    task = load_task(TASKS[0])
    examples = task.examples()
    good = {
        "score": np.zeros(4000),
        "attribution": {"ism": np.zeros((500, 200))},
        "declared": "ism",
    }
    for change, said in (
        ({"score": np.zeros(3)}, "shape"),
        ({"score": np.full(4000, np.nan)}, "not finite"),
        ({"declared": "lime"}, "lime"),
        ({"attribution": {"ism": np.zeros((500, 199))}}, "shape"),
    ):
        with pytest.raises(ValueError, match=said):
            task.record(good | change, examples)
