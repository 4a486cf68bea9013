"""The dynamical core behind `climate/held_suarez`: state -> later state -> fields on the
64x32 grid.

The dry primitive equations without orography, with Newtonian relaxation and Rayleigh drag
(Held & Suarez 1994, doi:10.1175/1520-0477(1994)075<1825:APFTIO>2.0.CO;2), solved by
Google's spectral core `dinosaur` (`dinosaur-dycore`, Apache-2.0): SIL3 implicit-explicit
Runge-Kutta steps, a biharmonic diffusion filter after each.

From state to fields, in this order:

1. temperature, wind and geopotential at the sigma layer centres, on the solver's own Gaussian grid;
2. interpolation to pressure levels, linear in ln p in every column
   (`dinosaur.vertical_interpolation`). Below the lowest layer centre (sigma > .9375; only
   925 hPa, under lows deeper than 987 hPa) the line through the two lowest layers is
   continued;
3. spherical harmonic transform (wind as vorticity and divergence, because u and v alone are
   not smooth at the poles) and truncation to total wavenumber 21;
4. evaluation on WeatherBench 2's 64x32 equiangular grid.

So the fields of a T21, a T31 and a T42 solver hold the same scales and can be compared
point by point.

`dinosaur` is an optional extra: `pip install "scizoo[generate]"`. Reading the data never
needs this module.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.climate.held_suarez.data import LEVELS

if TYPE_CHECKING:
    from dinosaur.primitive_equations import State
    from jaxtyping import Array, Float

LONGITUDE = np.arange(64) * 5.625  # degrees east
LATITUDE = -87.1875 + np.arange(32) * 5.625  # degrees north, ascending
OUTPUT_TRUNCATION = 21  # the largest total wavenumber in any file
STATE_NAMES = ("vorticity", "divergence", "temperature_variation", "log_surface_pressure")

_GAUSSIAN_NODES = {21: 16, 31: 24, 42: 32, 85: 64}  # latitudes between equator and pole


def import_dinosaur() -> Any:
    """The `dinosaur` package with the modules that this file needs, or an error that says
    how to install it."""
    try:
        import dinosaur
        from dinosaur import (  # noqa: F401
            coordinate_systems,
            held_suarez,
            primitive_equations,
            primitive_equations_states,
            scales,
            sigma_coordinates,
            spherical_harmonic,
            time_integration,
            vertical_interpolation,
            xarray_utils,
        )
    except ImportError as error:
        raise ImportError(
            f"Simulating Held-Suarez needs the spectral core `dinosaur` ({error}). Install it "
            "with\n"
            '    pip install "scizoo[generate]"\n'
            "To use the benchmark without simulating, no installation is needed: the test set is "
            "in the repository."
        ) from error
    return dinosaur


@dataclasses.dataclass(frozen=True)
class Solver:
    """The Held-Suarez dynamical core at one resolution.

    Attributes:
        truncation: largest total wavenumber of the triangular truncation: 21, 31, 42 or 85.
        layers: equidistant sigma layers.
        step_minutes: time step. Must divide six hours. Why 45: at T42 the temperature at
            sigma .81 one day ahead is within .005 K of a 10-minute step's, a hundredth of
            the T31 solver's error, and 60 m/s is a Courant number of 1.1 where the scheme
            allows 1.7.
    """

    truncation: int = 42
    layers: int = 8
    step_minutes: int = 45

    def __post_init__(self) -> None:
        if self.truncation not in _GAUSSIAN_NODES:
            raise ValueError(
                f"truncation={self.truncation} is not one of {sorted(_GAUSSIAN_NODES)}."
            )
        if self.step_minutes <= 0 or 360 % self.step_minutes:
            raise ValueError(
                f"step_minutes={self.step_minutes} must divide 360 (fields are written every six "
                "hours)."
            )

    @functools.cached_property
    def grid(self) -> Any:
        """The Gaussian grid and spherical harmonics (`dinosaur.spherical_harmonic.Grid`)."""
        harmonic = import_dinosaur().spherical_harmonic
        return harmonic.Grid.construct(self.truncation, _GAUSSIAN_NODES[self.truncation])

    @functools.cached_property
    def coords(self) -> Any:
        """The coordinate system of the truncation and the layers
        (`dinosaur.coordinate_systems.CoordinateSystem`)."""
        dinosaur = import_dinosaur()
        vertical = dinosaur.sigma_coordinates.SigmaCoordinates.equidistant(self.layers)
        return dinosaur.coordinate_systems.CoordinateSystem(self.grid, vertical)

    @functools.cached_property
    def constants(self) -> Any:
        """Physical constants in the solver's units (radius 1, time 1/(2 Omega))."""
        return import_dinosaur().primitive_equations.PrimitiveEquationsSpecs.from_si()

    @functools.cached_property
    def _rest(self) -> tuple[Any, dict[str, Any]]:
        states = import_dinosaur().primitive_equations_states
        return states.isothermal_rest_atmosphere(self.coords, self.constants)

    @property
    def _reference_temperature(self) -> np.ndarray:
        return self._rest[1][import_dinosaur().xarray_utils.REF_TEMP_KEY]

    @functools.cached_property
    def diffusion_hours(self) -> float:
        """E-folding time of the smallest scale: 8.6 h at 128 latitudes and 2.4 times longer
        for every halving.

        The rule (and the biharmonic order) of dinosaur's own WeatherBench notebook: 20.6 h
        at T42, 49.5 h at T21.
        """
        return float(8.6 / 2.4 ** np.log2(2 * _GAUSSIAN_NODES[self.truncation] / 128))

    @functools.cached_property
    def step(self) -> Any:
        """State -> state one time step later."""
        import jax

        dinosaur = import_dinosaur()
        integration, hour = dinosaur.time_integration, dinosaur.scales.units.hour
        no_orography = np.zeros(self.grid.modal_shape)
        dynamics = dinosaur.primitive_equations.PrimitiveEquations(
            self._reference_temperature, no_orography, self.coords, self.constants
        )
        forcing = dinosaur.held_suarez.HeldSuarezForcing(
            self.coords, self.constants, self._reference_temperature
        )
        equation = integration.compose_equations([dynamics, forcing])
        dt = self.constants.nondimensionalize(self.step_minutes / 60 * hour)
        tau = self.constants.nondimensionalize(self.diffusion_hours * hour)
        # the filter is a constant, also when first used inside a trace
        with jax.ensure_compile_time_eval():
            diffusion = integration.horizontal_diffusion_step_filter(self.grid, dt, tau, order=2)
        return integration.step_with_filters(integration.imex_rk_sil3(equation, dt), [diffusion])

    def initial_state(self, seed: int) -> State:
        """An isothermal atmosphere at rest plus random temperature noise, different in the
        two hemispheres.

        The noise (about 1 K, total wavenumbers 1 to 21, its own in every layer) comes from
        NumPy's PCG64 and so does not depend on the version of JAX.
        """
        import jax

        # the key has no effect: the pressure perturbation is zero
        state = self._rest[0](jax.random.key(0))
        shape = (self.layers, 2 * OUTPUT_TRUNCATION + 1, OUTPUT_TRUNCATION + 2)
        noise = np.random.default_rng(seed).normal(scale=0.16, size=shape)
        full = np.zeros(state.temperature_variation.shape, np.float32)
        full[:, : shape[1], 1 : OUTPUT_TRUNCATION + 1] = noise[:, :, 1 : OUTPUT_TRUNCATION + 1]
        return dataclasses.replace(
            state, temperature_variation=state.temperature_variation + full * self.grid.mask
        )

    def state_from_arrays(self, arrays: dict[str, np.ndarray]) -> State:
        """A state from spectral coefficients of any higher (or equal) truncation, truncated
        to this one.

        Args:
            arrays: `STATE_NAMES` -> coefficients with shape (layers or 1, 2 T + 1, T + 2),
                as `state_to_arrays` gives.
        """
        import jax.numpy as jnp

        orders, degrees = self.grid.modal_shape
        have = np.shape(arrays["vorticity"])
        if have[-2] < orders or have[0] != self.layers:
            raise ValueError(
                f"A state of shape {have} cannot start a T{self.truncation} solver with "
                f"{self.layers} layers: it needs at least ({self.layers}, {orders}, {degrees}). "
                "Start from a higher truncation."
            )
        cut = {
            name: np.array(arrays[name][..., :orders, :degrees], np.float32) for name in STATE_NAMES
        }
        # a state of this very truncation stays bit-identical: restarts rely on it
        if have[-2] > orders:
            for value in cut.values():
                value[..., -1] = 0.0  # degree T + 1 is only room for derivatives
        state = import_dinosaur().primitive_equations.State
        return state(**{name: jnp.asarray(value) for name, value in cut.items()})

    def fields(self, state: State) -> dict[str, Float[Array, "level longitude latitude"]]:
        """The four variables (`UNITS`) on `LEVELS` and the 64x32 grid, truncated to total
        wavenumber 21."""
        import jax.numpy as jnp

        dinosaur = import_dinosaur()
        units, harmonic, grid = dinosaur.scales.units, dinosaur.spherical_harmonic, self.grid
        # 1. at the layer centres
        geopotential = dinosaur.primitive_equations.get_geopotential(
            state.temperature_variation,
            self._reference_temperature,
            np.zeros(grid.modal_shape),
            self.coords.vertical,
            self.constants.g,
            self.constants.R,
        )
        temperature = (
            grid.to_nodal(state.temperature_variation) + self._reference_temperature[:, None, None]
        )
        wind = harmonic.vor_div_to_uv_nodal(grid, state.vorticity, state.divergence, clip=False)
        sigma_fields = jnp.stack([grid.to_nodal(geopotential), temperature, *wind])
        # 2. to pressure levels, linear in ln p
        interpolation = dinosaur.vertical_interpolation
        interpolate = interpolation.vectorize_vertical_interpolation(
            interpolation.linear_interp_with_linear_extrap
        )
        pressure = np.array(
            [float(self.constants.nondimensionalize(p * units.hPa)) for p in LEVELS]
        )
        log_sigma = np.log(pressure)[:, None, None] - grid.to_nodal(state.log_surface_pressure)
        phi, temperature, u, v = interpolate(
            log_sigma, jnp.log(jnp.asarray(self.coords.vertical.centers)), sigma_fields
        )
        # 3. truncate, 4. evaluate
        output = _output_grid()
        scalars = output.to_nodal(_truncate(grid.to_modal(jnp.stack([phi, temperature]))))
        rotation = harmonic.uv_nodal_to_vor_div_modal(grid, u, v, clip=False)
        u, v = harmonic.vor_div_to_uv_nodal(output, *map(_truncate, rotation), clip=False)
        metre_per_second = float(self.constants.dimensionalize(1.0, units.m / units.s).magnitude)
        return {
            "geopotential": scalars[0] * metre_per_second**2,
            "temperature": scalars[1],
            "u_component_of_wind": u * metre_per_second,
            "v_component_of_wind": v * metre_per_second,
        }

    @functools.cached_property
    def _six_hours(self) -> Any:
        steps = 360 // self.step_minutes
        return import_dinosaur().time_integration.repeated(self.step, steps)

    @functools.cached_property
    def day(self) -> Any:
        """Jitted: state -> (state a day later, fields at 00, 06, 12 and 18 h with a leading
        time axis)."""
        import jax

        def six_hours(state: State, _: None) -> tuple[State, dict[str, Any]]:
            return self._six_hours(state), self.fields(state)

        return jax.jit(lambda state: jax.lax.scan(six_hours, state, length=4))

    @functools.cached_property
    def advance_day(self) -> Any:
        """Jitted: state -> state a day later, without fields."""
        import jax

        repeated = import_dinosaur().time_integration.repeated
        return jax.jit(repeated(self._six_hours, 4))

    @functools.cached_property
    def fields_now(self) -> Any:
        """Jitted `fields`."""
        import jax

        return jax.jit(self.fields)


def state_to_arrays(state: State) -> dict[str, np.ndarray]:
    """The four spectral fields of a state as float32 NumPy arrays, ready for `np.savez`."""
    return {name: np.asarray(getattr(state, name), np.float32) for name in STATE_NAMES}


@functools.cache
def _output_grid() -> Any:
    """The 64x32 equiangular grid with T21 harmonics."""
    harmonic = import_dinosaur().spherical_harmonic
    return harmonic.Grid.construct(
        OUTPUT_TRUNCATION, _GAUSSIAN_NODES[21], latitude_spacing="equiangular"
    )


def _truncate(coefficients: Float[Array, "... order degree"]) -> Float[Array, "... 43 23"]:
    """Coefficients up to total wavenumber 21; degree 22 is kept as zero room for derivatives."""
    cut = coefficients[..., : 2 * OUTPUT_TRUNCATION + 1, : OUTPUT_TRUNCATION + 2]
    return cut.at[..., -1].set(0.0)
