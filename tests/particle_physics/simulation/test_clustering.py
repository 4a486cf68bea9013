"""Distances wrap in azimuth."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.particle_physics.simulation.clustering import delta_r


def test_delta_r_wraps_in_phi():
    assert delta_r(np.zeros(1), np.array([3.1]), np.zeros(1), np.array([-3.1])) == pytest.approx(
        2 * np.pi - 6.2
    )
