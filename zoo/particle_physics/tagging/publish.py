"""Turns finished training runs of the jet taggers into pretrained models with cards.

    python -m zoo.particle_physics.tagging.publish RUNS_FOLDER

where RUNS_FOLDER holds what `zoo.particle_physics.tagging.train --out RUNS_FOLDER` leaves:
`run.json` and `model.safetensors` in folders `<task>.<recipe>.seed<k>`.
The first seed is the model; the others are listed in its card and scored beside it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from zoo.particle_physics.tagging.train import CLASSES, FOLDER, MODELS, RECIPES
from zoo.pretrained.publish import publish

ABOUT: dict[str, dict[str, str]] = {
    "pfn": {
        "title": "PFN (deep sets)",
        "paper": "https://arxiv.org/abs/1810.05165",
        "summary": "Sum over particles of a network of one.",
    },
    "particle_net": {
        "title": "ParticleNet-lite",
        "paper": "https://arxiv.org/abs/1902.08570",
        "summary": "Two edge convolutions over the nearest particles.",
    },
    "particle_transformer": {
        "title": "Particle Transformer, extra small",
        "paper": "https://arxiv.org/abs/2202.03772",
        "summary": "Attention among particles, biased by the invariants of each pair.",
    },
    "lorentz_net": {
        "title": "Lorentz-equivariant network",
        "paper": "https://arxiv.org/abs/2201.08187",
        "summary": "Minkowski products alone: no boost and no rotation of the jet changes its answer.",
    },
    "fine_tune.particle_net": {
        "title": "ParticleNet, pre-trained on JetClass, fine-tuned",
        "paper": "https://arxiv.org/abs/1902.08570",
        "summary": (
            "The published network of 100 million JetClass jets, trained on with a few of ours, "
            "eight neighbours at the end."
        ),
    },
}
NEIGHBOURS = (
    "Its last edge convolution joins 8 neighbours where the published network has 16, for two "
    "thirds of the time. Before any training with "
    "8, validation jets lost .016 of accuracy by that."
)
TRUTH_LEVEL = (
    "Trained on SIMULATED jets without detector and pile-up: it has not seen what an experiment "
    "measures."
)


def main(runs: str) -> None:
    """Publishes every recipe of which at least one seed has finished."""
    folder = Path(__file__).parents[1] / "weights"
    for name in RECIPES:
        stem = name.replace("/", ".")
        finished = sorted(
            Path(runs).glob(f"{stem}.seed*/run.json"),
            key=lambda path: int(path.parent.name.rpartition("seed")[2]),
        )
        if not finished:
            print(f"{name}: no finished run in {runs}")
            continue
        facts = [json.loads(path.read_text(encoding="utf-8")) for path in finished]
        weights = {
            fact["seed"]: path.with_name("model.safetensors")
            for fact, path in zip(facts, finished, strict=True)
        }
        print(publish(folder, card(name, facts), weights))


def card(name: str, facts: list[dict[str, Any]]) -> dict[str, Any]:
    """The card's content, read from the runs of all seeds."""
    task, _, kind = name.partition("/")
    about, recipe, first = ABOUT[kind], RECIPES[name], facts[0]
    tuned = kind.startswith("fine_tune.")
    data = f"particle_physics/{FOLDER[task]}:train ({first['jets']:,} jets)"
    seeds = " ".join(str(fact["seed"]) for fact in facts)
    tag = f"{task}_tuned" if tuned else task
    # A network that knows ten classes tells two of them apart too.
    tasks = [f"particle_physics/{other}" for other in (task, *(["top_tagging"] if tuned else []))]
    scores = {
        f"{metric}{'' if fact is first else '_seed' + str(fact['seed'])}": round(value, 4)
        for fact in facts
        for metric, value in fact["validation"].items()
    }
    return {
        "id": f"particle_physics/{recipe.model}.{tag}",
        "title": about["title"],
        "summary": about["summary"],
        "architecture": MODELS[recipe.model],
        "predictor": "zoo.particle_physics.tagging.predict:load_tagger",
        "predict_file": "zoo.particle_physics.tagging.predict:predict_file",
        "config": first["config"],
        "predictor_config": {
            "features": recipe.features,
            "particles": recipe.particles,
            "classes": list(CLASSES[task]),
            "batch": 4 if tuned else 64,  # the large network's arrays must stay in the cache
        },
        "tasks": tasks,
        "licence": "Apache-2.0",
        "paper": about["paper"],
        "truth": "simulated",
        "pretrained_on": ["JetClass (100 million simulated jets), by its authors"] if tuned else [],
        "training": {
            "command": f"python -m zoo.particle_physics.tagging.train {name} --seeds {seeds} --data BUILD",
            "data": [data],
            "chosen_on": f"particle_physics/{FOLDER[task]}:validation chose that it sees 64 particles, not 48, and 8 neighbours at the "
            "end; first settings otherwise, last weights"
            if tuned
            else (
                "nothing was chosen: first settings, last weights; "
                f"particle_physics/{FOLDER[task]}:validation only reports"
            ),
            "hardware": "one of 2 CPU cores shared with other work (the wall time is partly waiting)",
            "wall_seconds": round(sum(fact["wall_seconds"] for fact in facts), 1),
            "steps": first["steps"],
            "validation": scores,
        },
        "caveats": [TRUTH_LEVEL, *([NEIGHBOURS] if tuned else [])],
    }


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
