"""The networks that are trained on GUE, and what their cards say.

A recipe is called like the model that it makes: `cnn.gue`, `dilated_cnn.gue`,
`sequence_encoder.gue`; `committee.gue` (`zoo.genomics.gue.stacking`) combines trained ones.
Settings were chosen on dev sets, before any test score was computed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

TASK = "genomics/gue"
SUBSETS = (
    "tf_0",
    "tf_1",
    "tf_2",
    "tf_4",
    "prom_core_all",
    "prom_core_notata",
    "prom_core_tata",
    "prom_300_tata",
)
STACK, STACKED_NETWORK = "committee.gue", "cnn.gue"
"""The recipe that stacks, and the one whose seeds are a member."""
LENGTH = 104
"""Bases that the classifying encoder sees."""
CROP = {"prom_300_tata": 190}
"""First base that is read of the subsets with longer sequences."""
BASES = {
    subset: LENGTH if subset in CROP else 101 if subset.startswith("tf_") else 70
    for subset in SUBSETS
}
"""Bases that a subset's encoder sees."""
PROMOTERS = {"bins": 12, "pool": 2, "dropout": 0.4, "placed": True}
"""What differs for promoters, which are aligned to the start of transcription: finer bins,
and a weight for each letter at each place."""
SMALL, SMALL_EPOCHS = 10_000, 8.0
"""Training sequences below which an encoder makes more passes, and how many."""
CAVEATS = [
    "Positives are OBSERVED, negatives are a choice of GUE's authors: the network may have "
    "learned that choice (see the task's audit).",
    "Human sequences of fixed lengths; it says nothing of other organisms, of variants or of "
    "tissues.",
]
HARDWARE = "one to two CPU cores shared with other work (the wall time is partly waiting)"
CARD: Mapping[str, Any] = {
    "predictor": "zoo.genomics.gue.predict:load_classifier",
    "predict_file": "zoo.genomics.gue.predict:predict_file",
    "tasks": [TASK],
    "licence": "Apache-2.0",
    "truth": "observed",
    "caveats": CAVEATS,
}


