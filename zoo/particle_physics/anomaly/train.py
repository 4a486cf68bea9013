"""Recipes of the learned searches of `particle_physics/anomaly`.

    python -m zoo.particle_physics.anomaly.train RECIPE --data CHUNKS

| recipe | learns from |
|---|---|
| `jet_autoencoder.qcd` | QCD jets alone (unsupervised) |
| `event_classifier.cwola` | unlabelled data with injected signal |
| `event_classifier.cwola_zero` | the same without any signal |
| `event_classifier.supervised` | labelled events: the bound |

Classification without labels (Metodiev, Nachman & Thaler, arXiv:1708.02949; for resonances
Collins, Howe & Nachman, arXiv:1902.02634): a classifier of signal region against side bands
can only learn what differs between them: a resonance, if there is one. Each seed is an
experiment of its own: another draw of injected signal events, other folds, other first
weights. `S/B` in the signal region is the recipe's `fraction`; signal outside the region
contaminates the side bands as it would in nature. Side bands below and above the region
weigh alike, and together as much as the region, so that no trend in the dijet mass pays (as
in arXiv:1902.02634).

Of five folds each network leaves one out; the best step, one for all five, has the lowest
loss on what they left out (region against side band: no label enters). If that is not
better than knowing nothing by two standard errors, the search has found nothing: its
networks stay at step 0, where they say nothing, and its cut is a random one. The five
networks are averaged. In the field the data themselves are scored, each event by the
network that left it out; here the *test file* is scored, which no network has seen, so that
all methods meet the same events.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from zoo.particle_physics.anomaly import data as dijets
from zoo.particle_physics.anomaly import metrics
from zoo.particle_physics.anomaly.data import SIGNALS, Dijets
from zoo.particle_physics.anomaly.mixtures import (
    Sample,
    draw_folds,
    inject,
    labelled_sample,
    member_weights,
    unlabelled_sample,
)
from zoo.particle_physics.anomaly.predict import FittedAutoencoder, FittedClassifier
from zoo.particle_physics.models.event_classifier import EventClassifier, EventClassifierConfig
from zoo.particle_physics.models.jet_autoencoder import JetAutoencoder, JetAutoencoderConfig
from zoo.pretrained import weights as storage
from zoo.train.loop import LoopConfig, fit

VALIDATION_FOLDS = 5
SIGNIFICANT = 2.0
"""Standard errors by which a search must be better than nothing on what its networks left out."""
Log = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class AnomalyRecipe:
    """The settings of one pretrained tag.

    Attributes:
        method: "cwola", "supervised" or "autoencoder".
        config: the architecture's config.
        fraction: injected signal events in the signal region per background event there (CWoLa).
        steps: optimiser steps.
        batch_size: events (jets, for the autoencoder) per step.
        learning_rate: at the start of a cosine decay.
        weight_decay: of AdamW.
        validate_every: steps between looks at the fold that was left out.
    """

    method: str
    config: Any
    fraction: float = 0.0
    steps: int = 800
    batch_size: int = 2048
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    validate_every: int = 100


RECIPES = {
    "jet_autoencoder.qcd": AnomalyRecipe("autoencoder", JetAutoencoderConfig(), steps=1500),
    "event_classifier.cwola": AnomalyRecipe("cwola", EventClassifierConfig(), fraction=0.03),
    "event_classifier.cwola_zero": AnomalyRecipe(
        "cwola", EventClassifierConfig(signals=1), fraction=0.0
    ),
    "event_classifier.supervised": AnomalyRecipe("supervised", EventClassifierConfig(), steps=1500),
}


# ----------------------------------------------------------------------------------------- training


def train_classifier(
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
        best.update(np.repeat(loss, config.folds), storage.flatten(model))
        lines.append(" ".join(f"{g:.5f} ± {e:.5f}" for g, e in zip(gain, error, strict=True)))
        return {"gain": float(gain.mean())}

    validate(model)
    _run(model, loss, data, recipe, seed=seed, validate=validate, log=log)
    kept = " ".join(f"{np.log(2.0) - each:.5f}" for each in best.score[:: config.folds])
    log(
        f"gain over knowing nothing on the folds left out: {lines[-1]} at the last step, {kept} "
        "kept (0: nothing found)"
    )
    return FittedClassifier(storage.restore(model, best.parameters), centre, scale)


def train_autoencoder(
    qcd: Dijets, recipe: AnomalyRecipe, *, seed: int, log: Log = lambda line: None
) -> FittedAutoencoder:
    """One autoencoder of QCD jets, at the step that was best on a fifth of the events."""
    features = dijets.jet_features(qcd.pairs)
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
        best.update(
            error[None], {name: value[None] for name, value in storage.flatten(model).items()}
        )
        return {"loss": float(error)}

    _run(model, loss, fitted.standardise(jets), recipe, seed=seed, validate=validate, log=log)
    return FittedAutoencoder(
        storage.restore(model, {name: value[0] for name, value in best.parameters.items()}),
        centre,
        scale,
    )


class Best:
    """The parameters of each member at its lowest score so far; the members are the leading
    axis of everything."""

    def __init__(self) -> None:
        self.score, self.parameters = np.array([]), {}

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


def _run(
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


# -------------------------------------------------------------------------------- one tag, one seed


@dataclasses.dataclass(frozen=True)
class TrainingEvents:
    """The training split: QCD, and each signal."""

    qcd: Dijets
    signals: tuple[Dijets, ...]

    @classmethod
    def read(cls, folder: Path) -> TrainingEvents:
        """From a folder of chunks."""
        return cls(
            dijets.read_split(folder, "qcd", "train"),
            tuple(dijets.read_split(folder, name, "train") for name in SIGNALS),
        )


def train(
    events: TrainingEvents, recipe: AnomalyRecipe, *, seed: int, log: Log = lambda line: None
) -> tuple[FittedClassifier | FittedAutoencoder, dict[str, float]]:
    """One training, and its scores on training-split events that it has not seen (labels
    serve this report alone)."""
    rest = [signal[signal.in_signal_region] for signal in events.signals]
    if recipe.method == "autoencoder":
        fitted: Any = train_autoencoder(events.qcd, recipe, seed=seed, log=log)
        unseen = events.qcd[draw_folds(len(events.qcd), VALIDATION_FOLDS, seed) == 0]
        background = [fitted(unseen[unseen.in_signal_region].pairs)["score"]] * len(rest)
        return fitted, report(background, [fitted(signal.pairs)["score"] for signal in rest])
    folds = recipe.config.folds
    if recipe.method == "cwola":
        signals = events.signals[: recipe.config.signals]
        mixtures = [inject(events.qcd, signal, recipe.fraction, seed=seed) for signal in signals]
        sample = unlabelled_sample(mixtures, len(events.qcd), folds=folds, seed=seed)
        log(
            f"{len(events.qcd)} background events, "
            f"{', '.join(str(len(each) - len(events.qcd)) for each in mixtures)} injected"
        )
        if recipe.fraction:
            used = [len(each) - len(events.qcd) for each in mixtures]
            order = [
                np.random.default_rng([seed, 1]).permutation(len(signal)) for signal in signals
            ]
            left = [
                signal[each[count:]]
                for signal, each, count in zip(signals, order, used, strict=True)
            ]
            rest = [signal[signal.in_signal_region] for signal in left]
    elif recipe.method == "supervised":
        sample = labelled_sample(dijets.concatenate([events.qcd, *rest]), folds=folds, seed=seed)
    else:
        raise ValueError(f"no method {recipe.method!r}; there are cwola, supervised, autoencoder")
    fitted = train_classifier(sample, recipe, seed=seed, log=log)
    out_of_fold = fitted.out_of_fold(sample.features, sample.fold)
    background, scores = [], []
    for column, signal in enumerate(rest):
        column = min(column, recipe.config.signals - 1)
        background.append(out_of_fold[: len(events.qcd)][events.qcd.in_signal_region, column])
        if recipe.method == "supervised":
            scores.append(out_of_fold[sample.label[:, column] == 1, column])
        else:
            scores.append(fitted.logits(dijets.event_features(signal.pairs))[column].mean(0))
    return fitted, report(background, scores)


def report(background: Sequence[np.ndarray], signal: Sequence[np.ndarray]) -> dict[str, float]:
    """SIC at 1 % and 0.1 % per signal, where at least ten background events survive."""
    values = {}
    for name, b, s in zip(SIGNALS, background, signal, strict=True):
        rank = metrics.ranks(np.concatenate([b, s]), np.arange(len(b) + len(s)) < len(b))
        for point, rate in (("fpr_1e2", 0.01), ("fpr_1e3", 0.001)):
            kept = int((rank[: len(b)] <= int(rate * len(b))).sum())
            if kept >= metrics.FEWEST and len(s):
                values[f"sic_{name}.{point}"] = float(
                    metrics.improvement(
                        (rank[len(b) :] <= int(rate * len(b))).mean(), kept / len(b)
                    )
                )
    return values


# ----------------------------------------------------------------------------------------- commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains one tag with all its seeds; weights and a JSON of what was obtained under --out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument(
        "--data",
        type=Path,
        default=None,
        help="folder of the chunks; default: where `zoo data build` put them",
    )
    parser.add_argument("--out", type=Path, default=Path("runs"))
    options = parser.parse_args(arguments)
    for line in run(options.name, seeds=options.seeds, data=options.data, out=options.out):
        print(line, flush=True)
    return 0


def recipe(
    architecture: str, *, seed: int, data: Path | None, out: Path, steps: int | None = None
) -> Iterator[str]:
    """What `zoo train particle_physics/anomaly event_classifier.cwola` runs: one seed of
    one tag."""
    if architecture not in RECIPES:
        raise ValueError(
            f"particle_physics/anomaly has no recipe {architecture!r}; it has "
            f"{', '.join(sorted(RECIPES))}"
        )
    chosen = RECIPES[architecture]
    chosen = (
        chosen if steps is None else dataclasses.replace(chosen, steps=min(steps, chosen.steps))
    )
    yield from run(architecture, seeds=[seed], data=data, out=out, recipe=chosen)


def run(
    name: str,
    *,
    seeds: Sequence[int],
    data: Path | None,
    out: Path,
    recipe: AnomalyRecipe | None = None,
) -> Iterator[str]:
    """All seeds of one tag; yields log lines."""
    from zoo import files

    recipe, begin, lines, validation = recipe or RECIPES[name], time.perf_counter(), [], []
    events = TrainingEvents.read(data or files.home() / "build" / "particle_physics/anomaly")
    out.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        fitted, scores = train(events, recipe, seed=seed, log=lines.append)
        yield from (f"seed {seed}: {line}" for line in lines)
        lines.clear()
        yield f"seed {seed}: unseen training-split events: " + " ".join(
            f"{key} {value:.2f}" for key, value in scores.items()
        )
        path = out / f"{name}.seed{seed}.safetensors"
        transforms = {"centre": fitted.centre, "scale": fitted.scale}
        storage.save(
            path, fitted.model, transforms=transforms, metadata={"name": name, "seed": seed}
        )
        validation.append(scores)
        yield f"wrote {path}"
    shared = sorted(set.intersection(*(set(each) for each in validation)))
    facts = {
        "name": name,
        "seeds": list(seeds),
        "wall_seconds": time.perf_counter() - begin,
        "steps": recipe.steps,
        "config": dataclasses.asdict(recipe.config),
        "fraction": recipe.fraction,
        "events": {"qcd": len(events.qcd)}
        | {key: len(value) for key, value in zip(SIGNALS, events.signals, strict=True)},
        "validation": {
            f"median_{key}": float(np.median([each[key] for each in validation])) for key in shared
        },
    }
    (out / f"{name}.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
