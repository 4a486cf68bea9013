"""Pretrained climate models trained on with states of one's own: the climate side of
`zoo train --from`.

    # fields in WeatherBench 2's layout
    zoo train --from climate/convnext.held_suarez my_states.zarr --out my_model
    # monthly Nino34, Nino3 (K), Hm, Hw (m)
    zoo train --from climate/enso_mlp.core my_indices.nc --out my_model

The target is what the network was pre-trained on (the state one step later; Niño3.4 in the
next seasons), so its last layer goes on and nothing is new but the data. Time decides the
split: the last fifth of the times validates, behind a gap, or a file of the user's own.
Normalisation belongs to the weights: weather models keep theirs where the user's climate is
like that of their training, and else take means and scales from the user's training times;
ENSO models take annual cycle and standard deviations from the training months.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo import registry
from zoo.climate.enso import data as indices
from zoo.climate.enso import metrics as seasonal
from zoo.climate.enso.state import IndexState
from zoo.climate.enso.train import RECIPES, make_loss, weights_only, windows
from zoo.climate.held_suarez.data import CHANNELS, STEPS_PER_DAY, stack
from zoo.climate.held_suarez.forecast import Transforms, check_analysis, step
from zoo.climate.held_suarez.train import AREA, HEADLINE, fit_transforms
from zoo.pretrained import weights as storage
from zoo.train.batches import Windows

if TYPE_CHECKING:
    import xarray as xr

    from zoo.pretrained.model import PretrainedModel

__all__ = [
    "ARCHITECTURES",
    "EnsoTransfer",
    "TransferDataError",
    "WeatherTransfer",
    "adapt",
    "predict_indices",
]

_MODELS = "zoo.climate.models"
WEATHER = (f"{_MODELS}.convnext:ConvNeXt", f"{_MODELS}.sfno:SFNO", f"{_MODELS}.conv_gru:ConvGRU")
ENSO = f"{_MODELS}.enso_mlp:EnsoMlp"
ARCHITECTURES = (*WEATHER, ENSO)
"""What can be trained on."""
SHARE = 0.2
GAP_DAYS = 10.0
"""Between training and validation states: about as long as weather remembers."""
GAP_MONTHS = 11
"""Between training and validation months: the last month of the last season that is forecast."""
FEWEST_STATES, FEWEST_MONTHS = 20, 120
PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
"""Of the probe's squared change, as a share of the features' mean square."""


class TransferDataError(ValueError):
    """A series cannot be trained on; the message says what it lacks."""


@dataclasses.dataclass(frozen=True)
class Scored:
    """As `zoo.interfaces.finetune.Evaluation`."""

    scores: dict[str, float]
    each: np.ndarray
    blocks: np.ndarray


def adapt(
    source: PretrainedModel,
    data: Path,
    *,
    validation: Path | None,
    label: str | None,
    group: str | None,
    network: str | None,
    seed: int,
) -> WeatherTransfer | EnsoTransfer:
    """The user's series and a pretrained model of its next states: a
    `zoo.interfaces.finetune.Problem`.

    Args:
        source: the pretrained model.
        data, validation: NetCDF or Zarr.
        label, group, network: mean nothing here.
        seed: of nothing here; time decides the split.

    Raises:
        ValueError: an option that means nothing, a model of other indices.
        TransferDataError, zoo.climate.held_suarez.forecast.ForecastInputError,
        zoo.climate.enso.data.EnsoDataError: what the series lacks.
    """
    for option, value in (("label", label), ("group", group), ("network", network)):
        if value is not None:
            raise ValueError(
                f"{option}={value!r} means nothing to {source.card.id}: a series has no classes, "
                "and time decides its split"
            )
    if source.card.architecture == ENSO:
        return EnsoTransfer(source, data, validation)
    return WeatherTransfer(source, data, validation)


def _opened(path: Path) -> xr.Dataset:
    """A NetCDF or Zarr file in memory."""
    import xarray as xr

    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        if path.is_dir():
            opened = xr.open_zarr(path, consolidated=(path / ".zmetadata").exists(), chunks=None)
        else:
            opened = xr.open_dataset(path, engine="h5netcdf")
        with opened:
            return opened.load()
    except (OSError, KeyError, TypeError) as error:
        raise TransferDataError(
            f"{path} cannot be read as NetCDF or Zarr ({type(error).__name__}: {error})"
        ) from error


def _fresh(source: PretrainedModel, seed: int) -> nnx.Module:
    """The source's design with random weights."""
    from zoo.pretrained.model import config_class

    card = source.card
    settings = {name: _tuples(value) for name, value in card.config.items()}
    return registry.resolve(card.architecture)(
        config_class(card.architecture)(**settings), rngs=nnx.Rngs(seed)
    )


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


