"""Turns finished training runs on GUE into pretrained models with cards.

    python -m zoo.genomics.gue.publish RUNS_FOLDER

where RUNS_FOLDER holds what `zoo.genomics.gue.train` and `zoo.genomics.gue.train_encoder`
leave. The first seed is the model, the others are listed in its card and scored beside it;
`<name>_ensemble` is the mean logit of all seeds and stores no weights of its own.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import files
from zoo.cards import ModelCard, parse, read
from zoo.genomics.gue.stacking import fit_weights, load_committee, load_members
from zoo.genomics.gue.train import SUBSETS, dev_scores
from zoo.genomics.gue.train_encoder import BASES, CROP
from zoo.genomics.models.low_rank import SHARED as SHARED_KERNELS
from zoo.genomics.models.low_rank import joined
from zoo.interfaces.task import load_task
from zoo.pretrained import weights as storage
from zoo.pretrained.publish import EXPECTED_SEED, publish, to_toml

if TYPE_CHECKING:
    from zoo.genomics.gue.task import Gue

CAVEATS = [
    (
        "Positives are OBSERVED, negatives are a choice of GUE's authors: the network may have "
        "learned that choice (see the task's audit)."
    ),
    (
        "Human sequences of fixed lengths; it says nothing of other organisms, of variants or of "
        "tissues."
    ),
]
SHARED = {
    "predictor": "zoo.genomics.gue.predict:load_classifier",
    "predict_file": "zoo.genomics.gue.predict:predict_file",
    "tasks": ["genomics/gue"],
    "licence": "Apache-2.0",
    "truth": "observed",
    "caveats": CAVEATS,
}
REGRESSIONS = 1000
"""From which the committee's files that are no seeds of the CNN are counted."""
HARDWARE = "one to two CPU cores shared with other work (the wall time is partly waiting)"


def main(runs: str) -> None:
    """Publishes what has finished."""
    folder = Path(__file__).parents[1] / "weights"
    with tempfile.TemporaryDirectory() as temporary:
        for kind, about in (
            (
                "cnn",
                {
                    "title": "CNN, one network a subset",
                    "paper": "https://doi.org/10.1038/nbt.3300",
                    "summary": (
                        "Two convolutions over motifs and a dense layer over bins; both strands "
                        "averaged for transcription factors."
                    ),
                },
            ),
            (
                "dilated_cnn",
                {
                    "title": "Dilated residual CNN, one network a subset",
                    "paper": "https://doi.org/10.1101/gr.227819.117",
                    "summary": (
                        "A first convolution and five dilated residual ones; both strands "
                        "averaged for transcription factors."
                    ),
                },
            ),
        ):
            weights, facts = bundles(Path(runs), kind, Path(temporary))
            if weights:
                write(
                    folder, f"{kind}.gue", about | of_networks(kind, facts), weights, ensemble=True
                )
        weights, facts = bundles(Path(runs), "tune", Path(temporary))
        if weights:
            write(
                folder,
                "sequence_encoder.gue",
                of_encoders(facts, next(iter(weights.values()))),
                weights,
            )
    if (folder / "cnn.gue.toml").is_file():
        print(committee(folder, load_task("genomics/gue")))


def write(
    folder: Path,
    name: str,
    card: dict[str, Any],
    weights: dict[int, Path],
    *,
    ensemble: bool = False,
) -> None:
    """The card of one model, and that of its `ensemble` where there are several seeds."""
    print(publish(folder, SHARED | card | {"id": f"genomics/{name}"}, weights))
    if ensemble and len(weights) > 1:
        title = f"{card['title']}, mean of {len(weights)} seeds"
        together = card | {"id": f"genomics/{name}_ensemble", "title": title, "ensemble": True}
        print(publish(folder, SHARED | together, weights, stem=name))


