"""How one search is fitted: networks of signal region against side bands (or of labels), each
signal's at the step that was best on the folds that they left out; an autoencoder at the step
that was best on a fifth of the events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from zoo.particle_physics.anomaly.data import Dijets, jet_features
from zoo.particle_physics.anomaly.mixtures import Sample, draw_folds, member_weights
from zoo.particle_physics.anomaly.predict import FittedAutoencoder, FittedClassifier
from zoo.particle_physics.anomaly.recipes import AnomalyRecipe
from zoo.particle_physics.models.event_classifier import EventClassifier, EventClassifierConfig
from zoo.particle_physics.models.jet_autoencoder import JetAutoencoder
from zoo.pretrained.weights import flatten, restore
from zoo.train.loop import LoopConfig, fit

VALIDATION_FOLDS = 5
SIGNIFICANT = 2.0
"""Standard errors by which a search must be better than nothing on what its networks left out."""
Log = Callable[[str], None]


def fit_classifier(
    sample: Sample, recipe: AnomalyRecipe, *, seed: int, log: Log = lambda line: None
) -> FittedClassifier:
    """All members, each signal's at the step that was best on the folds that they left out;
    step 0 if none was any good."""
    config: EventClassifierConfig = recipe.config
    centre, scale = sample.features.mean(0), sample.features.std(0)
    model = EventClassifier(config, rngs=nnx.Rngs(seed))
    fitted = FittedClassifier(model, centre, scale)
    x, positive = (
        fitted.standardise(sample.features),
        np.repeat(sample.label == 1, config.folds, axis=1).astype(np.float32),
    )
    data = {"x": x, "y": positive, "w": member_weights(sample, config.folds, held_out=False)}
    held_out = member_weights(sample, config.folds, held_out=True)
    held_out /= np.maximum(held_out.sum(0), 1e-12)

    def loss(
        model: nnx.Module, batch: Mapping[str, jax.Array], key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        value = (cross_entropy(model(batch["x"]), batch["y"].T) * batch["w"].T).mean(1).sum()
        return value, {}

    # Arguments, not closed over: XLA would fold them into the program.
    def held_out_sums(
        graph: Any, params: Any, x: jax.Array, y: jax.Array, w: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        gain = jnp.log(2.0) - cross_entropy(nnx.merge(graph, params)(x), y.T)
        return (w.T * gain).sum(1), (w.T * gain**2 * w.T).sum(1)

    sums, best, lines = jax.jit(held_out_sums, static_argnums=0), Best(), []

    def validate(model: nnx.Module) -> dict[str, float]:
        graph, params = nnx.split(model)
        gain, square = (
            np.asarray(each).reshape(config.signals, config.folds)
            for each in sums(graph, params, x, positive, held_out)
        )
        gain, error = gain.mean(1), np.sqrt(square.sum(1)) / config.folds
        loss = np.log(2.0) - np.where(gain > SIGNIFICANT * error, gain, 0.0)
        best.update(np.repeat(loss, config.folds), flatten(model))
        lines.append(" ".join(f"{g:.5f} ± {e:.5f}" for g, e in zip(gain, error, strict=True)))
        return {"gain": float(gain.mean())}

    validate(model)
    _fit(model, loss, data, recipe, seed=seed, validate=validate, log=log)
    kept = " ".join(f"{np.log(2.0) - each:.5f}" for each in best.score[:: config.folds])
    log(
        f"gain over knowing nothing on the folds left out: {lines[-1]} at the last step, {kept} "
        "kept (0: nothing found)"
    )
    return FittedClassifier(restore(model, best.parameters), centre, scale)


def fit_autoencoder(
    qcd: Dijets, recipe: AnomalyRecipe, *, seed: int, log: Log = lambda line: None
) -> FittedAutoencoder:
    """One autoencoder of QCD jets, at the step that was best on a fifth of the events."""
    features = jet_features(qcd.pairs)
    held_out = draw_folds(len(features), VALIDATION_FOLDS, seed) == 0
    jets = features[~held_out].reshape(-1, features.shape[-1])
    centre, scale = jets.mean(0), jets.std(0)
    model = JetAutoencoder(recipe.config, rngs=nnx.Rngs(seed))
    fitted = FittedAutoencoder(model, centre, scale)
    best = Best()

    def loss(
        model: nnx.Module, batch: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        return jnp.mean((model(batch) - batch) ** 2), {}

    score = jax.jit(
        lambda graph, params, x: jnp.mean((nnx.merge(graph, params)(x) - x) ** 2), static_argnums=0
    )
    left = fitted.standardise(features[held_out])

    def validate(model: nnx.Module) -> dict[str, float]:
        error = np.asarray(score(*nnx.split(model), left))
        best.update(error[None], {name: value[None] for name, value in flatten(model).items()})
        return {"loss": float(error)}

    _fit(model, loss, fitted.standardise(jets), recipe, seed=seed, validate=validate, log=log)
    return FittedAutoencoder(
        restore(model, {name: value[0] for name, value in best.parameters.items()}), centre, scale
    )


class Best:
    """The parameters of each member at its lowest score so far; the members are the leading
    axis of everything."""

    def __init__(self) -> None:
        self.score = np.array([])
        self.parameters: dict[str, np.ndarray] = {}

    def update(self, score: np.ndarray, parameters: Mapping[str, np.ndarray]) -> None:
        """Takes over the members that have become better."""
        if not self.parameters:
            self.score, self.parameters = (
                score.copy(),
                {name: np.array(value) for name, value in parameters.items()},
            )
        better = score < self.score
        self.score[better] = score[better]
        for name, value in parameters.items():
            self.parameters[name][better] = value[better]


def _fit(
    model: nnx.Module,
    loss: Any,
    data: Any,
    recipe: AnomalyRecipe,
    *,
    seed: int,
    validate: Any,
    log: Log,
) -> None:
    every = min(recipe.validate_every, recipe.steps)
    count = len(jax.tree.leaves(data)[0])
    loop = LoopConfig(
        steps=recipe.steps,
        batch_size=min(recipe.batch_size, count),
        seed=seed,
        validate_every=every,
        log_every=recipe.steps,
    )
    rate = optax.cosine_decay_schedule(recipe.learning_rate, recipe.steps)
    fit(
        model,
        loss,
        data,
        optax.adamw(rate, weight_decay=recipe.weight_decay),
        config=loop,
        validate=validate,
        on_progress=lambda row: log(f"step {row['step']}: loss {row['loss']:.5f}"),
    )


def cross_entropy(logit: jax.Array, positive: jax.Array) -> jax.Array:
    """-y log p - (1 - y) log(1 - p), p = sigmoid(logit)."""
    return jax.nn.softplus(logit) - positive * logit
