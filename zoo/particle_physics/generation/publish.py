"""Turns finished training runs of jet generators into pretrained models with cards.

    python -m zoo.particle_physics.generation.publish RUNS_FOLDER

where RUNS_FOLDER holds what `zoo.particle_physics.generation.train --out RUNS_FOLDER`
leaves: `<name>.seed<k>.safetensors` and `<name>.json`. The first seed is the model, the
others show how much the training's luck matters.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from zoo.pretrained.publish import publish_runs

TASK = "particle_physics/jet_generation"

ABOUT: dict[str, dict[str, Any]] = {
    "epic_flow.dijets": {
        "title": "EPiC flow matching, gluon, quark and top jets",
        "summary": (
            "A permutation-equivariant velocity field turns noise into the 30 hardest particles "
            "of a jet in sixteen evaluations."
        ),
        "paper": "https://arxiv.org/abs/2310.00049",
        "class": "epic_flow:EpicFlow",
    },
    "epic_gan.dijets": {
        "title": "EPiC-GAN, gluon, quark and top jets",
        "summary": (
            "A permutation-equivariant generator makes the 30 hardest particles of a jet in one "
            "evaluation."
        ),
        "paper": "https://doi.org/10.21468/SciPostPhys.15.4.130",
        "class": "epic_gan:EpicGan",
        "chosen_on": (
            f"{TASK}:validation: rates, penalty, bounds and calibration by hand, in five runs of "
            "seed 0; last weights"
        ),
        "caveats": [
            "Not the paper's training: a relativistic loss with a penalty on the slope, and ten "
            "epochs; the critic is also shown the jet's "
            "mass, girth and sum of momenta.",
            "Made to conserve momentum and to keep inside the jet's cone; a jet heavier than the "
            "mass drawn for it is narrowed (2 % of the "
            "quark and top jets, which halves FPD of tops on validation). The flow has none of "
            "these.",
        ],
    },
}
NOTHING_CHOSEN = f"nothing was chosen: first settings, last weights; {TASK}:validation only reports"


def main(runs: str) -> None:
    """Publishes every tag that has a finished run."""
    publish_runs(Path(runs), Path(__file__).parents[1] / "weights", ABOUT, card)


def card(name: str, about: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """The card's content, read from the run."""
    module, _, architecture = about["class"].partition(":")
    return {
        "id": f"particle_physics/{name}",
        "title": about["title"],
        "summary": about["summary"],
        "architecture": f"zoo.particle_physics.models.{module}:{architecture}",
        "predictor": "zoo.particle_physics.generation.predict:load_generator",
        "config": facts["config"],
        "predictor_config": {"steps": facts["midpoint_steps"]} if "flow" in name else {},
        "tasks": [TASK],
        "licence": "Apache-2.0",
        "paper": about["paper"],
        "ensemble": False,
        "truth": "simulated",
        "training": {
            "command": f"python -m zoo.particle_physics.generation.train {name} --data FOLDER --steps {facts['steps']} "
            f"--seeds {' '.join(map(str, facts['seeds']))}",
            "data": [
                f"{TASK}:train ({facts['jets']} simulated jets, {facts['batch_size']} a step)"
            ],
            "chosen_on": about.get("chosen_on", NOTHING_CHOSEN),
            "hardware": "1 CPU core shared with other work (the wall time is mostly waiting)",
            "wall_seconds": round(facts["wall_seconds"], 1),
            "steps": facts["steps"],
            "validation": {key: round(value, 4) for key, value in facts["validation"].items()},
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


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
