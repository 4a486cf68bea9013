"""Parameters of cards: what they may be; the task's code reads them, and scores follow them."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from plain_cards import ROOT, TASKS, Plain

from zoo import registry
from zoo.cards import CardError
from zoo.scoring import record, stats


def test_a_parameter_that_a_card_lacks_is_named_with_those_it_has():
    spec = registry.task("climate/held_suarez_drift")
    with pytest.raises(
        CardError,
        match=r"'last_year' in \[parameters\] of its card; given: first_day, last_day, starts",
    ):
        spec.parameter("last_year")
    with pytest.raises(
        CardError,
        match="needs the parameter 'bins' in the metric finite_share of its card; given: none",
    ):
        spec.parameter("bins", of="finite_share")


@pytest.mark.parametrize("value", ["nan", "inf", "{ a = 1 }", "2001-01-01", "[[1]]"])
def test_a_parameter_is_a_number_a_text_a_boolean_or_a_list_of_them(value: str):
    plain = Plain.of("climate/enso")
    plain.task["parameters"]["x"] = tomllib.loads(f"x = {value}")["x"]
    with pytest.raises(CardError, match=r"parameters\.x"):
        plain.parsed()


def test_a_parameter_keeps_its_kind():
    plain = Plain.of("climate/enso")
    plain.task["parameters"] = {"a": 1, "b": 1.0, "c": True, "d": "1", "e": [1, 1.5, "x", False]}
    found = plain.parsed()[0].parameters
    assert found == plain.task["parameters"]
    assert [type(value) for value in found.values()] == [int, float, bool, str, list]
    assert [type(value) for value in found["e"]] == [int, float, str, bool]


def sources(code: type) -> str:
    """The text of the modules of a task's class and its bases, but for the harness's."""
    modules = {inspect.getmodule(base) for base in code.__mro__} - {inspect.getmodule(object)}
    return "\n".join(
        inspect.getsource(module)
        for module in modules
        if module.__name__ not in ("abc", "zoo.interfaces.task")
    )


@pytest.mark.parametrize(
    "task",
    [name for name in TASKS if Plain.of(name).task.get("parameters") or registry.task(name).metric],
)
def test_no_parameter_stands_in_a_card_that_the_tasks_code_does_not_read(task: str):
    spec = registry.task(task)
    named = [*spec.parameters, *(name for metric in spec.metric for name in metric.parameters)]
    text = sources(registry.resolve(spec.code))
    # f"{end}_wavenumber"; the names of splits
    composed = {"first_wavenumber", "last_wavenumber", "train", "dev", "test"}
    assert [
        name for name in named if name not in composed and not re.search(rf'"{name}"', text)
    ] == []


RESCORED = [
    (
        "climate/held_suarez@1/sfno.held_suarez",
        "z500_useful_days",
        "threshold",
        0.8,
        "z500_useful_days",
    ),
    ("climate/enso@1/ridge", None, "least_share", 1.5, "correlation.k8"),
    ("particle_physics/quark_gluon@1/trees", "calibration_error", "bins", 4, "calibration_error"),
    ("particle_physics/quark_gluon@1/trees", None, "fewest_survivors", 10_000, "rejection.es50"),
    (
        "particle_physics/anomaly@1/anomaly_mass_window",
        None,
        "fewest_background",
        10_000,
        "sic_wprime.fpr_1e2",
    ),
]


@pytest.mark.parametrize(
    ("entry", "metric", "name", "value", "score"),
    RESCORED,
    ids=[f"{row[0]}-{row[2]}" for row in RESCORED],
)
def test_scores_follow_the_cards_parameters(
    entry: str, metric: str | None, name: str, value: Any, score: str
):
    plain = Plain.of(entry.partition("@")[0])
    arrays = record.read(ROOT / "leaderboard/entries" / f"{entry}.record.zarr.zip")

    def obtained() -> float | None:
        spec, _ = plain.parsed()
        return stats.scores(registry.resolve(spec.code)(spec, file=Path), arrays).get(score)

    before = obtained()
    block = (
        plain.task
        if metric is None
        else next(each for each in plain.task["metric"] if each["name"] == metric)
    )
    block["parameters"][name] = value
    assert before is not None and obtained() != before
