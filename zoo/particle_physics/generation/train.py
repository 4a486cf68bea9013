"""Training of the jet generators.

    zoo train particle_physics/jet_generation epic_flow.dijets --seed 0
    zoo train particle_physics/jet_generation epic_gan.dijets --seed 0

The folder of the data holds what `zoo data build particle_physics/jet_generation --step
products` writes: `train.zarr.zip` and `validation.zarr.zip`. The published weights are the
exponential average over the last steps. Settings: `recipes`; losses: `losses`.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx

from zoo import files
from zoo.particle_physics.generation.data import CLASSES, PointClouds, load_dataset
from zoo.particle_physics.generation.losses import Adversaries, flow_loss, gan_loss
from zoo.particle_physics.generation.metrics import relative_mass
from zoo.particle_physics.generation.predict import Conditions, JetGenerator
from zoo.particle_physics.generation.recipes import RECIPES, TASK, GenerationRecipe, describe
from zoo.particle_physics.generation.task import PER_MILLE, GenerationRequest, Observed, distances
from zoo.particle_physics.models.epic_flow import EpicFlow
from zoo.particle_physics.models.epic_gan import EpicGanConfig
from zoo.pretrained.run import write_run
from zoo.scoring.environment import hardware
from zoo.train.loop import LoopConfig, fit

COLLAPSED = 0.01
"""Spread of the generated jets' masses over that of true ones below which a run has died."""

SHARED_TABLE = {"shared": ["transforms.table"], "shared_file": "conditions.dijets.safetensors"}
"""How generators are published: the table of conditions, the same for all, once."""


def train(
    recipe: str, *, seed: int, data: Path | None, out: Path, steps: int | None = None
) -> Iterator[str]:
    """Trains one generator and leaves a run; resumes where an interrupted one stopped.

    Args:
        recipe: key of `RECIPES`.
        seed: of the initial weights, the noise and the order of jets.
        data: folder of the products; None: where `zoo data build` puts them.
        out: of the run and its checkpoints.
        steps: instead of the recipe's.

    Yields:
        What was reached, and where the run is.

    Raises:
        ValueError: no such recipe; lists those there are.
        FileNotFoundError: the products were not made yet; says how.
    """
    if recipe not in RECIPES:
        raise ValueError(f"{TASK} has no recipe {recipe!r}; it has {', '.join(sorted(RECIPES))}")
    chosen, begin = RECIPES[recipe], time.perf_counter()
    if steps is not None:
        chosen = dataclasses.replace(chosen, steps=steps)
    folder = data or files.home() / "build" / TASK
    if not (folder / "train.zarr.zip").is_file():
        raise FileNotFoundError(
            f"{folder} holds no train.zarr.zip: `zoo data build {TASK} --step products`, or say "
            "--data FOLDER"
        )
    jets, validation = (
        load_dataset(split=split, folder=folder) for split in ("train", "validation")
    )
    yield f"{recipe}, seed {seed}, from {folder}, into {out}"
    out.mkdir(parents=True, exist_ok=True)
    model = fit_generator(
        jets, chosen, seed=seed, log=tell, checkpoints=(out / "checkpoints").resolve()
    )
    generated = model(GenerationRequest(validation.label, 1))
    scores = validation_scores(generated, validation)
    yield "validation: " + " ".join(f"{key} {value:.3f}" for key, value in scores.items())
    short = "" if steps is None else f" --steps {steps}"
    described = describe(
        recipe,
        chosen,
        jets=len(jets),
        command=f"zoo train {TASK} {recipe} --seed {seed}{short}",
        hardware=hardware(),
        wall_seconds=time.perf_counter() - begin,
        validation=scores,
    )
    card = write_run(
        out,
        model.model,
        [described],
        task=TASK,
        recipe=recipe,
        seed=seed,
        transforms=model.conditions.arrays(),
        storage="float16",
        died=failure(generated, validation),
        layout=SHARED_TABLE,
    )
    yield f"wrote {card}"


def tell(line: str) -> None:
    """Says on standard error how far a training is."""
    print(line, file=sys.stderr, flush=True)


