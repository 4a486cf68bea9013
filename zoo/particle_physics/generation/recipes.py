"""What the recipes of the jet generators are: settings, and what the cards say.

The flow's settings are first choices and were not tuned. The GAN's (rates, penalty, bounds,
calibration) were chosen by hand on the validation jets in five runs of seed 0, four of them
shorter. The test file is not opened. The published flow has 4,000 steps (`--steps 4000`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from zoo.particle_physics.models.epic_flow import EpicFlowConfig
from zoo.particle_physics.models.epic_gan import EpicGanConfig

TASK = "particle_physics/jet_generation"


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

    config: EpicFlowConfig | EpicGanConfig
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

DESCRIPTIONS: dict[str, dict[str, Any]] = {
    "epic_flow.dijets": {
        "title": "EPiC flow matching, gluon, quark and top jets",
        "summary": (
            "A permutation-equivariant velocity field turns noise into the 30 hardest particles "
            "of a jet in sixteen evaluations."
        ),
        "paper": "https://arxiv.org/abs/2310.00049",
        "architecture": "zoo.particle_physics.models.epic_flow:EpicFlow",
    },
    "epic_gan.dijets": {
        "title": "EPiC-GAN, gluon, quark and top jets",
        "summary": (
            "A permutation-equivariant generator makes the 30 hardest particles of a jet in one "
            "evaluation."
        ),
        "paper": "https://doi.org/10.21468/SciPostPhys.15.4.130",
        "architecture": "zoo.particle_physics.models.epic_gan:EpicGan",
        "chosen_on": (
            f"{TASK}:validation: rates, penalty, bounds and calibration by hand, in five runs of "
            "seed 0; last weights"
        ),
        "caveats": [
            "Not the paper's training: a relativistic loss with a penalty on the slope, and ten "
            "epochs; the critic is also shown the jet's mass, girth and sum of momenta.",
            "Made to conserve momentum and to keep inside the jet's cone; a jet heavier than the "
            "mass drawn for it is narrowed (2 % of the quark and top jets, which halves FPD of "
            "tops on validation). The flow has none of these.",
        ],
    },
}
"""What a card says of each generator, by the name of its recipe."""
NOTHING_CHOSEN = f"nothing was chosen: first settings, last weights; {TASK}:validation only reports"


def describe(
    name: str,
    recipe: GenerationRecipe,
    *,
    jets: int,
    command: str,
    hardware: str,
    wall_seconds: float,
    validation: Mapping[str, float],
) -> dict[str, Any]:
    """What the card of a trained generator says: the content of a `zoo.cards.ModelDescription`.

    Args:
        name: key of `RECIPES`.
        recipe: its settings, as they were used.
        jets: that it was trained on.
        command: that trained it.
        hardware: that it was trained on.
        wall_seconds: of the training.
        validation: scores against the validation jets.
    """
    about, flow = DESCRIPTIONS[name], isinstance(recipe.config, EpicFlowConfig)
    return {
        "id": f"particle_physics/{name}",
        **{key: about[key] for key in ("title", "summary", "paper", "architecture")},
        "predictor": "zoo.particle_physics.generation.predict:load_generator",
        "config": dataclasses.asdict(recipe.config),
        "predictor_config": {"steps": recipe.midpoint_steps} if flow else {},
        "tasks": [TASK],
        "licence": "Apache-2.0",
        "truth": "simulated",
        "training": {
            "command": command,
            "data": [f"{TASK}:train ({jets} simulated jets, {recipe.batch_size} a step)"],
            "chosen_on": about.get("chosen_on", NOTHING_CHOSEN),
            "hardware": hardware,
            "wall_seconds": round(wall_seconds, 1),
            "steps": recipe.steps,
            "validation": {key: round(value, 4) for key, value in validation.items()},
        },
        "caveats": [
            "SIMULATED: it imitates Pythia without a detector, no measured jet.",
            (
                "pT, mass and multiplicity of a jet are drawn from a table of training jets, not "
                "generated; the mass score is thereby helped."
            ),
            (
                "A network of minutes of training: the published ones saw a hundred times as many "
                "jets."
            ),
            *about.get("caveats", []),
        ],
    }
