"""The published and computed figures of the operational plume come out again from our
readers, baselines and metrics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from zoo import registry
from zoo.climate.enso import baselines
from zoo.climate.enso.task import Enso
from zoo.scoring.stats import scores

# Correlation / RMSE (K) for k = 0..8 on this truth, computed independently of this code.
TABLE = {
    "persistence": (
        ".863/.44 .735/.62 .590/.77 .438/.90 .292/1.01 .162/1.10 .061/1.16 -.011/1.20 -.056/1.23"
    ),
    "damped_persistence": (
        ".911/.35 .841/.46 .763/.54 .675/.62 .575/.69 .470/.74 .380/.78 .298/.81 .221/.82"
    ),
    "iri_dynamical_mean": (
        ".967/.23 .938/.32 .901/.40 .857/.48 .809/.55 .749/.61 .700/.65 .629/.70 .526/.76"
    ),
    "iri_statistical_mean": (
        ".934/.32 .886/.41 .828/.49 .758/.57 .677/.64 .587/.70 .504/.75 .426/.79 .350/.81"
    ),
    "ecmwf": ".966/.26 .943/.35 .918/.42 .906/.50 .850/.57",
    "ncep_cfsv2": ".959/.24 .923/.35 .877/.46 .831/.53 .781/.59 .727/.63 .671/.67 .617/.70",
    "cansips": ".951/.28 .916/.36 .879/.43 .830/.50 .763/.58 .681/.66 .594/.72 .506/.78 .427/.82",
    "cpc_markov": (
        ".928/.33 .865/.43 .790/.53 .706/.62 .617/.69 .529/.76 .447/.81 .369/.85 .298/.89"
    ),
    "cpc_ca": ".905/.37 .863/.44 .815/.50 .763/.56 .713/.61 .660/.65 .599/.69 .520/.73 .436/.78",
    "cdc_lim": ".834/.51 .756/.61 .678/.68 .607/.74 .547/.79 .500/.81 .460/.83 .411/.85 .364/.86",
}


@pytest.fixture
def task(mirror_file: Callable[[str, str], Path]) -> Enso:
    return Enso(registry.task("climate/enso"), file=lambda name: mirror_file("climate/enso", name))


@pytest.mark.parametrize("name", TABLE)
def test_table_comes_out_again(task: Enso, name: str) -> None:
    row = next(row for row in task.spec.baseline if row.id == f"climate/{name}")
    examples = task.examples()
    obtained = scores(task, task.record(task.baseline(row)(examples.inputs), examples))
    for k, pair in enumerate(TABLE[name].split()):
        correlation, rmse = map(float, pair.split("/"))
        assert obtained[f"correlation.k{k}"] == pytest.approx(correlation, abs=0.005), (
            f"correlation at k={k}"
        )
        assert obtained[f"rmse.k{k}"] == pytest.approx(rmse, abs=0.01), f"RMSE at k={k}"


def test_steps_that_a_system_does_not_forecast_are_gaps(task: Enso) -> None:
    row = next(row for row in task.spec.baseline if row.id == "climate/ecmwf")
    examples = task.examples()
    obtained = scores(task, task.record(task.baseline(row)(examples.inputs), examples))
    assert all(np.isnan(obtained[f"correlation.k{k}"]) for k in (5, 6, 7, 8))
    assert all(np.isnan(obtained[f"crps.k{k}"]) for k in range(9))


def test_plume_begins_with_issue_2004_01_so_202_to_194_seasons(task: Enso) -> None:
    examples = task.examples()
    mean = baselines.plume_system(task, system="IRI dynamical mean")(examples.inputs)["mean"]
    assert np.isfinite(mean).sum(0).tolist() == list(range(202, 193, -1))


def test_the_spring_barrier_damped_persistence_is_worst_across_spring(task: Enso) -> None:
    examples = task.examples()
    by_month = task.by_start_month(
        task.record(baselines.damped_persistence(task)(examples.inputs), examples)
    )["correlation"]
    # issued Jan-Mar, Jul-Sep
    before_spring, after_spring = by_month[[0, 1, 2], 4].mean(), by_month[[6, 7, 8], 4].mean()
    assert before_spring < after_spring - 0.3


def test_missing_and_misspelt_systems_are_named(task: Enso) -> None:
    with pytest.raises(ValueError, match=r"nearest: .*ECMWF"):
        baselines.plume_system(task, system="ECMFW")


def test_anomaly_base_is_1982_to_2010(task: Enso) -> None:
    centres = np.arange(task.month("first_of_base"), task.month("last_of_base") + 1)
    assert abs(np.mean(task.target(centres))) < 0.01
