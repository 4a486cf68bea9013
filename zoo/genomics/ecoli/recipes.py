"""The networks that are trained on the E. coli genome, and what their cards say.

A recipe is called like the model that it makes. What they reached:

* `sequence_encoder.ecoli`: 1.2555 nats on the test arc (1.2561 on validation) after 3,100
  steps, 7 minutes of a CPU core, still falling;
* `periodic_cnn.ecoli`, whose dilations keep the reading frame: a macro-F1 of .943 on
  validation after 5,000 steps (8 minutes of a core). A first run of 1,500 steps had .883 on
  validation and, which was looked at too, on the test arc; its loss was still falling, so the
  steps were raised, once;
* `gene_labeller.ecoli` had learned to tell coding from non-coding bases but not the strand when
  it was stopped after 500 steps (loss .915): eight bases a token hide the reading frame, and no
  card rests on it. `periodic_cnn.ecoli` passed it within 200 steps.

Of the settings, peak rates of 2e-3 and 5e-3 were compared on the validation arc after 100 steps;
the rest are first settings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

LANGUAGE_MODEL = "sequence_encoder.ecoli"
CHAIN_ORDER, CHAIN_STRENGTH = 8, 800.0
"""Of the Markov chain that is stored beside the language model: the strength is the one chosen
on the validation arc for the baselines."""
ENCODER = "zoo.genomics.models.sequence_encoder:SequenceEncoder"
LABELLER = "zoo.genomics.models.gene_labeller:GeneLabeller"
LOADERS = "zoo.genomics.ecoli.predict"
LANGUAGE_CAVEAT = (
    "One strain of one species, read in windows of 512 bases: nothing is known of other genomes."
)
GENES_CAVEAT = (
    "It learned one genome's genes; RefSeq's annotation, evidence and prediction mixed, is its "
    "truth."
)
HARDWARE = "one of 2 CPU cores shared with other work (the wall time is mostly waiting)"
CARD: Mapping[str, Any] = {
    "licence": "Apache-2.0",
    "paper": "https://arxiv.org/abs/1810.04805",
    "truth": "observed",
}


@dataclasses.dataclass(frozen=True)
class EColiRecipe:
    """How a network is trained, and what it is.

    Attributes:
        task: `ecoli_lm` or `ecoli_genes`.
        architecture: code path of the network.
        steps: optimiser steps.
        title, summary: of its card.
        batch_size: windows a step.
        learning_rate: peak, after a warm-up of a twentieth; then a cosine to a hundredth.
        network: fields of the network's config.
        start: recipe whose weights training begins with; None: random weights.
        weight_decay: AdamW's.
        ema_decay: of the average of the weights.
        chosen: what was chosen on what, for the card.
    """

    task: str
    architecture: str
    steps: int
    title: str
    summary: str
    batch_size: int = 8
    learning_rate: float = 3e-3
    network: dict[str, Any] = dataclasses.field(default_factory=dict)
    start: str | None = None
    weight_decay: float = 0.01
    ema_decay: float = 0.998
    chosen: str = "nothing was chosen: first settings"


_PLAIN = {"dropout": 0.0}  # the train arc is read less than four times
RECIPES: dict[str, EColiRecipe] = {
    LANGUAGE_MODEL: EColiRecipe(
        "ecoli_lm",
        ENCODER,
        3100,
        "Sequence encoder, masked-language model of E. coli",
        "Convolutions, attention and a way back up to single bases, pre-trained on the train arc "
        "of the genome.",
        learning_rate=4e-3,
        network=_PLAIN,
        chosen=(
            "genomics/ecoli_k12:validation chose to average both strands; first settings otherwise"
        ),
    ),
    "periodic_cnn.ecoli": EColiRecipe(
        "ecoli_genes",
        "zoo.genomics.models.periodic_cnn:PeriodicCNN",
        5000,
        "Convolutions in steps of three bases",
        "A small dilated network that gathers codons of one reading frame, trained on the train "
        "arc's annotation.",
        chosen=(
            "the steps were raised once, from 1,500 to 5,000, as loss was still falling; that "
            "first run had been scored on the test arc too; otherwise first settings"
        ),
    ),
    "gene_labeller.ecoli": EColiRecipe(
        "ecoli_genes",
        LABELLER,
        1500,
        "Gene labeller, pre-trained encoder",
        "The encoder that was pre-trained on the train arc's sequence, fine-tuned on the train "
        "arc's annotation.",
        network=_PLAIN,
        start=LANGUAGE_MODEL,
        ema_decay=0.99,
    ),
    "gene_labeller.ecoli_scratch": EColiRecipe(
        "ecoli_genes",
        LABELLER,
        1500,
        "Gene labeller, from scratch",
        "The same network and steps without pre-training: what the pre-training is worth.",
        network=_PLAIN,
        ema_decay=0.99,
    ),
}
"""Name of the model -> how it is trained."""


def describe(name: str, recipe: EColiRecipe, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The contents of the cards of one network: of a language model also that of its product
    with a Markov chain, whose table lies among the transforms.

    Args:
        name: key of `RECIPES`.
        recipe: what was trained.
        facts: as `zoo.genomics.ecoli.train.fit_network` gives them.
    """
    language = recipe.task == "ecoli_lm"
    card = {
        **CARD,
        "id": f"genomics/{name}",
        "title": recipe.title,
        "summary": recipe.summary,
        "architecture": recipe.architecture,
        "predictor": f"{LOADERS}:{'load_language_model' if language else 'load_labeller'}",
        "predictor_config": {"both_strands": True} if language else {},
        "config": dict(facts["config"]),
        "tasks": [f"genomics/{recipe.task}"],
        "pretrained_on": ["genomics/ecoli_k12:train (sequence alone)"] if recipe.start else [],
        "training": {
            "command": f"zoo train genomics/{recipe.task} {name} --seed {facts['seed']}",
            "data": ["genomics/ecoli_k12:train" + ("" if language else " with annotation")],
            "chosen_on": _chosen_on(recipe.chosen),
            "hardware": HARDWARE,
            "wall_seconds": round(facts["wall_seconds"], 1),
            "steps": facts["steps"],
            "validation": {key: round(value, 4) for key, value in facts["validation"].items()},
        },
        "caveats": [LANGUAGE_CAVEAT if language else GENES_CAVEAT],
    }
    return [card, _with_chain(card)] if language else [card]


def _with_chain(card: Mapping[str, Any]) -> dict[str, Any]:
    """The content of the card of a language model times a Markov chain."""
    alone = card["training"]["validation"]["cross_entropy"]
    return {
        **card,
        "id": f"{card['id']}_chain",
        "title": f"Sequence encoder times Markov chain of order {CHAIN_ORDER}",
        "summary": (
            "The masked-language model and a Markov chain that looks both ways, their "
            "probabilities multiplied."
        ),
        "predictor": f"{LOADERS}:load_chained",
        "predictor_config": {"order": CHAIN_ORDER},
        "training": {
            **card["training"],
            "chosen_on": _chosen_on(
                "genomics/ecoli_k12:validation chose equal weights of network and chain out of "
                "seven pairs"
            ),
            "validation": {"cross_entropy_network_alone": alone},
        },
    }


def _chosen_on(chosen: str) -> str:
    return f"{chosen}, last weights, averaged; genomics/ecoli_k12:validation reports"
