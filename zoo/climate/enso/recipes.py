"""The ENSO models' recipes: settings of the training, and what the models' cards say."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal

from zoo.climate.models.enso_mlp import EnsoMlpConfig
from zoo.climate.models.seasonal_inverse import SeasonalInverseConfig
from zoo.scoring.environment import hardware

TASK = "climate/enso"
HAM = "https://doi.org/10.1038/s41586-019-1559-7"
XRO = "https://doi.org/10.1038/s41586-024-07534-6"
PRETRAINING = "climate/enso:pretraining (48 CMIP6 models, simulated)"
FIT = "climate/enso:fit (ORAS5 reanalysis to 2003-12)"
CHOICE = "climate/enso:choice (seasons 1994-2003, forecast by a model fitted to 1993-12)"
RETROSPECTIVE = "Retrospective: ORAS5 is a reanalysis, not what was known on the day."
CALIBRATED = "Its spread was calibrated by one number on 1994-2003."
LOOK_AHEAD = "LOOK-AHEAD: its indices are detrended over 1979-2024, test years included."


@dataclasses.dataclass(frozen=True)
class EnsoRecipe:
    """The settings of one pretrained tag, and its card.

    Attributes:
        state: "core", "modes" or "modes_causal" (`zoo.climate.enso.state`).
        config: the architecture's config.
        title, summary, paper, truth, caveats: of the card.
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

    state: Literal["core", "modes", "modes_causal"]
    config: EnsoMlpConfig | SeasonalInverseConfig
    title: str
    summary: str
    paper: str
    truth: str = "reanalysis"
    caveats: tuple[str, ...] = (RETROSPECTIVE, CALIBRATED)
    pretraining_steps: int = 0
    similarity: float | None = 0.2
    steps: int = 200
    anchor: float = 0.01
    noise: tuple[float, float] = (0.15, 0.05)
    one_step: float = 0.3
    learning_rate: tuple[float, float] = (3e-3, 1e-3)
    spread_rate: float = 1.0

    @property
    def architecture(self) -> str:
        """`module:Class` of the network."""
        if isinstance(self.config, SeasonalInverseConfig):
            return "zoo.climate.models.seasonal_inverse:SeasonalInverse"
        return "zoo.climate.models.enso_mlp:EnsoMlp"

    @property
    def window(self) -> int:
        """Months in the network's input."""
        return getattr(self.config, "window", 1)

    def shortened(self, steps: int | None) -> EnsoRecipe:
        """The same with at most so many optimiser steps in each stage, to try it out."""
        if steps is None:
            return self
        return dataclasses.replace(
            self, steps=min(steps, self.steps), pretraining_steps=min(steps, self.pretraining_steps)
        )


RECIPES = {
    "enso_mlp.core": EnsoRecipe(
        "core",
        EnsoMlpConfig(),
        title="MLP ensemble, four indices, pre-trained on CMIP6",
        summary=(
            "Seasonal linear map plus a small network, Gaussian head; 48 simulated El Niños teach "
            "it, ORAS5 finishes it. 3 x 10 members."
        ),
        paper=HAM,
        truth="mixed",
        pretraining_steps=1500,
    ),
    "enso_mlp.core_scratch": EnsoRecipe(
        "core",
        EnsoMlpConfig(),
        title="MLP ensemble, four indices, no pre-training",
        summary=(
            "The same network from ORAS5's 46 years alone: what pre-training is worth is the "
            "difference. 3 x 10 members."
        ),
        paper=HAM,
        steps=300,
        anchor=0.0,
        noise=(0.0, 0.3),
        spread_rate=10.0,
    ),
    "seasonal_inverse.modes": EnsoRecipe(
        "modes",
        SeasonalInverseConfig(),
        title="Seasonal inverse model with learned residual, ten indices",
        summary=(
            "XRO's linear part, started at least squares and trained through its own "
            "eleven-month rollouts, plus a network. 3 x 10 members."
        ),
        paper=XRO,
        caveats=(LOOK_AHEAD, RETROSPECTIVE, CALIBRATED),
        steps=300,
        anchor=1.0,
    ),
    "seasonal_inverse.modes_causal": EnsoRecipe(
        "modes_causal",
        SeasonalInverseConfig(),
        title="Seasonal inverse model, ten indices detrended causally",
        summary=(
            "The same model, its indices detrended anew for every issue from their own past: what "
            "the look-ahead is worth is the difference."
        ),
        paper=XRO,
        steps=300,
        anchor=1.0,
    ),
}


def find_recipe(name: str) -> EnsoRecipe:
    """The recipe of that name.

    Raises:
        ValueError: there is none; names those that there are.
    """
    if name not in RECIPES:
        raise ValueError(f"{TASK} has no recipe {name!r}; it has {', '.join(sorted(RECIPES))}")
    return RECIPES[name]


def description(
    name: str,
    recipe: EnsoRecipe,
    *,
    seed: int,
    validation: Mapping[str, float],
    wall_seconds: float,
) -> dict[str, Any]:
    """What the card of a finished run says.

    The published model averages its weight files: every one is an ensemble of ten from its
    own seed, listed alone under the entry's seeds.

    Args:
        name: of the recipe.
        recipe: as it was trained.
        seed: of the run.
        validation: scores of the choice stage.
        wall_seconds: of both stages.
    """
    pretrained_on = [PRETRAINING] if recipe.pretraining_steps else []
    content = {
        "id": f"climate/{name}",
        "title": recipe.title,
        "summary": recipe.summary,
        "architecture": recipe.architecture,
        "predictor": "zoo.climate.enso.predict:load_enso",
        "config": dataclasses.asdict(recipe.config),
        "predictor_config": {"state": recipe.state, "window": recipe.window},
        "tasks": [TASK],
        "track": recipe.state.removesuffix("_causal"),
        "licence": "Apache-2.0",
        "paper": recipe.paper,
        "ensemble": True,
        "pretrained_on": pretrained_on,
        "truth": recipe.truth,
        "training": {
            "command": f"zoo train {TASK} {name} --seed {seed}",
            "data": [*pretrained_on, FIT],
            "chosen_on": CHOICE,
            "hardware": hardware(),
            "wall_seconds": max(round(wall_seconds, 1), 0.1),
            "steps": recipe.pretraining_steps + recipe.steps,
            "validation": {
                key: round(value, 4) for key, value in validation.items() if math.isfinite(value)
            },
        },
        "caveats": list(recipe.caveats),
    }
    if recipe.state == "core":  # the user's file holds these four indices
        content["predict_file"] = "zoo.climate.enso.predict:predict_file"
    return content
