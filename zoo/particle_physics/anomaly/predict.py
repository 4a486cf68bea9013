"""Pretrained searches as predictors of `particle_physics/anomaly`: jets -> features ->
network -> one score per event and seed."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.particle_physics.anomaly.data import (
    COLUMNS,
    SIGNALS,
    JetPairs,
    event_features,
    jet_features,
)
from zoo.pretrained.weights import load, restore

if TYPE_CHECKING:
    from zoo.cards import ModelCard
    from zoo.particle_physics.models.event_classifier import EventClassifier
    from zoo.particle_physics.models.jet_autoencoder import JetAutoencoder

CHUNK = 8192
LIMIT = 6.0
"""Standard deviations at which a feature is clipped: beyond, networks only extrapolate."""


class Fitted:
    """A network of one training seed with the standardisation of its features.

    Args:
        model: the network.
        centre, scale: of the features, `[feature]`.

    Attributes:
        names: of the scores that a call gives.
    """

    def __init__(self, model: nnx.Module, centre: np.ndarray, scale: np.ndarray):
        self.model, self.centre, self.scale = (
            model,
            np.asarray(centre, np.float32),
            np.asarray(scale, np.float32),
        )
        graph, params = nnx.split(model)
        self.params = params
        self.names: tuple[str, ...] = ("score",)
        self._call: Callable[[Any, jax.Array], jax.Array] = jax.jit(
            lambda params, x: self.output(nnx.merge(graph, params), x)
        )

    @staticmethod
    def output(model: Any, x: jax.Array) -> jax.Array:
        """What the network says of standardised features `[event, ...]`, `[..., event]`."""
        raise NotImplementedError

    def __call__(self, pairs: JetPairs) -> dict[str, np.ndarray]:
        """Scores `[event]` by name."""
        raise NotImplementedError

    def standardise(self, features: np.ndarray) -> np.ndarray:
        """Features in standard deviations from the mean, clipped."""
        return np.clip((features - self.centre) / self.scale, -LIMIT, LIMIT).astype(np.float32)

    def outputs(self, features: np.ndarray) -> np.ndarray:
        """`output` of raw features of any number of events; in chunks of one size, so that
        one program serves all."""
        x, parts = self.standardise(features), []
        for begin in range(0, len(x), CHUNK):
            part = x[begin : begin + CHUNK]
            padded = np.concatenate(
                [part, np.zeros((CHUNK - len(part), *part.shape[1:]), np.float32)]
            )
            parts.append(np.asarray(self.evaluate(padded))[..., : len(part)])
        return np.concatenate(parts, axis=-1)

    def evaluate(self, x: np.ndarray) -> jax.Array:
        """`output` of standardised features, compiled for their shape."""
        return self._call(self.params, jnp.asarray(x))

    def flops(self, x: np.ndarray) -> float | None:
        """XLA's count for one event."""
        from zoo.scoring import cost

        return cost.flops(self._call, self.params, jnp.asarray(x))


class FittedClassifier(Fitted):
    """Networks of all signals and folds. Folds are averaged as log-odds: probabilities
    would tie at one."""

    model: EventClassifier

    def __init__(self, model: nnx.Module, centre: np.ndarray, scale: np.ndarray):
        super().__init__(model, centre, scale)
        if self.model.config.signals > 1:  # each is looked for apart
            self.names = SIGNALS

    @property
    def number(self) -> int:
        """A number of these very weights."""
        return zlib.crc32(np.asarray(self.model.enter[...], np.float16).tobytes())

    @staticmethod
    def output(model: Any, x: jax.Array) -> jax.Array:
        """The network's log-odds."""
        return model(x)

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Log-odds `[signal, fold, event]`."""
        config = self.model.config
        return self.outputs(features).reshape(config.signals, config.folds, -1)

    def out_of_fold(self, features: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """Log-odds `[event, signal]` of the network that left each event out."""
        return np.take_along_axis(
            self.logits(features), fold[None, None, :].astype(np.int64), axis=1
        )[:, 0].T

    def __call__(self, pairs: JetPairs) -> dict[str, np.ndarray]:
        """Scores `[event]`, one per signal where each is looked for apart."""
        mean = self.logits(event_features(pairs)).mean(1)
        for found in mean:
            if np.ptp(found) == 0.0:
                # a search that found nothing: any cut is as good as another, so a random
                # one
                found[:] = np.random.default_rng(self.number).random(len(found))
        return dict(zip(self.names, mean, strict=True))


class FittedAutoencoder(Fitted):
    """The autoencoder; an event is as anomalous as its two jets together are badly reproduced."""

    model: JetAutoencoder

    @staticmethod
    def output(model: Any, x: jax.Array) -> jax.Array:
        """The squared error of reproduction, both jets summed."""
        return jnp.mean((model(x) - x) ** 2, axis=-1).sum(-1)

    def __call__(self, pairs: JetPairs) -> dict[str, np.ndarray]:
        """Squared error of both jets, standard units, `[event]`."""
        return {"score": self.outputs(jet_features(pairs))}


class AnomalyModel:
    """All seeds of one method, each scored by itself.

    Args:
        fitted: one per training seed.
    """

    input_form = f"JetPairs: float32 [event, 2 jets, {len(COLUMNS)}] (GeV)"

    @property
    def output_form(self) -> str:
        """What it gives."""
        names = ", ".join(self.fitted[0].names)
        return f"{names} [event, {len(self.fitted)} seeds], higher for more anomalous"

    def __init__(self, fitted: Sequence[Fitted]):
        self.fitted = list(fitted)

    @classmethod
    def from_card(
        cls, card: ModelCard, weights: Sequence[Path], kind: type[Fitted]
    ) -> AnomalyModel:
        """The method of a card, from its weight files."""
        from zoo.pretrained.model import blank

        loaded = [load(path) for path in weights]
        return cls(
            [
                kind(restore(blank(card), parameters), each["centre"], each["scale"])
                for parameters, each, _ in loaded
            ]
        )

    def __call__(self, pairs: JetPairs) -> dict[str, np.ndarray]:
        """Scores `[event, seed]`: not averaged, the task takes the median of their scores."""
        each = [fitted(pairs) for fitted in self.fitted]
        return {name: np.stack([scores[name] for scores in each], -1) for name in each[0]}

    def flops_per_example(self) -> float | None:
        """XLA's count for one event, all seeds."""
        counts = [fitted.flops(self._random(fitted, 0, 1)) for fitted in self.fitted]
        known = [count for count in counts if count is not None]
        return float(sum(known)) if len(known) == len(counts) else None

    def example_output(self, seed: int) -> np.ndarray:
        """What the networks say of 32 random events: a card's `expected`."""
        return np.concatenate(
            [
                np.asarray(each.evaluate(self._random(each, seed, 32))).ravel()
                for each in self.fitted
            ]
        )

    @staticmethod
    def _random(fitted: Fitted, seed: int, count: int) -> np.ndarray:
        jets = (2,) if isinstance(fitted, FittedAutoencoder) else ()
        return (
            np.random.default_rng(seed)
            .standard_normal((count, *jets, len(fitted.centre)))
            .astype(np.float32)
        )


def load_classifier(card: ModelCard, weights: Sequence[Path]) -> AnomalyModel:
    """Factory named by the cards of `event_classifier`."""
    return AnomalyModel.from_card(card, weights, FittedClassifier)


def load_autoencoder(card: ModelCard, weights: Sequence[Path]) -> AnomalyModel:
    """Factory named by the cards of `jet_autoencoder`."""
    return AnomalyModel.from_card(card, weights, FittedAutoencoder)