# ------------------------------------------------------------------------------------------ weather


@dataclasses.dataclass(frozen=True)
class States:
    """Fields at evenly spaced times, in pieces where times are missing.

    Attributes:
        fields_: float32 `[time, longitude, latitude, channel]` in physical units.
        times: `datetime64[ns]` `[time]`.
        lag: times per step of the model.
        starts_: indices of the times that have a state one step later.
    """

    fields_: np.ndarray
    times: np.ndarray
    lag: int
    starts_: np.ndarray

    def starts(self, *, reach: int) -> np.ndarray:
        """As `zoo.climate.held_suarez.data.Series.starts`; `reach` is one step."""
        return self.starts_

    def fields(self, times: np.ndarray) -> np.ndarray:
        """The fields at these times."""
        return self.fields_[times]

    def of(self, starts: np.ndarray) -> States:
        """The same with some of the starts."""
        return dataclasses.replace(self, starts_=starts)


def read_states(path: Path, transforms: Transforms, *, step_hours: int) -> States:
    """States in WeatherBench 2's layout from NetCDF or Zarr.

    Raises:
        zoo.climate.held_suarez.forecast.ForecastInputError: a variable, level or grid that
            is not the model's, missing values, other units.
        TransferDataError: too few times, or times from which none lies a step ahead.
    """
    dataset = _opened(path)
    # Another climate is no error here: it is what one trains on for. Units that are stated
    # are still compared.
    lenient = dataclasses.replace(transforms, anomaly=np.full_like(transforms.anomaly, np.inf))
    checked = check_analysis(dataset, lenient)
    times = checked["time"].values.astype("datetime64[ns]")
    if len(times) < FEWEST_STATES:
        raise TransferDataError(
            f"{path} has {len(times)} times; {FEWEST_STATES} or more are needed to train and to "
            "validate"
        )
    gaps = np.diff(times).astype("timedelta64[s]").astype(np.int64)
    if (gaps <= 0).any():
        raise TransferDataError(
            f"{path}: time {times[1:][gaps <= 0][0]} is not later than the one before it; sort "
            "the times"
        )
    place = {time: number for number, time in enumerate(times)}
    ahead = times + np.timedelta64(step_hours, "h")
    starts = np.array([number for number, time in enumerate(ahead) if time in place], np.int64)
    lags = np.array([place[ahead[number]] - number for number in starts], np.int64)
    if not len(starts):
        raise TransferDataError(
            f"{path}: no two of its times lie {step_hours} h apart, the model's step; they lie "
            f"{gaps.min() / 3600:g} h apart or more"
        )
    lag = int(np.median(lags))
    return States(stack(checked), times, lag, starts[lags == lag])


