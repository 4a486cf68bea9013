"""The recipe that trains the weather models of `climate/held_suarez`.

    zoo data build climate/held_suarez
    zoo train climate/held_suarez convnext --seed 0 --out RUN
    zoo publish RUN

Stages (`zoo.climate.held_suarez.recipes`): first the increment over one step, then rollouts
of several steps through which the gradient flows, so that the model learns from states that
it made itself. Loss: area-weighted mean squared error of every channel in units of its
24-hour change. Augmentation by what is exact on this planet: reflection about the equator
and rotation in longitude. AdamW with warm-up, gradient clipping, averaged weights.
Everything is chosen on the validation trajectory; the test file is never opened here.

Measured costs and scores stand in the models' cards.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optax

from zoo import files
from zoo.climate.held_suarez.data import (
    CHANNELS,
    STEPS_PER_DAY,
    Trajectories,
    finished,
    load_trajectories,
)
from zoo.climate.held_suarez.forecast import WeatherNetwork
from zoo.climate.held_suarez.loss import make_loss
from zoo.climate.held_suarez.recipes import TASK, Stage, build, descriptions, find_recipe
from zoo.climate.held_suarez.transforms import Transforms, fit_transforms
from zoo.climate.held_suarez.validation import HEADLINE, fit_damping, validation_scores
from zoo.pretrained.run import write_run
from zoo.pretrained.weights import load, restore, save
from zoo.train.batches import Windows
from zoo.train.loop import LoopConfig, fit

HISTORY = "history.jsonl"
VALIDATE_EVERY = 1000
"""Steps between validations within a stage."""


def train(
    recipe: str, *, seed: int, data: Path | None, out: Path, steps: int | None = None
) -> Iterator[str]:
    """Trains `convnext`, `sfno` or `conv_gru` on the simulated truth that
    `zoo data build climate/held_suarez` made; an interrupted run continues in its folder.

    Args:
        recipe: one of those three.
        seed: of initial weights and of the order of examples.
        data: build folder; default where `zoo data build` puts it. Whatever is finished when
            a stage begins is used by it.
        out: folder of the run: checkpoints, `history.jsonl`, `validation.json`, and what
            `zoo.pretrained.run` writes.
        steps: at most so many optimiser steps a stage, to try a recipe out.

    Yields:
        Lines that say how far it is.

    Raises:
        ValueError: an unknown recipe.
        FileNotFoundError: the truth was not built yet.
    """
    chosen = find_recipe(recipe).shortened(steps)
    data = data or files.home() / "build" / TASK
    if not data.is_dir():
        raise FileNotFoundError(
            f"{data} does not exist: first run `zoo data build {TASK}`, or name its folder by "
            "--data"
        )
    planned = " + ".join(str(stage.steps) for stage in chosen.stages)
    yield f"{recipe}, seed {seed}: {planned} steps, into {out}"
    out.mkdir(parents=True, exist_ok=True)
    model = build(recipe, seed=seed)
    held_out = load_trajectories(finished(data, "validation"))
    transforms: Transforms | None = None
    for number, stage in enumerate(chosen.stages):
        model, transforms = train_stage(
            stage, number, model, transforms, held_out, seed=seed, data=data, out=out
        )
        yield f"stage {number + 1} of {len(chosen.stages)} is done"
    if transforms is None:
        raise ValueError(f"the recipe {recipe!r} has no stage")
    yield from finish(recipe, model, transforms, held_out, seed=seed, out=out)


def train_stage(
    stage: Stage,
    number: int,
    model: WeatherNetwork,
    transforms: Transforms | None,
    held_out: Trajectories,
    *,
    seed: int,
    data: Path,
    out: Path,
) -> tuple[WeatherNetwork, Transforms]:
    """The model after one stage, from `stage-<number>.safetensors` where that is there.

    Args:
        stage: what to do.
        number: of the stage, from 0.
        model: as the stage before left it.
        transforms: those of the stage before; None: fitted to the training trajectories.
        held_out: the validation trajectory.
        seed, data, out: as `train`.
    """
    done = out / f"stage-{number}.safetensors"
    if done.exists():
        parameters, arrays, _ = load(done)
        restore(model, parameters)
        return model, Transforms.of(arrays)
    lag = model.config.step_hours * STEPS_PER_DAY // 24
    known, chunks = _training_trajectories(data, out / f"stage-{number}.chunks.json")
    transforms = transforms or fit_transforms(known, step_hours=model.config.step_hours)
    started = {"stage": number, **dataclasses.asdict(stage)}
    _log(out, started | {"times": len(known.packed), "chunks": chunks})
    warm_up = min(50 if number else 300, stage.steps // 10)
    rate = optax.schedules.warmup_cosine_decay_schedule(
        0.0, stage.learning_rate, warm_up, stage.steps, stage.learning_rate * stage.floor
    )
    result = fit(
        model,
        make_loss(transforms),
        Windows(
            known.packed,
            known.starts(reach=stage.rollout * lag),
            tuple(k * lag for k in range(stage.rollout + 1)),
        ),
        optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, b2=0.99, weight_decay=0.02)),
        config=LoopConfig(
            steps=stage.steps,
            batch_size=stage.batch_size,
            seed=1000 * seed + number,
            log_every=50,
            checkpoint_every=250,
            validate_every=VALIDATE_EVERY,
            ema_decay=0.998,
        ),
        validate=functools.partial(validation_scores, transforms=transforms, series=held_out),
        checkpoint_dir=out / f"stage-{number}.checkpoints",
        on_progress=functools.partial(_log, out),
    )
    save(done, result.model, transforms=transforms.arrays(), metadata={"stage": number})
    return result.model, transforms


def finish(
    recipe: str,
    model: WeatherNetwork,
    transforms: Transforms,
    held_out: Trajectories,
    *,
    seed: int,
    out: Path,
) -> Iterator[str]:
    """Fits the damping, scores on validation and writes the run."""
    transforms = fit_damping(model, transforms, held_out)
    scores = {
        name: validation_scores(model, transforms, held_out, every=4, damped=name == "damped")
        for name in ("plain", "damped")
    }
    files.write_text(out / "validation.json", json.dumps(scores, indent=1) + "\n")
    history = [json.loads(line) for line in (out / HISTORY).read_text().splitlines()]
    path = write_run(
        out,
        model,
        descriptions(
            recipe,
            seed=seed,
            config=dataclasses.asdict(model.config),
            history=history,
            scores=scores,
        ),
        task=TASK,
        recipe=recipe,
        seed=seed,
        transforms=transforms.arrays(),
        storage="float16",
        died=cause_of_death(scores["plain"], transforms),
    )
    yield f"wrote {path}; its scores on the validation trajectory: {out / 'validation.json'}"


def cause_of_death(scores: dict[str, float], transforms: Transforms) -> str | None:
    """Why a model is worth nothing: after a day it is no better than persistence, whose error
    is the change over a day; None: it lives."""
    error = scores["z500_rmse_day1"]
    change = float(transforms.increment[CHANNELS.index(HEADLINE["z500"])])
    if math.isfinite(error) and error < change:
        return None
    return f"its RMSE of Z500 after a day is {error:.4g} m2 s-2, that of persistence {change:.4g}"


def _training_trajectories(data: Path, record: Path) -> tuple[Trajectories, int]:
    """The training chunks listed in `record`, or, the first time, all that are finished
    now: a resumed stage sees the same."""
    if not record.exists():
        listed = [
            [str(path.relative_to(data)) for path in paths] for paths in finished(data, "train")
        ]
        files.write_text(record, json.dumps(listed))
    listed = json.loads(record.read_text())
    count = sum(map(len, listed))
    # Unpacking years of chunks takes a minute a core: runs beside each other share the result.
    key = hashlib.sha256(record.read_bytes()).hexdigest()[:12]
    stored = record.parent.parent / f"trajectories-{key}.npz"
    if stored.exists():
        with np.load(stored) as file:
            return Trajectories(file["packed"], tuple(file["lengths"].tolist())), count
    known = load_trajectories([[data / name for name in names] for names in listed])
    with files.whole(stored) as part, open(part, "wb") as file:
        np.savez(file, packed=known.packed, lengths=np.asarray(known.lengths))
    return known, count


def _log(out: Path, row: dict[str, Any]) -> None:
    """A row of the history, also to stderr: stages take hours."""
    text = json.dumps(
        {"utc": time.strftime("%H:%M:%S", time.gmtime())}
        | {k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()}
    )
    with (out / HISTORY).open("a") as file:
        file.write(text + "\n")
    print(text, file=sys.stderr, flush=True)