def failure(generated: Mapping[str, np.ndarray], jets: PointClouds) -> str | None:
    """Why a training failed: its jets are all alike (mode collapse); None: it did not."""
    for label, kind in enumerate(CLASSES):
        mine = jets.label == label
        ours, true = (
            float(relative_mass(particles[mine], mask[mine]).std())
            for particles, mask in (
                (generated["particles"], generated["mask"]),
                (jets.particles, jets.mask),
            )
        )
        if not ours > COLLAPSED * true:
            return f"{kind} jets are all alike: their masses spread by {ours:.1e}, true {true:.1e}"
    return None


def training_arrays(jets: PointClouds, conditions: Conditions) -> dict[str, np.ndarray]:
    """Standardised particles `x`, conditions `c` and `mask` of all jets."""
    return {
        "x": conditions.standardise(jets),
        "c": conditions.vector(jets.conditions, jets.label, jets.count),
        "mask": jets.mask,
        "centre": conditions.centre[jets.label],
        "scale": conditions.scale[jets.label],
    }


def optimiser_of(recipe: GenerationRecipe) -> optax.GradientTransformation:
    """Adam with warm-up and cosine decay; the critic at its own rate."""
    warm_up = max(1, min(200, recipe.steps // 10))

    def adam(rate: float) -> optax.GradientTransformation:
        schedule = optax.warmup_cosine_decay_schedule(
            0.0, rate, warm_up, max(recipe.steps, warm_up + 1), end_value=0.02 * rate
        )
        return optax.chain(
            optax.clip_by_global_norm(1.0),
            optax.adam(schedule, b1=recipe.momentum, b2=recipe.second_momentum),
        )

    if not isinstance(recipe.config, EpicGanConfig):
        return adam(recipe.learning_rate)

    def whose(params: Any) -> Any:
        return jax.tree_util.tree_map_with_path(
            lambda path, _: "critic" if "critic" in jax.tree_util.keystr(path[:1]) else "generator",
            params,
        )

    rates = {"generator": recipe.learning_rate, "critic": recipe.learning_rate * recipe.critic_rate}
    return optax.multi_transform({name: adam(rate) for name, rate in rates.items()}, whose)


def fit_generator(
    train_jets: PointClouds,
    recipe: GenerationRecipe,
    *,
    seed: int,
    log: Callable[[str], None] = lambda line: None,
    checkpoints: Path | None = None,
) -> JetGenerator:
    """One generator."""
    conditions = Conditions.fit(train_jets)
    data = training_arrays(train_jets, conditions)
    model: nnx.Module
    loss: Any
    if isinstance(recipe.config, EpicGanConfig):
        model = Adversaries(recipe.config, rngs=nnx.Rngs(seed))
        loss = functools.partial(gan_loss, penalty=recipe.penalty)
        scalars: tuple[str, ...] = ("critic", "generator", "slope")
    else:
        model = EpicFlow(recipe.config, rngs=nnx.Rngs(seed))
        loss = flow_loss
        scalars = ("velocity_error",)
    every = max(1, recipe.steps // 20)
    loop = LoopConfig(
        recipe.steps,
        recipe.batch_size,
        seed=seed,
        ema_decay=recipe.ema_decay,
        log_every=every,
        checkpoint_every=every,
    )

    def progress(row: dict[str, float]) -> None:
        log(
            f"step {row['step']}: "
            + " ".join(f"{name} {row[name]:.4f}" for name in scalars)
            + f" {row['seconds_per_step']:.3f} s/step"
        )

    result = fit(
        model,
        loss,
        data,
        optimiser_of(recipe),
        config=loop,
        on_progress=progress,
        checkpoint_dir=checkpoints,
    )
    trained = result.model
    if isinstance(trained, Adversaries):
        trained = trained.generator
    return JetGenerator(trained, conditions, steps=recipe.midpoint_steps)


def validation_scores(generated: Mapping[str, np.ndarray], jets: PointClouds) -> dict[str, float]:
    """The task's scores of jets generated for the classes of the validation jets, against
    these: `fpd.top` and so on."""
    scores: dict[str, float] = {}
    for label, kind in enumerate(CLASSES):
        mine = jets.label == label
        true = Observed.of(jets.particles[mine], jets.mask[mine])
        ours = Observed.of(generated["particles"][mine], generated["mask"][mine])
        scores |= {
            f"{name}.{kind}": PER_MILLE[name] * float(value.mean())
            for name, value in distances(ours, true).items()
        }
    return scores
