"""The recipes that train the learned ENSO models (`zoo.climate.enso.recipes`).

    zoo train climate/enso enso_mlp.core --seed 0 --out RUN    pre-trained on CMIP6, then ORAS5
    zoo train climate/enso enso_mlp.core_scratch --out RUN     the same without pre-training
    zoo train climate/enso seasonal_inverse.modes --out RUN    or seasonal_inverse.modes_causal
    zoo publish RUN_0 RUN_1 RUN_2                              the seeds of one recipe, one model

Every run has two parts. *Choice*: fitted to 1993-12, scored on the seasons 1994-2003;
settings were chosen by the mean over k of that correlation, and the spread is calibrated
there. *Refit*: the chosen settings, fitted to 2003-12. The test years are read by neither.
That a residual network pays at all was seen on eight CMIP6 models held out whole (CRPS 0.371
with the linear map alone, 0.361 with it, in standard deviations); those eight join the
pre-training of the final weights.

Standardisation is per CMIP6 model (its own annual cycle and standard deviations), so that
no model's bias or amplitude enters. Each model weighs exp(-d/0.2), d the relative excess,
over the best model's, of the error that its own linear seasonal operator makes on ORAS5
*within the fit period*: models whose El Niño works like the observed one teach most.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from zoo.climate.enso.data import LEADS, calendar_month
from zoo.climate.enso.loss import make_loss, weights_only
from zoo.climate.enso.predict import EnsoModel
from zoo.climate.enso.recipes import TASK, EnsoRecipe, description, find_recipe
from zoo.climate.enso.state import SATELLITE_ERA, least_squares_operator
from zoo.climate.enso.windows import Windows, cmip6_states, fit_state, similarity_weights, windows
from zoo.climate.models.enso_mlp import EnsoMlp, EnsoMlpConfig
from zoo.climate.models.seasonal_inverse import SeasonalInverse, SeasonalInverseConfig
from zoo.interfaces.task import load_task
from zoo.pretrained.run import write_run
from zoo.scoring.stats import scores
from zoo.train.loop import LoopConfig, fit

if TYPE_CHECKING:
    from zoo.climate.enso.task import Enso

CHOICE_LAST, FIT_LAST = "1993-12", "2003-12"


def train(
    recipe: str, *, seed: int, data: Path | None, out: Path, steps: int | None = None
) -> Iterator[str]:
    """Trains one ensemble: the choice stage, then the refit; writes the run.

    Args:
        recipe: "enso_mlp.core", "enso_mlp.core_scratch", "seasonal_inverse.modes" or
            "seasonal_inverse.modes_causal".
        seed: of the initial weights, the order of examples and the noise.
        data: must be None: the files are the dataset card's.
        out: folder of the run (`zoo.pretrained.run`).
        steps: at most so many optimiser steps in each stage, to try a recipe out.

    Yields:
        Lines that say how far it is.

    Raises:
        ValueError: an unknown recipe, or a folder of data.
        zoo.files.FileMissing: a file of `climate/enso` is nowhere; says how to get it.
    """
    if data is not None:
        raise ValueError(
            f"--data {data} means nothing to {TASK}: it trains on the files of its card (`zoo data "
            f"get {TASK}`; ZOO_MIRROR names folders that hold them)"
        )
    yield from train_on(cast("Enso", load_task(TASK)), recipe, seed=seed, out=out, steps=steps)


def train_on(
    task: Enso, recipe: str, *, seed: int, out: Path, steps: int | None = None
) -> Iterator[str]:
    """As `train`, on a task that is bound to its files."""
    chosen, begin = find_recipe(recipe).shortened(steps), time.perf_counter()
    lines: list[str] = []
    trial = fit_ensemble(task, chosen, seed=seed, last=CHOICE_LAST, log=lines.append)
    validation = choice_scores(task, trial)
    # One factor for all k: ten years cannot say more. Over-confidence shows there, where
    # nothing was fitted.
    factor = 1.0 / validation["mean_spread_skill"]
    yield from lines
    yield f"{recipe} on 1994-2003: " + " ".join(
        f"{key} {value:.3f}" for key, value in validation.items()
    )
    lines.clear()
    model = fit_ensemble(task, chosen, seed=seed, last=FIT_LAST, log=lines.append)
    yield from lines
    path = write_run(
        out,
        model.models[0],
        [
            description(
                recipe,
                chosen,
                seed=seed,
                validation=validation,
                wall_seconds=time.perf_counter() - begin,
            )
        ],
        task=TASK,
        recipe=recipe,
        seed=seed,
        transforms=model.state.arrays() | {"spread_factor": np.float64(factor)},
        storage="float32",
        died=cause_of_death(validation),
    )
    yield f"wrote {path}"


def cause_of_death(validation: dict[str, float]) -> str | None:
    """Why an ensemble is worth nothing: its forecasts of 1994-2003 are constant or run against
    what was observed; None: it lives."""
    correlation, crps = validation["mean_correlation"], validation["mean_crps"]
    if math.isfinite(correlation) and math.isfinite(crps) and correlation > 0:
        return None
    return (
        f"on 1994-2003 its mean correlation is {correlation:.3g} and its CRPS {crps:.3g} K: a "
        "constant, or worse"
    )


def fit_ensemble(
    task: Enso,
    recipe: EnsoRecipe,
    *,
    seed: int,
    last: str,
    log: Callable[[str], None] = lambda line: None,
    models: Sequence[int] | None = None,
) -> EnsoModel:
    """One ensemble fitted to the months up to `last`; `models` restricts pre-training to
    some CMIP6 models."""
    state = fit_state(task, recipe.state, last=last)
    past = task.fit_observations(last)
    seen = past.months >= (SATELLITE_ERA if recipe.state != "core" else past.months[0])
    x, month = state.standardise(past)[seen], calendar_month(past.months[seen])
    window = recipe.window
    observed = windows(x, month, window=window)
    model: nnx.Module = initial_model(recipe.config, observed, x, month, seed=seed)
    if recipe.pretraining_steps:
        model = pretrain(
            task, recipe, model, observed, window=window, seed=seed, log=log, models=models
        )
    origin = jax.tree.map(jnp.copy, weights_only(model))
    loop = LoopConfig(
        steps=recipe.steps,
        batch_size=len(observed["x"]),
        seed=seed,
        log_every=max(1, recipe.steps // 4),
    )
    rate = recipe.learning_rate[1]
    optimiser = optax.chain(
        optax.scale_by_adam(), optax.scale_by_learning_rate(rate), faster_spread(recipe.spread_rate)
    )
    result = fit(
        model,
        make_loss(recipe, recipe.noise[1], origin),
        observed,
        optimiser,
        config=loop,
        on_progress=lambda row: log(f"ORAS5 step {row['step']}: CRPS {row['crps']:.4f}"),
    )
    return EnsoModel([result.model], state, window=window)


def initial_model(
    config: EnsoMlpConfig | SeasonalInverseConfig,
    observed: Windows,
    x: np.ndarray,
    month: np.ndarray,
    *,
    seed: int,
) -> EnsoMlp | SeasonalInverse:
    """The network before any training; a seasonal inverse model starts at least squares.

    Args:
        config: of the architecture.
        observed: the fit period, as `windows` gives it.
        x: `[month, index]` its standardised states.
        month: `[month]` their calendar months.
        seed: of the random weights.
    """
    if isinstance(config, EnsoMlpConfig):
        return EnsoMlp(config, rngs=nnx.Rngs(seed))
    model = SeasonalInverse(config, rngs=nnx.Rngs(seed))
    operator = least_squares_operator(x, month, harmonics=config.harmonics)
    model.operator[...] = jnp.broadcast_to(
        jnp.asarray(operator, jnp.float32), model.operator[...].shape
    )
    # The spread starts at the linear model's own errors, not at a guess that 300 steps
    # could not leave.
    mean, _ = model(jnp.asarray(observed["x"]), jnp.asarray(observed["month"]))
    error, weight = ((mean - observed["y"]) ** 2).mean(0), observed["w"]
    squared = (error * weight).sum(0) / weight.sum(0)
    model.log_std[...] = model.log_std[...].at[:, 0].set(0.5 * jnp.log(squared))
    return model


def pretrain(
    task: Enso,
    recipe: EnsoRecipe,
    model: nnx.Module,
    observed: Windows,
    *,
    window: int,
    seed: int,
    log: Callable[[str], None],
    models: Sequence[int] | None,
) -> nnx.Module:
    """The CMIP6 stage, on minibatches of all (or the given) simulations."""
    simulated = cmip6_states(task)
    sets = [
        windows(x, np.arange(len(x)) % 12, window=window)
        for x in simulated[list(models) if models is not None else slice(None)]
    ]
    weight = similarity_weights(sets, observed, width=recipe.similarity)
    data = {
        name: np.concatenate([each[name] for each in sets]) for name in ("x", "month", "y", "w")
    }
    data["w"] = (
        data["w"] * np.repeat(weight, [len(each["x"]) for each in sets]).astype(np.float32)[:, None]
    )
    log(
        f"CMIP6: {len(sets)} models, {weight.sum() ** 2 / (weight**2).sum():.1f} effective, "
        f"{len(data['x'])} months"
    )
    loop = LoopConfig(
        steps=recipe.pretraining_steps,
        batch_size=512,
        seed=seed,
        log_every=max(1, recipe.pretraining_steps // 5),
    )
    rate = optax.cosine_decay_schedule(recipe.learning_rate[0], recipe.pretraining_steps)
    return fit(
        model,
        make_loss(recipe, recipe.noise[0]),
        data,
        optax.adamw(rate, weight_decay=1e-4),
        config=loop,
        on_progress=lambda row: log(f"CMIP6 step {row['step']}: CRPS {row['crps']:.4f}"),
    ).model


def choice_scores(task: Enso, model: Callable[[Any], Any]) -> dict[str, float]:
    """The scores of a model fitted to 1993-12 on the seasons of 1994-2003."""
    examples = task.choice_examples()
    values = scores(task, task.record(model(examples.inputs), examples))
    families = ("correlation", "rmse", "crps", "spread_skill")
    means = {
        f"mean_{name}": float(np.mean([values[f"{name}.k{k}"] for k in range(LEADS)]))
        for name in families
    }
    return means | {name: values[name] for name in (f"correlation.k{k}" for k in range(LEADS))}


def faster_spread(factor: float) -> optax.GradientTransformation:
    """Multiplies the updates of the spread's parameters."""

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        def scale(path: Any, u: jax.Array) -> jax.Array:
            return u * factor if "log_std" in jax.tree_util.keystr(path) else u

        return jax.tree_util.tree_map_with_path(scale, updates), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)
