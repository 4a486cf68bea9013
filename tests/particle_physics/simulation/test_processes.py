"""A setting of Pythia that is unknown is named."""

from __future__ import annotations

import dataclasses

import pytest

from zoo.particle_physics.simulation.events import make_pythia
from zoo.particle_physics.simulation.processes import PROCESSES


def test_an_unknown_setting_is_named(pythia):
    wrong = dataclasses.replace(PROCESSES["QCD"], settings=(("Hard:nonsense=on",),))
    with pytest.raises(ValueError, match="Hard:nonsense"):
        make_pythia(wrong, 0, seed=1)
    with pytest.raises(ValueError, match="900000000"):
        make_pythia(PROCESSES["QCD"], 0, seed=0)
