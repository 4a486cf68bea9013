"""Mantissas are rounded to nearest."""

from __future__ import annotations

import numpy as np

from zoo.particle_physics.simulation.constituents import round_mantissa


def test_mantissas_are_rounded_to_nearest():
    value = np.float32([1.0, 1.0 + 2**-12, 1.0 + 2**-11, -3.14159265, 0.0])
    rounded = round_mantissa(value, 11)
    assert np.array_equal(rounded[[0, 2, 4]], value[[0, 2, 4]])
    assert np.all(np.abs(rounded - value) <= 2**-12 * np.abs(value))
    assert np.all(rounded.view(np.uint32) % 2**12 == 0)
