"""Turns finished training runs of the motif networks into pretrained models with cards.

    python -m zoo.genomics.motif_grammar.publish RUNS_FOLDER [motif_grammar/cnn_dist.exponential ...]

where RUNS_FOLDER holds what `zoo.genomics.motif_grammar.train --out RUNS_FOLDER` leaves:
`run.json` and `model.safetensors` in folders `<task>.<architecture>.<activation>.seed<k>`.
The first seed is the model; the others are listed in its card and scored beside it. The
method that a card declares is the one with the highest attribution AUROC on the first 200
validation positives. Beside the single networks stands one combination of
`cnn_dist.exponential`: the mean of all seeds over both strands.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

from zoo.genomics.models.motif_cnn import MotifCnn, MotifCnnConfig
from zoo.genomics.motif_grammar import data as motifs
from zoo.genomics.motif_grammar import metrics as attribution
from zoo.genomics.motif_grammar.predict import MotifModel
from zoo.genomics.motif_grammar.train import RECIPES
from zoo.pretrained import weights as storage
from zoo.pretrained.publish import publish

PAPER = "https://doi.org/10.1038/s42256-020-00291-x"
ABOUT = {
    "cnn_dist": "Pools little at first, so that deeper layers see how motifs lie to each other.",
    "cnn_local": "Keeps the strongest match of each first-layer filter in every 50 bases.",
}
FEW = ("saliency", "gradient_x_input", "gradient_norm", "ism")
"""Methods of the combination, which costs as much as six networks."""
CHOSEN_ON = 200
"""Validation positives on which methods are compared."""
COMBINED = "cnn_dist.exponential"
"""Whose seeds and strands are combined; chosen among the networks by its attribution AUROC
on the validation positives."""


def explained(task: str) -> motifs.PlantedSequences:
    """The validation positives on which methods are chosen."""
    held_out = motifs.load(task, split="validation")
    return held_out[np.flatnonzero(held_out.label == 1)[:CHOSEN_ON]]


def method_scores(model: MotifModel, sequences: motifs.PlantedSequences) -> dict[str, float]:
    """Mean attribution AUROC by method."""
    truth, values = sequences.planted(), model.attribute(sequences.tokens, model.methods)
    return {
        method: round(float(attribution.auroc(values[method], truth).mean()), 4)
        for method in model.methods
    }


def threshold(model: MotifModel, task: str) -> float:
    """The logit between two validation sequences at which most of them are told apart rightly."""
    held_out = motifs.load(task, split="validation")
    logits = model.logits(held_out.tokens)
    order = np.argsort(logits, kind="stable")
    right = np.cumsum(
        np.where(held_out.label[order] == 1, -1, 1)
    )  # negatives below the cut less positives below it
    best = int(np.argmax(right[:-1]))
    return round(float(logits[order[best : best + 2]].mean()), 4)


def restored(path: Path, facts: dict[str, Any]) -> MotifCnn:
    """A run's network."""
    return storage.restore(
        MotifCnn(MotifCnnConfig(**facts["config"]), rngs=nnx.Rngs(0)), storage.load(path)[0]
    )


def main(runs: str, *names: str) -> None:
    """Publishes the named recipes, or all, of which at least one seed has finished, and the
    combination where there are two or more."""
    folder = Path(__file__).parents[1] / "weights"
    for name in names or RECIPES:
        stem = name.replace("/", ".")
        finished = sorted(
            Path(runs).glob(f"{stem}.seed*/run.json"),
            key=lambda path: int(path.parent.name.rpartition("seed")[2]),
        )
        if not finished:
            continue
        facts = [json.loads(path.read_text(encoding="utf-8")) for path in finished]
        weights = {
            fact["seed"]: path.with_name("model.safetensors")
            for fact, path in zip(facts, finished, strict=True)
        }
        networks = [
            restored(path, fact) for path, fact in zip(weights.values(), facts, strict=True)
        ]
        sequences = explained(name.split("/")[0])
        single = MotifModel(networks[:1])
        scores, cut = method_scores(single, sequences), threshold(single, name.split("/")[0])
        print(
            publish(folder, card(name, facts, scores, cut), weights),
            max(scores, key=scores.get),
            scores,
            flush=True,
        )
        # Order and distance have a direction: what the harder task asks reads otherwise on
        # the other strand.
        if name == f"motif_grammar/{COMBINED}" and len(networks) > 1:
            together = MotifModel(networks, both_strands=True, methods=FEW)
            both, cut = method_scores(together, sequences), threshold(together, name.split("/")[0])
            content = card(name, facts, both, cut, combined=True)
            print(
                publish(folder, content, weights, stem=_tag(name)),
                max(both, key=both.get),
                both,
                flush=True,
            )


def _tag(name: str) -> str:
    """`cnn_dist.exponential`, or `cnn_dist.exponential_hard`."""
    task, _, network = name.partition("/")
    return network + task.removeprefix("motif_grammar")


def card(
    name: str,
    facts: list[dict[str, Any]],
    scores: dict[str, float],
    cut: float,
    *,
    combined: bool = False,
) -> dict[str, Any]:
    """The card's content, read from the runs of all seeds, the methods' scores on
    validation positives and the threshold."""
    task, _, network = name.partition("/")
    architecture, _, activation = network.partition(".")
    first, seeds = facts[0], " ".join(str(fact["seed"]) for fact in facts)
    validation = {
        f"{metric}{'' if fact is first else '_seed' + str(fact['seed'])}": round(value, 4)
        for fact in facts
        for metric, value in fact["validation"].items()
    } | {f"attribution_auroc_{method}": value for method, value in scores.items()}
    title = (
        f"{architecture.replace('_', '-').replace('cnn', 'CNN')}, {activation.replace('_', '-')}"
    )
    # The combination was trained once, with all its members.
    return {
        "id": f"genomics/{_tag(name)}{'_both' if combined else ''}",
        "title": f"{title}, {len(facts)} seeds, both strands" if combined else title,
        "summary": f"{ABOUT[architecture]} First activation: {activation.replace('_', '-')}."
        + (
            (
                f" The mean logit of {len(facts)} networks over the sequence and its reverse "
                "complement."
            )
            if combined
            else ""
        ),
        "architecture": "zoo.genomics.models.motif_cnn:MotifCnn",
        "predictor": "zoo.genomics.motif_grammar.predict:load_motif_cnn",
        "predict_file": "zoo.genomics.motif_grammar.predict:predict_file",
        "config": first["config"],
        "predictor_config": {
            "declared": max(scores, key=scores.get),
            "both_strands": combined,
            "threshold": cut,
            "methods": list(scores),
        },
        "ensemble": combined,
        "tasks": [f"genomics/{task}"],
        "track": "open",
        "licence": "Apache-2.0",
        "paper": PAPER,
        "truth": "simulated",
        "training": {
            "command": f"python -m zoo.genomics.motif_grammar.train {name} --seeds {seeds}",
            "data": [f"genomics/motif_grammar ({task}):train ({first['sequences']:,} sequences)"],
            "chosen_on": f"genomics/motif_grammar ({task}):validation: the epoch, the learning rate (one for all networks), the "
            "threshold and the declared method"
            + (", and that this network is combined" if combined else ""),
            "hardware": "one of 2 CPU cores shared with other work (the wall time is mostly waiting)",
            "wall_seconds": round(sum(fact["wall_seconds"] for fact in facts), 1),
            "steps": first["steps"],
            "validation": validation,
        },
        "caveats": [
            (
                "Trained on SIMULATED sequences of 200 bases whose background is uniform: it "
                "knows nothing of genomes."
            )
        ],
    }


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
