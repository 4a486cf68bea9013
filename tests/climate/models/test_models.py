"""The weather models: shapes, symmetries, gradients, learning, and forecasts that refuse
wrong input by name."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import xarray as xr
from flax import nnx
from made_up_planet import drifting_waves
from random_modules import drawn

from zoo.climate.held_suarez.data import (
    CHANNELS,
    LEVELS,
    REFLECTION,
    UNITS,
    VARIABLES,
    stack,
    unstack,
)
from zoo.climate.held_suarez.forecast import ForecastInputError, check_analysis, forecast, rollout
from zoo.climate.held_suarez.loss import augment, make_loss
from zoo.climate.held_suarez.recipes import RECIPES, build
from zoo.climate.held_suarez.transforms import Transforms, fit_transforms
from zoo.climate.held_suarez.validation import fit_damping, validation_scores
from zoo.climate.models.convnext import affine
from zoo.climate.models.layers.spherical import Grid, truncate
from zoo.train.batches import Windows
from zoo.train.loop import LoopConfig, fit

SMALL = {
    "convnext": {"width": 32, "depth": 1},
    "sfno": {"width": 8, "depth": 1},
    "conv_gru": {"width": 32, "depth": 1},
}
each = pytest.mark.parametrize("architecture", list(RECIPES))


def small(architecture, **sizes):
    return drawn(lambda: build(architecture, **(SMALL[architecture] | sizes)))


def random_state(batch=1, seed=0):
    noise = jnp.asarray(np.random.default_rng(seed).normal(size=(batch, 64, 32, 20)), jnp.float32)
    return truncate(noise, winds=10)


@pytest.fixture(scope="module")
def planet():
    return drifting_waves()


@pytest.fixture(scope="module")
def transforms(planet):
    return fit_transforms(planet)


@pytest.fixture
def analysis(planet):
    fields = planet.fields(np.arange(3))[:, None]
    grid = Grid()
    times = np.array(["2020-01-01", "2020-01-03", "2020-01-05"], "datetime64[ns]")
    data = unstack(
        fields,
        init_time=times,
        lead_time=np.zeros(1, "timedelta64[ns]"),
        longitude=grid.longitude,
        latitude=grid.latitude,
    )
    return data.isel(lead_time=0, drop=True).rename(init_time="time")


@each
def test_a_model_maps_a_state_to_an_increment_within_the_truncation(architecture):
    model, x = small(architecture), random_state(2)
    increment = jax.jit(lambda x: model(x)[0])(x)
    assert increment.shape == x.shape
    np.testing.assert_allclose(truncate(increment, winds=10), increment, atol=1e-4)


@each
def test_a_model_commutes_with_rotation_in_longitude(architecture):
    model, x = small(architecture), random_state()
    increment = jax.jit(lambda x: model(x)[0])
    turned = increment(jnp.roll(x, 6, axis=1))
    np.testing.assert_allclose(turned, jnp.roll(increment(x), 6, axis=1), atol=2e-4)


@each
def test_every_parameter_has_a_gradient(architecture, transforms):
    model = small(architecture)
    graph, parameters = nnx.split(model)
    packed = jnp.asarray(
        np.random.default_rng(0).integers(-200, 200, (1, 3, 64, 32, 20)), jnp.int16
    )
    loss = make_loss(transforms)
    gradients = jax.jit(
        jax.grad(lambda p: loss(nnx.merge(graph, p), packed, jax.random.key(0))[0])
    )(parameters)
    leaves = jax.tree_util.tree_leaves_with_path(gradients)
    assert len(leaves) == len(jax.tree.leaves(parameters)) > 0
    for path, leaf in leaves:
        assert np.isfinite(leaf).all() and np.abs(leaf).max() > 0, jax.tree_util.keystr(path)


@each
def test_a_few_steps_lower_the_loss_below_persistence(architecture, planet, transforms):
    windows = Windows(planet.packed, planet.starts(reach=4), (0, 4))
    config = LoopConfig(40, 4, log_every=20)
    result = fit(
        small(architecture), make_loss(transforms), windows, optax.adam(5e-3), config=config
    )
    # Persistence has an error of one increment by definition of the units.
    assert result.history[-1]["loss"] < min(0.9, result.history[0]["loss"])


def test_the_recurrent_model_remembers(planet):
    model, x = small("conv_gru"), random_state()
    first, memory = model(x)
    second, _ = model(x, memory)
    assert memory.shape == (1, 32, 16, 32)
    assert float(jnp.abs(first - second).max()) > 1e-3


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


def test_transforms_are_those_of_the_planet(planet, transforms):
    fields = planet.fields(np.arange(120))
    np.testing.assert_allclose(transforms.climatology[:, 0], fields[..., 0].mean((0, 1)), rtol=2e-3)
    np.testing.assert_allclose(
        transforms.denormalise(transforms.normalise(fields)), fields, rtol=1e-5, atol=1e-2
    )
    assert (transforms.increment < 2.5 * transforms.anomaly).all()


def test_windows_never_cross_from_one_trajectory_into_the_next(planet):
    starts = planet.starts(reach=8)
    assert set(range(52, 60)).isdisjoint(starts) and 60 in starts and starts.max() + 8 < 120


def test_the_latitude_wise_map_has_the_gradient_that_jax_derives():
    noise = np.random.default_rng(0)
    field, scale, shift = (
        jnp.asarray(noise.normal(size=size), jnp.float32) for size in ((2, 5, 4, 3), (4, 3), (4, 3))
    )
    ours = jax.grad(lambda *parts: jnp.sin(affine(*parts)).sum(), (0, 1, 2))(field, scale, shift)
    derived = jax.grad(lambda field, scale, shift: jnp.sin(field * scale + shift).sum(), (0, 1, 2))(
        field, scale, shift
    )
    for one, other in zip(ours, derived, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_rollout_is_the_step_repeated(transforms):
    model, x = small("conv_gru"), random_state()
    ratio = transforms.increment / transforms.scale
    path = rollout(model, x, ratio=ratio, steps=3)
    state, memory = x, None
    for k in range(3):
        increment, memory = model(state, memory)
        state = state + increment * ratio
        np.testing.assert_allclose(path[:, k], state, atol=1e-4)


def test_the_damped_forecast_is_never_worse_than_the_plain_one_where_it_was_fitted(
    planet, transforms
):
    model = small("convnext", truncation=10)
    damped = fit_damping(model, transforms, planet)
    assert (
        damped.damping.shape == (10, 20) and damped.damping.min() >= 0 and damped.damping.max() <= 1
    )
    plain = validation_scores(model, damped, planet, every=4)
    shrunk = validation_scores(model, damped, planet, every=4, damped=True)
    errors = [name for name in plain if "rmse" in name]
    assert errors and all(shrunk[name] <= plain[name] + 1e-3 for name in errors)


DAYS = np.array([1, 3]) * np.timedelta64(24, "h")


def test_a_forecast_has_weatherbench_layout_and_does_not_depend_on_the_batch(analysis, transforms):
    model = small("convnext")
    result = forecast(model, transforms, analysis, DAYS)
    assert set(result.data_vars) == set(VARIABLES)
    assert result["temperature"].dims == (
        "init_time",
        "lead_time",
        "level",
        "longitude",
        "latitude",
    )
    assert (
        result["temperature"].shape == (3, 2, 5, 64, 32)
        and result["temperature"].attrs["units"] == "K"
    )
    np.testing.assert_array_equal(result["level"], LEVELS)
    again = forecast(model, transforms, analysis, DAYS, batch=2)
    np.testing.assert_allclose(again["temperature"], result["temperature"], atol=1e-2)


def test_stack_and_unstack_are_inverse(analysis):
    array = stack(analysis)
    assert array.shape == (3, 64, 32, 20)
    c = CHANNELS.index(("u_component_of_wind", 700))
    np.testing.assert_array_equal(
        array[..., c], analysis["u_component_of_wind"].sel(level=700).values.astype(np.float32)
    )


def test_dims_in_another_order_and_descending_latitudes_are_put_right(analysis, transforms):
    model = small("convnext")
    odd = analysis.transpose("latitude", "longitude", "level", "time").isel(
        latitude=slice(None, None, -1), level=slice(None, None, -1)
    )
    xr.testing.assert_equal(
        forecast(model, transforms, odd, DAYS), forecast(model, transforms, analysis, DAYS)
    )


def broken(analysis, kind):
    a = analysis.copy(deep=True)
    if kind == "missing variable":
        return a.rename(temperature="temperatur")
    if kind == "nan":
        a["temperature"][1, 2, 3, 4] = np.nan
    if kind == "celsius":
        a["temperature"] = a["temperature"] - 273.15
        a["temperature"].attrs.clear()
    if kind == "units":
        a["temperature"].attrs["units"] = "degC"
    if kind == "height":
        a["geopotential"] = a["geopotential"] / 9.81
        a["geopotential"].attrs.clear()
    if kind == "grid":
        return a.assign_coords(longitude=a.longitude + 1.0)
    if kind == "coarse":
        return a.isel(latitude=slice(None, None, 2))
    if kind == "level":
        return a.sel(level=[200, 500])
    if kind == "dims":
        return a.rename(longitude="lon")
    return a


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing variable", "no variable 'temperature'.*nearest: 'temperatur'"),
        ("nan", "temperature has 1 missing.*time=2020-01-03.*level=700, longitude=16.875"),
        ("celsius", r"temperature at \d+ hPa has an area mean of -.* is it in K\?"),
        ("units", "temperature is given in 'degC', the model expects 'K'"),
        ("height", "geopotential at .* is it in m2 s-2"),
        (
            "grid",
            (
                "longitude differs from the model's grid: given 64 points 1 to 355.375, expected "
                "64 points 0 to 354.375"
            ),
        ),
        ("coarse", "latitude differs from the model's grid: given 16 points"),
        ("level", r"no level 700 hPa; it has \[200, 500\]"),
        ("dims", "expected .'time', 'level', 'longitude', 'latitude'. in any order"),
    ],
)
def test_wrong_input_is_refused_by_name(analysis, transforms, kind, says):
    with pytest.raises(ForecastInputError, match=says):
        check_analysis(broken(analysis, kind), transforms)


def test_lead_times_between_steps_are_refused(analysis, transforms):
    with pytest.raises(ForecastInputError, match="positive multiples of 24 h"):
        forecast(small("convnext"), transforms, analysis, np.array([36], "timedelta64[h]"))


def test_transforms_survive_their_file_and_missing_ones_are_named(transforms):
    arrays = transforms.arrays()
    assert Transforms.of(arrays).arrays().keys() == arrays.keys()
    del arrays["damping"]
    with pytest.raises(ValueError, match=r"lacks transforms\.damping"):
        Transforms.of(arrays)


def test_units_cover_every_variable():
    assert set(UNITS) == set(VARIABLES)
