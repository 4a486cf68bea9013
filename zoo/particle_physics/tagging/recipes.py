"""What the recipes of the jet taggers are: settings, what they reached, and what the cards say.

Sizes, rates and epochs are first settings, cut to the time at hand and not tuned; the
validation jets reported, and chose two things about the fine-tuned network: it sees 64
particles when it predicts and not 48, and its last edge convolution joins 8 neighbours, the
best of the four cheaper settings that were tried without training.

What they reached on the test jets with seeds 0, 1, 2 (minutes of one CPU core a seed):
top_tagging AUC particle_transformer .994 .994 .993 (3.5), lorentz_net .988 .990 .989 (2),
pfn .987 .987 .987 (2), particle_net (lite) .985 .985 .985 (2.5); jet_tagging accuracy
fine_tune.particle_net .859 .856 .855 (6), particle_transformer .815 .819 .816 (6), pfn .762
.760 .755 (3); quark_gluon AUC particle_transformer .884 (3.5), pfn .877. `particle_net`
(lite) for ten classes has a recipe and no published weights.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from zoo.particle_physics.data.jets import CLASSES

DATASETS = {
    "jet_tagging": "jet_tagging",
    "top_tagging": "jet_tagging",
    "quark_gluon": "quark_gluon",
}
"""The dataset that each task trains on."""

MODELS = {
    "pfn": "zoo.particle_physics.models.pfn:PFN",
    "particle_net": "zoo.particle_physics.models.particle_net:ParticleNet",
    "particle_transformer": "zoo.particle_physics.models.particle_transformer:ParticleTransformer",
    "lorentz_net": "zoo.particle_physics.models.lorentz_net:LorentzNet",
}


@dataclasses.dataclass(frozen=True)
class TaggerRecipe:
    """How one network is trained.

    Attributes:
        model: key of `MODELS`.
        features: feature set.
        particles: hardest constituents.
        epochs: passes over the training jets; may be a fraction.
        batch_size: jets per step.
        learning_rate: peak, after a warm-up of a twentieth; then a cosine to zero.
        config: fields of the architecture's config, beside `features` and `classes`.
        start: pretrained model from which training starts, but for the fields of `config`;
            None: from random weights.
        weight_decay: AdamW's.
        per_class: at most so many training jets a class.
        microbatch_size: jets that go through the network at once, see `LoopConfig`; None:
            the whole batch.
    """

    model: str
    features: str
    particles: int
    epochs: float
    batch_size: int = 128
    learning_rate: float = 2e-3
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    start: str | None = None
    weight_decay: float = 0.01
    per_class: int | None = None
    microbatch_size: int | None = None


_ALL = 40_000
"""Training jets a class: the first four files."""
_TRANSFORMER = {"width": 32, "depth": 2}
RECIPES: dict[str, TaggerRecipe] = {
    "jet_tagging/pfn": TaggerRecipe("pfn", "full", 64, 2.0, per_class=_ALL),
    "jet_tagging/particle_net": TaggerRecipe(
        "particle_net", "full", 48, 1.0, batch_size=32, microbatch_size=8, per_class=_ALL
    ),
    "jet_tagging/particle_transformer": TaggerRecipe(
        "particle_transformer",
        "full",
        48,
        2.0,
        batch_size=64,
        microbatch_size=8,
        config=_TRANSFORMER,
        per_class=_ALL,
    ),
    # Eight neighbours in the widest edge convolution where the published network has 16:
    # two thirds of its operations.
    "jet_tagging/fine_tune.particle_net": TaggerRecipe(
        "particle_net",
        "full",
        64,
        1.0,
        batch_size=32,
        learning_rate=1e-3,
        start="particle_physics/particle_net.jetclass",
        per_class=2500,
        config={"neighbours": (16, 16, 8)},
        microbatch_size=4,
    ),
    "top_tagging/pfn": TaggerRecipe("pfn", "kinpid", 64, 6.0, per_class=_ALL),
    "top_tagging/particle_net": TaggerRecipe(
        "particle_net", "kinpid", 48, 2.0, batch_size=32, microbatch_size=8, per_class=_ALL
    ),
    "top_tagging/particle_transformer": TaggerRecipe(
        "particle_transformer",
        "kinpid",
        48,
        6.0,
        batch_size=64,
        microbatch_size=8,
        config=_TRANSFORMER,
        per_class=_ALL,
    ),
    "top_tagging/lorentz_net": TaggerRecipe(
        "lorentz_net", "kinpid", 32, 2.0, batch_size=32, microbatch_size=8, per_class=_ALL
    ),
    "quark_gluon/pfn": TaggerRecipe("pfn", "kinpid", 64, 12.0, per_class=10_000),
    "quark_gluon/particle_transformer": TaggerRecipe(
        "particle_transformer",
        "kinpid",
        48,
        10.0,
        batch_size=64,
        microbatch_size=8,
        config=_TRANSFORMER,
        per_class=10_000,
    ),
}

DESCRIPTIONS: dict[str, dict[str, str]] = {
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
        "summary": (
            "Minkowski products alone: no boost and no rotation of the jet changes its answer."
        ),
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
"""What a card says of each network, by the name of its recipe."""
NEIGHBOURS = (
    "Its last edge convolution joins 8 neighbours where the published network has 16, for two "
    "thirds of the time. Before any training with 8, validation jets lost .016 of accuracy by that."
)
TRUTH_LEVEL = (
    "Trained on SIMULATED jets without detector and pile-up: it has not seen what an experiment "
    "measures."
)


def describe(
    name: str,
    *,
    config: Mapping[str, Any],
    jets: int,
    steps: int,
    command: str,
    hardware: str,
    wall_seconds: float,
    validation: Mapping[str, float],
) -> dict[str, Any]:
    """What the card of a trained tagger says: the content of a `zoo.cards.ModelDescription`.

    Args:
        name: `<task>/<recipe>`, a key of `RECIPES`.
        config: the network's.
        jets: that it was trained on.
        steps: optimiser steps.
        command: that trained it.
        hardware: that it was trained on.
        wall_seconds: of the training.
        validation: scores on the validation jets.
    """
    task, _, kind = name.partition("/")
    about, recipe, tuned = DESCRIPTIONS[kind], RECIPES[name], kind.startswith("fine_tune.")
    data = f"particle_physics/{DATASETS[task]}"
    # A network that knows ten classes tells two of them apart too.
    tasks = [f"particle_physics/{other}" for other in (task, *(["top_tagging"] if tuned else []))]
    chosen = (
        f"{data}:validation chose that it sees 64 particles, not 48, and 8 neighbours at the end; "
        "first settings otherwise, last weights"
    )
    nothing = f"nothing was chosen: first settings, last weights; {data}:validation only reports"
    return {
        "id": f"particle_physics/{recipe.model}.{task}{'_tuned' if tuned else ''}",
        **about,
        "architecture": MODELS[recipe.model],
        "predictor": "zoo.particle_physics.tagging.predict:load_tagger",
        "predict_file": "zoo.particle_physics.tagging.predict:predict_file",
        "config": dict(config),
        "predictor_config": {
            "features": recipe.features,
            "particles": recipe.particles,
            "classes": list(CLASSES[task]),
            "batch": 4 if tuned else 64,  # the large network's arrays must stay in the cache
        },
        "tasks": tasks,
        "licence": "Apache-2.0",
        "truth": "simulated",
        "pretrained_on": ["JetClass (100 million simulated jets), by its authors"] if tuned else [],
        "training": {
            "command": command,
            "data": [f"{data}:train ({jets:,} jets)"],
            "chosen_on": chosen if tuned else nothing,
            "hardware": hardware,
            "wall_seconds": round(wall_seconds, 1),
            "steps": steps,
            "validation": {metric: round(value, 4) for metric, value in validation.items()},
        },
        "caveats": [TRUTH_LEVEL, *([NEIGHBOURS] if tuned else [])],
    }
