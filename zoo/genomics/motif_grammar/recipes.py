"""The networks that are trained on planted motifs, and what their cards say.

A recipe is called like the model that it makes: `cnn_<kind>.<activation>` of
`genomics/motif_grammar`, with `_hard` at its end of `genomics/motif_grammar_hard`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from zoo.genomics.models.motif_cnn import ACTIVATIONS, KINDS, MotifCnnConfig

COMBINED = "cnn_dist.exponential"
"""Whose seeds and strands are combined; chosen among the networks by its attribution AUROC
on the validation positives. Order and distance have a direction: what the harder task asks
reads otherwise on the other strand, so nothing is combined there."""
COMBINATION = f"{COMBINED}_both"
COMBINATION_METHODS = ("saliency", "gradient_x_input", "gradient_norm", "ism")
"""Those of the combination, which costs as much as six networks."""
SUMMARIES = {
    "cnn_dist": "Pools little at first, so that deeper layers see how motifs lie to each other.",
    "cnn_local": "Keeps the strongest match of each first-layer filter in every 50 bases.",
}
CAVEATS = [
    "Trained on SIMULATED sequences of 200 bases whose background is uniform: it knows nothing "
    "of genomes."
]
CARD: Mapping[str, Any] = {
    "architecture": "zoo.genomics.models.motif_cnn:MotifCnn",
    "predictor": "zoo.genomics.motif_grammar.predict:load_motif_cnn",
    "predict_file": "zoo.genomics.motif_grammar.predict:predict_file",
    "track": "open",
    "licence": "Apache-2.0",
    "paper": "https://doi.org/10.1038/s42256-020-00291-x",
    "truth": "simulated",
    "caveats": CAVEATS,
}
HARDWARE = "one of 2 CPU cores shared with other work (the wall time is mostly waiting)"


@dataclasses.dataclass(frozen=True)
class MotifRecipe:
    """Settings of one run.

    Attributes:
        task: `motif_grammar` or `motif_grammar_hard`.
        config: the architecture's.
        epochs: of the training sequences.
        learning_rate: at the start; it falls to a hundredth along a cosine.
        batch_size: sequences a step.
        penalty: weight of the squared kernels in the loss, as published.
    """

    task: str
    config: MotifCnnConfig
    epochs: int = 12
    learning_rate: float = 4e-3
    batch_size: int = 100
    penalty: float = 1e-6

    @property
    def title(self) -> str:
        """Of the model: "CNN-dist, exponential"."""
        return f"CNN-{self.config.kind}, {self.config.activation.replace('_', '-')}"

    @property
    def summary(self) -> str:
        """Of the model, two sentences."""
        activation = self.config.activation.replace("_", "-")
        return f"{SUMMARIES[f'cnn_{self.config.kind}']} First activation: {activation}."


def _recipes() -> dict[str, MotifRecipe]:
    found = {}
    for kind in KINDS:
        for activation in ACTIVATIONS:
            config, name = MotifCnnConfig(kind, activation), f"cnn_{kind}.{activation}"
            # The validation AUROC of cnn-dist.exponential stands still after eight epochs;
            # the others' still rises at the twelfth.
            epochs = 12 if (kind, activation) == ("dist", "exponential") else 30
            found[name] = MotifRecipe("motif_grammar", config, epochs=epochs)
            found[f"{name}_hard"] = MotifRecipe("motif_grammar_hard", config, epochs=12)
    return found


RECIPES = _recipes()
"""Name of the model -> settings; beside them there is `COMBINATION`, which trains nothing."""


def describe(
    name: str,
    facts: Mapping[str, Any],
    choices: Mapping[str, Any],
    method_scores: Mapping[str, float],
) -> dict[str, Any]:
    """The card's content of one network.

    Args:
        name: key of `RECIPES`.
        facts: as `zoo.genomics.motif_grammar.train.fit_network` gives them.
        choices: the predictor's settings that were chosen on validation sequences.
        method_scores: attribution AUROC on validation positives by method.
    """
    recipe = RECIPES[name]
    return {
        **CARD,
        "id": f"genomics/{name}",
        "title": recipe.title,
        "summary": recipe.summary,
        "config": dict(facts["config"]),
        "predictor_config": {**choices, "both_strands": False},
        "tasks": [f"genomics/{recipe.task}"],
        "training": {
            "command": f"zoo train genomics/{recipe.task} {name} --seed {facts['seed']}",
            "data": [
                f"genomics/motif_grammar ({recipe.task}):train ({facts['sequences']:,} sequences)"
            ],
            "chosen_on": (
                f"genomics/motif_grammar ({recipe.task}):validation: the epoch, the learning rate "
                "(one for all networks), the threshold and the declared method"
            ),
            "hardware": HARDWARE,
            "wall_seconds": facts["wall_seconds"],
            "steps": facts["steps"],
            "validation": {
                **{metric: round(value, 4) for metric, value in facts["validation"].items()},
                **_named(method_scores),
            },
        },
    }


def describe_combination(
    member: Mapping[str, Any],
    seeds: int,
    wall_seconds: float,
    choices: Mapping[str, Any],
    method_scores: Mapping[str, float],
) -> dict[str, Any]:
    """The card's content of the mean of several seeds over both strands.

    Args:
        member: the content of a member's card.
        seeds: how many there are.
        wall_seconds: of their trainings.
        choices, method_scores: as in `describe`, of the combination.
    """
    recipe, training = RECIPES[COMBINED], member["training"]
    return {
        **CARD,
        "converter": "zoo.genomics.models.members:first_member",
        "id": f"genomics/{COMBINATION}",
        "title": f"{recipe.title}, {seeds} seeds, both strands",
        "summary": (
            f"{recipe.summary} The mean logit of {seeds} networks over the sequence and its "
            "reverse complement."
        ),
        "config": dict(member["config"]),
        "predictor_config": {**choices, "both_strands": True},
        "tasks": [f"genomics/{recipe.task}"],
        "training": {
            "command": f"zoo train genomics/{recipe.task} {COMBINATION}",
            "data": training["data"],
            "chosen_on": f"{training['chosen_on']}, and that this network is combined",
            "hardware": HARDWARE,
            "wall_seconds": round(wall_seconds, 1),
            "steps": training["steps"],
            "validation": _named(method_scores),
        },
    }


def _named(method_scores: Mapping[str, float]) -> dict[str, float]:
    return {f"attribution_auroc_{method}": value for method, value in method_scores.items()}
