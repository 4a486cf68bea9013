"""What the recipes of the learned searches of `particle_physics/anomaly` are: settings, and what
the cards say.

Each seed is an experiment of its own: another draw of injected signal events, other folds,
other first weights. A published card holds all of them, and they are scored one by one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from zoo.particle_physics.models.event_classifier import EventClassifierConfig
from zoo.particle_physics.models.jet_autoencoder import JetAutoencoderConfig


@dataclasses.dataclass(frozen=True)
class AnomalyRecipe:
    """The settings of one pretrained tag.

    Attributes:
        method: unlabelled mixtures, labelled events, or QCD jets alone.
        config: the architecture's config.
        fraction: injected signal events in the signal region per background event there (CWoLa).
        steps: optimiser steps.
        batch_size: events (jets, for the autoencoder) per step.
        learning_rate: at the start of a cosine decay.
        weight_decay: of AdamW.
        validate_every: steps between looks at the fold that was left out.
    """

    method: Literal["cwola", "supervised", "autoencoder"]
    config: Any
    fraction: float = 0.0
    steps: int = 800
    batch_size: int = 2048
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    validate_every: int = 100


RECIPES = {
    "jet_autoencoder.qcd": AnomalyRecipe("autoencoder", JetAutoencoderConfig(), steps=1500),
    "event_classifier.cwola": AnomalyRecipe("cwola", EventClassifierConfig(), fraction=0.03),
    "event_classifier.cwola_zero": AnomalyRecipe(
        "cwola", EventClassifierConfig(signals=1), fraction=0.0
    ),
    "event_classifier.supervised": AnomalyRecipe("supervised", EventClassifierConfig(), steps=1500),
}

CWOLA = "https://arxiv.org/abs/1902.02634"
SIMULATED = (
    "Simulated with Pythia 8 alone: no detector, no pile-up. Never to be compared with results on "
    "the LHC Olympics data."
)
QCD = "particle_physics/anomaly:train (QCD)"
SIGNAL = "particle_physics/anomaly:train (W', Z')"
EXPERIMENTS = "Each seed is an experiment of its own: other folds, other first weights"
SILENT = (
    "A search whose networks are not better than nothing by two standard errors on what they left "
    "out cuts at random."
)

DESCRIPTIONS: dict[str, dict[str, Any]] = {
    "jet_autoencoder.qcd": {
        "title": "Autoencoder of QCD jets",
        "summary": (
            "Unsupervised: six numbers of a jet through a bottleneck of two, trained on QCD jets "
            "alone; the score is the squared error of both jets."
        ),
        "track": "unsupervised",
        "data": [QCD],
        "paper": "https://arxiv.org/abs/1808.08992",
        "chosen_on": (
            "the step: reproduction error on a fifth of the QCD events; no signal, no test event"
        ),
        "caveats": ["Trained on pure QCD, which data do not offer."],
    },
    "event_classifier.cwola": {
        "title": "CWoLa: signal region against side bands",
        "summary": (
            "Weakly supervised: five folds of small networks tell the signal region from its side "
            "bands in unlabelled data with injected signal; one mixture per signal."
        ),
        "track": "weakly_supervised",
        "data": [QCD, SIGNAL],
        "paper": CWOLA,
        "chosen_on": (
            "the step: cross-entropy of region against side bands on the fold left out; no label, "
            "no test event"
        ),
        "caveats": [
            "{injected} Which events were injected is read by nobody.",
            f"{EXPERIMENTS}, another draw of signal events on the same background.",
            SILENT,
            (
                "Scored on a test file that no network has seen, not on the data searched, so "
                "that all methods meet the same events."
            ),
        ],
    },
    "event_classifier.cwola_zero": {
        "title": "CWoLa without any signal",
        "summary": (
            "The check: the same procedure on data without signal must not find one. Its "
            "enrichment should be compatible with 1."
        ),
        "track": "weakly_supervised",
        "data": [QCD],
        "paper": CWOLA,
        "chosen_on": (
            "the step: cross-entropy of region against side bands on the fold left out; no label, "
            "no test event"
        ),
        "caveats": [
            (
                f"{EXPERIMENTS}, on the same background: what they learn of its fluctuations they "
                "learn together."
            ),
            SILENT,
        ],
    },
    "event_classifier.supervised": {
        "title": "Supervised bound",
        "summary": (
            "The same networks on the same features with the labels told, one per signal: how far "
            "any search could come with them."
        ),
        "track": "supervised",
        "data": [QCD, SIGNAL],
        "paper": "https://arxiv.org/abs/2101.08320",
        "chosen_on": (
            "the step: cross-entropy of signal against QCD on the fold left out; no test event"
        ),
        "caveats": ["No search: it knows the signal."],
    },
}
"""What a card says of each search, by the name of its recipe."""


def describe(
    name: str,
    recipe: AnomalyRecipe,
    *,
    events: Mapping[str, int],
    command: str,
    hardware: str,
    wall_seconds: float,
    validation: Mapping[str, float],
) -> dict[str, Any]:
    """What the card of a trained search says: the content of a `zoo.cards.ModelDescription`.

    Args:
        name: key of `RECIPES`.
        recipe: its settings, as they were used.
        events: of the training split, by process.
        command: that trained it.
        hardware: that it was trained on.
        wall_seconds: of the training.
        validation: scores on events that it has not seen.
    """
    about = DESCRIPTIONS[name]
    module, architecture, factory = (
        ("jet_autoencoder", "JetAutoencoder", "load_autoencoder")
        if recipe.method == "autoencoder"
        else ("event_classifier", "EventClassifier", "load_classifier")
    )
    seen = events if SIGNAL in about["data"] else {"qcd": events["qcd"]}
    read = ", ".join(f"{count:,} {process} events" for process, count in seen.items())
    injected = f"S/B = {100 * recipe.fraction:g} % in the signal region."
    return {
        "id": f"particle_physics/{name}",
        **{key: about[key] for key in ("title", "summary", "track", "paper")},
        "architecture": f"zoo.particle_physics.models.{module}:{architecture}",
        "predictor": f"zoo.particle_physics.anomaly.predict:{factory}",
        "config": dataclasses.asdict(recipe.config),
        "tasks": ["particle_physics/anomaly"],
        "licence": "Apache-2.0",
        "ensemble": True,
        "truth": "simulated",
        "training": {
            "command": command,
            "data": about["data"],
            "chosen_on": about["chosen_on"],
            "hardware": hardware,
            "wall_seconds": round(wall_seconds, 1),
            "steps": recipe.steps,
            "validation": {metric: round(value, 3) for metric, value in validation.items()},
        },
        "caveats": [
            *(each.format(injected=injected) for each in about["caveats"]),
            f"Read {read} of the training split.",
            SIMULATED,
        ],
    }
