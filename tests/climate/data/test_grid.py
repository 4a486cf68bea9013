"""Area weights are shares of the sphere, on any grid of latitudes that ascends."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from zoo.climate.data.grid import area_weights

LATITUDE = np.linspace(-87.1875, 87.1875, 32)


@pytest.fixture(scope="module")
def weights() -> np.ndarray:
    return area_weights(LATITUDE)


def test_weights_are_the_exact_areas_of_the_cells(weights):
    """Of the sphere's area, the band between two latitudes has (sin b - sin a) / 2."""
    fine = np.deg2rad(np.linspace(-90, 90, 32 * 2000 + 1))
    areas = np.cos((fine[1:] + fine[:-1]) / 2).reshape(32, 2000).sum(1)
    np.testing.assert_allclose(weights / weights.sum(), areas / areas.sum(), rtol=1e-6)
    assert weights.mean() == pytest.approx(1, abs=1e-14)
    np.testing.assert_allclose(weights, weights[::-1], rtol=1e-12)


def test_weights_differ_from_the_cosine_most_at_the_poles(weights):
    from scores.functions import create_latitude_weights

    cosine = create_latitude_weights(xr.DataArray(LATITUDE, dims="latitude")).values
    ratio = weights / (cosine / cosine.mean())
    assert abs(ratio[0] - 1) == np.abs(ratio - 1).max()
    np.testing.assert_allclose(ratio[1:-1], 1, atol=0.01)


def test_weights_follow_an_uneven_grid_and_one_with_the_poles():
    np.testing.assert_allclose(area_weights(np.array([-45.0, 45.0])), [1, 1])
    with_poles = area_weights(np.array([-90.0, 0.0, 90.0]))
    edge = 1 - np.sin(np.pi / 4)
    np.testing.assert_allclose(
        with_poles / with_poles.sum(), [edge / 2, np.sin(np.pi / 4), edge / 2]
    )


@pytest.mark.parametrize(
    "latitude", [LATITUDE[::-1], [0.0, 0.0, 1.0], [-91.0, 0.0], [0.0, 95.0], [0.0, np.nan]]
)
def test_latitudes_that_do_not_ascend_are_refused(latitude):
    with pytest.raises(ValueError, match="latitudes must ascend"):
        area_weights(np.asarray(latitude))


def test_they_are_differences_of_the_sine_at_the_cell_bounds(weights):
    bounds = np.sin(np.deg2rad(np.linspace(-90, 90, 33)))
    np.testing.assert_allclose(weights, np.diff(bounds) / np.diff(bounds).mean(), rtol=1e-12)
    assert weights[16] / weights[0] == pytest.approx(
        np.sin(np.deg2rad(5.625)) / (1 - np.sin(np.deg2rad(84.375)))
    )
