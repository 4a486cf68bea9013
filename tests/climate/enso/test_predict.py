"""The shipped ENSO models on the observed test years: no leak, and the claims that the
board makes about them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from enso_fakes import changed_after

from zoo import registry
from zoo.climate.enso.task import Enso, EnsoInputs
from zoo.pretrained.model import load_model
from zoo.scoring.stats import bootstrap_weights, interval, resample, scores

SHIPPED = (
    "enso_mlp.core",
    "enso_mlp.core_scratch",
    "seasonal_inverse.modes",
    "seasonal_inverse.modes_causal",
)
HAM_CNN = (0.916, 0.871, 0.818, 0.771, 0.731, 0.672, 0.618, 0.571, 0.549)


@pytest.fixture
def task(mirror_file: Callable[[str, str], Path]) -> Enso:
    return Enso(registry.task("climate/enso"), file=lambda name: mirror_file("climate/enso", name))


def record_of(task: Enso, name: str) -> dict[str, np.ndarray]:
    """The record of a shipped model or of a baseline."""
    examples = task.examples()
    if name in SHIPPED:
        return task.record(load_model(f"climate/{name}")(examples.inputs), examples)
    row = next(row for row in task.spec.baseline if row.id == f"climate/{name}")
    return task.record(task.baseline(row)(examples.inputs), examples)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_never_reads_past_its_cut_off(task: Enso, name: str) -> None:
    inputs = task.examples().inputs
    altered = EnsoInputs(inputs.centres, changed_after(inputs.record, "2012-03"))
    model = load_model(f"climate/{name}").predictor()
    first, second = model(inputs), model(altered)
    unaffected = inputs.centres[:, None] - 1 - np.arange(9) <= np.datetime64("2012-04", "M")
    for key in ("mean", "std"):
        np.testing.assert_array_equal(first[key][unaffected], second[key][unaffected])
    # The spread is learned of each lead and season, not of the state.
    assert unaffected.any() and not unaffected.all()
    assert not np.allclose(first["mean"][~unaffected], second["mean"][~unaffected])


@pytest.mark.slow
def test_core_is_above_every_index_only_baseline_from_k3_and_not_below_iris_statistical_mean(
    task: Enso,
) -> None:
    ours = record_of(task, "enso_mlp.core")
    values = scores(task, ours)
    for name in (
        "ridge",
        "recharge_oscillator",
        "lim_core",
        "seasonal_lim_core",
        "damped_persistence",
        "enso_mlp.core_scratch",
    ):
        other = scores(task, record_of(task, name))
        assert all(values[f"correlation.k{k}"] > other[f"correlation.k{k}"] for k in range(3, 9)), (
            name
        )
    iri = record_of(task, "iri_statistical_mean")
    common = np.isfinite(iri["mean"])
    ours = ours | {name: np.where(common, ours[name], np.nan) for name in ("mean", "std")}
    weights = bootstrap_weights(len(common), task.spec.resampling)
    theirs, mine = resample(task, iri, weights), resample(task, ours, weights)
    for k in range(9):
        bounds = interval(mine[f"correlation.k{k}"] - theirs[f"correlation.k{k}"])
        assert bounds is not None
        assert bounds[1] > 0, f"below at k={k}"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["seasonal_inverse.modes", "seasonal_inverse.modes_causal"])
def test_modes_are_above_hams_cnn_and_above_iris_dynamical_mean_from_k5(
    task: Enso, name: str
) -> None:
    values, iri = (
        scores(task, record_of(task, name)),
        scores(task, record_of(task, "iri_dynamical_mean")),
    )
    assert all(values[f"correlation.k{k}"] > HAM_CNN[k] for k in range(9))
    assert all(values[f"correlation.k{k}"] > iri[f"correlation.k{k}"] for k in range(5, 9))
