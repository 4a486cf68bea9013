"""Real spherical harmonics on the 64x32 grid, as matrix products.

Why least squares and not quadrature: the equiangular grid of WeatherBench 2 (cell centres,
no poles) integrates polynomials of degree 31 exactly at best, and the analysis of a T21
field needs degree 42. Its 32 latitudes do determine the at most 22 coefficients of each
zonal wavenumber, so the area-weighted least-squares fit is exact for every T21 field, and
for any other field it is the nearest T21 field in the area-weighted norm of each
wavenumber.

Why matrix products: at this size (22 wavenumbers) they are faster than an FFT on CPU, GPU
and TPU alike.

Convention: harmonics are real and of unit mean square over the sphere, so the mean square
of a field is the sum of its squared coefficients (Parseval). Coefficients are laid out
[batch, part, order, degree, channel] with part 0 the cosine and part 1 the sine; entries
with degree < order, and the sine of order 0, are zero.
"""

from __future__ import annotations

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from zoo.climate.data.grid import area_weights

__all__ = [
    "GRID",
    "Grid",
    "analyse",
    "from_degrees",
    "laplacian_eigenvalues",
    "legendre",
    "synthesise",
    "to_degrees",
    "truncate",
]


@dataclasses.dataclass(frozen=True)
class Grid:
    """An equiangular grid, longitude from 0 and latitude ascending at cell centres, and its
    triangular truncation."""

    longitudes: int = 64
    latitudes: int = 32
    truncation: int = 21

    def __post_init__(self) -> None:
        if self.truncation >= min(self.latitudes, self.longitudes // 2):
            raise ValueError(
                f"T{self.truncation} is not determined by {self.longitudes}x{self.latitudes} "
                f"points: at most T{min(self.latitudes, self.longitudes // 2) - 1}"
            )

    @property
    def longitude(self) -> np.ndarray:
        """Longitudes in degrees east, [longitudes]."""
        return np.arange(self.longitudes) * 360.0 / self.longitudes

    @property
    def latitude(self) -> np.ndarray:
        """Latitudes in degrees north, ascending, [latitudes]."""
        return (np.arange(self.latitudes) + 0.5) * 180.0 / self.latitudes - 90.0


GRID = Grid()
"""WeatherBench 2's 64x32 grid with the truncation T21."""


def laplacian_eigenvalues(truncation: int) -> np.ndarray:
    """Eigenvalues -l(l+1) of the Laplacian on the unit sphere, by degree."""
    degree = np.arange(truncation + 1)
    return -(degree * (degree + 1.0))


def legendre(sine: np.ndarray, truncation: int) -> np.ndarray:
    """Associated Legendre functions [order, degree, point] at sin(latitude), each with mean
    square 1 over [-1, 1].

    The three-term recurrence in degree at fixed order (Holmes & Featherstone 2002,
    doi:10.1007/s00190-002-0216-2), which is stable in double precision far beyond the
    truncations used here.
    """
    sine = np.asarray(sine, np.float64)
    cosine = np.sqrt(1.0 - sine**2)
    table = np.zeros((truncation + 1, truncation + 1, sine.size))
    for m in range(truncation + 1):
        sectoral = np.ones_like(sine)
        for k in range(1, m + 1):
            sectoral = sectoral * cosine * np.sqrt((2 * k + 1) / (2 * k))
        table[m, m] = sectoral
        if m < truncation:
            table[m, m + 1] = np.sqrt(2 * m + 3) * sine * sectoral
        for n in range(m + 2, truncation + 1):
            a = np.sqrt((4 * n * n - 1) / (n * n - m * m))
            b = np.sqrt(((n - 1) ** 2 - m * m) / (4 * (n - 1) ** 2 - 1))
            table[m, n] = a * (sine * table[m, n - 1] - b * table[m, n - 2])
    return table


@dataclasses.dataclass(frozen=True)
class _Matrices:
    to_orders: np.ndarray  # [part, order, longitude]
    from_orders: np.ndarray  # [longitude, part, order]
    to_degrees: np.ndarray  # [order, degree, latitude]
    from_degrees: np.ndarray  # [order, latitude, degree]
    projection: np.ndarray  # [order, latitude, latitude]
    wind_projection: np.ndarray  # [order, latitude, latitude]


@functools.lru_cache(maxsize=8)
def _matrices(grid: Grid) -> _Matrices:
    """The constant matrices of one grid, in double precision until the last step."""
    angle = np.deg2rad(grid.longitude)
    orders = np.arange(grid.truncation + 1)
    norm = np.where(orders == 0, 1.0, np.sqrt(2.0))[:, None]
    waves = np.stack(
        [norm * np.cos(orders[:, None] * angle), norm * np.sin(orders[:, None] * angle)]
    )
    sine = np.sin(np.deg2rad(grid.latitude))
    polynomials = legendre(sine, grid.truncation)
    root = np.sqrt(area_weights(grid.latitude))
    fit = _least_squares(polynomials, root)
    back = polynomials.transpose(0, 2, 1)
    # A wind component is (harmonics up to one degree more) / cos(latitude): see `truncate`.
    winds = legendre(sine, grid.truncation + 1)[:-1] / np.sqrt(1.0 - sine**2)
    return _Matrices(
        to_orders=(waves / grid.longitudes).astype(np.float32),
        from_orders=waves.transpose(2, 0, 1).astype(np.float32),
        to_degrees=fit.astype(np.float32),
        from_degrees=back.astype(np.float32),
        projection=(back @ fit).astype(np.float32),
        wind_projection=(winds.transpose(0, 2, 1) @ _least_squares(winds, root)).astype(np.float32),
    )


def _least_squares(functions: np.ndarray, root: np.ndarray) -> np.ndarray:
    """The fit [order, degree, latitude] of functions [order, degree, latitude], weighted by
    `root` squared."""
    fit = np.zeros_like(functions)
    for m in range(len(functions)):
        fit[m, m:] = np.linalg.pinv((functions[m, m:] * root).T) * root
    return fit


def to_degrees(
    field: Float[Array, "longitude batch latitude channel"], grid: Grid = GRID
) -> Float[Array, "degree part order batch channel"]:
    """Coefficients of a field given longitude first; the layout in which a filter by degree
    is one matrix product each.

    Why longitude first: the sum over longitudes is then one large product, which XLA on CPU
    runs four times faster than one small product for each member of the batch.
    """
    m = _matrices(grid)
    waves = jnp.einsum("pmx,xbyc->pmbyc", jnp.asarray(m.to_orders, field.dtype), field)
    return jnp.einsum("mly,pmbyc->lpmbc", jnp.asarray(m.to_degrees, field.dtype), waves)


def from_degrees(
    coefficients: Float[Array, "degree part order batch channel"], grid: Grid = GRID
) -> Float[Array, "longitude batch latitude channel"]:
    """The inverse of `to_degrees`."""
    m = _matrices(grid)
    waves = jnp.einsum(
        "myl,lpmbc->pmbyc", jnp.asarray(m.from_degrees, coefficients.dtype), coefficients
    )
    return jnp.einsum("xpm,pmbyc->xbyc", jnp.asarray(m.from_orders, coefficients.dtype), waves)


def analyse(
    field: Float[Array, "batch longitude latitude channel"], grid: Grid = GRID
) -> Float[Array, "batch part order degree channel"]:
    """Coefficients of a field; exact (to rounding) when the field has no degree above the
    truncation."""
    return to_degrees(field.swapaxes(0, 1), grid).transpose(3, 1, 2, 0, 4)


def synthesise(
    coefficients: Float[Array, "batch part order degree channel"], grid: Grid = GRID
) -> Float[Array, "batch longitude latitude channel"]:
    """The field on the grid that has these coefficients."""
    return from_degrees(coefficients.transpose(3, 1, 2, 0, 4), grid).swapaxes(0, 1)


def truncate(
    field: Float[Array, "batch longitude latitude channel"], grid: Grid = GRID, *, winds: int = 0
) -> Float[Array, "batch longitude latitude channel"]:
    """The nearest truncated field: synthesis after analysis, with fewer products.

    Args:
        field: values on the grid.
        grid: the grid and its truncation.
        winds: how many of the last channels are eastward or northward components of a
            vector. A component is discontinuous at the poles, so it is no sum of harmonics;
            times cos(latitude) it is one, up to a degree beyond the truncation of the
            vorticity and divergence it belongs to. That space is used for them.
    """
    m = _matrices(grid)
    waves = jnp.einsum(
        "pmx,xbyc->pmbyc", jnp.asarray(m.to_orders, field.dtype), field.swapaxes(0, 1)
    )
    scalars = field.shape[-1] - winds
    parts = []
    for matrix, part in (
        (m.projection, waves[..., :scalars]),
        (m.wind_projection, waves[..., scalars:]),
    ):
        if part.shape[-1]:
            parts.append(jnp.einsum("mzy,pmbyc->pmbzc", jnp.asarray(matrix, field.dtype), part))
    return jnp.einsum(
        "xpm,pmbyc->xbyc", jnp.asarray(m.from_orders, field.dtype), jnp.concatenate(parts, -1)
    ).swapaxes(0, 1)
