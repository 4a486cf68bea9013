"""Latitude-longitude grids: how much of the sphere each row covers."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def area_weights(latitude: Float[np.ndarray, " lat"]) -> Float[np.ndarray, " lat"]:
    """Area weights of grid rows, with mean one: sin(upper bound) - sin(lower bound), bounds
    half-way and at the poles (WeatherBench 2's definition).

    Not cos(latitude): the two differ most at the poles, and a missing normalisation is the
    field's most repeated error.

    Args:
        latitude: row centres in degrees, ascending.

    Raises:
        ValueError: not strictly ascending, or outside [-90, 90].
    """
    latitude = np.asarray(latitude, np.float64)
    if not (np.all(np.diff(latitude) > 0) and abs(latitude[0]) <= 90 and abs(latitude[-1]) <= 90):
        raise ValueError(
            f"latitudes must ascend within [-90, 90]; got {latitude[0]} .. {latitude[-1]}; flip "
            "with .sortby('latitude')"
        )
    bounds = np.concatenate([[-90.0], (latitude[:-1] + latitude[1:]) / 2, [90.0]])
    weights = np.diff(np.sin(np.deg2rad(bounds)))
    return weights / weights.mean()
