"""A reflected planet is a planet, and windows stay within a trajectory."""

from __future__ import annotations

import jax
import numpy as np
from small_weather_models import random_state

from zoo.climate.held_suarez.data import REFLECTION
from zoo.climate.held_suarez.loss import augment


def test_reflection_turns_the_planet_over_and_twice_is_nothing(transforms):
    states = random_state(64)[:, None]
    out = augment(states, transforms, jax.random.key(0))
    mirrored = states[:, :, :, ::-1] * REFLECTION
    same = sum(
        any(np.array_equal(o, np.roll(c, k, axis=1)) for k in (0, 1))
        for o, c in zip(out, states, strict=True)
    )
    turned = sum(
        any(np.array_equal(o, np.roll(c, k, axis=1)) for k in (0, 1))
        for o, c in zip(out, mirrored, strict=True)
    )
    assert same + turned == 64 and 15 < same < 49
    np.testing.assert_array_equal(mirrored[:, :, :, ::-1] * REFLECTION, states)


def test_windows_never_cross_from_one_trajectory_into_the_next(planet):
    starts = planet.starts(reach=8)
    assert set(range(52, 60)).isdisjoint(starts) and 60 in starts and starts.max() + 8 < 120
