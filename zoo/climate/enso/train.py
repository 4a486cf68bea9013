"""Recipes of the learned ENSO models.

    python -m zoo.climate.enso.train enso_mlp.core
    python -m zoo.climate.enso.train enso_mlp.core_scratch
    python -m zoo.climate.enso.train seasonal_inverse.modes | seasonal_inverse.modes_causal

`enso_mlp.core` is pre-trained on 48 CMIP6 models and fine-tuned on ORAS5; `core_scratch` is
the same without pre-training.

Every recipe runs twice. *Choice*: fitted to 1993-12, scored on the seasons 1994-2003;
settings were chosen by the mean over k of that correlation, and the spread is calibrated
there. *Refit*: the chosen settings, fitted to 2003-12, three seeds. The test years are read
by neither. That a residual network pays at all was seen on eight CMIP6 models held out
whole (CRPS 0.371 with the linear map alone, 0.361 with it, in standard deviations); those
eight join the pre-training of the final weights.

Standardisation is per CMIP6 model (its own annual cycle and standard deviations), so that
no model's bias or amplitude enters. Each model weighs exp(-d/0.2), d the relative excess,
over the best model's, of the error that its own linear seasonal operator makes on ORAS5
*within the fit period*: models whose El Niño works like the observed one teach most.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.scipy.stats import norm

from zoo.climate.enso.data import LEADS, calendar_month, three_month_mean
from zoo.climate.enso.predict import EnsoModel
from zoo.climate.enso.state import (
    SATELLITE_ERA,
    CausalModes,
    IndexState,
    fourier,
    least_squares_operator,
)
from zoo.climate.models.enso_mlp import EnsoMlp, EnsoMlpConfig
from zoo.climate.models.seasonal_inverse import SeasonalInverse, SeasonalInverseConfig
from zoo.pretrained import weights as storage
from zoo.train.loop import LoopConfig, fit

if TYPE_CHECKING:
    from zoo.climate.enso.task import Enso

CHOICE_LAST, FIT_LAST = "1993-12", "2003-12"
Windows = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class EnsoRecipe:
    """The settings of one pretrained tag.

    Attributes:
        state: "core", "modes" or "modes_causal" (`zoo.climate.enso.state`).
        config: the architecture's config.
        pretraining_steps: on CMIP6; 0 leaves it out.
        similarity: width of the CMIP6 models' weights; None weighs all alike.
        steps: on ORAS5, full batch.
        anchor: strength of the pull back to where the ORAS5 stage began (pre-trained, or
            least squares).
        noise: standard deviation of the Gaussian noise added to the inputs, in the two stages.
        one_step: weight of the first months' state error beside the score of the forecast
            (seasonal inverse model only).
        learning_rate: in the two stages.
        spread_rate: by how much faster the spread learns in the ORAS5 stage, which is
            short: without pre-training or least squares before it, a spread that starts at
            one would still be on its way when the mean begins to over-fit.
    """

    state: str
    config: Any
    pretraining_steps: int = 0
    similarity: float | None = 0.2
    steps: int = 200
    anchor: float = 0.01
    noise: tuple[float, float] = (0.15, 0.05)
    one_step: float = 0.3
    learning_rate: tuple[float, float] = (3e-3, 1e-3)
    spread_rate: float = 1.0


RECIPES = {
    "enso_mlp.core": EnsoRecipe("core", EnsoMlpConfig(), pretraining_steps=1500),
    "enso_mlp.core_scratch": EnsoRecipe(
        "core", EnsoMlpConfig(), steps=300, anchor=0.0, noise=(0.0, 0.3), spread_rate=10.0
    ),
    "seasonal_inverse.modes": EnsoRecipe("modes", SeasonalInverseConfig(), steps=300, anchor=1.0),
    "seasonal_inverse.modes_causal": EnsoRecipe(
        "modes_causal", SeasonalInverseConfig(), steps=300, anchor=1.0
    ),
}


# --------------------------------------------------------------------------------------------- data


def fit_state(task: Enso, name: str, *, last: str) -> IndexState | CausalModes:
    """The standardised state of a recipe, fitted to the months up to `last`."""
    if name == "modes_causal":
        return CausalModes.fit(task, last=last)
    return IndexState.fit(task, name, first="1958-01" if name == "core" else "1979-01", last=last)


def windows(x: np.ndarray, month: np.ndarray, *, window: int) -> Windows:
    """Inputs and targets of every month of a record, in standard units; a target beyond the
    record's end has weight 0.

    Args:
        x: `[month, index]` standardised states.
        month: `[month]` calendar months 0..11.
        window: months in the input, newest first.

    Returns:
        `x` `[n, window * index]`, `month` `[n]`, `y` and `w` `[n, 9]`, and the states of
        the eleven months after with their weights, `states` `[n, 11, index]`, `known`
        `[n, 11]`.
    """
    t = np.arange(window - 1, len(x) - 3)
    ahead = t[:, None] + 1 + np.arange(LEADS + 2)
    known = ahead < len(x)
    states = np.where(known[..., None], x[np.minimum(ahead, len(x) - 1)], 0.0)
    season, centre = three_month_mean(x[:, 0]), t[:, None] + 2 + np.arange(LEADS)
    inside = centre < len(x) - 1
    arrays = {
        "x": np.stack([x[t - lag] for lag in range(window)], 1).reshape(len(t), -1),
        "y": np.where(inside, season[np.minimum(centre, len(x) - 2)], 0.0),
        "w": inside,
        "states": states,
        "known": known,
    }
    return {name: value.astype(np.float32) for name, value in arrays.items()} | {
        "month": month[t].astype(np.int32)
    }


def cmip6_states(task: Enso) -> np.ndarray:
    """Standardised core indices `[model, month, index]`: each model's own annual cycle and
    standard deviations removed."""
    values = task.cmip6.values
    by_month = values.reshape(len(values), -1, 12, values.shape[-1])
    anomaly = (by_month - by_month.mean(1, keepdims=True)).reshape(values.shape)
    return anomaly / anomaly.std(1, keepdims=True)


def similarity_weights(
    models: Sequence[Windows], observed: Windows, *, width: float | None, harmonics: int = 3
) -> np.ndarray:
    """Weight `[model]`, mean one, by how well each model's own linear operator forecasts
    the observed fit period."""
    if width is None:
        return np.ones(len(models))

    def design(data: Windows) -> np.ndarray:
        return (fourier(data["month"], harmonics)[:, :, None] * data["x"][:, None, :]).reshape(
            len(data["x"]), -1
        )

    observed_design, errors = design(observed), []
    for data in models:
        d = design(data)
        gram = d.T @ (d * data["w"].mean(1)[:, None]) + 1e-3 * len(d) * np.eye(d.shape[1])
        operator = np.linalg.solve(gram, d.T @ (data["y"] * data["w"]))
        errors.append(
            (((observed_design @ operator - observed["y"]) ** 2) * observed["w"]).sum(0)
            / observed["w"].sum(0)
        )
    excess = (np.array(errors) / np.min(errors, axis=0) - 1.0).mean(1)
    weight = np.exp(-excess / width)
    return weight / weight.mean()


# ----------------------------------------------------------------------------------------- training


def crps(mean: jax.Array, std: jax.Array, observed: jax.Array) -> jax.Array:
    """The normal CRPS of `zoo.climate.enso.metrics.gaussian_crps`, differentiable."""
    z = (observed - mean) / std
    return std * (z * (2.0 * norm.cdf(z) - 1.0) + 2.0 * norm.pdf(z) - 1.0 / np.sqrt(np.pi))


def make_loss(recipe: EnsoRecipe, noise: float, origin: Any = None) -> Callable[..., Any]:
    """Mean CRPS of the members' forecasts; for the seasonal inverse model the state's first
    three months too; the anchor."""

    def loss(
        model: nnx.Module, batch: Windows, key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        x = batch["x"] + noise * jax.random.normal(key, batch["x"].shape)
        if isinstance(model, SeasonalInverse):
            rollout = model.rollout(x, batch["month"])
            mean, std = model.seasons(rollout), model.spread(batch["month"])
            squared = ((rollout - batch["states"]) ** 2).mean(-1)[:, :, :3]
            state_error = (squared * batch["known"][:, :3]).mean(0).sum() / batch["known"][
                :, :3
            ].sum()
        else:
            (mean, std), state_error = model(x, batch["month"]), 0.0
        score = (crps(mean, std, batch["y"]) * batch["w"]).mean(0).sum() / batch["w"].sum()
        total = score + recipe.one_step * state_error
        if origin is not None and recipe.anchor:
            # Per member, so that the strength does not depend on the size of the ensemble;
            # the spread is left free.
            moved = jax.tree.map(lambda a, b: jnp.sum((a - b) ** 2), weights_only(model), origin)
            total = total + recipe.anchor * sum(jax.tree.leaves(moved)) / model.config.members
        return total, {"crps": score}

    return loss


def weights_only(model: nnx.Module) -> dict[str, jax.Array]:
    """Parameters by name, without those of the spread."""
    flat = nnx.to_flat_state(nnx.state(model, nnx.Param))
    return {".".join(map(str, path)): leaf[...] for path, leaf in flat if "log_std" not in path}


def faster_spread(factor: float) -> optax.GradientTransformation:
    """Multiplies the updates of the spread's parameters."""

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        def scale(path: Any, u: jax.Array) -> jax.Array:
            return u * factor if "log_std" in jax.tree_util.keystr(path) else u

        return jax.tree_util.tree_map_with_path(scale, updates), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def train(
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
    window = getattr(recipe.config, "window", 1)
    observed = windows(x, month, window=window)
    if isinstance(recipe.config, SeasonalInverseConfig):
        model: nnx.Module = SeasonalInverse(recipe.config, rngs=nnx.Rngs(seed))
        operator = least_squares_operator(x, month, harmonics=recipe.config.harmonics)
        model.operator[...] = jnp.broadcast_to(
            jnp.asarray(operator, jnp.float32), model.operator[...].shape
        )
        # The spread starts at the linear model's own errors, not at a guess that 300 steps
        # could not leave.
        mean, _ = model(jnp.asarray(observed["x"]), jnp.asarray(observed["month"]))
        squared = (((mean - observed["y"]) ** 2).mean(0) * observed["w"]).sum(0) / observed[
            "w"
        ].sum(0)
        model.log_std[...] = model.log_std[...].at[:, 0].set(0.5 * jnp.log(squared))
    else:
        model = EnsoMlp(recipe.config, rngs=nnx.Rngs(seed))
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
    from zoo.scoring.stats import scores

    examples = task.choice_examples()
    values = scores(task, task.record(model(examples.inputs), examples))
    families = ("correlation", "rmse", "crps", "spread_skill")
    means = {
        f"mean_{name}": float(np.mean([values[f"{name}.k{k}"] for k in range(LEADS)]))
        for name in families
    }
    return means | {name: values[name] for name in (f"correlation.k{k}" for k in range(LEADS))}


# ----------------------------------------------------------------------------------- weights, cards


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains one tag: choice, refit per seed, weights and a JSON of what was obtained under
    --out."""
    from zoo.interfaces.task import load_task

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs"))
    options = parser.parse_args(arguments)
    for line in run(load_task("climate/enso"), options.name, seeds=options.seeds, out=options.out):
        print(line, flush=True)
    return 0


def recipe(
    architecture: str, *, seed: int, data: Path | None, out: Path, steps: int | None = None
) -> Iterator[str]:
    """What `zoo train climate/enso enso_mlp.core` runs: one seed of one tag; `data` is not
    used, the files are the card's."""
    from zoo.interfaces.task import load_task

    if architecture not in RECIPES:
        raise ValueError(
            f"climate/enso has no recipe {architecture!r}; it has {', '.join(sorted(RECIPES))}"
        )
    chosen = RECIPES[architecture]
    if steps is not None:
        chosen = dataclasses.replace(
            chosen,
            steps=min(steps, chosen.steps),
            pretraining_steps=min(steps, chosen.pretraining_steps),
        )
    yield from run(load_task("climate/enso"), architecture, seeds=[seed], out=out, recipe=chosen)


def run(
    task: Enso, name: str, *, seeds: Sequence[int], out: Path, recipe: EnsoRecipe | None = None
) -> Iterator[str]:
    """Choice stage with the first seed, then the refit with all; yields log lines."""
    recipe, lines, begin = recipe or RECIPES[name], [], time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    chosen = train(task, recipe, seed=seeds[0], last=CHOICE_LAST, log=lines.append)
    scores = choice_scores(task, chosen)
    # One factor for all k: ten years cannot say more. Over-confidence shows there, where
    # nothing was fitted.
    factor = 1.0 / scores["mean_spread_skill"]
    yield from lines
    yield f"{name} on 1994-2003: " + " ".join(f"{key} {value:.3f}" for key, value in scores.items())
    for seed in seeds:
        lines.clear()
        model = train(task, recipe, seed=seed, last=FIT_LAST, log=lines.append)
        yield from lines
        path = out / f"{name}.seed{seed}.safetensors"
        transforms = model.state.arrays() | {"spread_factor": np.float64(factor)}
        storage.save(
            path,
            model.models[0],
            transforms=transforms,
            metadata={"name": name, "seed": seed, "fit_last": FIT_LAST},
        )
        yield f"wrote {path}"
    facts = {
        "name": name,
        "seeds": list(seeds),
        "validation": scores,
        "spread_factor": factor,
        "wall_seconds": time.perf_counter() - begin,
        "steps": recipe.pretraining_steps + recipe.steps,
        "config": dataclasses.asdict(recipe.config),
        "state": recipe.state,
        "window": getattr(recipe.config, "window", 1),
    }
    (out / f"{name}.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
