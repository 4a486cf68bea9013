"""The recipes of `tides/harbour`: `zoo train tides/harbour surge_net.harbour --seed 0`.

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

from zoo import registry
from zoo.interfaces.task import load_task
from zoo.pretrained.model import config_class
from zoo.pretrained.run import write_run
from zoo.train.loop import LoopConfig, fit
from zoo_tides.harbour.task import LEADS

THOMSON = "https://doi.org/10.1098/rspl.1867.0048"
BATCH, RATE = 256, 3e-3


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How one model is trained, and what its card says.

    Attributes:
        architecture: code path of the module; its config has `window` and `leads`.
        title, summary: of the card.
        steps: of the optimiser.
    """

    architecture: str
    title: str
    summary: str
    steps: int = 3000


RECIPES = {
    "surge_net.harbour": Recipe(
        "zoo_tides.models.surge_net:SurgeNet",
        "A linear map and a small network on three days of levels",
        "Knows the tide only from what it saw last; the surge it sees with it.",
    )
}


def train(
    recipe: str, *, seed: int, data: Path | None, out: Path, steps: int | None = None
) -> Iterator[str]:
    """Trains one seed and leaves a run in `out`; yields log lines.

    Raises:
        ValueError: an unknown recipe.
    """
    if recipe not in RECIPES:
        raise ValueError(f"tides/harbour has no recipe {recipe!r}; it has {', '.join(RECIPES)}")
    chosen, begin = RECIPES[recipe], time.perf_counter()
    steps = steps or chosen.steps
    config = config_class(chosen.architecture)()
    task: Any = load_task("tides/harbour", data=data)
    level = task.training.level
    mean, scale = level.mean(), level.std()
    model = registry.resolve(chosen.architecture)(config, rngs=nnx.Rngs(seed))
    lines: list[str] = []
    fitted = fit(
        model,
        squared_error,
        windows((level - mean) / scale, config.window),
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
    training = {
        "command": f"zoo train tides/harbour {recipe} --seed {seed}",
        "data": ["tides/harbour:train"],
        "chosen_on": "nothing was chosen; tides/harbour:validation reports",
        "hardware": "one CPU core",
        "wall_seconds": round(max(time.perf_counter() - begin, 0.1), 1),
        "steps": steps,
        "validation": scores,
    }
    path = write_run(
        out,
        fitted,
        [description(recipe, dataclasses.asdict(config)) | {"training": training}],
        task="tides/harbour",
        recipe=recipe,
        seed=seed,
        transforms={"mean": np.float64(mean), "scale": np.float64(scale)},
        storage="float32",
        died="no better than the mean level" if error[0] > level.std() else None,
    )
    yield f"wrote {path}"


def squared_error(model: nnx.Module, batch: dict[str, Any], key: Any) -> Any:
    """The mean over starts and leads, in standard units."""
    return jnp.mean((model(batch["past"]) - batch["ahead"]) ** 2), {}


def windows(level: np.ndarray, window: int) -> dict[str, np.ndarray]:
    """Every `past` `[n, window]` of a record with what came after it, `ahead` `[n, 24]`."""
    ends = np.arange(window - 1, len(level) - LEADS)
    past = level[ends[:, None] + np.arange(1 - window, 1)]
    ahead = level[ends[:, None] + np.arange(1, LEADS + 1)]
    return {"past": past.astype(np.float32), "ahead": ahead.astype(np.float32)}


def description(recipe: str, config: dict[str, Any]) -> dict[str, Any]:
    """What the card says, but for the training."""
    chosen = RECIPES[recipe]
    return {
        "id": f"tides/{recipe}",
        "title": chosen.title,
        "summary": chosen.summary,
        "architecture": chosen.architecture,
        "predictor": "zoo_tides.harbour.predict:SurgeForecast",
        "predict_file": "zoo_tides.harbour.predict:predict_file",
        "config": config,
        "tasks": ["tides/harbour"],
        "licence": "Apache-2.0",
        "paper": THOMSON,
        "truth": "simulated",
        "caveats": ["Trained on a SIMULATED gauge; the example of a plug-in, made to be read."],
    }
