"""Weather models trained on with states of one's own: the next step, one step ahead.

The last fifth of the times validates, behind a gap, or a file of the user's own. Models keep
means and scales where the user's climate is like that of their training, and else take them
from the user's training times.
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

from zoo.climate.data.opening import VALIDATION_SHARE, UserDataError, open_user_data
from zoo.climate.held_suarez.data import CHANNELS, STEPS_PER_DAY, stack
from zoo.climate.held_suarez.forecast import check_analysis, step
from zoo.climate.held_suarez.transforms import AREA, Transforms, fit_transforms
from zoo.climate.held_suarez.validation import HEADLINE
from zoo.interfaces.finetune import Evaluation
from zoo.pretrained.model import build
from zoo.pretrained.weights import load
from zoo.train.batches import Windows

if TYPE_CHECKING:
    from zoo.pretrained.model import PretrainedModel

GAP_DAYS = 10.0
"""Between training and validation states: about as long as weather remembers."""
FEWEST_STATES = 20
PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
"""Of the probe's squared change, as a share of the features' mean square."""


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
        UserDataError: too few times, or times from which none lies a step ahead.
    """
    dataset = open_user_data(path)
    # Another climate is no error here: it is what one trains on for. Units that are stated
    # are still compared.
    lenient = dataclasses.replace(transforms, anomaly=np.full_like(transforms.anomaly, np.inf))
    checked = check_analysis(dataset, lenient)
    times = checked["time"].values.astype("datetime64[ns]")
    if len(times) < FEWEST_STATES:
        raise UserDataError(
            f"{path} has {len(times)} times; {FEWEST_STATES} or more are needed to train and to "
            "validate"
        )
    gaps = np.diff(times).astype("timedelta64[s]").astype(np.int64)
    if (gaps <= 0).any():
        raise UserDataError(
            f"{path}: time {times[1:][gaps <= 0][0]} is not later than the one before it; sort "
            "the times"
        )
    place = {time: number for number, time in enumerate(times)}
    ahead = times + np.timedelta64(step_hours, "h")
    starts = np.array([number for number, time in enumerate(ahead) if time in place], np.int64)
    lags = np.array([place[ahead[number]] - number for number in starts], np.int64)
    if not len(starts):
        raise UserDataError(
            f"{path}: no two of its times lie {step_hours} h apart, the model's step; they lie "
            f"{gaps.min() / 3600:g} h apart or more"
        )
    lag = int(np.median(lags))
    return States(stack(checked), times, lag, starts[lags == lag])


class WeatherProblem:
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
        transforms = Transforms.of(load(source.weights[0])[1])
        series = read_states(data, transforms, step_hours=self.step_hours)
        if validation is None:
            train, held, self._held = *_by_time(series, data), series
        else:
            self._held = read_states(validation, transforms, step_hours=self.step_hours)
            train, held = series.starts_, self._held.starts_
            if len(both := np.intersect1d(series.times, self._held.times)):
                raise UserDataError(
                    f"{len(both)} times, first {both[0]}, are in both {data} and {validation}"
                )
        self._validate, self.examples = held, len(train)
        # `fit_transforms` counts in six-hourly times.
        fitted = fit_transforms(series.of(train), step_hours=series.lag * 24 // STEPS_PER_DAY)
        far = np.abs(fitted.mean - transforms.mean) > 20 * transforms.anomaly
        self.notes: list[str] = []
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

    def references(self) -> dict[str, Evaluation]:
        """Persistence, and the pretrained model before it saw these data."""
        return {"persistence": self._scored(None), "pretrained": self._scored(self._pretrained)}

    def start(self) -> nnx.Module:
        """The pretrained network."""
        return self._pretrained

    def scratch(self, seed: int) -> nnx.Module:
        """The same design with random weights."""
        return build(self.source.card, seed=seed)

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
        size = len(self._train) - max(1, round(VALIDATION_SHARE * len(self._train)))
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

    def evaluate(self, model: nnx.Module) -> Evaluation:
        """Scores on the validation states, one step ahead."""
        return self._scored(model)

    def _scored(self, model: nnx.Module | None) -> Evaluation:
        """`squared_error` in units of the one-step change (1: persistence), and RMSE of the
        headline fields in their units."""
        t, lag = self.transforms, self._held.lag
        if model is not None:
            graph, weights = nnx.split(model)
            call = jax.jit(
                lambda weights, state: step(nnx.merge(graph, weights), state, None, self._ratio)[0]
            )
        each: list[np.ndarray] = []
        squared: dict[str, list[np.ndarray]] = {name: [] for name in HEADLINE}
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
        return Evaluation(scores, each_start, (days // GAP_DAYS).astype(np.int64))

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
    held = series.starts_[-max(1, round(VALIDATION_SHARE * len(series.starts_))) :]
    span = (series.times[-1] - series.times[0]) / np.timedelta64(1, "D")
    # a short series can only afford a short one
    gap = np.timedelta64(round(86400 * min(GAP_DAYS, span / 10)), "s")
    train = series.starts_[series.times[series.starts_ + series.lag] < series.times[held[0]] - gap]
    if len(train) < FEWEST_STATES // 2:
        raise UserDataError(
            f"{path}: {len(train)} pairs of states are left to train on before the gap and the "
            "last fifth; bring a longer series, or a validation file"
        )
    return train, held
