"""What `zoo train` runs for the climate tasks: `(architecture, *, seed, data, out, steps) -> log lines`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path


def held_suarez(architecture: str, *, seed: int, data: Path | None, out: Path, steps: int | None) -> Iterator[str]:
    """Trains `convnext`, `sfno` or `conv_gru` on the simulated truth that `zoo data build climate/held_suarez` made.

    Args:
        architecture: one of those three.
        seed: of initial weights and of the order of examples.
        data: build folder; default where `zoo data build` puts it.
        out: checkpoints, `log.jsonl`, `model.safetensors`. An interrupted run continues there.
        steps: at most so many optimiser steps a stage, to try a recipe out.

    Raises:
        ValueError: an unknown architecture.
        FileNotFoundError: the truth was not built yet.
    """
    from zoo import files
    from zoo.climate.training import RECIPES, train_held_suarez

    if architecture not in RECIPES:
        raise ValueError(f"climate/held_suarez has no recipe {architecture!r}; it has {', '.join(RECIPES)}")
    data = data or files.home() / "build" / "climate/held_suarez"
    if not data.is_dir():
        raise FileNotFoundError(f"{data} does not exist: first run `zoo data build climate/held_suarez`, or name its folder by --data")
    stages = [stage if steps is None else dataclasses.replace(stage, steps=min(stage.steps, steps)) for stage in RECIPES[architecture]]
    yield f"{architecture}, seed {seed}: {' + '.join(str(stage.steps) for stage in stages)} steps, into {out}"
    path = train_held_suarez(architecture, seed=seed, data_dir=data, out_dir=out, stages=stages)
    yield f"wrote {path}; its scores on the validation trajectory: {path.with_name('validation.json')}"


def enso(architecture: str, *, seed: int, data: Path | None, out: Path, steps: int | None) -> Iterator[str]:
    """Trains one of the ENSO recipes, e.g. `enso_mlp.core`; the data files are found by their card.

    Args:
        architecture: a name of `zoo.climate.training_enso.RECIPES`, e.g. `enso_mlp.core` or `seasonal_inverse.modes`.
        seed: of the ensemble's initial weights and noise.
        data: must be None.
        out: weights and a JSON of what was obtained.
        steps: at most so many steps a stage, to try a recipe out.

    Raises:
        ValueError: an unknown recipe, or `data` given.
    """
    from zoo.climate import training_enso
    from zoo.registry import load_task

    if data is not None:
        raise ValueError(f"climate/enso finds its files by their card; --data {data} has no use here (ZOO_MIRROR names folders to look in)")
    if architecture not in training_enso.RECIPES:
        raise ValueError(f"climate/enso has no recipe {architecture!r}; it has {', '.join(training_enso.RECIPES)}")
    recipe = training_enso.RECIPES[architecture]
    if steps is not None:
        recipe = dataclasses.replace(recipe, pretraining_steps=min(recipe.pretraining_steps, steps), steps=min(recipe.steps, steps))
    yield from training_enso.run(load_task("climate/enso"), architecture, recipe=recipe, seeds=[seed], out=out)
