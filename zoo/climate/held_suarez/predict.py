"""Pretrained weather models as predictors of a task, and as a command that turns a file
into a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from zoo.cards import ModelCard
from zoo.climate.data.opening import open_user_data

if TYPE_CHECKING:
    import xarray as xr

    from zoo.climate.held_suarez.task import ForecastRequest
    from zoo.pretrained.model import PretrainedModel


class WeatherModel:
    """Forecasts of one weather model, or the mean of several sets of its weights.

    Args:
        card: the model's card; `predictor_config.damped` shrinks anomalies by lead towards
            climatology.
        paths: weights, one file per member.
    """

    input_form = (
        "zoo.climate.held_suarez.task.ForecastRequest: geopotential (m2 s-2), temperature (K), "
        "wind (m s-1) as (time, level 5, longitude 64, latitude 32), and lead times"
    )
    output_form = (
        "xarray.Dataset of the same fields as (init_time, lead_time, level, longitude, latitude)"
    )

    def __init__(self, card: ModelCard, paths: Sequence[Path]):
        from zoo.climate.held_suarez.transforms import Transforms
        from zoo.pretrained.model import blank
        from zoo.pretrained.weights import load, restore

        self.damped = bool(card.predictor_config.get("damped", False))
        self.members: list[tuple[Any, Any]] = []
        for path in paths:
            parameters, transforms, _ = load(path)
            self.members.append((restore(blank(card), parameters), Transforms.of(transforms)))

    def __call__(self, request: ForecastRequest) -> xr.Dataset:
        """The forecast asked for: dims (init_time, lead_time, level, longitude, latitude)."""
        return self.forecast(request.analysis, request.lead_times)

    def forecast(self, analysis: xr.Dataset, lead_times: np.ndarray) -> xr.Dataset:
        """Forecasts from every time of `analysis`; see
        `zoo.climate.held_suarez.forecast.forecast`, which also checks the input."""
        from zoo.climate.held_suarez.forecast import damp, forecast

        each = [
            forecast(model, transforms, analysis, lead_times) for model, transforms in self.members
        ]
        plain = each[0] if len(each) == 1 else sum(each[1:], each[0]) / len(each)
        if not self.damped:
            return plain
        model, transforms = self.members[0]
        return damp(plain, transforms, step_hours=model.config.step_hours)

    def flops_per_example(self) -> float | None:
        """Of one ten-day forecast: XLA's count of one step, times steps and members."""
        import jax.numpy as jnp
        from flax import nnx

        from zoo.climate.held_suarez.forecast import step
        from zoo.scoring import cost

        model, transforms = self.members[0]
        graph, weights = nnx.split(model)
        state = jnp.zeros((1, 64, 32, len(transforms.mean)))
        ratio = jnp.asarray(transforms.increment / transforms.scale)
        steps = 240 // model.config.step_hours
        return cost.flops(
            lambda w, x: step(nnx.merge(graph, w), x, None, ratio)[0],
            weights,
            state,
            repeats=steps * len(self.members),
        )

    def example_output(self, seed: int) -> np.ndarray:
        """The state one step after a fixed random state, `[20 * 64 * 32]` in normalised
        units: what a card's `expected` pins."""
        import jax.numpy as jnp

        from zoo.climate.held_suarez.forecast import rollout

        model, transforms = self.members[0]
        state = (
            np.random.default_rng(seed)
            .standard_normal((1, 64, 32, len(transforms.mean)))
            .astype(np.float32)
        )
        path = rollout(
            model, jnp.asarray(state), ratio=transforms.increment / transforms.scale, steps=1
        )
        return np.asarray(path)[0, 0].transpose(2, 0, 1).ravel()


def predict_file(model: PretrainedModel, source: Path, target: Path, *, days: int) -> None:
    """Forecasts daily to `days` from every time of a NetCDF or Zarr file and writes NetCDF
    (`.nc`) or Zarr (`.zarr`).

    The output is written under a temporary name and renamed, so that a failure leaves
    nothing half-written.

    Raises:
        ValueError: an input that the model cannot take (missing variable, NaN, wrong unit,
            other grid), or an unknown suffix.
        FileNotFoundError: no such input.
    """
    import shutil

    if target.suffix not in (".nc", ".zarr"):
        raise ValueError(f"output {target.name!r} must end in .nc (NetCDF) or .zarr (Zarr)")
    if days < 1:
        raise ValueError(f"--days {days} must be 1 or more")
    analysis = open_user_data(source)
    forecast = cast(WeatherModel, model.predict).forecast(
        analysis, np.arange(1, days + 1) * np.timedelta64(24, "h")
    )
    weights = " ".join(weight.sha256 for weight in model.card.weights)
    forecast.attrs |= {"model": model.card.id, "weights_sha256": weights, "truth": model.card.truth}
    temporary = target.with_name(f".{target.name}.part")
    try:
        if target.suffix == ".nc":
            forecast.to_netcdf(temporary, engine="h5netcdf")
            temporary.replace(target)
        else:
            forecast.to_zarr(temporary, mode="w", consolidated=False)
            if target.exists():
                shutil.rmtree(target)
            temporary.rename(target)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)
