"""Turns finished training runs of the weather models into pretrained models with cards.

    python -m zoo.climate.held_suarez.publish RUNS_FOLDER

where RUNS_FOLDER holds `<architecture>.seed<k>/` as `zoo.climate.held_suarez.train` leaves
them (`model.safetensors`, `validation.json`, `log.jsonl`). Each architecture becomes two
models: as trained, and `_damped`, whose anomalies shrink with lead.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from zoo.pretrained.publish import publish
from zoo.pretrained.weights import load

ABOUT: dict[str, dict[str, Any]] = {
    "convnext": {
        "class": "ConvNeXt",
        "paper": "https://doi.org/10.1109/CVPR52688.2022.01167",
        "title": "ConvNeXt on 2x2 patches",
        "summary": (
            "Large depthwise kernels that run round the planet and over the poles; one step is 24 "
            "hours."
        ),
    },
    "sfno": {
        "class": "SFNO",
        "paper": "https://arxiv.org/abs/2306.03838",
        "title": "Spherical Fourier neural operator",
        "summary": "Filters as products of spherical-harmonic coefficients; one step is 24 hours.",
    },
    "conv_gru": {
        "class": "ConvGRU",
        "paper": "https://arxiv.org/abs/1511.06432",
        "title": "Recurrent ConvGRU",
        "summary": (
            "A convolutional gated recurrent unit whose memory runs along the forecast; one step "
            "is 24 hours."
        ),
    },
}
CAVEATS = [
    "Trained on a simulated, dry, idealised planet; it knows nothing of the Earth.",
    (
        "Minimising squared error blurs: the energy spectrum falls short at long leads "
        "(ke850_spectrum_error)."
    ),
]


def main(runs: str) -> None:
    """Publishes every architecture that has at least one finished run."""
    folder = Path(__file__).parents[1] / "weights"
    for architecture, about in ABOUT.items():
        paths = sorted(Path(runs).glob(f"{architecture}.seed*/model.safetensors"))
        finished = {int(path.parent.name.rsplit("seed", 1)[1]): path for path in paths}
        if not finished:
            print(f"{architecture}: no finished run in {runs}")
            continue
        for damped in (False, True):
            content = card(architecture, about, finished, damped=damped)
            name = f"{architecture}.held_suarez"
            print(publish(folder, content, finished, stem=name if damped else None))


def card(
    architecture: str, about: dict[str, Any], finished: dict[int, Path], *, damped: bool
) -> dict[str, Any]:
    """The card's content, read from the runs."""
    first = next(iter(finished.values()))
    _, _, metadata = load(first)
    rows = [json.loads(line) for line in (first.parent / "log.jsonl").read_text().splitlines()]
    stages = [row for row in rows if "stage" in row]
    seconds = sum(seconds for seconds, _ in progress(rows))
    validation = json.loads((first.parent / "validation.json").read_text())[
        "damped" if damped else "plain"
    ]
    days = sorted({round(stage["times"] / 4 / 365, 1) for stage in stages})
    return {
        "id": f"climate/{architecture}.held_suarez{'_damped' if damped else ''}",
        "title": about["title"] + (", damped" if damped else ""),
        "summary": about["summary"]
        + (
            " Anomalies are shrunk by lead with factors fitted on the validation trajectory."
            if damped
            else ""
        ),
        "architecture": f"zoo.climate.models.{architecture}:{about['class']}",
        "predictor": "zoo.climate.held_suarez.predict:WeatherModel",
        "predict_file": "zoo.climate.held_suarez.predict:predict_file",
        "config": json.loads(metadata["config"]),
        "predictor_config": {"damped": damped},
        "tasks": ["climate/held_suarez"]
        if damped
        else ["climate/held_suarez", "climate/held_suarez_drift"],
        "licence": "Apache-2.0",
        "paper": about["paper"],
        "truth": "simulated",
        "training": {
            "command": f"zoo train climate/held_suarez {architecture} --seed {next(iter(finished))}",
            "data": [
                f"climate/held_suarez:train ({' then '.join(map(str, days))} simulated years)"
            ],
            "chosen_on": "climate/held_suarez:validation",
            "hardware": (
                "2 CPU cores shared with other work; ConvNeXt and ConvGRU with the fused bfloat16 "
                "kernels (ZOO_FUSED=1)"
            ),
            "wall_seconds": round(seconds, 1),
            "steps": sum(steps for _, steps in progress(rows)),
            "validation": {name: round(value, 4) for name, value in validation.items()},
        },
        "caveats": CAVEATS,
    }


def progress(rows: list[dict[str, Any]]) -> list[tuple[float, int]]:
    """(seconds, optimiser steps) of each stage in a run's log. Steps that an interruption
    made the run repeat count once."""
    stages: dict[int, dict[int, float]] = {}
    number = 0
    for row in rows:
        if "stage" in row:
            number = row["stage"]
        elif "seconds_per_step" in row:
            stages.setdefault(number, {})[row["step"]] = row["seconds_per_step"]
    done = []
    for speeds in stages.values():
        steps = sorted(speeds)
        done.append(
            (sum(speeds[b] * (b - a) for a, b in zip([0, *steps], steps, strict=False)), steps[-1])
        )
    return done


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
