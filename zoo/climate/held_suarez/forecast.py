"""From an analysis to a forecast: check the input, normalise, step, undo.

Every weather model here maps the normalised state to the increment over one step, in units
of the increment's standard deviation: `model(state, memory) -> (increment, memory)`. This
module owns everything around that call.
"""

from __future__ import annotations

import concurrent.futures
import difflib
import functools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from zoo.climate.data.grid import area_weights
from zoo.climate.held_suarez.data import CHANNELS, LEVELS, UNITS, VARIABLES, stack, unstack
from zoo.climate.held_suarez.transforms import Transforms
from zoo.climate.models.layers.spherical import GRID, Grid
from zoo.scoring.environment import cpu_count

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["ForecastInputError", "check_analysis", "damp", "forecast", "rollout", "step"]

WeatherNetwork = Any
"""An `nnx.Module` that maps `(state, memory)` to `(increment, memory)`; its `config.step_hours`
is the step."""
_SAME_UNIT = {
    "m2 s-2": {
        "m2 s-2",
        "m**2 s**-2",
        "m^2 s^-2",
        "m2/s2",
        "m^2/s^2",
        "m**2/s**2",
        "j kg-1",
        "j/kg",
    },
    "K": {"k", "kelvin", "degk"},
    "m s-1": {"m s-1", "m s**-1", "m s^-1", "m/s"},
}


class ForecastInputError(ValueError):
    """The analysis cannot be what the model was trained on; the message says what is wrong
    and what would be right."""


def step(
    model: WeatherNetwork,
    state: Float[Array, "batch longitude latitude channel"],
    memory: Any,
    ratio: Float[Array, " channel"],
) -> tuple[Float[Array, "batch longitude latitude channel"], Any]:
    """The normalised state one step later; `ratio` is the increment's scale over the state's."""
    increment, memory = model(state, memory)
    return state + increment * ratio, memory


@functools.partial(jax.jit, static_argnums=(0, 4))
def _rollout(graph: Any, weights: Any, state: Array, ratio: Array, steps: int) -> Array:
    model = nnx.merge(graph, weights)

    def body(carry: Any, _: None) -> tuple[Any, Array]:
        state, memory = step(model, carry[0], carry[1], ratio)
        return (state, memory), state

    # A recurrent model's memory is nothing, that is zeros, at the start; only the model
    # knows its shape.
    _, memory = jax.eval_shape(lambda state: step(model, state, None, ratio), state)
    memory = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), memory)
    _, path = jax.lax.scan(body, (state, memory), None, length=steps)
    return path.swapaxes(0, 1)


def rollout(
    model: WeatherNetwork,
    state: Float[Array | np.ndarray, "batch longitude latitude channel"],
    *,
    ratio: np.ndarray,
    steps: int,
) -> Float[Array, "batch step longitude latitude channel"]:
    """The normalised states after 1, 2, ... `steps` steps, in one compiled loop."""
    graph, weights = nnx.split(model)
    return _rollout(graph, weights, jnp.asarray(state), jnp.asarray(ratio, jnp.float32), steps)