@dataclasses.dataclass(frozen=True)
class CNNRecipe:
    """How a subset's network is trained, and what the model is.

    Attributes:
        title, paper, summary: of the card.
        network: fields of `SequenceCNNConfig` but `length`.
        epochs: passes over the training set, but at least `least_steps` steps.
        least_steps: see there.
        batch_size: sequences a step.
        learning_rate: peak, after a warm-up of a twentieth; then a cosine to a hundredth.
        weight_decay: AdamW's.
        shift: at most so many positions by which a training sequence is moved to either side.
        subsets: that a network is trained for.
    """

    title: str
    paper: str
    summary: str
    network: dict[str, Any] = dataclasses.field(default_factory=dict)
    epochs: float = 10.0
    least_steps: int = 2000
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    shift: int = 0
    subsets: tuple[str, ...] = SUBSETS

    def of_subset(self, subset: str) -> CNNRecipe:
        """The settings of one subset's network."""
        if not subset.startswith("prom_"):
            return self
        return dataclasses.replace(self, network=self.network | PROMOTERS, least_steps=1000)


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How an encoder is trained, before its labels or on them.

    Attributes:
        epochs: passes over the sequences.
        batch_size: sequences a step.
        learning_rate: peak, after a warm-up of a twentieth; then a cosine to a hundredth.
        network: fields of `SequenceEncoderConfig`.
        weight_decay: AdamW's.
        rank: of the updates of frozen kernels (`zoo.genomics.models.low_rank`); 0: every
            kernel is trained.
    """

    epochs: float
    batch_size: int = 64
    learning_rate: float = 1e-3
    network: dict[str, Any] = dataclasses.field(default_factory=dict)
    weight_decay: float = 0.02
    rank: int = 0


@dataclasses.dataclass(frozen=True)
class EncoderRecipe:
    """An encoder that is pre-trained once for all subsets and tuned to each.

    Attributes:
        title, paper, summary: of the card.
        pretraining, tuning: how.
        subsets: that a network is tuned for.
    """

    title: str
    paper: str
    summary: str
    pretraining: Schedule
    tuning: Schedule
    subsets: tuple[str, ...] = SUBSETS

    def of_table(self, sequences: int) -> Schedule:
        """The tuning on so many training sequences."""
        few = sequences < SMALL
        return dataclasses.replace(self.tuning, epochs=SMALL_EPOCHS) if few else self.tuning


RECIPES: dict[str, CNNRecipe | EncoderRecipe] = {
    "cnn.gue": CNNRecipe(
        title="CNN, one network a subset",
        paper="https://doi.org/10.1038/nbt.3300",
        summary=(
            "Two convolutions over motifs and a dense layer over bins; both strands averaged for "
            "transcription factors."
        ),
    ),
    "dilated_cnn.gue": CNNRecipe(
        title="Dilated residual CNN, one network a subset",
        paper="https://doi.org/10.1101/gr.227819.117",
        summary=(
            "A first convolution and five dilated residual ones; both strands averaged for "
            "transcription factors."
        ),
        network={"filters": 96, "channels": 96, "pool": 3, "dilations": (1, 2, 4, 8, 1), "bins": 9},
        epochs=6.0,
        least_steps=1000,
    ),
    "sequence_encoder.gue": EncoderRecipe(
        title="Sequence encoder, tuned to each subset",
        paper="https://doi.org/10.1038/s41592-021-01252-x",
        summary=(
            "Convolutions and attention at an eighth of the resolution, pre-trained on hidden "
            "letters of GUE's training sequences; for each subset low-rank updates of the frozen "
            "attention blocks and convolutions, norms and a head of its own."
        ),
        pretraining=Schedule(1.0, learning_rate=2e-3, network={"dropout": 0.0}),
        tuning=Schedule(2.0, learning_rate=2e-3, network={"dropout": 0.1}, rank=6),
    ),
}
"""Name of the model -> how it is trained."""


def describe_networks(
    name: str, recipe: CNNRecipe, facts: Mapping[str, Mapping[str, Any]], seed: int
) -> list[dict[str, Any]]:
    """The contents of the cards of one seed's networks, and of the mean logit of all seeds.

    Args:
        name: key of `RECIPES`.
        recipe: what was trained.
        facts: by subset, as `zoo.genomics.gue.train_cnn.train_subset` gives them.
        seed: of the training.
    """
    subsets = list(recipe.subsets)
    lengths = {subset: facts[subset]["length"] for subset in subsets}
    card = {
        **CARD,
        "id": f"genomics/{name}",
        "title": recipe.title,
        "paper": recipe.paper,
        "summary": recipe.summary,
        "architecture": "zoo.genomics.models.sequence_cnn:SequenceCNNs",
        "config": {
            "subsets": subsets,
            "lengths": list(lengths.values()),
            "networks": {subset: facts[subset]["network"] for subset in subsets},
        },
        "predictor_config": {"subsets": subsets, "lengths": lengths},
        "training": {
            **_training(name, facts, seed),
            "data": ["genomics/gue:train"],
            "chosen_on": (
                "genomics/gue:dev chose rate and layers (tried on tf_0, tf_1, tf_2, "
                "prom_core_tata, prom_300_tata); last weights"
            ),
        },
    }
    together = {
        **card,
        "id": f"genomics/{name}_ensemble",
        "title": f"{recipe.title}, mean of all seeds",
        "ensemble": True,
    }
    return [card, together]


def describe_encoders(
    name: str,
    recipe: EncoderRecipe,
    facts: Mapping[str, Mapping[str, Any]],
    seed: int,
    *,
    shared: int,
    own: float,
) -> list[dict[str, Any]]:
    """The content of the card of one seed's tuned encoders.

    Args:
        name: key of `RECIPES`.
        recipe: what was trained.
        facts: by subset, as `zoo.genomics.gue.train_encoder.tune` gives them.
        seed: of the tuning.
        shared: parameters that all subsets' networks share.
        own: parameters of one subset's network alone.
    """
    subsets = list(recipe.subsets)
    first = facts[subsets[0]]["config"]
    card = {
        **CARD,
        "id": f"genomics/{name}",
        "title": recipe.title,
        "paper": recipe.paper,
        "summary": recipe.summary,
        "architecture": "zoo.genomics.models.low_rank:SequenceEncoders",
        "converter": "zoo.genomics.models.low_rank:expanded",
        "config": {
            "subsets": subsets,
            "tokens": [facts[subset]["config"]["head_tokens"] for subset in subsets],
            "encoder": {
                key: value for key, value in first.items() if key not in ("tasks", "head_tokens")
            },
        },
        "predictor_config": {
            "subsets": subsets,
            "lengths": {subset: BASES[subset] for subset in subsets},
            "crop": {subset: start for subset, start in CROP.items() if subset in subsets},
        },
        "caveats": [
            *CAVEATS,
            f"Parameters are the file's: {shared / 1000:.0f} k shared by all subsets, and about "
            f"{own / 1000:.0f} k of each subset's own.",
            "The pre-training is one pass; on its own it helps little: see "
            "zoo.genomics.gue.transfer_curve.",
        ],
        "pretrained_on": [
            "genomics/gue:train letters, without those that share a 31-mer with any dev or test set"
        ],
        "training": {
            **_training(name, facts, seed),
            "data": ["genomics/gue:train (each network: its own subset's)"],
            "chosen_on": (
                "genomics/gue:dev of prom_core_tata: low-rank updates, not every weight; the last "
                "weights are the model"
            ),
        },
    }
    return [card]


def describe_stack(
    network: Mapping[str, Any],
    seeds: int,
    wall_seconds: float,
    settings: Mapping[str, Any],
    validation: Mapping[str, float],
) -> dict[str, Any]:
    """The content of the card of the stacked networks and regressions.

    Args:
        network: the content of the member network's card.
        seeds: of that network.
        wall_seconds: of their trainings.
        settings: weights and intercepts by subset, and the regressions' features.
        validation: dev scores.
    """
    return {
        **CARD,
        "id": f"genomics/{STACK}",
        "title": "Committee: CNN and both k-mer regressions",
        "summary": (
            f"A weighted sum of logits, weights fitted on dev: the mean of {seeds} CNNs, two "
            "regressions."
        ),
        "paper": "https://doi.org/10.1016/S0893-6080(05)80023-1",
        "architecture": network["architecture"],
        "converter": "zoo.genomics.models.members:first_member",
        "config": network["config"],
        "predictor": "zoo.genomics.gue.stacking:load_committee",
        "predictor_config": {**network["predictor_config"], **settings},
        "caveats": [
            *CAVEATS,
            "Parameters are counted over all subsets; one subset's answer takes its share of them.",
            "tf_4: a third of its dev sequences are in its training set, so its weights lean to "
            "what fits train best.",
        ],
        "training": {
            "command": f"zoo train {TASK} {STACK}",
            "data": ["genomics/gue:train", "genomics/gue:dev (weights of the members)"],
            "chosen_on": "genomics/gue:dev: the weights of the members and the intercept",
            "hardware": HARDWARE,
            "wall_seconds": round(wall_seconds, 1),
            "steps": network["training"]["steps"],
            "validation": dict(validation),
        },
    }


def _training(name: str, facts: Mapping[str, Mapping[str, Any]], seed: int) -> dict[str, Any]:
    """What the card of a model with a network a subset says of its training."""
    return {
        "command": f"zoo train {TASK} {name} --seed {seed}",
        "hardware": HARDWARE,
        "wall_seconds": round(sum(each["wall_seconds"] for each in facts.values()), 1),
        "steps": sum(each["steps"] for each in facts.values()),
        "validation": {
            f"mcc_{subset}": round(each["dev"]["mcc"], 4) for subset, each in facts.items()
        },
    }
