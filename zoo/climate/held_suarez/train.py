"""The recipe that trains the weather models of `climate/held_suarez`.

    python -m zoo.climate.held_suarez.train convnext --seed 0 --data BUILD_FOLDER --out RUN_FOLDER

Stages: first the increment over one step, then rollouts of several steps through which the
gradient flows, so that the model learns from states that it made itself. Loss:
area-weighted mean squared error of every channel in units of its 24-hour change.
Augmentation by what is exact on this planet: reflection about the equator and rotation in
longitude. AdamW with warm-up and cosine decay, gradient clipping, averaged weights.
Everything is chosen on the validation trajectory; the test file is never opened here.

Measured costs and scores stand in the models' cards.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float

from zoo.climate.held_suarez.data import (
    CHANNELS,
    OFFSET,
    REFLECTION,
    SCALE,
    STEPS_PER_DAY,
    Series,
    finished,
    load_series,
)
from zoo.climate.held_suarez.forecast import Transforms, rollout, step
from zoo.climate.models.layers.spherical import Grid, area_weights
from zoo.train.batches import Windows
from zoo.train.checkpoints import Checkpoints
from zoo.train.loop import LoopConfig, fit

__all__ = [
    "ARCHITECTURES",
    "Stage",
    "build",
    "fit_transforms",
    "train_held_suarez",
    "validation_scores",
]

DAYS = (1, 3, 5, 7, 10)
HEADLINE = {
    "z500": ("geopotential", 500),
    "t850": ("temperature", 850),
    "u850": ("u_component_of_wind", 850),
}
AREA = area_weights(Grid().latitude).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage of training.

    Attributes:
        steps: optimiser steps.
        rollout: forecast steps that the loss covers.
        learning_rate: the peak, reached after the warm-up.
        batch_size: start times per optimiser step.
        floor: the last learning rate over the peak.
        until: time of day (UTC, "HH:MM") at which the stage ends even if it has steps left;
            empty: never. For machines that are lent until a fixed time, with a constant
            rate (floor 1); such a run cannot be repeated exactly.
    """

    steps: int
    rollout: int
    learning_rate: float
    batch_size: int = 16
    floor: float = 0.02
    until: str = ""

    def over(self) -> bool:
        """Whether the time limit has passed."""
        return bool(self.until) and time.strftime("%H:%M", time.gmtime()) >= self.until


# The stages that the shipped weights went through: constant rates, the average of the
# weights being what is kept.
RECIPES = {
    "convnext": (
        Stage(3250, 1, 1e-3, floor=1.0),
        Stage(1400, 2, 5e-4, floor=1.0),
        Stage(900, 3, 2e-4, floor=1.0),
        Stage(450, 4, 7e-5, floor=1.0),
        Stage(350, 4, 2e-5, floor=1.0),
    ),
    "sfno": (
        Stage(600, 1, 1.5e-3, floor=1.0),
        Stage(500, 1, 5e-4, floor=1.0),
        Stage(250, 2, 2e-4, floor=1.0),
        Stage(150, 2, 6e-5, floor=1.0),
    ),
    "conv_gru": (
        Stage(800, 1, 1e-3, floor=1.0),
        Stage(800, 2, 7e-4, floor=1.0),
        Stage(500, 3, 3e-4, floor=1.0),
        Stage(300, 4, 1e-4, floor=1.0),
    ),
}


def build(architecture: str, *, seed: int = 0, **sizes: Any) -> nnx.Module:
    """A freshly initialised model; `sizes` override fields of its config."""
    if architecture not in ARCHITECTURES:
        raise ValueError(
            f"no architecture {architecture!r}; choose from {', '.join(ARCHITECTURES)}"
        )
    module, config = ARCHITECTURES[architecture]()
    return module(config(**sizes), rngs=nnx.Rngs(seed))


def _convnext() -> tuple[Any, Any]:
    from zoo.climate.models import convnext

    return convnext.ConvNeXt, convnext.Config


def _sfno() -> tuple[Any, Any]:
    from zoo.climate.models import sfno

    return sfno.SFNO, sfno.Config


def _conv_gru() -> tuple[Any, Any]:
    from zoo.climate.models import conv_gru

    return conv_gru.ConvGRU, conv_gru.Config


ARCHITECTURES = {"convnext": _convnext, "sfno": _sfno, "conv_gru": _conv_gru}


def fit_transforms(series: Series, *, step_hours: int = 24, sample: int = 1500) -> Transforms:
    """Means and scales of the training series, from some `sample` of its times."""
    lag = step_hours * STEPS_PER_DAY // 24
    starts = series.starts(reach=lag)
    times = starts[:: max(1, len(starts) // sample)]
    fields = series.fields(times)
    later = series.fields(times + lag)
    zonal = fields.mean((0, 1), dtype=np.float64)
    climatology = (zonal + zonal[::-1] * REFLECTION) / 2
    weight = AREA[:, None].astype(np.float64)
    mean = (climatology * weight).mean(0)

    def rms(values: np.ndarray) -> np.ndarray:
        return np.sqrt(
            (np.square(values, dtype=np.float32).mean((0, 1), dtype=np.float64) * weight).mean(0)
        )

    arrays = {
        "mean": mean,
        "scale": rms(fields - mean.astype(np.float32)),
        "increment": rms(later - fields),
        "climatology": climatology,
        "anomaly": rms(fields - climatology.astype(np.float32)),
        "damping": np.ones((1, len(CHANNELS))),
    }
    return Transforms.of(arrays)


def augment(
    states: Float[Array, "batch time longitude latitude channel"],
    transforms: Transforms,
    key: Array,
) -> Array:
    """Normalised states, half of the examples reflected about the equator, half of the
    batches rotated by one grid point.

    Rotations by two points change nothing for models on 2x2 patches, so one point is all
    there is to learn from.
    """
    flip, turn = jax.random.split(key)
    # In normalised units the reflected wind is -v - 2 mean / scale; the mean of v is zero
    # by symmetry.
    reflected = states[:, :, :, ::-1] * REFLECTION
    chosen = jax.random.bernoulli(flip, 0.5, (states.shape[0], 1, 1, 1, 1))
    return jnp.roll(
        jnp.where(chosen, reflected, states), jax.random.bernoulli(turn).astype(jnp.int32), axis=2
    )


def make_loss(transforms: Transforms, *, weights: np.ndarray | None = None) -> Callable[..., Any]:
    """The loss of `fit`: mean over forecast steps, channels and area of the squared error
    in units of the increment's s.d.

    Args:
        transforms: scales of the channels.
        weights: weight of each channel, mean 1; default equal.
    """
    ratio = jnp.asarray(transforms.increment / transforms.scale)
    # (packed * SCALE + OFFSET - mean) / scale as one multiply-add.
    gain, shift = (
        jnp.asarray(SCALE / transforms.scale),
        jnp.asarray((OFFSET - transforms.mean) / transforms.scale),
    )
    weight = jnp.asarray(
        AREA[:, None]
        * (np.ones(len(CHANNELS), np.float32) if weights is None else weights.astype(np.float32))
    )

    def loss(model: nnx.Module, packed: Array, key: Array) -> tuple[Array, dict[str, Array]]:
        states = augment(packed.astype(jnp.float32) * gain + shift, transforms, key)
        state, memory, errors = states[:, 0], None, []
        for lead in range(1, states.shape[1]):
            state, memory = step(model, state, memory, ratio)
            errors.append(jnp.mean(jnp.square((state - states[:, lead]) / ratio) * weight))
        return jnp.mean(jnp.stack(errors)), {"first_step": errors[0], "last_step": errors[-1]}

    return loss


def validation_scores(
    model: nnx.Module,
    transforms: Transforms,
    series: Series,
    *,
    every: int = 8,
    damped: bool = False,
) -> dict[str, float]:
    """RMSE (and ACC of Z500) at the `DAYS` from starts `every` six-hourly times apart, as
    `<field>_rmse_day<d>`."""
    lag = model.config.step_hours * STEPS_PER_DAY // 24
    per_day = 24 // model.config.step_hours
    starts = series.starts(reach=max(DAYS) * STEPS_PER_DAY, every=every)
    path = _paths(model, transforms, series, starts, steps=max(DAYS) * per_day)
    if damped:
        path = transforms.damp(path)
    scores = {}
    for day in DAYS:
        truth = series.fields(starts + day * per_day * lag)
        guess = path[:, day * per_day - 1]
        for name, channel in HEADLINE.items():
            c = CHANNELS.index(channel)
            a, b = (
                guess[..., c] - transforms.climatology[:, c],
                truth[..., c] - transforms.climatology[:, c],
            )
            scores[f"{name}_rmse_day{day}"] = float(np.sqrt((np.square(a - b) * AREA).mean()))
            if name == "z500":
                product = [(AREA * x * y).mean((1, 2)) for x, y in ((a, b), (a, a), (b, b))]
                # A forecast damped to the climatology has no anomaly to correlate: zero, not NaN.
                scores[f"z500_acc_day{day}"] = float(
                    np.mean(product[0] / np.maximum(np.sqrt(product[1] * product[2]), 1e-9))
                )
    return scores


def _paths(
    model: nnx.Module, transforms: Transforms, series: Series, starts: np.ndarray, *, steps: int
) -> np.ndarray:
    """Forecasts in physical units, [start, step, longitude, latitude, channel]."""
    ratio, size, parts = transforms.increment / transforms.scale, 16, []
    for begin in range(0, len(starts), size):
        chosen = np.resize(starts[begin : begin + size], size)
        states = transforms.normalise(series.fields(chosen))
        path = np.asarray(rollout(model, states, ratio=ratio, steps=steps))[
            : len(starts[begin : begin + size])
        ]
        parts.append(transforms.denormalise(path))
    return np.concatenate(parts)


def fit_damping(
    model: nnx.Module, transforms: Transforms, series: Series, *, every: int = 4
) -> Transforms:
    """Adds the damping factors: the regression through zero of true on forecast anomalies,
    by step and channel, in [0, 1]."""
    lag = model.config.step_hours * STEPS_PER_DAY // 24
    steps = 240 // model.config.step_hours
    starts = series.starts(reach=steps * lag, every=every)
    path = _paths(model, transforms, series, starts, steps=steps)
    factors = np.empty((steps, len(CHANNELS)), np.float32)
    for k in range(steps):
        guess = path[:, k] - transforms.climatology
        truth = series.fields(starts + (k + 1) * lag) - transforms.climatology
        area = AREA[:, None]
        factors[k] = (guess * truth * area).mean((0, 1, 2)) / (guess * guess * area).mean((0, 1, 2))
    return dataclasses.replace(transforms, damping=np.clip(factors, 0, 1))


def train_held_suarez(
    architecture: str,
    *,
    seed: int,
    data_dir: Path,
    out_dir: Path,
    stages: Sequence[Stage] | None = None,
    sizes: dict[str, Any] | None = None,
    weights: np.ndarray | None = None,
    validate_every: int = 1000,
) -> Path:
    """Trains one model and writes `out_dir/model.safetensors`; resumes where an interrupted
    run stopped.

    Args:
        architecture: "convnext", "sfno" or "conv_gru".
        seed: of the initial weights and of the order of examples.
        data_dir: the build folder of `zoo.climate.held_suarez.build.simulate`; whatever is
            finished when a stage begins is used by it.
        out_dir: checkpoints, log, weights.
        stages: default `RECIPES[architecture]`.
        sizes: fields of the architecture's config that differ from its defaults.
        weights: see `make_loss`.
        validate_every: steps between validations.
    """
    from zoo.pretrained import weights as files

    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    model = build(architecture, seed=seed, **(sizes or {}))
    lag = model.config.step_hours * STEPS_PER_DAY // 24
    held_out = load_series(finished(data_dir, "validation"))
    transforms = None
    for number, stage in enumerate(RECIPES[architecture] if stages is None else stages):
        done = out / f"stage-{number}.safetensors"
        if done.exists():
            flat, arrays, _ = files.load(done)
            files.restore(model, flat)
            transforms = Transforms.of(arrays)
            continue
        folder = out / f"stage-{number}.checkpoints"
        if stage.over():  # take what the stage reached; nothing, if it never began
            reached = Checkpoints(folder).latest() if folder.exists() else None
            if reached is None:
                continue
            stage = dataclasses.replace(stage, steps=reached)
        series, chunks = _training_series(data_dir, out / f"stage-{number}.chunks.json")
        transforms = (
            fit_transforms(series, step_hours=model.config.step_hours)
            if transforms is None
            else transforms
        )
        _log(
            out,
            {
                "stage": number,
                **dataclasses.asdict(stage),
                "times": len(series.packed),
                "chunks": chunks,
            },
        )
        rate = optax.schedules.warmup_cosine_decay_schedule(
            0.0,
            stage.learning_rate,
            min(50 if number else 300, stage.steps // 10),
            stage.steps,
            stage.learning_rate * stage.floor,
        )
        optimiser = optax.chain(
            optax.clip_by_global_norm(1.0), optax.adamw(rate, b2=0.99, weight_decay=0.02)
        )
        config = LoopConfig(
            steps=stage.steps,
            batch_size=stage.batch_size,
            seed=1000 * seed + number,
            log_every=50,
            checkpoint_every=250,
            validate_every=validate_every,
            ema_decay=0.998,
        )
        windows = Windows(
            series.packed,
            series.starts(reach=stage.rollout * lag),
            tuple(k * lag for k in range(stage.rollout + 1)),
        )
        model = fit(
            model,
            make_loss(transforms, weights=weights),
            windows,
            optimiser,
            config=config,
            validate=functools.partial(validation_scores, transforms=transforms, series=held_out),
            checkpoint_dir=folder,
            on_progress=functools.partial(_log, out),
            stop=stage.over,
        ).model
        files.save(
            done,
            model,
            transforms=transforms.arrays(),
            metadata={"architecture": architecture, "config": dataclasses.asdict(model.config)},
        )
    return export(model, transforms, held_out, out, architecture=architecture, seed=seed)


def recipe(
    architecture: str, *, seed: int, data: Path | None, out: Path, steps: int | None
) -> Iterator[str]:
    """Trains `convnext`, `sfno` or `conv_gru` on the simulated truth that
    `zoo data build climate/held_suarez` made.

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

    if architecture not in RECIPES:
        raise ValueError(
            f"climate/held_suarez has no recipe {architecture!r}; it has {', '.join(RECIPES)}"
        )
    data = data or files.home() / "build" / "climate/held_suarez"
    if not data.is_dir():
        raise FileNotFoundError(
            f"{data} does not exist: first run `zoo data build climate/held_suarez`, or name its "
            "folder by --data"
        )
    stages = [
        stage if steps is None else dataclasses.replace(stage, steps=min(stage.steps, steps))
        for stage in RECIPES[architecture]
    ]
    yield (
        f"{architecture}, seed {seed}: {' + '.join(str(stage.steps) for stage in stages)} steps, "
        f"into {out}"
    )
    path = train_held_suarez(architecture, seed=seed, data_dir=data, out_dir=out, stages=stages)
    yield (
        f"wrote {path}; its scores on the validation trajectory: "
        f"{path.with_name('validation.json')}"
    )


def export(
    model: nnx.Module,
    transforms: Transforms,
    held_out: Series,
    out: Path,
    *,
    architecture: str,
    seed: int,
) -> Path:
    """Fits the damping, scores on validation and writes `model.safetensors` and
    `validation.json`."""
    from zoo.pretrained import weights as files

    transforms = fit_damping(model, transforms, held_out)
    scores = {
        "plain": validation_scores(model, transforms, held_out, every=4),
        "damped": validation_scores(model, transforms, held_out, every=4, damped=True),
    }
    (out / "validation.json").write_text(json.dumps(scores, indent=1))
    metadata = {
        "architecture": architecture,
        "config": dataclasses.asdict(model.config),
        "seed": seed,
        "jax": jax.__version__,
    }
    files.save(out / "model.safetensors", model, transforms=transforms.arrays(), metadata=metadata)
    return out / "model.safetensors"


def _training_series(data_dir: Path, record: Path) -> tuple[Series, int]:
    """The training chunks listed in `record`, or, the first time, all that are finished
    now: a resumed stage sees the same."""
    if not record.exists():
        listed = [
            [str(path.relative_to(data_dir)) for path in paths]
            for paths in finished(data_dir, "train")
        ]
        record.write_text(json.dumps(listed))
    listed = json.loads(record.read_text())
    count = sum(map(len, listed))
    # Unpacking years of chunks takes a minute a core: runs beside each other share the result.
    key = hashlib.sha256(record.read_bytes()).hexdigest()[:12]
    stored = record.parent.parent / f"series-{key}.npz"
    if stored.exists():
        with np.load(stored) as file:
            return Series(file["packed"], tuple(file["lengths"].tolist())), count
    series = load_series([[Path(data_dir) / name for name in names] for names in listed])
    temporary = stored.with_name(f"{os.getpid()}-{stored.name}")
    np.savez(temporary, packed=series.packed, lengths=np.asarray(series.lengths))
    temporary.replace(stored)
    return series, count


def _log(out: Path, row: dict[str, Any]) -> None:
    text = json.dumps(
        {"utc": time.strftime("%H:%M:%S", time.gmtime())}
        | {k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()}
    )
    with (out / "log.jsonl").open("a") as file:
        file.write(text + "\n")
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """The command line of this recipe."""
    parser = argparse.ArgumentParser(description="Train a weather model on climate/held_suarez.")
    parser.add_argument("architecture", choices=list(ARCHITECTURES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, required=True, help="build folder of the truth")
    parser.add_argument("--out", type=Path, required=True, help="folder of this run")
    parser.add_argument(
        "--stages",
        default="",
        help=(
            "steps/rollout/learning_rate/batch_size[/floor[/HH:MM]], comma-separated; default: "
            "the recipe"
        ),
    )
    parser.add_argument("--sizes", default="{}", help="config fields as JSON")
    parser.add_argument("--validate-every", type=int, default=1000)
    given = parser.parse_args()
    kinds = (int, int, float, int, float, str)
    stages = [
        Stage(*(kind(text) for kind, text in zip(kinds, part.split("/"), strict=False)))
        for part in given.stages.split(",")
        if part
    ]
    written = train_held_suarez(
        given.architecture,
        seed=given.seed,
        data_dir=given.data,
        out_dir=given.out,
        stages=stages or None,
        sizes=json.loads(given.sizes),
        validate_every=given.validate_every,
    )
    print(written)


if __name__ == "__main__":
    main()
