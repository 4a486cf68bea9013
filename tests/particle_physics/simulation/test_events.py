"""Particles come in the order asked for."""

from __future__ import annotations

import numpy as np

from zoo.particle_physics.simulation.events import take_lists


def test_lists_are_taken_in_the_order_asked_for():
    content, offsets = np.arange(10), np.array([0, 3, 3, 7, 10])
    taken, new = take_lists(content, offsets, np.array([3, 0, 1]))
    assert taken.tolist() == [7, 8, 9, 0, 1, 2]
    assert new.tolist() == [0, 3, 6, 6]
