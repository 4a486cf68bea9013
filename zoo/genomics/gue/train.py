"""Training on GUE: a network for each subset, from scratch or tuned from one encoder, and the
stack of trained ones.

    zoo train genomics/gue cnn.gue --seed 0 --out RUNS/cnn.seed0
    zoo train genomics/gue sequence_encoder.gue --seed 0 --out RUNS/encoder.seed0
    zoo train genomics/gue committee.gue --out RUNS/committee
    zoo publish RUNS/cnn.seed0 RUNS/cnn.seed1 RUNS/cnn.seed2

A run holds `subsets/<subset>/` with each subset's network, so that an interrupted one goes on
with the next. The encoder's pre-training, the same for all seeds, lies beside the runs
(`sequence_encoder.gue.pretraining`) and is made by the first. How each is trained, what it cost
and reached: `train_cnn`, `pretraining`, `train_encoder`; their settings: `recipes`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo import files
from zoo.genomics.data import LabelledSequences, gue
from zoo.genomics.gue.pretraining import FACTS, NETWORK, pretrain
from zoo.genomics.gue.recipes import (
    RECIPES,
    STACK,
    TASK,
    EncoderRecipe,
    describe_encoders,
    describe_networks,
)
from zoo.genomics.gue.stacking import stack
from zoo.genomics.gue.train_cnn import train_subset
from zoo.genomics.gue.train_encoder import tune
from zoo.genomics.models.low_rank import SHARED, merge_networks
from zoo.pretrained import weights as storage
from zoo.pretrained.run import write_run

Parameters = Mapping[str, np.ndarray]

SHARED_KERNELS = {
    "shared": ["shared."],
    "shared_file": "sequence_encoder.gue.shared.safetensors",
    "stacked": "networks.",
}
"""How the encoders are published: the frozen kernels of all seeds once, networks of one shape
stacked. A training from other kernels needs another name of the file."""


def train(
    recipe: str, *, seed: int, data: Path | None, out: Path, steps: int | None = None
) -> Iterator[str]:
    """What `zoo train genomics/gue` runs; ends in a run that `zoo predict` and `zoo publish`
    read.

    Args:
        recipe: key of `RECIPES`, or `committee.gue`.
        seed: of the initial weights and of the order of sequences.
        data: folder of GUE's tables, as `zoo.genomics.data.gue` reads them; None: by their card.
        out: folder of the run.
        steps: fewer than the recipe, for each subset.

    Raises:
        ValueError: no such recipe; lists those there are.
        zoo.files.FileMissing: GUE's files cannot be had; says how to get them.
    """
    out = Path(out)

    def load(subset: str, split: str) -> LabelledSequences:
        return gue(subset, split, folder=data)

    if recipe == STACK:
        yield from stack(load, out)
        return
    if recipe not in RECIPES:
        raise ValueError(f"no recipe {recipe!r}; there are {', '.join((*RECIPES, STACK))}")
    settings = RECIPES[recipe]
    yield f"{recipe}, seed {seed}, into {out}"
    start = None
    if isinstance(settings, EncoderRecipe):
        folder = out.parent / f"{recipe}.pretraining{f'.{steps}_steps' if steps else ''}"
        first = pretrain(
            settings.pretraining,
            seed=0,
            out=folder,
            subsets=settings.subsets,
            load=load,
            steps=steps,
        )
        start = folder / NETWORK
        yield f"pre-trained in {folder}: {first['sequences']} sequences, loss {first['loss']:.4f}"
    networks: dict[str, dict[str, np.ndarray]] = {}
    facts: dict[str, dict[str, Any]] = {}
    for subset in settings.subsets:
        networks[subset], facts[subset] = _of_subset(
            settings,
            subset,
            seed=seed,
            out=out / "subsets" / subset,
            start=start,
            load=load,
            steps=steps,
        )
        yield (
            f"{subset}: dev MCC {facts[subset]['dev']['mcc']:.4f}, "
            f"{facts[subset]['wall_seconds']:.0f} s"
        )
    parameters, descriptions = _gather(recipe, networks, facts, seed=seed, start=start)
    causes = [f"{subset}: {each['died']}" for subset, each in facts.items() if each["died"]]
    path = write_run(
        out,
        parameters,
        descriptions,
        task=TASK,
        recipe=recipe,
        seed=seed,
        died="; ".join(causes) or None,
        layout=SHARED_KERNELS if isinstance(settings, EncoderRecipe) else None,
    )
    yield f"wrote {path}"


def _of_subset(
    settings: Any,
    subset: str,
    *,
    seed: int,
    out: Path,
    start: Path | None,
    load: Callable[[str, str], LabelledSequences],
    steps: int | None,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """One subset's parameters and facts, trained or as a finished training left them."""
    if not (out / FACTS).is_file():
        network: Any
        if isinstance(settings, EncoderRecipe):
            schedule = settings.of_table(len(load(subset, "train")))
            network, facts = tune(
                subset, schedule, seed=seed, out=out, start=start, load=load, steps=steps
            )
        else:
            network, facts = train_subset(subset, settings, seed=seed, load=load, steps=steps)
        storage.save(out / NETWORK, network, metadata={"subset": subset, "seed": seed})
        files.write_text(out / FACTS, json.dumps(facts, indent=1))
    facts = json.loads((out / FACTS).read_text(encoding="utf-8"))
    return storage.load(out / NETWORK)[0], facts


def _gather(
    recipe: str,
    networks: Mapping[str, Parameters],
    facts: Mapping[str, Mapping[str, Any]],
    *,
    seed: int,
    start: Path | None,
) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """One file's parameters of all subsets' networks, and what their cards say. Encoders that
    were tuned from one share its frozen kernels."""
    settings = RECIPES[recipe]
    if not isinstance(settings, EncoderRecipe):
        parameters = {
            f"networks.{subset}.{name}": value
            for subset, own in networks.items()
            for name, value in own.items()
        }
        return parameters, describe_networks(recipe, settings, facts, seed)
    assert start is not None
    tokens = {subset: each["config"]["head_tokens"] for subset, each in facts.items()}
    parameters = merge_networks(storage.load(start)[0], networks, tokens)
    shared = sum(value.size for name, value in parameters.items() if name.startswith(SHARED))
    own = (sum(value.size for value in parameters.values()) - shared) / len(networks)
    return parameters, describe_encoders(recipe, settings, facts, seed, shared=shared, own=own)
