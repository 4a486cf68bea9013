"""Turns finished runs of `zoo.genomics.ecoli.train` into pretrained models with cards.

    python -m zoo.genomics.ecoli.publish RUNS

where RUNS holds `<recipe>.seed<k>/run.json` and `model.safetensors`. The first seed is the
model; the others are listed in its card and scored beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.pretrained.publish import publish

FOLDER = Path(__file__).parents[1] / "weights"
ORDER, STRENGTH = 8, 800.0
"""The chain that is stored beside the language model: the strength is the one chosen on the
validation arc for the baselines."""
PAPER = "https://arxiv.org/abs/1810.04805"
ABOUT: dict[str, dict[str, Any]] = {
    "lm": {
        "id": "genomics/sequence_encoder.ecoli",
        "title": "Sequence encoder, masked-language model of E. coli",
        "summary": (
            "Convolutions, attention and a way back up to single bases, pre-trained on the train "
            "arc of the genome."
        ),
        "architecture": "zoo.genomics.models.sequence_encoder:SequenceEncoder",
        "predictor": "zoo.genomics.ecoli.predict:load_language_model",
        "predictor_config": {"both_strands": True},
        "tasks": ["genomics/ecoli_lm"],
        "truth": "observed",
    },
    "lm_chain": {
        "id": "genomics/sequence_encoder.ecoli_chain",
        "title": "Sequence encoder times Markov chain of order 8",
        "summary": (
            "The masked-language model and a Markov chain that looks both ways, their "
            "probabilities multiplied."
        ),
        "architecture": "zoo.genomics.models.sequence_encoder:SequenceEncoder",
        "predictor": "zoo.genomics.ecoli.predict:load_chained",
        "predictor_config": {"order": ORDER},
        "tasks": ["genomics/ecoli_lm"],
        "truth": "observed",
    },
    "periodic_cnn": {
        "id": "genomics/periodic_cnn.ecoli",
        "title": "Convolutions in steps of three bases",
        "summary": (
            "A small dilated network that gathers codons of one reading frame, trained on the "
            "train arc's annotation."
        ),
        "architecture": "zoo.genomics.models.periodic_cnn:PeriodicCNN",
        "predictor": "zoo.genomics.ecoli.predict:load_labeller",
        "tasks": ["genomics/ecoli_genes"],
        "truth": "observed",
    },
    "genes": {
        "id": "genomics/gene_labeller.ecoli",
        "title": "Gene labeller, pre-trained encoder",
        "summary": (
            "The encoder that was pre-trained on the train arc's sequence, fine-tuned on the "
            "train arc's annotation."
        ),
        "architecture": "zoo.genomics.models.gene_labeller:GeneLabeller",
        "predictor": "zoo.genomics.ecoli.predict:load_labeller",
        "tasks": ["genomics/ecoli_genes"],
        "truth": "observed",
        "pretrained_on": ["genomics/ecoli_k12:train (sequence alone)"],
    },
    "genes_scratch": {
        "id": "genomics/gene_labeller.ecoli_scratch",
        "title": "Gene labeller, from scratch",
        "summary": "The same network and steps without pre-training: what the pre-training is worth.",
        "architecture": "zoo.genomics.models.gene_labeller:GeneLabeller",
        "predictor": "zoo.genomics.ecoli.predict:load_labeller",
        "tasks": ["genomics/ecoli_genes"],
        "truth": "observed",
    },
}
CAVEATS = {
    "lm": [
        (
            "One strain of one species, read in windows of 512 bases: nothing is known of other "
            "genomes."
        )
    ],
    "genes": [
        (
            "It learned one genome's genes; RefSeq's annotation, evidence and prediction mixed, "
            "is its truth."
        )
    ],
}


def main(arguments: Sequence[str]) -> int:
    """Publishes every recipe of which at least one seed has finished."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    for name in ABOUT:
        stem = name.removesuffix("_chain")
        runs = sorted(
            Path(arguments[0]).glob(f"{stem}.seed*/run.json"),
            key=lambda path: int(path.parent.name.rpartition("seed")[2]),
        )
        if not runs:
            print(f"{name}: no finished run in {arguments[0]}")
            continue
        facts = [json.loads(path.read_text(encoding="utf-8")) for path in runs]
        weights = {
            fact["seed"]: path.with_name("model.safetensors")
            for fact, path in zip(facts, runs, strict=True)
        }
        if stem == "lm":
            weights = {seed: with_chain(path) for seed, path in weights.items()}
        print(
            publish(
                FOLDER,
                card(name, facts),
                weights,
                stem=None if stem == name else ABOUT[stem]["id"].split("/")[1],
            )
        )
    return 0


def with_chain(path: Path) -> Path:
    """Writes `published.safetensors` beside a language model's weights: the same, and the
    chain's table in half precision."""
    from zoo.genomics.ecoli.baselines.markov import Chain
    from zoo.interfaces.task import load_task
    from zoo.pretrained.weights import load, save

    parameters, transforms, metadata = load(path)
    chain = Chain(load_task("genomics/ecoli_lm").arc("train"), ORDER, STRENGTH)
    target = path.with_name("published.safetensors")
    save(
        target,
        parameters,
        transforms=transforms | {"chain": chain.table.astype("float16")},
        metadata=metadata,
    )
    return target


def card(name: str, facts: list[dict[str, Any]]) -> dict[str, Any]:
    """The card's content, read from the runs of all seeds."""
    first, recipe = facts[0], facts[0]["recipe"]
    seeds = " ".join(str(fact["seed"]) for fact in facts)
    scores = {
        f"{metric}{'' if fact is first else '_seed' + str(fact['seed'])}": round(value, 4)
        for fact in facts
        for metric, value in fact["validation"].items()
    }
    stem = name.removesuffix("_chain")
    chosen = "nothing was chosen: first settings"
    if stem == "periodic_cnn":
        chosen = (
            "the steps were raised once, from 1,500 to 5,000, as loss was still falling; that "
            "first run had been scored on the "
        )
        chosen += "test arc too; otherwise first settings"
    if stem == "lm":
        chosen = (
            "genomics/ecoli_k12:validation chose to average both strands; first settings otherwise"
        )
    if stem != name:
        chosen = (
            "genomics/ecoli_k12:validation chose equal weights of network and chain out of seven "
            "pairs"
        )
        scores = {"cross_entropy_network_alone": scores["cross_entropy"]}
    return ABOUT[name] | {
        "config": first["config"],
        "licence": "Apache-2.0",
        "paper": PAPER,
        "training": {
            "command": f"python -m zoo.genomics.ecoli.train {stem} --seeds {seeds} --out RUNS",
            "data": [
                "genomics/ecoli_k12:train"
                + ("" if recipe["task"] == "ecoli_lm" else " with annotation")
            ],
            "chosen_on": f"{chosen}, last weights, averaged; genomics/ecoli_k12:validation reports",
            "hardware": "one of 2 CPU cores shared with other work (the wall time is mostly waiting)",
            "wall_seconds": round(sum(fact["wall_seconds"] for fact in facts), 1),
            "steps": first["steps"],
            "validation": scores,
        },
        "caveats": [*CAVEATS["lm" if stem == "lm" else "genes"], *first.get("caveats", [])],
    }


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