def forecast(
    model: WeatherNetwork,
    transforms: Transforms,
    analysis: xr.Dataset,
    lead_times: np.ndarray,
    *,
    batch: int = 4,
) -> xr.Dataset:
    """Forecasts from every time of the analysis, dims (init_time, lead_time, level,
    longitude, latitude).

    Args:
        model: a weather model; its `config.step_hours` is the step.
        transforms: those stored with its weights.
        analysis: true states in WeatherBench 2's layout: dims (time, level, longitude, latitude).
        lead_times: `timedelta64`, whole multiples of the step.
        batch: start dates per call. Few, because a small batch stays in a core's cache
            (measured on CPU: 4 needs .6 of the time of 32).

    Raises:
        ForecastInputError: an analysis or lead times that the model cannot take.
    """
    steps = _steps(model, lead_times)
    checked = check_analysis(analysis, transforms)
    states = transforms.normalise(stack(checked))
    ratio, count = transforms.increment / transforms.scale, int(steps.max())
    cores = cpu_count() if jax.default_backend() == "cpu" else 1
    batch = max(1, min(batch, -(-len(states) // cores)))
    # The last part is filled up, so that one compiled function serves all.
    parts = [
        np.resize(states[begin : begin + batch], (batch, *states.shape[1:]))
        for begin in range(0, len(states), batch)
    ]

    graph, weights = nnx.split(model)
    ratio = jnp.asarray(ratio, jnp.float32)
    compiled = _rollout.lower(graph, weights, jnp.asarray(parts[0]), ratio, count).compile()

    def run(part: np.ndarray) -> np.ndarray:
        path = np.asarray(compiled(weights, jnp.asarray(part), ratio))
        return transforms.denormalise(path[:, steps - 1]).astype(np.float32)

    # A small batch cannot fill every core, so batches run side by side; each is computed
    # alike whatever runs beside it.
    with concurrent.futures.ThreadPoolExecutor(cores) as pool:
        values = np.concatenate(list(pool.map(run, parts)))[: len(states)]
    return unstack(
        values,
        init_time=checked["time"].values,
        lead_time=np.atleast_1d(lead_times).astype("timedelta64[ns]"),
        longitude=checked["longitude"].values,
        latitude=checked["latitude"].values,
    )


def damp(forecast: xr.Dataset, transforms: Transforms, *, step_hours: int) -> xr.Dataset:
    """The forecast with its anomalies shrunk towards climatology as their predictability fades.

    Minimises the RMSE, at the price of smoother fields. Leads beyond the fit get its last factor.
    """
    hours = forecast["lead_time"].values.astype("timedelta64[h]").astype(int)
    # [lead, channel]
    factors = transforms.damping[np.minimum(hours // step_hours - 1, len(transforms.damping) - 1)]
    dims = ("init_time", "lead_time", "level", "longitude", "latitude")
    damped = {}
    for i, name in enumerate(VARIABLES):
        channels = slice(i * len(LEVELS), (i + 1) * len(LEVELS))
        mean = transforms.climatology[:, channels].T[:, None, :]  # [level, 1, latitude]
        factor = factors[:, channels, None, None]  # [lead, level, 1, 1]
        values = forecast[name].transpose(*dims).values
        damped[name] = (dims, values * factor + mean * (1 - factor), forecast[name].attrs)
    return forecast.assign(damped)


def _steps(model: WeatherNetwork, lead_times: np.ndarray) -> np.ndarray:
    """Lead times in steps of the model."""
    leads = np.atleast_1d(np.asarray(lead_times)).astype("timedelta64[ns]")
    one = np.timedelta64(int(model.config.step_hours), "h").astype("timedelta64[ns]")
    steps = (leads // one).astype(int)
    if leads.size == 0 or (leads % one).astype(int).any() or steps.min() < 1:
        given = leads.astype("timedelta64[h]").astype(int).tolist()
        raise ForecastInputError(
            f"lead times must be positive multiples of {model.config.step_hours} h, the model's "
            f"step; got {given} h"
        )
    return steps


def check_analysis(
    analysis: xr.Dataset, transforms: Transforms, *, grid: Grid = GRID
) -> xr.Dataset:
    """The analysis with its dims in order, or a `ForecastInputError` that names what is
    wrong and what was expected."""
    import xarray as xr

    if not isinstance(analysis, xr.Dataset):
        raise ForecastInputError(
            f"the analysis must be an xarray.Dataset, got {type(analysis).__name__}"
        )
    if "init_time" in analysis.dims and "time" not in analysis.dims:
        analysis = analysis.rename(init_time="time")
    if "time" not in analysis.dims:
        analysis = analysis.expand_dims("time")
    for name in VARIABLES:
        if name not in analysis:
            near = difflib.get_close_matches(name, map(str, analysis.data_vars), n=1, cutoff=0.3)
            hint = f"; nearest: {near[0]!r}" if near else ""
            raise ForecastInputError(
                f"the analysis has no variable {name!r} ({UNITS[name]}){hint}. It needs "
                f"{', '.join(VARIABLES)}"
            )
        dims = {"time", "level", "longitude", "latitude"}
        if set(analysis[name].dims) != dims:
            raise ForecastInputError(
                f"{name} has dims {analysis[name].dims}, expected ('time', 'level', 'longitude', "
                "'latitude') in any order"
            )
    absent = [level for level in LEVELS if level not in analysis["level"].values]
    if absent:
        given = analysis["level"].values.tolist()
        raise ForecastInputError(
            f"the analysis has no level {absent[0]} hPa; it has {given}, needed are "
            f"{list(LEVELS)} (in hPa)"
        )
    analysis = (
        analysis[list(VARIABLES)]
        .sel(level=list(LEVELS))
        .transpose("time", "level", "longitude", "latitude")
    )
    for name, expected in (("longitude", grid.longitude), ("latitude", grid.latitude)):
        given = analysis[name].values
        if len(given) == len(expected) and np.allclose(given[::-1], expected, atol=1e-3):
            # descending: the coordinate says so itself
            analysis = analysis.isel({name: slice(None, None, -1)})
        elif len(given) != len(expected) or not np.allclose(given, expected, atol=1e-3):
            raise ForecastInputError(
                f"{name} differs from the model's grid: given {len(given)} points {given[0]:g} to "
                f"{given[-1]:g}, expected {len(expected)} points {expected[0]:g} to "
                f"{expected[-1]:g}; regrid to WeatherBench 2's 64x32 equiangular grid"
            )
    for name in VARIABLES:
        _check_values(name, analysis[name], transforms, area_weights(grid.latitude))
    return analysis


def _check_values(
    name: str, array: xr.DataArray, transforms: Transforms, weights: np.ndarray
) -> None:
    """Refuses missing values and wrong units of one variable."""
    unit = str(array.attrs.get("units", ""))
    if unit and unit.strip().lower() not in _SAME_UNIT[UNITS[name]]:
        raise ForecastInputError(
            f"{name} is given in {unit!r}, the model expects {UNITS[name]!r}; convert the values "
            "and set attrs['units']"
        )
    missing = ~np.isfinite(array.values)
    if missing.any():
        first = np.argwhere(missing)[0]
        where = ", ".join(
            f"{d}={array[d].values[i] if d in array.coords else i}"
            for d, i in zip(array.dims, first, strict=True)
        )
        raise ForecastInputError(
            f"{name} has {int(missing.sum())} missing or infinite values, the first at {where}"
        )
    means = (array.values * weights).mean(axis=(0, 2, 3))
    for level, value in zip(LEVELS, means, strict=True):
        channel = CHANNELS.index((name, level))
        usual, spread = float(transforms.mean[channel]), float(transforms.anomaly[channel])
        if abs(value - usual) > 20 * spread:
            raise ForecastInputError(
                f"{name} at {level} hPa has an area mean of {value:.6g}, the training climate's is "
                f"{usual:.6g} {UNITS[name]} (s.d. {spread:.3g}): is it in {UNITS[name]}?"
            )
