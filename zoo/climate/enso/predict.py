"""Pretrained ENSO models as predictors of `climate/enso`: state of the past -> ensemble ->
mean and spread in K."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.climate.enso.data import calendar_month
from zoo.climate.enso.state import state_from_arrays
from zoo.pretrained.weights import load, restore

if TYPE_CHECKING:
    from zoo.cards import ModelCard
    from zoo.climate.enso.task import EnsoInputs


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
        x, month = map(jnp.asarray, self.windows(inputs))
        each = [call(x, month) for call in self._calls]
        mean, std = (
            np.concatenate([np.asarray(part[i], np.float64) for part in each]) for i in range(2)
        )
        spread = self.spread_factor * np.sqrt((std**2).mean(0) + mean.var(0))
        unit = float(np.asarray(self.state.scale)[0])
        return {
            "mean": inputs.by_centre(mean.mean(0) * unit),
            "std": inputs.by_centre(spread * unit),
        }

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
        return None if None in counts else float(sum(counts))

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
