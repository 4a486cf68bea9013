"""Recipes of the jet generators.

    python -m zoo.particle_physics.generation.train epic_flow.dijets --data FOLDER --seeds 0 1 2
    python -m zoo.particle_physics.generation.train epic_gan.dijets --data FOLDER --seeds 0 1 2

FOLDER holds what `zoo.particle_physics.generation.data` writes: `train.zarr.zip` and
`validation.zarr.zip`. The flow's settings are first choices and were not tuned. The GAN's
(rates, penalty, bounds, calibration) were chosen by hand on the validation jets in five
runs of seed 0, four of them shorter. The test file is not opened. The published weights are
the exponential average over the last steps.

Flow matching (Lipman et al. 2023, arXiv:2210.02747): a straight line from noise x0 to a jet
x1 has the velocity x1 - x0; the network learns its mean given the point (1 - t) x0 + t x1.

GAN: the relativistic pairing loss (Jolicoeur-Martineau 2019, arXiv:1807.00734), a true and
a generated jet of the same conditions being a pair, with a penalty on the critic's slope at
both (Mescheder, Geiger & Nowozin 2018, arXiv:1801.04406; together as in Huang et al. 2024,
arXiv:2501.05441), both networks stepping at once. Least squares (Mao et al. 2017,
arXiv:1611.04076), which EPiC-GAN takes, had diverged here before outputs were bounded.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from zoo.particle_physics.generation.baselines import relax
from zoo.particle_physics.generation.data import CLASSES, PointClouds, load_dataset
from zoo.particle_physics.generation.predict import Conditions, JetGenerator
from zoo.particle_physics.models.epic_flow import EpicFlow, EpicFlowConfig
from zoo.particle_physics.models.epic_gan import EpicCritic, EpicGan, EpicGanConfig, jet_observables
from zoo.pretrained import weights as storage
from zoo.train.loop import LoopConfig, fit

Batch = dict[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class GenerationRecipe:
    """The settings of one pretrained tag.

    Attributes:
        config: the architecture's config; its class says which recipe is meant.
        steps: optimiser steps.
        batch_size: jets a step.
        learning_rate: peak; of the generator, where there is a critic.
        critic_rate: of the critic, relative to the generator's.
        momentum: of Adam; a GAN wants less than the usual.
        second_momentum: of Adam's squares; what a critic asks for changes fast.
        penalty: weight of the critic's mean square slope.
        ema_decay: of the averaged weights.
        midpoint_steps: when sampling a flow.
    """

    config: Any
    steps: int
    batch_size: int = 128
    learning_rate: float = 2e-3
    critic_rate: float = 2.0
    momentum: float = 0.9
    second_momentum: float = 0.999
    penalty: float = 0.01
    ema_decay: float = 0.999
    midpoint_steps: int = 8


RECIPES = {
    "epic_flow.dijets": GenerationRecipe(EpicFlowConfig(), steps=6000),
    "epic_gan.dijets": GenerationRecipe(
        EpicGanConfig(),
        steps=4000,
        batch_size=64,
        learning_rate=1.5e-3,
        critic_rate=2.5,
        momentum=0.5,
        second_momentum=0.99,
        penalty=0.01,
        ema_decay=0.998,
    ),
}


class Adversaries(nnx.Module):
    """Generator and critic, trained as one."""

    def __init__(self, config: EpicGanConfig, *, rngs: nnx.Rngs):
        self.generator = EpicGan(config, rngs=rngs)
        self.critic = EpicCritic(config, rngs=rngs)


def training_arrays(jets: PointClouds, conditions: Conditions) -> dict[str, np.ndarray]:
    """Standardised particles `x`, conditions `c` and `mask` of all jets."""
    return {
        "x": conditions.standardise(jets),
        "c": conditions.vector(jets.conditions, jets.label, jets.count),
        "mask": jets.mask,
        "centre": conditions.centre[jets.label],
        "scale": conditions.scale[jets.label],
    }


def flow_loss(
    model: EpicFlow, batch: Batch, key: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean squared error of the velocity over particles; times are spread evenly over the
    batch, which makes it less noisy."""
    x1, mask = batch["x"], batch["mask"]
    noise_key, time_key = jax.random.split(key)
    x0 = jax.random.normal(noise_key, x1.shape) * mask[..., None]
    t = (jax.random.uniform(time_key) + jnp.arange(len(x1)) / len(x1)) % 1.0
    velocity = model(x0 + t[:, None, None] * (x1 - x0), t, batch["c"], mask)
    error = jnp.sum(jnp.square(velocity - (x1 - x0))) / (3.0 * jnp.sum(mask))
    return error, {"velocity_error": error}


