"""Baselines of a search do what kinematics says."""

from __future__ import annotations

import numpy as np
import pytest
from dijet_tasks import scores

from zoo.particle_physics.anomaly import baselines


def test_random_numbers_improve_by_the_root_of_the_rate_and_do_not_sculpt(task):
    got = scores(task, baselines.random(task))
    assert got["sic_wprime.fpr_1e1"] == pytest.approx(np.sqrt(0.1), rel=0.1)
    assert got["enrichment_zprime.fpr_1e2"] == pytest.approx(1.0, abs=0.35)
    kept = task.sculpting_rate * (task.events.process == 0).sum()
    assert got["sculpting"] < 4.0 * 9.0 / (8.0 * kept * np.log(2.0))


def test_momentum_sculpts_and_masses_do_not(task):
    pt, mass = (
        scores(task, make(task))["sculpting"]
        for make in (baselines.leading_pt, baselines.lighter_mass)
    )
    assert pt > 0.2 > 10.0 * mass


def test_cuts_on_masses_and_prongs_find_the_toy_signals(task):
    random = scores(task, baselines.random(task))
    for make in (baselines.lighter_mass, baselines.two_prongs, baselines.mass_window):
        got = scores(task, make(task))
        assert got["sic_zprime.fpr_1e2"] > 3.0 * random["sic_zprime.fpr_1e2"]