def committee(folder: Path, task: Gue) -> Path:
    """Fits the committee of the published networks and regressions on the dev sets, and
    writes its card."""
    base = read(folder / "cnn.gue.toml", ModelCard)
    regressions = [folder / f"kmers.{kind}.gue.safetensors" for kind in ("spectrum", "placed")]
    paths = [*(folder / weight.file for weight in base.weights), *regressions]
    members = load_members(base, paths)
    weights, intercept, scores = {}, {}, {}
    for subset in SUBSETS:
        dev = task.visible(subset, "dev")
        each = np.stack([member.logits(dev.tokens, subset) for member in members.values()], 1)
        fitted, shift = fit_weights(each, dev.labels)
        weights[subset] = {
            name: round(float(weight), 4) for name, weight in zip(members, fitted, strict=True)
        }
        intercept[subset] = round(shift, 4)
        scores[f"mcc_{subset}"] = round(dev_scores(each @ fitted + shift, dev.labels)["mcc"], 4)
    stored = [weight.model_dump(exclude={"urls"}) for weight in base.weights]
    for number, path in enumerate(regressions):
        stored.append(
            {
                "file": path.name,
                "sha256": files.sha256(path),
                "bytes": path.stat().st_size,
                "seed": REGRESSIONS + number,
            }
        )
    card = SHARED | {
        "schema_version": 1,
        "id": "genomics/committee.gue",
        "title": "Committee: CNN and both k-mer regressions",
        "summary": (
            f"A weighted sum of logits, weights fitted on dev: the mean of {len(base.weights)} "
            "CNNs, two regressions."
        ),
        "paper": "https://doi.org/10.1016/S0893-6080(05)80023-1",
        "architecture": base.architecture,
        "config": base.config,
        "predictor": "zoo.genomics.gue.stacking:load_committee",
        "ensemble": True,
        "predictor_config": base.predictor_config | {"weights": weights, "intercept": intercept},
        "n_params": sum(value.size for path in paths for value in storage.load(path)[0].values()),
        "caveats": [
            *CAVEATS,
            f"Files with seeds from {REGRESSIONS} are the regressions: nothing random is in them.",
            (
                "Parameters are counted over all eight subsets; one subset's answer takes an "
                "eighth of them."
            ),
            (
                "tf_4: a third of its dev sequences are in its training set, so its weights lean "
                "to what fits train best."
            ),
        ],
        "training": {
            "command": "python -m zoo.genomics.gue.publish RUNS",
            "data": ["genomics/gue:train", "genomics/gue:dev (weights of the members)"],
            "chosen_on": "genomics/gue:dev: the weights of the members and the intercept",
            "hardware": HARDWARE,
            "wall_seconds": base.training.wall_seconds,
            "steps": base.training.steps,
            "validation": scores,
        },
        "weights": stored,
    }
    path = folder / "committee.gue.toml"
    checked = parse(card, ModelCard, where=str(path))
    output = load_committee(checked, paths).example_output(EXPECTED_SEED)
    card["expected"] = {
        "input_seed": EXPECTED_SEED,
        "shape": list(output.shape),
        "values": [round(float(value), 6) for value in output[:16]],
    }
    parse(card, ModelCard, where=str(path))
    files.write_text(path, to_toml(card))
    return path


def bundles(runs: Path, kind: str, out: Path) -> tuple[dict[int, Path], list[dict[str, Any]]]:
    """One file a seed with the networks of all subsets, of the seeds that have them all;
    and the facts of their runs.

    The encoders that were tuned from one (`kind` "tune") share its frozen kernels in their file.
    """
    weights, facts = {}, []
    for seed in range(100):
        paths = {subset: runs / f"{kind}.{subset}.seed{seed}" / "run.json" for subset in SUBSETS}
        if not all(path.is_file() for path in paths.values()):
            continue
        said = {
            subset: json.loads(path.read_text(encoding="utf-8")) for subset, path in paths.items()
        }
        networks = {
            subset: storage.load(path.with_name("model.safetensors"))[0]
            for subset, path in paths.items()
        }
        if kind == "tune":
            start = storage.load(runs / said[SUBSETS[0]]["start"] / "model.safetensors")[0]
            parameters = joined(
                start,
                networks,
                {subset: fact["config"]["head_tokens"] for subset, fact in said.items()},
            )
        else:
            parameters = {
                f"networks.{subset}.{name}": value
                for subset, own in networks.items()
                for name, value in own.items()
            }
        facts += said.values()
        weights[seed] = out / f"{kind}.seed{seed}.safetensors"
        storage.save(weights[seed], parameters, metadata={"name": kind, "seed": seed})
    if not weights:
        print(f"{kind}: no seed has all of {', '.join(SUBSETS)} in {runs}")
    return weights, facts


