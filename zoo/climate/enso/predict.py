"""Pretrained ENSO models as predictors of `climate/enso`: state of the past -> ensemble ->
mean and spread in K; and as a command that turns a file of indices into one of seasons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo import files
from zoo.climate.data.opening import UserDataError, open_user_data
from zoo.climate.enso import data
from zoo.climate.enso.data import calendar_month
from zoo.climate.enso.state import state_from_arrays
from zoo.pretrained.weights import load, restore

if TYPE_CHECKING:
    from zoo.cards import ModelCard
    from zoo.climate.enso.task import EnsoInputs
    from zoo.pretrained.model import PretrainedModel


class EnsoModel:
    """An ensemble bound to its state.

    The forecast distribution is the members' equal mixture, given by its mean and standard
    deviation: the square root of the mean variance plus the variance of the means.
    `spread_factor` (one number, from 1994-2003) widens it for what members fitted to the
    same years cannot know.

    Args:
        models: modules that map (window, month) to mean and std `[member, batch, 9]`.
        state: turns the past into standardised indices.
        window: months in the input.
        spread_factor: by which the spread is multiplied.
    """

    input_form = (
        "zoo.climate.enso.task.EnsoInputs: monthly indices (K, m) up to the month before each issue"
    )
    output_form = "mean and std of the Niño3.4 anomaly, float64 [season, 9 issues], in K"

    def __init__(
        self, models: Sequence[nnx.Module], state: Any, *, window: int, spread_factor: float = 1.0
    ):
        self.models, self.state, self.window, self.spread_factor = (
            list(models),
            state,
            window,
            spread_factor,
        )
        self._calls: list[Callable[..., Any]] = [
            jax.jit(lambda x, month, model=model: model(x, month)) for model in models
        ]

    @classmethod
    def from_card(cls, card: ModelCard, weights: Sequence[Path]) -> EnsoModel:
        """The model of a card and its weight files: the `predictor` factory of ENSO cards."""
        from zoo.pretrained.model import blank

        loaded = [load(path) for path in weights]
        models = [restore(blank(card), parameters) for parameters, _, _ in loaded]
        transforms = loaded[0][1]
        state = state_from_arrays(card.predictor_config["state"], transforms)
        factor = float(np.mean([each["spread_factor"] for _, each, _ in loaded]))
        return cls(models, state, window=int(card.predictor_config["window"]), spread_factor=factor)

    def windows(self, inputs: EnsoInputs) -> tuple[np.ndarray, np.ndarray]:
        """What the network sees at each issue, newest month first,
        `[issue, window * index]`, and that month's calendar month."""
        x, month = [], []
        for issue in inputs.issues:
            past = inputs.before(issue)
            x.append(self.state.standardise(past)[-self.window :][::-1].ravel())
            month.append(calendar_month(past.months[-1:])[0])
        return np.array(x, np.float32), np.array(month, np.int32)

    def __call__(self, inputs: EnsoInputs) -> dict[str, np.ndarray]:
        """Mean and standard deviation `[example, 9]` in K."""
        mean, spread = self.mixture(*self.windows(inputs))
        unit = float(np.asarray(self.state.scale)[0])
        return {"mean": inputs.by_centre(mean * unit), "std": inputs.by_centre(spread * unit)}

    def mixture(self, x: np.ndarray, month: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the members' mixture, `[issue, 9]` each, in standard
        deviations of Nino34.

        Args:
            x: `[issue, window * index]` standardised indices, newest month first.
            month: `[issue]` calendar month 0..11 of the newest.
        """
        each = [call(jnp.asarray(x), jnp.asarray(month)) for call in self._calls]
        mean, std = (
            np.concatenate([np.asarray(part[i], np.float64) for part in each]) for i in range(2)
        )
        return mean.mean(0), self.spread_factor * np.sqrt((std**2).mean(0) + mean.var(0))

    def flops_per_example(self) -> float | None:
        """Of nine forecasts, one issue's: XLA's count over all members and weight files. A
        season takes one from each of nine issues."""
        from zoo.scoring import cost

        def one(params: Any, graph: Any, x: jax.Array, month: jax.Array) -> Any:
            return nnx.merge(graph, params)(x, month)

        counts = []
        for model in self.models:
            graph, params = nnx.split(model)
            x = jnp.zeros((1, self.window * len(np.asarray(self.state.scale))))
            counts.append(
                cost.flops(
                    lambda p, x, month, graph=graph: one(p, graph, x, month),
                    params,
                    x,
                    jnp.zeros(1, jnp.int32),
                )
            )
        known = [count for count in counts if count is not None]
        return float(sum(known)) if len(known) == len(counts) else None

    def example_output(self, seed: int) -> np.ndarray:
        """Ensemble mean and mean spread for a fixed random state in each calendar month,
        `[2 * 12 * 9]`: a card's `expected`."""
        x = (
            np.random.default_rng(seed)
            .standard_normal((12, self.window * len(np.asarray(self.state.scale))))
            .astype(np.float32)
        )
        each = [call(jnp.asarray(x), jnp.arange(12)) for call in self._calls]
        return np.stack(
            [np.concatenate([np.asarray(part[i]) for part in each]).mean(0) for i in range(2)]
        ).ravel()


def load_enso(card: ModelCard, weights: Sequence[Path]) -> EnsoModel:
    """Factory named by the cards."""
    return EnsoModel.from_card(card, weights)


def read_indices(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Months `datetime64[M]` `[month]` and the four core indices `[month, 4]` from NetCDF or Zarr.

    Raises:
        UserDataError: variables or months are missing, values are missing, or it is too short.
    """
    dataset = open_user_data(path)
    lacking = [name for name in data.CORE if name not in dataset]
    if lacking or "time" not in dataset.coords:
        there = ", ".join(map(str, dataset.variables)) or "nothing"
        raise UserDataError(
            f"{path} lacks {', '.join(lacking) or 'the coordinate time'}; needed are "
            f"{', '.join(data.CORE)} (K, K, m, m) by month along 'time'; it has {there}"
        )
    wrong = [name for name in data.CORE if dataset[name].dims != ("time",)]
    if wrong:
        raise UserDataError(
            f"{path}: {wrong[0]} has dims {dataset[wrong[0]].dims}, ('time',) is needed"
        )
    months = dataset["time"].values.astype("datetime64[M]")
    if disorder := data.out_of_order(months):
        raise UserDataError(f"{path} is {disorder}")
    values = np.stack([dataset[name].values.astype(np.float64) for name in data.CORE], 1)
    bad = ~np.isfinite(values) | (values <= data.MISSING + 1.0)
    if bad.any():
        month, column = np.argwhere(bad)[0]
        name = data.CORE[column]
        raise UserDataError(
            f"{path} has {int(bad.sum())} missing values, first of {name} in {months[month]}; "
            "fill or cut them"
        )
    return months, values


def predict_file(model: PretrainedModel, source: Path, target: Path, **_: Any) -> None:
    """Behind `zoo predict` for fine-tuned ENSO models: monthly core indices in, the next
    nine seasons out as CSV.

    Columns: `k`, `centre` (month in the middle of the season), `mean` and `std` of the
    Niño3.4 anomaly in K, from the months' mean of the training record. The forecast starts
    from the file's last month.

    Raises:
        ValueError: the target is no `.csv`.
        UserDataError: the source cannot be read, or lacks months or data.
    """
    if Path(target).suffix != ".csv":
        raise ValueError(
            f"{target}: seasonal forecasts are written to .csv, not "
            f"{Path(target).suffix or 'a name without ending'!r}"
        )
    months, values = read_indices(Path(source))
    predictor = cast(EnsoModel, model.predict)
    if len(months) < predictor.window:
        raise UserDataError(
            f"{source} has {len(months)} months; the network sees {predictor.window}"
        )
    phase = calendar_month(months)
    x = ((values - predictor.state.base[phase]) / predictor.state.scale)[-predictor.window :][::-1]
    mean, spread = predictor.mixture(x.reshape(1, -1).astype(np.float32), phase[-1:])
    unit = float(np.asarray(predictor.state.scale)[0])
    lines = ["k,centre,mean,std"]
    lines += [
        f"{k},{months[-1] + 2 + k},{unit * mean[0, k]:.4f},{unit * spread[0, k]:.4f}"
        for k in range(data.LEADS)
    ]
    files.write_text(Path(target), "\n".join(lines) + "\n")