def relaxed(x: jax.Array, centre: jax.Array, scale: jax.Array) -> jax.Array:
    """etarel, phirel (rad), ptrel of standardised particles `[jet, particle, 3]`, with a
    gradient. centre, scale: `[jet, 3]`."""
    return relax(x * scale[:, None] + centre[:, None], xp=jnp)


def gan_loss(
    model: Adversaries, batch: Batch, key: jax.Array, *, penalty: float
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Relativistic losses of critic and generator, added, and the penalty; each is cut off
    from the other's parameters.

    True and generated jet of a pair share their conditions. The penalty needs the slope of
    the critic at the generated jets; the generator follows that same slope, which spares it
    a pass of its own through the critic.
    """
    c, mask, config = batch["c"], batch["mask"], model.generator.config
    local_key, whole_key = jax.random.split(key)
    local = jax.random.normal(local_key, (*mask.shape, config.local_noise))
    fake = model.generator(
        local,
        jax.random.normal(whole_key, (len(c), config.global_noise)),
        c,
        mask,
        batch["centre"],
        batch["scale"],
    )
    pair = {
        name: jnp.concatenate([batch[name], batch[name]])
        for name in ("c", "mask", "centre", "scale")
    }

    def judge(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        observed = jet_observables(relaxed(x, pair["centre"], pair["scale"]), pair["mask"])
        scores = model.critic(x, pair["c"], pair["mask"], observed)
        return jnp.sum(scores), scores

    (_, scores), slope = jax.value_and_grad(judge, has_aux=True)(
        jnp.concatenate([batch["x"], jax.lax.stop_gradient(fake)])
    )
    lead = scores[: len(c)] - scores[len(c) :]
    steepness = jnp.mean(jnp.sum(jnp.square(slope), axis=(1, 2)))
    critic = jnp.mean(jax.nn.softplus(-lead)) + penalty * steepness
    # Value of the generator's loss softplus(lead), gradient by the chain rule:
    # -sigmoid(lead) times the critic's slope.
    pull = jax.lax.stop_gradient(-jax.nn.sigmoid(lead)[:, None, None] * slope[len(c) :]) / len(c)
    moved = jnp.sum(pull * fake)
    generator = jax.lax.stop_gradient(jnp.mean(jax.nn.softplus(lead)) - moved) + moved
    return critic + generator, {"critic": critic, "generator": generator, "slope": steepness}


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


def train(
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
    gan = isinstance(recipe.config, EpicGanConfig)
    model: nnx.Module = (Adversaries if gan else EpicFlow)(recipe.config, rngs=nnx.Rngs(seed))
    every = max(1, recipe.steps // 20)
    loop = LoopConfig(
        recipe.steps,
        recipe.batch_size,
        seed=seed,
        ema_decay=recipe.ema_decay,
        log_every=every,
        checkpoint_every=every,
    )

    def tell(row: dict[str, float]) -> None:
        names = ("critic", "generator", "slope") if gan else ("velocity_error",)
        log(
            f"step {row['step']}: "
            + " ".join(f"{name} {row[name]:.4f}" for name in names)
            + f" {row['seconds_per_step']:.3f} s/step"
        )

    loss = functools.partial(gan_loss, penalty=recipe.penalty) if gan else flow_loss
    result = fit(
        model,
        loss,
        data,
        optimiser_of(recipe),
        config=loop,
        on_progress=tell,
        checkpoint_dir=checkpoints,
    )
    trained = result.model.generator if gan else result.model
    return JetGenerator(trained, conditions, steps=recipe.midpoint_steps)


def validation_scores(model: JetGenerator, jets: PointClouds, *, seed: int = 1) -> dict[str, float]:
    """The task's scores of jets generated against the validation jets: `fpd.top` and so on."""
    from zoo.particle_physics.generation.task import (
        PER_MILLE,
        GenerationRequest,
        Observed,
        distances,
    )

    generated = model(GenerationRequest(jets.label, seed))
    scores = {}
    for label, kind in enumerate(CLASSES):
        mine = jets.label == label
        true = Observed.of(jets.particles[mine], jets.mask[mine])
        ours = Observed.of(generated["particles"][mine], generated["mask"][mine])
        scores |= {
            f"{name}.{kind}": PER_MILLE[name] * float(value.mean())
            for name, value in distances(ours, true).items()
        }
    return scores


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains one tag for each seed; weights and a JSON of what was obtained under --out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int)
    parser.add_argument("--out", type=Path, default=Path("runs"))
    options = parser.parse_args(arguments)
    chosen = RECIPES[options.name]
    if options.steps is not None:
        chosen = dataclasses.replace(chosen, steps=options.steps)

    def tell(line: str) -> None:
        print(line, flush=True)

    for line in run(
        options.name, chosen, data=options.data, seeds=options.seeds, out=options.out, log=tell
    ):
        tell(line)
    return 0