def of_networks(kind: str, facts: list[dict[str, Any]]) -> dict[str, Any]:
    """What the runs of single networks say, as parts of a card."""
    first = {fact["subset"]: fact for fact in reversed(facts)}
    lengths = {subset: first[subset]["length"] for subset in SUBSETS}
    return {
        "architecture": "zoo.genomics.models.sequence_cnn:SequenceCNNs",
        "config": {
            "subsets": list(SUBSETS),
            "lengths": list(lengths.values()),
            "networks": {subset: first[subset]["network"] for subset in SUBSETS},
        },
        "predictor_config": {"subsets": list(SUBSETS), "lengths": lengths},
        "training": {
            "command": (
                f"python -m zoo.genomics.gue.train {kind} --seeds "
                f"{' '.join(sorted({str(fact['seed']) for fact in facts}))}"
            ),
            "data": ["genomics/gue:train"],
            "hardware": HARDWARE,
            "chosen_on": (
                "genomics/gue:dev chose rate and layers (tried on tf_0, tf_1, tf_2, "
                "prom_core_tata, prom_300_tata); last weights"
            ),
            "wall_seconds": round(sum(fact["wall_seconds"] for fact in facts), 1),
            "steps": sum(fact["steps"] for fact in facts),
            "validation": {
                f"mcc_{fact['subset']}_seed{fact['seed']}": round(fact["dev"]["mcc"], 4)
                for fact in facts
            },
        },
    }


def of_encoders(facts: list[dict[str, Any]], file: Path) -> dict[str, Any]:
    """What the runs of the tuned encoders say, as a card; `file`: of one seed, to count
    what its networks share."""
    first = {fact["subset"]: fact for fact in reversed(facts)}
    settings = {
        name: value
        for name, value in facts[0]["config"].items()
        if name not in ("tasks", "head_tokens")
    }
    seeds = " ".join(sorted({str(fact["seed"]) for fact in facts}))
    sizes = {name: value.size for name, value in storage.load(file)[0].items()}
    shared = sum(size for name, size in sizes.items() if name.startswith(SHARED_KERNELS))
    own = (sum(sizes.values()) - shared) / len(SUBSETS)
    return {
        "title": "Sequence encoder, tuned to each subset",
        "paper": "https://doi.org/10.1038/s41592-021-01252-x",
        "summary": (
            "Convolutions and attention at an eighth of the resolution, pre-trained on hidden "
            "letters of GUE's training sequences; "
            "for each subset low-rank updates of the frozen attention blocks and convolutions, "
            "norms and a head of its own."
        ),
        "architecture": "zoo.genomics.models.low_rank:SequenceEncoders",
        "converter": "zoo.genomics.models.low_rank:expanded",
        "config": {
            "subsets": list(SUBSETS),
            "tokens": [first[subset]["config"]["head_tokens"] for subset in SUBSETS],
            "encoder": settings,
        },
        "predictor_config": {"subsets": list(SUBSETS), "lengths": BASES, "crop": CROP},
        "caveats": [
            *CAVEATS,
            (
                f"Parameters are the file's: {shared / 1000:.0f} k shared by all subsets, and "
                f"about {own / 1000:.0f} k of each subset's own."
            ),
            (
                "The pre-training is one pass; on its own it helps little: see the transfer curve "
                "in zoo.genomics.gue.train_encoder."
            ),
        ],
        "pretrained_on": [
            "genomics/gue:train letters, without those that share a 31-mer with any dev or test set"
        ],
        "training": {
            "command": (
                "python -m zoo.genomics.gue.train_encoder pretrain --seeds 0 && "
                f"python -m zoo.genomics.gue.train_encoder tune --seeds {seeds}"
            ),
            "hardware": HARDWARE,
            "data": ["genomics/gue:train (each network: its own subset's)"],
            "chosen_on": (
                "genomics/gue:dev of prom_core_tata: low-rank updates, not every weight; the last "
                "weights are the model"
            ),
            "wall_seconds": round(sum(fact["wall_seconds"] for fact in facts), 1),
            "steps": sum(fact["steps"] for fact in facts),
            "validation": {
                f"mcc_{fact['subset']}_seed{fact['seed']}": round(fact["dev"]["mcc"], 4)
                for fact in facts
            },
        },
    }


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
