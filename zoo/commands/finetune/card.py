"""What the card of a fine-tuned model says, and writing it beside the weights."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo import files
from zoo.cards import ModelCard
from zoo.interfaces.finetune import Evaluation, Problem

TRUTHS = ("observed", "simulated", "reanalysis", "mixed")
"""What data can be."""


@dataclasses.dataclass(frozen=True)
class Origin:
    """How a fine-tuned model came about.

    Attributes:
        source: card of the model that it began as.
        data: the user's file or folder.
        validation: the user's own validation data, or None.
        truth: one of `TRUTHS`; None: the user did not say.
        tag: of the new model's name.
        title: "fine-tuned" or "linear probe".
        seed: of the training.
        steps: of the training; 1 of a probe.
    """

    source: ModelCard
    data: Path
    validation: Path | None
    truth: str | None
    tag: str
    title: str
    seed: int
    steps: int

    @property
    def command(self) -> str:
        """The command without the paths of this machine."""
        option = "--probe" if self.title == "linear probe" else f"--steps {self.steps}"
        return (
            f"zoo train --from {self.source.id} {self.data.name} --out OUT --seed {self.seed} "
            f"{option}"
        )


def tag(name: str) -> str:
    """A name as part of a model's id: small letters, digits, underscores.

    Raises:
        ValueError: nothing is left of it.
    """
    found = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")
    if not found:
        raise ValueError(f"name {name!r} holds no letter or digit; say name=, for example my_data")
    return found


def content(
    origin: Origin,
    problem: Problem,
    model: Any,
    rows: Mapping[str, Evaluation],
    *,
    wall_seconds: float,
) -> dict[str, Any]:
    """The card's content but for its weights.

    Args:
        origin: how the model came about.
        problem: what it has learned.
        model: the network.
        rows: validation scores by row; those of `origin.title` are the model's own.
        wall_seconds: what it took.
    """
    source, data, validation = origin.source, origin.data, origin.validation
    described = data.name + (f" (SHA-256 {files.sha256(data)})" if data.is_file() else "")
    unknown = "Whether its data are observed or simulated was not said when it was trained."
    of_domain = problem.content(model)
    return {key: value for key, value in of_domain.items() if key != "transforms"} | {
        "id": f"{source.id.split('.')[0]}.{origin.tag}",
        "title": f"{source.title}, {origin.title} on {data.name}",
        "summary": (
            f"{source.id}, {origin.title} on the user's own data: {problem.examples:,} training "
            f"examples of {data.name}."
        ),
        "tasks": [],
        "licence": source.licence,
        "paper": source.paper,
        "truth": origin.truth or "mixed",
        "pretrained_on": [*source.pretrained_on, *source.training.data],
        "training": {
            "data": [f"{described}: {problem.examples:,} examples"],
            "chosen_on": (
                "inside the training examples (penalty of the linear probe, source network); "
                "nothing on the validation examples: "
                + ("" if validation is None else f"{validation.name}, ")
                + problem.held_out
            ),
            "hardware": _hardware(),
            "validation": _scores(rows, origin.title),
            "command": origin.command,
            "wall_seconds": round(max(wall_seconds, 0.1), 1),
            "steps": origin.steps,
        },
        "caveats": [
            *source.caveats,
            *([] if origin.truth else [unknown]),
            f"Its licence is that of {source.id}; that of the data is the user's to add.",
        ],
    }


def _hardware() -> str:
    from zoo.scoring import environment

    here = environment.capture()
    return f"{here.cpu_count} CPU cores" if here.accelerator == "cpu" else here.accelerator


def _scores(rows: Mapping[str, Evaluation], title: str) -> dict[str, float]:
    """Finite scores of all rows; those of other rows than the model's end in the row's name."""
    scores = {
        metric if row == title else f"{metric}_{re.sub(r'[^a-z0-9]+', '_', row.lower())}": value
        for row, each in rows.items()
        for metric, value in each.scores.items()
    }
    return {key: round(value, 4) for key, value in scores.items() if np.isfinite(value)}


def write(out: Path, about: dict[str, Any], model: Any, problem: Problem, *, seed: int) -> Path:
    """Writes weights and card, whose path it gives; the folder is as it was where either
    cannot be written."""
    from zoo.pretrained import weights
    from zoo.pretrained.publish import publish

    target = out / "model.safetensors"
    try:
        weights.save(
            target,
            model,
            transforms=problem.content(model).get("transforms"),
            metadata={"card": about["id"], "seed": seed},
        )
        return publish(out, about, {seed: target}, dtype=None, stem="model")
    except BaseException:
        target.unlink(missing_ok=True)
        raise
