"""How weather models are explained: maps of what a forecast at one place depends on.

The score is one variable's forecast at one grid point after one step (a day), in its unit;
what is taken away becomes the climatology of its latitude, which is the baseline of
integrated gradients too.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.climate.data.opening import open_user_data
from zoo.climate.held_suarez.data import CHANNELS, UNITS, stack
from zoo.climate.held_suarez.forecast import check_analysis, step
from zoo.climate.held_suarez.predict import WeatherModel
from zoo.interfaces.explanation import TITLES, Explainable, Explained, NotExplainable, canvas
from zoo.interfaces.task import load_task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from zoo.pretrained.model import PretrainedModel

POINT = "temperature_850@45,180"
BOX = (3, 3)
"""Grid points of a box that occlusion takes away, by longitude and latitude: 16.9 degrees a
side."""


def explain_point(
    model: PretrainedModel, source: Path | None, examples: int, target: str
) -> Explainable:
    """What a weather model's forecast of one variable at one place depends on.

    Args:
        model: a weather model.
        source: NetCDF or Zarr with the states; None: start dates of the model's own task.
        examples: how many states, from the first on.
        target: `VARIABLE_LEVEL@LATITUDE,LONGITUDE`.

    Raises:
        NotExplainable: a target that means nothing.
        zoo.climate.held_suarez.forecast.ForecastInputError: states that the model cannot take.
    """
    field, channel, north, east = parse_target(target)
    module, transforms = cast(WeatherModel, model.predict).members[0]
    analysis = check_analysis(_analysis(model, source).isel(time=slice(0, examples)), transforms)
    longitude, latitude = analysis["longitude"].values, analysis["latitude"].values
    place = (
        int(np.abs((longitude - east + 180) % 360 - 180).argmin()),
        int(np.abs(latitude - north).argmin()),
    )
    unit = UNITS[CHANNELS[channel][0]]
    inputs = transforms.normalise(stack(analysis)).astype(np.float32)
    graph, weights = nnx.split(module)
    ratio = jnp.asarray(transforms.increment / transforms.scale)

    def function(x: jax.Array) -> jax.Array:
        after, _ = step(nnx.merge(graph, weights), x, None, ratio)
        return (
            after[:, place[0], place[1], channel] * transforms.scale[channel]
            + transforms.mean[channel]
        )

    usual = np.broadcast_to(transforms.normalise(transforms.climatology), inputs.shape[1:]).astype(
        np.float32
    )
    boxes = boxes_around(place, inputs.shape[1:3])
    names = tuple(
        np.datetime_as_string(time, unit="h").replace(":", "") for time in analysis["time"].values
    )
    said = (
        f"{field} after {module.config.step_hours} h at {latitude[place[1]]:.1f} N, "
        f"{longitude[place[0]]:.1f} E ({unit})"
    )
    start_field = transforms.denormalise(inputs)[..., channel]

    def draw(row: int, explained: Explained) -> Figure:
        title = (
            f"{model.card.id}, {names[row]}: {said} = {explained.score[row]:.6g}.\n"
            f"{TITLES[explained.method].capitalize()}; lines: {field} at the start ({unit})"
        )
        return world(
            longitude,
            latitude,
            explained.values[row],
            start_field[row],
            title,
            mark=(longitude[place[0]], latitude[place[1]]),
            unit=unit,
        )

    return Explainable(
        function=function,
        inputs=inputs,
        names=names,
        target=said,
        truth=model.card.truth if source is None else "the user's",
        baselines=np.broadcast_to(usual, (1, *inputs.shape)),
        baseline="the climatology of each latitude",
        fill=usual,
        groups=boxes[..., None],
        reduce=lambda values: values.sum(-1),
        spread=lambda each: each[:, boxes],
        draw=draw,
        batch=8,
        arrays={"longitude": longitude, "latitude": latitude},
    )


def parse_target(target: str) -> tuple[str, int, float, float]:
    """A field's name, its channel, and latitude and longitude in degrees, from
    `VARIABLE_LEVEL@LATITUDE,LONGITUDE`.

    Raises:
        NotExplainable: it is no such text; names the variables.
    """
    named = {f"{variable}_{level}": number for number, (variable, level) in enumerate(CHANNELS)}
    found = re.fullmatch(r"(\w+)@(-?[\d.]+),(-?[\d.]+)", target)
    if not found or found[1] not in named:
        raise NotExplainable(
            f"target {target!r} is no VARIABLE_LEVEL@LATITUDE,LONGITUDE; variables: "
            f"{', '.join(named)}"
        )
    return found[1], named[found[1]], float(found[2]), float(found[3])


def boxes_around(place: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    """The number of each grid point's box, `[longitude, latitude]`: boxes are laid so that the
    place itself is in the middle of one."""
    rows = (np.arange(shape[0]) - place[0] + BOX[0] // 2) % shape[0] // BOX[0]
    columns = (np.arange(shape[1]) - place[1] + BOX[1] // 2 + shape[1]) // BOX[1]
    columns -= columns.min()
    return rows[:, None] * (columns.max() + 1) + columns


def _analysis(model: PretrainedModel, source: Path | None) -> Any:
    """States with a time dimension."""
    if source is None:
        return load_task(model.card.tasks[0]).examples().inputs.analysis
    loaded = open_user_data(Path(source))
    return loaded if "time" in loaded.dims else loaded.expand_dims("time")


def world(
    longitude: np.ndarray,
    latitude: np.ndarray,
    values: np.ndarray,
    field: np.ndarray,
    title: str,
    *,
    mark: tuple[float, float],
    unit: str,
) -> Figure:
    """A map of attributions with lines of the field that the forecast began from.

    Args:
        longitude, latitude: degrees, of the grid's centres.
        values: `[longitude, latitude]`.
        field: `[longitude, latitude]`.
        title: of the figure.
        mark: longitude and latitude of the place whose forecast is explained.
        unit: of the score.
    """
    figure = canvas(8.4, 4.4, title)
    axes = figure.add_subplot()
    signed = values.min() < 0
    # the place itself would leave the rest white
    top = float(np.quantile(np.abs(values), 0.99)) or 1.0
    map_ = axes.pcolormesh(
        longitude,
        latitude,
        values.T,
        cmap="RdBu_r" if signed else "viridis",
        vmin=-top if signed else 0.0,
        vmax=top,
        shading="nearest",
    )
    lines = axes.contour(
        longitude, latitude, field.T, levels=8, colors="black", linewidths=0.5, alpha=0.6
    )
    axes.clabel(lines, fontsize=6, fmt="%g")
    axes.plot(*mark, marker="x", markersize=9, markeredgewidth=2.0, color="black")
    axes.plot(*mark, marker="x", markersize=8, markeredgewidth=1.0, color="#ffd21f")
    axes.set_xlabel("longitude (degrees east)", fontsize=8)
    axes.set_ylabel("latitude (degrees north)", fontsize=8)
    axes.tick_params(labelsize=7)
    bar = figure.colorbar(map_, ax=axes, shrink=0.9, extend="both" if signed else "max")
    bar.set_label(f"attribution ({unit})" if signed else "size of the gradient", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure
