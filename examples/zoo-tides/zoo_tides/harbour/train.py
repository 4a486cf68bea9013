"""The recipe of `tides/harbour`: `zoo train tides/harbour surge_net.harbour --seed 0`.

Fitted on the first half of the record; the step is not chosen: the last averaged weights are the
model. The hours between train and test report; the test hours are never opened here.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from zoo.interfaces.task import load_task
from zoo.pretrained.run import write_run
from zoo.train.loop import LoopConfig, fit
from zoo_tides.harbour.task import LEADS
from zoo_tides.models.surge_net import SurgeNet, SurgeNetConfig

RECIPES = {"surge_net.harbour": SurgeNetConfig()}
STEPS, BATCH, RATE = 3000, 256, 3e-3


def train(
    recipe: str, *, seed: int, data: Path | None, out: Path, steps: int | None = None
) -> Iterator[str]:
    """Trains one seed and leaves a run in `out`; yields log lines.

    Raises:
        ValueError: an unknown recipe.
    """
    if recipe not in RECIPES:
        raise ValueError(f"tides/harbour has no recipe {recipe!r}; it has {', '.join(RECIPES)}")
    config, begin, steps = RECIPES[recipe], time.perf_counter(), steps or STEPS
    task: Any = load_task("tides/harbour", data=data)
    level = task.training.level
    mean, scale = level.mean(), level.std()
    pairs = windows((level - mean) / scale, config.window)
    model = SurgeNet(config, rngs=nnx.Rngs(seed))

    def loss(model: nnx.Module, batch: dict, key: Any) -> Any:
        return jnp.mean((model(batch["past"]) - batch["ahead"]) ** 2), {}

    lines: list[str] = []
    fitted = fit(
        model,
        loss,
        pairs,
        optax.adamw(optax.cosine_decay_schedule(RATE, steps), weight_decay=1e-3),
        config=LoopConfig(
            steps, BATCH, steps_per_call=50, seed=seed, log_every=steps, ema_decay=0.99
        ),
        on_progress=lambda row: lines.append(f"step {row['step']}: loss {row['loss']:.4f}"),
    ).model
    yield from lines
    between = task.record_of_gauge.between(*task.spec.parameter("validation")).level
    held = windows((between - mean) / scale, config.window)
    error = scale * np.sqrt(np.mean((np.asarray(fitted(held["past"])) - held["ahead"]) ** 2, 0))
    scores = {f"rmse_h{lead}": round(float(error[lead - 1]), 4) for lead in (1, 6, 12, 24)}
    yield f"validation: {scores}"
    path = write_run(
        out,
        fitted,
        [description(recipe, config, scores, seed, steps, time.perf_counter() - begin)],
        task="tides/harbour",
        recipe=recipe,
        seed=seed,
        transforms={"mean": np.float64(mean), "scale": np.float64(scale)},
        storage="float32",
        died="no better than the mean level" if error[0] > level.std() else None,
    )
    yield f"wrote {path}"


def windows(level: np.ndarray, window: int) -> dict[str, np.ndarray]:
    """Every `past` `[n, window]` of a record with what came after it, `ahead` `[n, 24]`."""
    ends = np.arange(window - 1, len(level) - LEADS)
    past = level[ends[:, None] + np.arange(1 - window, 1)]
    ahead = level[ends[:, None] + np.arange(1, LEADS + 1)]
    return {"past": past.astype(np.float32), "ahead": ahead.astype(np.float32)}


def description(
    recipe: str,
    config: SurgeNetConfig,
    scores: dict[str, float],
    seed: int,
    steps: int,
    seconds: float,
) -> dict[str, Any]:
    """What the card says."""
    return {
        "id": f"tides/{recipe}",
        "title": "A linear map and a small network on three days of levels",
        "summary": "Knows the tide only from what it saw last; the surge it sees with it.",
        "architecture": "zoo_tides.models.surge_net:SurgeNet",
        "predictor": "zoo_tides.harbour.predict:SurgeForecast",
        "predict_file": "zoo_tides.harbour.predict:predict_file",
        "config": dataclasses.asdict(config),
        "tasks": ["tides/harbour"],
        "licence": "Apache-2.0",
        "paper": "https://doi.org/10.1098/rspl.1867.0048",
        "truth": "simulated",
        "training": {
            "command": f"zoo train tides/harbour {recipe} --seed {seed}",
            "data": ["tides/harbour:train"],
            "chosen_on": "nothing was chosen; tides/harbour:validation reports",
            "hardware": "one CPU core",
            "wall_seconds": round(max(seconds, 0.1), 1),
            "steps": steps,
            "validation": scores,
        },
        "caveats": ["Trained on a SIMULATED gauge; the example of a plug-in, made to be read."],
    }
