"""Turns finished ENSO training runs into pretrained models with cards.

    python -m zoo.climate.enso.publish RUNS_FOLDER

where RUNS_FOLDER holds what `zoo.climate.enso.train --out RUNS_FOLDER` leaves:
`<name>.seed<k>.safetensors` and `<name>.json`. Each card averages its weight files: every
one is an ensemble of ten from its own seed, listed alone under the entry's seeds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from zoo.pretrained.publish import publish_runs

HAM = "https://doi.org/10.1038/s41586-019-1559-7"
XRO = "https://doi.org/10.1038/s41586-024-07534-6"
PRETRAINING = "climate/enso:pretraining (48 CMIP6 models, simulated)"
FIT = "climate/enso:fit (ORAS5 reanalysis to 2003-12)"
RETROSPECTIVE = "Retrospective: ORAS5 is a reanalysis, not what was known on the day."

ABOUT: dict[str, dict[str, Any]] = {
    "enso_mlp.core": {
        "title": "MLP ensemble, four indices, pre-trained on CMIP6",
        "summary": "Seasonal linear map plus a small network, Gaussian head; 48 simulated El Niños teach it, ORAS5 finishes it. "
        "3 x 10 members.",
        "paper": HAM,
        "track": "core",
        "class": "enso_mlp:EnsoMlp",
        "truth": "mixed",
        "pretrained_on": [PRETRAINING],
    },
    "enso_mlp.core_scratch": {
        "title": "MLP ensemble, four indices, no pre-training",
        "summary": (
            "The same network from ORAS5's 46 years alone: what pre-training is worth is the "
            "difference. 3 x 10 members."
        ),
        "paper": HAM,
        "track": "core",
        "class": "enso_mlp:EnsoMlp",
        "truth": "reanalysis",
    },
    "seasonal_inverse.modes": {
        "title": "Seasonal inverse model with learned residual, ten indices",
        "summary": "XRO's linear part, started at least squares and trained through its own eleven-month rollouts, plus a network. "
        "3 x 10 members.",
        "paper": XRO,
        "track": "modes",
        "class": "seasonal_inverse:SeasonalInverse",
        "truth": "reanalysis",
        "caveat": "LOOK-AHEAD: its indices are detrended over 1979-2024, test years included.",
    },
    "seasonal_inverse.modes_causal": {
        "title": "Seasonal inverse model, ten indices detrended causally",
        "summary": "The same model, its indices detrended anew for every issue from their own past: what the look-ahead is worth "
        "is the difference.",
        "paper": XRO,
        "track": "modes",
        "class": "seasonal_inverse:SeasonalInverse",
        "truth": "reanalysis",
    },
}


def main(runs: str) -> None:
    """Publishes every tag that has a finished run."""
    publish_runs(Path(runs), Path(__file__).parents[1] / "weights", ABOUT, card, dtype=None)


def card(name: str, about: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """The card's content, read from the run."""
    module, _, architecture = about["class"].partition(":")
    return {
        "id": f"climate/{name}",
        "title": about["title"],
        "summary": about["summary"],
        "architecture": f"zoo.climate.models.{module}:{architecture}",
        "predictor": "zoo.climate.enso.predict:load_enso",
        "config": facts["config"],
        "predictor_config": {"state": facts["state"], "window": facts["window"]},
        "tasks": ["climate/enso"],
        "track": about["track"],
        "licence": "Apache-2.0",
        "paper": about["paper"],
        "ensemble": True,
        "pretrained_on": about.get("pretrained_on", []),
        "truth": about["truth"],
        "training": {
            "command": (
                f"python -m zoo.climate.enso.train {name} --seeds "
                f"{' '.join(map(str, facts['seeds']))}"
            ),
            "data": [*about.get("pretrained_on", []), FIT],
            "chosen_on": "climate/enso:choice (seasons 1994-2003, forecast by a model fitted to 1993-12)",
            "hardware": "2 CPU cores shared with other work (the wall time is mostly waiting)",
            "wall_seconds": round(facts["wall_seconds"], 1),
            "steps": facts["steps"],
            "validation": {key: round(value, 4) for key, value in facts["validation"].items()},
        },
        "caveats": [
            *([about["caveat"]] if "caveat" in about else []),
            RETROSPECTIVE,
            "Its spread was calibrated by one number on 1994-2003.",
        ],
    }


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