class WeatherTransfer:
    """A weather model's next step, learned on from the user's states: a
    `zoo.interfaces.finetune.Problem`.

    Args:
        source: the pretrained model.
        data, validation: the user's states.
    """

    higher_is_better, batch_size, epochs, rates = False, 4, 4.0, (2e-4, 1e-3)

    def __init__(self, source: PretrainedModel, data: Path, validation: Path | None):
        self.source = source
        self._pretrained = source.module()
        self.step_hours = int(self._pretrained.config.step_hours)
        transforms = Transforms.of(storage.load(source.weights[0])[1])
        series = read_states(data, transforms, step_hours=self.step_hours)
        if validation is None:
            train, held, self._held = *_by_time(series, data), series
        else:
            self._held = read_states(validation, transforms, step_hours=self.step_hours)
            train, held = series.starts_, self._held.starts_
            if len(both := np.intersect1d(series.times, self._held.times)):
                raise TransferDataError(
                    f"{len(both)} times, first {both[0]}, are in both {data} and {validation}"
                )
        self._validate, self.examples = held, len(train)
        # `fit_transforms` counts in six-hourly times.
        fitted = fit_transforms(series.of(train), step_hours=series.lag * 24 // STEPS_PER_DAY)
        far = np.abs(fitted.mean - transforms.mean) > 20 * transforms.anomaly
        self.notes = []
        if far.any():
            (variable, level), channel = CHANNELS[int(np.argmax(far))], int(np.argmax(far))
            self.notes.append(
                f"another climate than the pre-training's ({variable} at {level} hPa is "
                f"{fitted.mean[channel]:.6g} on average, there {transforms.mean[channel]:.6g}): "
                "normalised by your training times. If a unit is wrong, mend it first"
            )
            transforms = fitted
        ones = np.ones((1, len(CHANNELS)), np.float32)
        self.transforms = dataclasses.replace(
            transforms, climatology=fitted.climatology, anomaly=fitted.anomaly, damping=ones
        )
        self._ratio = jnp.asarray(self.transforms.increment / self.transforms.scale)
        self._series = series
        self._train = train
        self.data = Windows(
            self.transforms.normalise(series.fields_).astype(np.float32), train, (0, series.lag)
        )
        first, last = self._held.times[held[0]], self._held.times[held[-1]]
        self.held_out = f"{len(held):,} states from {str(first)[:13]} to {str(last)[:13]}" + (
            "" if validation else ", behind a gap"
        )

    def references(self) -> dict[str, Scored]:
        """Persistence, and the pretrained model before it saw these data."""
        return {"persistence": self._scored(None), "pretrained": self._scored(self._pretrained)}

    def start(self) -> nnx.Module:
        """The pretrained network."""
        return self._pretrained

    def scratch(self, seed: int) -> nnx.Module:
        """The same design with random weights."""
        return _fresh(self.source, seed)

    def loss(
        self, model: nnx.Module, batch: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Area-weighted mean squared error after one step, in units of each channel's
        one-step change."""
        state, _ = step(model, batch[:, 0], None, self._ratio)
        return jnp.mean(jnp.square((state - batch[:, 1]) / self._ratio) * AREA[:, None]), {}

    scratch_loss = loss

    def linear_probe(self) -> nnx.Module:
        """The last layer's ridge regression, pulled towards the pretrained one; the penalty
        is chosen on the last training fifth.

        The states are read once: all that is kept are sums of products of features.
        """
        model = nnx.clone(self._pretrained)
        layer = model if hasattr(model, "head") else model.patches
        head = np.concatenate(
            [np.asarray(layer.head[...]), np.asarray(layer.head_bias[...])[None]]
        ).astype(np.float64)
        graph, weights = nnx.split(model)
        call = jax.jit(lambda weights, state: features(nnx.merge(graph, weights), state))
        size = len(self._train) - max(1, round(SHARE * len(self._train)))
        sums = [
            self._products(call, weights, part, head.shape)
            for part in (self._train[:size], self._train[size:])
        ]
        inner, held = sums

        def solved(gram: np.ndarray, cross: np.ndarray, penalty: float) -> np.ndarray:
            ridge = penalty * np.trace(gram) / len(gram) * np.eye(len(gram))
            return head + np.linalg.solve(gram + ridge, cross - gram @ head)

        errors = []
        for penalty in PENALTIES:
            w = solved(*inner, penalty)
            # but for the sum of squared targets
            errors.append(float(np.sum(w * (held[0] @ w)) - 2 * np.sum(w * held[1])))
        total = solved(inner[0] + held[0], inner[1] + held[1], PENALTIES[int(np.argmin(errors))])
        layer.head[...], layer.head_bias[...] = (
            jnp.asarray(total[:-1], jnp.float32),
            jnp.asarray(total[-1], jnp.float32),
        )
        return model

    def _products(
        self, call: Callable[..., Any], weights: Any, starts: np.ndarray, shape: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Area-weighted sums of features times features, and of features times targets."""
        gram, cross = np.zeros((shape[0], shape[0])), np.zeros(shape)
        patch = 1 if shape[1] == len(CHANNELS) else 2
        area = AREA.reshape(-1, patch).mean(1)
        for begin in range(0, len(starts), self.batch_size):
            rows = starts[begin : begin + self.batch_size]
            full = np.resize(rows, self.batch_size)
            x = np.asarray(call(weights, self.data.arrays[full]))[: len(rows)].astype(np.float64)
            change = (
                self.data.arrays[rows + self._series.lag] - self.data.arrays[rows]
            ) / np.asarray(self._ratio)
            n, across, up, channels = change.shape
            y = change.reshape(n, across // patch, patch, up // patch, patch, channels).transpose(
                0, 1, 3, 2, 4, 5
            )
            y = y.reshape(n, across // patch, up // patch, -1)
            x = np.concatenate([x, np.ones((*x.shape[:3], 1))], -1)
            weighted = (x * area[:, None]).reshape(-1, shape[0])
            gram += weighted.T @ x.reshape(-1, shape[0])
            cross += weighted.T @ y.reshape(-1, shape[1])
        return gram, cross

    def evaluate(self, model: nnx.Module) -> Scored:
        """Scores on the validation states, one step ahead."""
        return self._scored(model)

    def _scored(self, model: nnx.Module | None) -> Scored:
        """`squared_error` in units of the one-step change (1: persistence), and RMSE of the
        headline fields in their units."""
        t, lag = self.transforms, self._held.lag
        if model is not None:
            graph, weights = nnx.split(model)
            call = jax.jit(
                lambda weights, state: step(nnx.merge(graph, weights), state, None, self._ratio)[0]
            )
        each, squared = [], {name: [] for name in HEADLINE}
        for begin in range(0, len(self._validate), self.batch_size):
            rows = self._validate[begin : begin + self.batch_size]
            now, later = self._held.fields(rows), self._held.fields(rows + lag)
            guess = now
            if model is not None:
                state = t.normalise(self._held.fields(np.resize(rows, self.batch_size))).astype(
                    np.float32
                )
                guess = t.denormalise(np.asarray(call(weights, jnp.asarray(state)))[: len(rows)])
            error = np.square((guess - later).astype(np.float64))
            each.append((error / np.square(t.increment) * AREA[:, None]).mean((1, 2, 3)))
            for name, channel in HEADLINE.items():
                squared[name].append((error[..., CHANNELS.index(channel)] * AREA).mean((1, 2)))
        each_start = np.concatenate(each)
        days = (self._held.times[self._validate] - self._held.times[0]) / np.timedelta64(1, "D")
        scores = {"squared_error": float(each_start.mean())}
        scores |= {
            f"{name}_rmse": float(np.sqrt(np.concatenate(parts).mean()))
            for name, parts in squared.items()
        }
        return Scored(scores, each_start, (days // GAP_DAYS).astype(np.int64))

    def content(self, model: nnx.Module) -> dict[str, Any]:
        """The domain's part of the card: it is a weather model like any other."""
        card = self.source.card
        return {
            "architecture": card.architecture,
            "predictor": card.predictor,
            "predict_file": card.predict_file,
            "config": dict(card.config),
            "predictor_config": {"damped": False},
            "transforms": self.transforms.arrays(),
        }


def features(model: Any, state: jax.Array) -> jax.Array:
    """What a weather model's last layer is given, `[batch, x, y, width]` on its patches or
    its grid; no memory of earlier steps."""
    from zoo.climate.models import convnext, sfno

    if isinstance(model, sfno.SFNO):
        x = state.swapaxes(0, 1) @ model.embed[...] + model.latitude[...]
        for block in model.blocks:
            x = block(x)
        return sfno.normalise(x).swapaxes(0, 1)
    x = model.patches.encode(state)
    if hasattr(model, "cell"):
        x = x + model.cell(x, jnp.zeros_like(x)) @ model.mix[...]
    for block in model.blocks:
        x = block(x)
    return convnext.normalise(x)


def _by_time(series: States, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Training and validation starts: the last fifth of the starts, and those whose target
    lies a gap before them."""
    held = series.starts_[-max(1, round(SHARE * len(series.starts_))) :]
    span = (series.times[-1] - series.times[0]) / np.timedelta64(1, "D")
    # a short series can only afford a short one
    gap = np.timedelta64(round(86400 * min(GAP_DAYS, span / 10)), "s")
    train = series.starts_[series.times[series.starts_ + series.lag] < series.times[held[0]] - gap]
    if len(train) < FEWEST_STATES // 2:
        raise TransferDataError(
            f"{path}: {len(train)} pairs of states are left to train on before the gap and the "
            "last fifth; bring a longer series, or a validation file"
        )
    return train, held


# --------------------------------------------------------------------------------------------- ENSO


def read_indices(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Months `datetime64[M]` `[month]` and the four core indices `[month, 4]` from NetCDF or Zarr.

    Raises:
        TransferDataError: variables or months are missing, values are missing, or it is too short.
    """
    dataset = _opened(path)
    lacking = [name for name in indices.CORE if name not in dataset]
    if lacking or "time" not in dataset.coords:
        there = ", ".join(map(str, dataset.variables)) or "nothing"
        raise TransferDataError(
            f"{path} lacks {', '.join(lacking) or 'the coordinate time'}; needed are "
            f"{', '.join(indices.CORE)} (K, K, m, m) by month along 'time'; it has {there}"
        )
    wrong = [name for name in indices.CORE if dataset[name].dims != ("time",)]
    if wrong:
        raise TransferDataError(
            f"{path}: {wrong[0]} has dims {dataset[wrong[0]].dims}, ('time',) is needed"
        )
    months = dataset["time"].values.astype("datetime64[M]")
    if disorder := indices.out_of_order(months):
        raise TransferDataError(f"{path} is {disorder}")
    values = np.stack([dataset[name].values.astype(np.float64) for name in indices.CORE], 1)
    bad = ~np.isfinite(values) | (values <= indices.MISSING + 1.0)
    if bad.any():
        month, column = np.argwhere(bad)[0]
        name = indices.CORE[column]
        raise TransferDataError(
            f"{path} has {int(bad.sum())} missing values, first of {name} in {months[month]}; "
            "fill or cut them"
        )
    return months, values


class EnsoTransfer:
    """The ENSO ensemble trained on with the user's months: a `zoo.interfaces.finetune.Problem`.

    Args:
        source: the pretrained ensemble, of the four core indices.
        data, validation: the user's indices.
    """

    # all months in each step
    higher_is_better, batch_size, epochs, rates = False, 1 << 30, 200.0, (1e-3, 3e-3)

    def __init__(self, source: PretrainedModel, data: Path, validation: Path | None):
        if source.card.predictor_config.get("state") != "core":
            raise ValueError(
                f"{source.card.id} reads the state {source.card.predictor_config.get('state')!r}; "
                "that of the file is 'core'"
            )
        self.source, self.window, self.notes = (
            source,
            int(source.card.predictor_config["window"]),
            [],
        )
        self._pretrained = source.module()
        self._factor = float(np.mean(storage.load(source.weights[0])[1].get("spread_factor", 1.0)))
        months, values = read_indices(data)
        if len(months) < FEWEST_MONTHS:
            raise TransferDataError(
                f"{data} has {len(months)} months; {FEWEST_MONTHS} or more are needed"
            )
        if validation is None:
            begin = len(months) - max(round(SHARE * len(months)), 2 * indices.LEADS)
            held, end = (months[begin:], values[begin:]), begin - GAP_MONTHS
        else:
            held, end = read_indices(validation), len(months)
            if len(both := np.intersect1d(months, held[0])):
                raise TransferDataError(
                    f"{len(both)} months, first {both[0]}, are in both {data} and {validation}"
                )
            if len(held[0]) < 2 * indices.LEADS:
                raise TransferDataError(
                    f"{validation} has {len(held[0])} months; {2 * indices.LEADS} or more are "
                    "needed"
                )
        months, values = months[:end], values[:end]
        base = indices.monthly_climatology(values, months, last=months[-1])
        self.state = IndexState(
            "core", [0, 1, 2, 3], base, (values - base[indices.calendar_month(months)]).std(0)
        )
        if not (self.state.scale > 0).all():
            raise TransferDataError(
                f"{data}: {indices.CORE[int(np.argmin(self.state.scale))]} never differs from its "
                "annual cycle"
            )
        self.data, self._validation = self._windows(months, values), self._windows(*held)
        self.examples = len(self.data["x"])
        behind = "" if validation else f", {GAP_MONTHS} months behind the last training month"
        self.held_out = (
            f"forecasts from {len(self._validation['x'])} months, {held[0][0]} to "
            f"{held[0][-1]}{behind}"
        )
        origin = jax.tree.map(jnp.copy, weights_only(self._pretrained))
        tuned, scratch = RECIPES["enso_mlp.core"], RECIPES["enso_mlp.core_scratch"]
        self.loss, self.scratch_loss = (
            make_loss(tuned, tuned.noise[1], origin),
            make_loss(scratch, scratch.noise[1]),
        )

    def _windows(self, months: np.ndarray, values: np.ndarray) -> dict[str, np.ndarray]:
        phase = indices.calendar_month(months)
        return windows(
            (values - self.state.base[phase]) / self.state.scale, phase, window=self.window
        )

    def references(self) -> dict[str, Scored]:
        """Climatology and damped persistence with spreads from the training months; the
        pretrained ensemble before it saw these data."""
        d, v = self.data, self._validation
        count = np.maximum(d["w"].sum(0), 1)
        spread = np.sqrt((d["w"] * d["y"] ** 2).sum(0) / count)
        damping = (d["w"] * d["y"] * d["x"][:, :1]).sum(0) / np.maximum(
            (d["w"] * d["x"][:, :1] ** 2).sum(0), 1e-9
        )
        rest = np.sqrt((d["w"] * (d["y"] - damping * d["x"][:, :1]) ** 2).sum(0) / count)
        shape = v["y"].shape
        return {
            "climatology": self._scored(np.zeros(shape), np.broadcast_to(spread, shape)),
            "damped persistence": self._scored(
                v["x"][:, :1] * damping, np.broadcast_to(rest, shape)
            ),
            "pretrained": self.evaluate(self._pretrained),
        }

    def linear_probe(self) -> nnx.Module:
        """There is none: its mean and its spread are not one linear layer of features."""
        raise ValueError(
            f"{self.source.card.id} has no linear probe, its last layers give spreads too; leave "
            "--probe out"
        )

    def start(self) -> nnx.Module:
        """The pretrained ensemble."""
        return self._pretrained

    def scratch(self, seed: int) -> nnx.Module:
        """An ensemble with random weights."""
        return _fresh(self.source, seed)

    def evaluate(self, model: nnx.Module) -> Scored:
        """Scores of an ensemble's mixture on the validation months."""
        x, month = jnp.asarray(self._validation["x"]), jnp.asarray(self._validation["month"])
        mean, std = (np.asarray(part, np.float64) for part in model(x, month))
        return self._scored(mean.mean(0), self._factor * np.sqrt((std**2).mean(0) + mean.var(0)))

    def _scored(self, mean: np.ndarray, std: np.ndarray) -> Scored:
        """`crps` (K, mean over the nine seasons), `rmse` (K) and `correlation` (mean over
        seasons)."""
        unit, y, w = float(self.state.scale[0]), self._validation["y"], self._validation["w"]
        crps = seasonal.gaussian_crps(mean * unit, std * unit, y * unit) * w
        each = crps.sum(1) / np.maximum(w.sum(1), 1)
        known = w > 0
        with np.errstate(invalid="ignore", divide="ignore"):
            pairs = [(mean[known[:, k], k], y[known[:, k], k]) for k in range(indices.LEADS)]
            correlation = [np.corrcoef(*pair)[0, 1] for pair in pairs if len(pair[0]) > 2]
        scores = {
            "crps": float(each.mean()),
            "rmse": unit * float(np.sqrt((w * (mean - y) ** 2).sum() / w.sum())),
        }
        if np.isfinite(correlation).all():
            scores["correlation"] = float(np.mean(correlation))
        return Scored(scores, each, np.arange(len(each)) // 12)

    def content(self, model: nnx.Module) -> dict[str, Any]:
        """The domain's part of the card."""
        card = self.source.card
        return {
            "architecture": card.architecture,
            "predictor": card.predictor,
            "predict_file": "zoo.climate.finetune:predict_indices",
            "config": dict(card.config),
            "predictor_config": dict(card.predictor_config),
            "track": card.track,
            "transforms": self.state.arrays() | {"spread_factor": np.float64(self._factor)},
        }


def predict_indices(model: PretrainedModel, source: Path, target: Path, **_: Any) -> None:
    """Behind `zoo predict` for fine-tuned ENSO models: monthly core indices in, the next
    nine seasons out as CSV.

    Columns: `k`, `centre` (month in the middle of the season), `mean` and `std` of the
    Niño3.4 anomaly in K, from the months' mean of the training record. The forecast starts
    from the file's last month.

    Raises:
        ValueError: the target is no `.csv`.
        TransferDataError: the source cannot be read, or lacks months or indices.
    """
    from zoo import files

    if Path(target).suffix != ".csv":
        raise ValueError(
            f"{target}: seasonal forecasts are written to .csv, not "
            f"{Path(target).suffix or 'a name without ending'!r}"
        )
    months, values = read_indices(Path(source))
    predictor = model.predict
    if len(months) < predictor.window:
        raise TransferDataError(
            f"{source} has {len(months)} months; the network sees {predictor.window}"
        )
    phase = indices.calendar_month(months)
    x = (
        ((values - predictor.state.base[phase]) / predictor.state.scale)[-predictor.window :][::-1]
        .reshape(1, -1)
        .astype(np.float32)
    )
    each = [call(jnp.asarray(x), jnp.asarray(phase[-1:])) for call in predictor._calls]
    mean, std = (
        np.concatenate([np.asarray(part[i], np.float64)[:, 0] for part in each]) for i in range(2)
    )
    unit = float(np.asarray(predictor.state.scale)[0])
    spread = predictor.spread_factor * np.sqrt((std**2).mean(0) + mean.var(0))
    lines = ["k,centre,mean,std"]
    lines += [
        f"{k},{months[-1] + 2 + k},{unit * mean.mean(0)[k]:.4f},{unit * spread[k]:.4f}"
        for k in range(indices.LEADS)
    ]
    files.write_text(Path(target), "\n".join(lines) + "\n")