def recipe(
    architecture: str, *, seed: int, data: Path | None, out: Path, steps: int | None = None
) -> Iterator[str]:
    """What `zoo train particle_physics/jet_generation epic_flow.dijets --data FOLDER` runs:
    one seed of one tag."""
    if architecture not in RECIPES:
        raise ValueError(
            f"particle_physics/jet_generation has no recipe {architecture!r}; it has "
            f"{', '.join(sorted(RECIPES))}"
        )
    if data is None:
        raise ValueError(
            "say --data FOLDER with the train.zarr.zip that `python -m "
            "zoo.particle_physics.generation.data` writes"
        )
    chosen = RECIPES[architecture]
    yield from run(
        architecture,
        chosen if steps is None else dataclasses.replace(chosen, steps=steps),
        data=data,
        seeds=[seed],
        out=out,
    )


def run(
    name: str,
    recipe: GenerationRecipe,
    *,
    data: Path,
    seeds: Sequence[int],
    out: Path,
    log: Callable[[str], None] = lambda line: None,
) -> Iterator[str]:
    """Trains with every seed, scores each on the validation jets; yields what was obtained
    and tells `log` of the steps.

    A run that was interrupted goes on from its checkpoints in `out` when it is started again.
    """
    jets, validation = (load_dataset(split=split, folder=data) for split in ("train", "validation"))
    out.mkdir(parents=True, exist_ok=True)
    scores, begin = {}, time.perf_counter()
    for seed in seeds:
        model = train(
            jets,
            recipe,
            seed=seed,
            log=log,
            checkpoints=(out / f"{name}.seed{seed}.checkpoints").resolve(),
        )
        scores[seed] = validation_scores(model, validation)
        path = out / f"{name}.seed{seed}.safetensors"
        storage.save(
            path,
            model.model,
            transforms=model.conditions.arrays(),
            metadata={"name": name, "seed": seed, "steps": recipe.steps},
        )
        yield f"{name} seed {seed} on validation: " + " ".join(
            f"{key} {value:.3f}" for key, value in scores[seed].items()
        )
    facts = {
        "name": name,
        "seeds": list(seeds),
        "validation": scores[seeds[0]],
        "by_seed": scores,
        "wall_seconds": time.perf_counter() - begin,
        "steps": recipe.steps,
        "batch_size": recipe.batch_size,
        "config": dataclasses.asdict(recipe.config),
        "midpoint_steps": recipe.midpoint_steps,
        "jets": len(jets),
    }
    (out / f"{name}.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    yield f"wrote {out / name}.json"


if __name__ == "__main__":
    raise SystemExit(main())
