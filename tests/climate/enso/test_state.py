"""No forecast knows its future, no fit knows the test years, and bad input is named."""

from __future__ import annotations

import numpy as np
import pytest
from enso_fakes import FakeEnso, changed_after, fake_observations
from enso_predictors import PREDICTORS

from zoo.climate.enso import baselines, data
from zoo.climate.enso.state import detrend


@pytest.mark.parametrize("name", PREDICTORS)
def test_nothing_after_2003_changes_what_was_fitted(name: str) -> None:
    original = fake_observations()
    inputs = FakeEnso(original).examples().inputs
    first, second = (
        PREDICTORS[name](FakeEnso(o))(inputs)
        for o in (original, changed_after(original, "2003-12"))
    )
    np.testing.assert_array_equal(first["mean"], second["mean"])
    np.testing.assert_array_equal(first["std"], second["std"])


def test_causal_modes_undo_any_quadratic_and_monthly_constants() -> None:
    months = np.arange(np.datetime64("1979-01", "M"), np.datetime64("2009-05", "M"))
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(len(months), 3))
    years = (months - months[0]).astype(float) / 12.0
    removed = (
        0.3 * years[:, None]
        - 0.01 * years[:, None] ** 2
        + rng.normal(size=(12, 3))[data.calendar_month(months)]
    )
    np.testing.assert_allclose(detrend(raw - removed, months), detrend(raw, months), atol=1e-8)


def test_fit_period_ends_before_the_test_years() -> None:
    with pytest.raises(ValueError, match="later months are the test"):
        FakeEnso(fake_observations()).fit_observations("2004-01")


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ({"mean": np.zeros((202, 9))}, "has shape"),
        ({"mean": np.full((203, 9), np.inf)}, "infinite"),
        ({"mean": np.zeros((203, 9)), "std": np.zeros((203, 9))}, "must be positive"),
    ],
)
def test_bad_predictions_are_named(predictions: dict[str, np.ndarray], message: str) -> None:
    task = FakeEnso(fake_observations())
    with pytest.raises(ValueError, match=message):
        task.record(predictions, task.examples())


def test_unknown_indices_are_named() -> None:
    with pytest.raises(ValueError, match="Hx not among"):
        baselines.ridge(FakeEnso(fake_observations()), indices="core:Nino34,Hx")
    with pytest.raises(ValueError, match="begin with 'core' or 'modes'"):
        baselines.ridge(FakeEnso(fake_observations()), indices="nino")


def test_a_record_gives_its_scores_again_and_gaps_stay_gaps() -> None:
    task = FakeEnso(fake_observations())
    examples = task.examples()
    predictions = baselines.persistence(task)(examples.inputs)
    predictions["mean"][:, 8] = np.nan
    record = task.record(predictions, examples)
    values = task.values({name: value.mean(0) for name, value in task.statistics(record).items()})
    f, o = record["mean"][:, 3], record["observed"]
    assert values["correlation.k3"] == pytest.approx(np.corrcoef(f, o)[0, 1], abs=1e-9)
    assert values["rmse.k3"] == pytest.approx(np.sqrt(np.mean((f - o) ** 2)), abs=1e-9)
    monthly = [
        np.corrcoef(f[record["issue_month"][:, 3] == m], o[record["issue_month"][:, 3] == m])[0, 1]
        for m in range(1, 13)
    ]
    assert values["monthly_correlation.k3"] == pytest.approx(np.mean(monthly), abs=1e-9)
    assert all(
        np.isnan(values[f"{name}.k8"])
        for name in ("correlation", "rmse", "crps", "spread_skill", "monthly_correlation")
    )
    assert task.by_start_month(record)["correlation"][5, 3] == pytest.approx(monthly[5], abs=1e-9)
