"""Transforms are those of the planet and survive their file."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.climate.held_suarez.transforms import Transforms


def test_transforms_are_those_of_the_planet(planet, transforms):
    fields = planet.fields(np.arange(120))
    np.testing.assert_allclose(transforms.climatology[:, 0], fields[..., 0].mean((0, 1)), rtol=2e-3)
    np.testing.assert_allclose(
        transforms.denormalise(transforms.normalise(fields)), fields, rtol=1e-5, atol=1e-2
    )
    assert (transforms.increment < 2.5 * transforms.anomaly).all()


def test_transforms_survive_their_file_and_missing_ones_are_named(transforms):
    arrays = transforms.arrays()
    assert Transforms.of(arrays).arrays().keys() == arrays.keys()
    del arrays["damping"]
    with pytest.raises(ValueError, match=r"lacks transforms\.damping"):
        Transforms.of(arrays)
