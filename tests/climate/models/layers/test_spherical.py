"""Spherical harmonics on the equiangular grid: exact for band-limited fields, with the
right eigenvalues and norms."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import sph_harm_y

from zoo.climate.data.grid import area_weights
from zoo.climate.models.layers.spherical import (
    Grid,
    analyse,
    laplacian_eigenvalues,
    legendre,
    synthesise,
    truncate,
)

GRID = Grid()


def coefficients(seed=0, batch=2, channels=3):
    values = (
        np.random.default_rng(seed).normal(size=(batch, 2, 22, 22, channels)).astype(np.float32)
    )
    values *= np.triu(np.ones((22, 22), np.float32))[None, None, :, :, None]
    values[:, 1, 0] = 0
    return values


def test_the_round_trip_of_a_band_limited_field_is_exact_to_1e5():
    given = coefficients()
    field = synthesise(jnp.asarray(given), GRID)
    np.testing.assert_allclose(analyse(field, GRID), given, atol=1e-5)
    np.testing.assert_allclose(truncate(field, GRID), field, atol=1e-4)


def test_the_mean_square_of_a_field_is_the_sum_of_its_squared_coefficients():
    given = coefficients()
    weights = area_weights(GRID.latitude)[None, None, :, None]
    # The cell-area rule is not exact at degree 42, hence the tolerance.
    mean_square = (np.asarray(synthesise(jnp.asarray(given), GRID)) ** 2 * weights).mean((1, 2))
    np.testing.assert_allclose(mean_square, (given**2).sum((1, 2, 3)), rtol=2e-3)


def test_harmonics_agree_with_scipy():
    sine = np.sin(np.deg2rad(GRID.latitude))
    table = legendre(sine, 21)
    for m, n in [(0, 0), (0, 7), (3, 3), (5, 21), (21, 21)]:
        # |Y| has mean square 1/(4 pi); our functions of latitude have mean square 1.
        expected = np.abs(sph_harm_y(n, m, np.arccos(sine), 0.0)) * np.sqrt(4 * np.pi)
        np.testing.assert_allclose(np.abs(table[m, n]), expected, atol=1e-10)


def test_the_laplacian_of_a_harmonic_is_its_eigenvalue_times_it():
    """Against finite differences on a fine grid."""
    degree, order, h = 9, 4, 1e-3
    at = np.linspace(-1.2, 1.2, 7)

    def f(lat):
        return legendre(np.sin(lat), 21)[order, degree]

    second = (f(at + h) - 2 * f(at) + f(at - h)) / h**2 - np.tan(at) * (f(at + h) - f(at - h)) / (
        2 * h
    )
    laplacian = second - order**2 / np.cos(at) ** 2 * f(at)
    np.testing.assert_allclose(laplacian, laplacian_eigenvalues(21)[degree] * f(at), atol=1e-2)


def test_truncation_removes_what_is_above_and_is_idempotent():
    noise = jnp.asarray(np.random.default_rng(1).normal(size=(1, 64, 32, 4)), jnp.float32)
    for winds in (0, 2):
        once = truncate(noise, GRID, winds=winds)
        np.testing.assert_allclose(truncate(once, GRID, winds=winds), once, atol=1e-4)
    wave = jnp.asarray(np.cos(25 * np.deg2rad(GRID.longitude)), jnp.float32)[
        None, :, None, None
    ] * jnp.ones((1, 1, 32, 1))
    np.testing.assert_allclose(truncate(wave, GRID), 0.0, atol=1e-5)


def test_solid_body_rotation_is_a_wind_within_the_truncation():
    """u = cos(latitude) is smooth as a vector field; v of a flow over the pole is
    discontinuous as a scalar."""
    lat, lon = np.deg2rad(GRID.latitude)[None], np.deg2rad(GRID.longitude)[:, None]
    over_the_pole = np.stack([-np.sin(lat) * np.cos(lon), np.sin(lon) + 0 * lat], -1)[None].astype(
        np.float32
    )
    np.testing.assert_allclose(
        truncate(jnp.asarray(over_the_pole), GRID, winds=2), over_the_pole, atol=1e-4
    )


def test_a_truncation_that_the_grid_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="T32 is not determined by 64x32 points"):
        Grid(truncation=32)
