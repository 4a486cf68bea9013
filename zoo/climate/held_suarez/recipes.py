"""The weather models' recipes: stages of training, and what the models' cards say.

Each run gives two models on the same weights: as trained, and `_damped`, whose anomalies
shrink with lead.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from flax import nnx

from zoo import registry
from zoo.climate.held_suarez.forecast import WeatherNetwork
from zoo.pretrained.model import config_class
from zoo.scoring.environment import hardware

TASK = "climate/held_suarez"
CAVEATS = [
    "Trained on a simulated, dry, idealised planet; it knows nothing of the Earth.",
    "Minimising squared error blurs: the energy spectrum falls short at long leads "
    "(ke850_spectrum_error).",
]


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage of training.

    Attributes:
        steps: optimiser steps.
        rollout: forecast steps that the loss covers.
        learning_rate: the peak, reached after the warm-up.
        batch_size: start times per optimiser step.
        floor: the last learning rate over the peak; 1: the rate stays constant.
    """

    steps: int
    rollout: int
    learning_rate: float
    batch_size: int = 16
    floor: float = 1.0


@dataclasses.dataclass(frozen=True)
class WeatherRecipe:
    """What makes one weather model.

    Attributes:
        architecture: `module:Class`.
        stages: of training, in order.
        title, summary, paper: of the card.
        sizes: fields of the architecture's config that differ from its defaults.
    """

    architecture: str
    stages: tuple[Stage, ...]
    title: str
    summary: str
    paper: str
    sizes: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def shortened(self, steps: int | None) -> WeatherRecipe:
        """The same with at most so many optimiser steps a stage, to try it out."""
        if steps is None:
            return self
        stages = (
            dataclasses.replace(stage, steps=min(stage.steps, steps)) for stage in self.stages
        )
        return dataclasses.replace(self, stages=tuple(stages))


# The stages that the shipped weights went through: constant rates, the average of the
# weights being what is kept.
RECIPES = {
    "convnext": WeatherRecipe(
        "zoo.climate.models.convnext:ConvNeXt",
        (
            Stage(3250, 1, 1e-3),
            Stage(1400, 2, 5e-4),
            Stage(900, 3, 2e-4),
            Stage(450, 4, 7e-5),
            Stage(350, 4, 2e-5),
        ),
        title="ConvNeXt on 2x2 patches",
        summary=(
            "Large depthwise kernels that run round the planet and over the poles; one step is 24 "
            "hours."
        ),
        paper="https://doi.org/10.1109/CVPR52688.2022.01167",
    ),
    "sfno": WeatherRecipe(
        "zoo.climate.models.sfno:SFNO",
        (Stage(600, 1, 1.5e-3), Stage(500, 1, 5e-4), Stage(250, 2, 2e-4), Stage(150, 2, 6e-5)),
        title="Spherical Fourier neural operator",
        summary="Filters as products of spherical-harmonic coefficients; one step is 24 hours.",
        paper="https://arxiv.org/abs/2306.03838",
    ),
    "conv_gru": WeatherRecipe(
        "zoo.climate.models.conv_gru:ConvGRU",
        (Stage(800, 1, 1e-3), Stage(800, 2, 7e-4), Stage(500, 3, 3e-4), Stage(300, 4, 1e-4)),
        title="Recurrent ConvGRU",
        summary=(
            "A convolutional gated recurrent unit whose memory runs along the forecast; one step "
            "is 24 hours."
        ),
        paper="https://arxiv.org/abs/1511.06432",
    ),
}


def find_recipe(name: str) -> WeatherRecipe:
    """The recipe of that name.

    Raises:
        ValueError: there is none; names those that there are.
    """
    if name not in RECIPES:
        raise ValueError(f"{TASK} has no recipe {name!r}; it has {', '.join(RECIPES)}")
    return RECIPES[name]


def build(recipe: str, *, seed: int = 0, **sizes: Any) -> WeatherNetwork:
    """A freshly initialised model; `sizes` override fields of its config."""
    chosen = find_recipe(recipe)
    config = config_class(chosen.architecture)(**{**chosen.sizes, **sizes})
    return registry.resolve(chosen.architecture)(config, rngs=nnx.Rngs(seed))


def descriptions(
    name: str,
    *,
    seed: int,
    config: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    scores: Mapping[str, Mapping[str, float]],
) -> list[dict[str, Any]]:
    """What the cards of a finished run say: of the model as trained, and of its damped variant.

    Args:
        name: of the recipe.
        seed: of the run.
        config: the architecture's.
        history: rows of `history.jsonl`.
        scores: on the validation trajectory, "plain" and "damped".
    """
    recipe, done = find_recipe(name), stage_costs(history)
    years = sorted({round(row["times"] / 4 / 365, 1) for row in history if "stage" in row})
    each = []
    for damped in (False, True):
        validation = scores["damped" if damped else "plain"]
        shrunk = (
            " Anomalies are shrunk by lead with factors fitted on the validation trajectory."
            if damped
            else ""
        )
        each.append(
            {
                "id": f"climate/{name}.held_suarez{'_damped' if damped else ''}",
                "title": recipe.title + (", damped" if damped else ""),
                "summary": recipe.summary + shrunk,
                "architecture": recipe.architecture,
                "predictor": "zoo.climate.held_suarez.predict:WeatherModel",
                "predict_file": "zoo.climate.held_suarez.predict:predict_file",
                "config": dict(config),
                "predictor_config": {"damped": damped},
                "tasks": [TASK] if damped else [TASK, f"{TASK}_drift"],
                "licence": "Apache-2.0",
                "paper": recipe.paper,
                "truth": "simulated",
                "training": {
                    "command": f"zoo train {TASK} {name} --seed {seed}",
                    "data": [f"{TASK}:train ({' then '.join(map(str, years))} simulated years)"],
                    "chosen_on": f"{TASK}:validation",
                    "hardware": hardware(),
                    "wall_seconds": max(round(sum(seconds for seconds, _ in done), 1), 0.1),
                    "steps": sum(steps for _, steps in done),
                    "validation": {
                        key: round(value, 4)
                        for key, value in validation.items()
                        if math.isfinite(value)
                    },
                },
                "caveats": list(CAVEATS),
            }
        )
    return each


def stage_costs(history: Sequence[Mapping[str, Any]]) -> list[tuple[float, int]]:
    """(seconds, optimiser steps) of each stage in a run's history. Steps that an interruption
    made the run repeat count once."""
    stages: dict[int, dict[int, float]] = {}
    number = 0
    for row in history:
        if "stage" in row:
            number = row["stage"]
        elif "seconds_per_step" in row:
            stages.setdefault(number, {})[row["step"]] = row["seconds_per_step"]
    done = []
    for speeds in stages.values():
        steps = sorted(speeds)
        pairs = zip([0, *steps], steps, strict=False)
        done.append((sum(speeds[last] * (last - first) for first, last in pairs), steps[-1]))
    return done
