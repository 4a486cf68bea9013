"""Recipes of the classifiers of GUE: one network for each subset, or one encoder for all of them.

    zoo train genomics/gue cnn --seed 0 --out RUNS
    python -m zoo.genomics.gue.train cnn --seeds 0 1 2 --out RUNS [--subsets tf_0 prom_core_tata]

Everything is fitted on the published training sets; the dev sets report, and chose the
settings of `RECIPES` (before any test score was computed). The last weights, averaged
exponentially, are the model: no epoch is chosen. On transcription factor sets each training
sequence is turned to its other strand with probability one half: a site is a site on both.
Promoters have a direction and are not.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from zoo.genomics.data import LabelledSequences, gue
from zoo.genomics.data.sequences import one_hot
from zoo.genomics.gue import metrics as classification
from zoo.genomics.gue.strands import BOTH_STRANDS, both_strands
from zoo.genomics.models.sequence_cnn import SequenceCNN, SequenceCNNConfig
from zoo.interfaces.task import load_task
from zoo.pretrained import weights as storage
from zoo.train.loop import LoopConfig, fit

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


@dataclasses.dataclass(frozen=True)
class CNNRecipe:
    """How a subset's network is trained.

    Attributes:
        network: fields of `SequenceCNNConfig` but `length`.
        epochs: passes over the training set, but at least `least_steps` steps.
        least_steps: see there.
        batch_size: sequences a step.
        learning_rate: peak, after a warm-up of a twentieth; then a cosine to zero.
        weight_decay: AdamW's.
        shift: at most so many positions by which a training sequence is moved to either side.
    """

    network: dict[str, Any] = dataclasses.field(default_factory=dict)
    epochs: float = 10.0
    least_steps: int = 2000
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    shift: int = 0


RECIPES: dict[str, CNNRecipe] = {
    "cnn": CNNRecipe(),
    "dilated_cnn": CNNRecipe(
        network={"filters": 96, "channels": 96, "pool": 3, "dilations": (1, 2, 4, 8, 1), "bins": 9},
        epochs=6.0,
        least_steps=1000,
    ),
}
PROMOTERS = {"bins": 12, "pool": 2, "dropout": 0.4, "placed": True}
"""What differs for promoters, which are aligned to the start of transcription: finer bins,
and a weight for each letter at each place."""


def recipe_for(kind: str, subset: str) -> CNNRecipe:
    """The recipe of one subset's network.

    Raises:
        ValueError: no such recipe; lists those there are.
    """
    if kind not in RECIPES:
        raise ValueError(f"no recipe {kind!r}; there are {', '.join(RECIPES)}")
    recipe = RECIPES[kind]
    if not subset.startswith("prom_"):
        return recipe
    return dataclasses.replace(recipe, network=recipe.network | PROMOTERS, least_steps=1000)


def augmented(tokens: jax.Array, key: jax.Array, *, strands: bool, shift: int) -> jax.Array:
    """Training sequences, each moved by up to `shift` positions (what leaves at one end
    comes in at the other as unknown), and on its other strand with probability one half
    where `strands`."""
    first, second = jax.random.split(key)
    if shift:
        moved = jnp.arange(tokens.shape[1]) - jax.random.randint(
            first, (len(tokens), 1), -shift, shift + 1
        )
        inside = (moved >= 0) & (moved < tokens.shape[1])
        tokens = jnp.where(
            inside, jnp.take_along_axis(tokens, jnp.clip(moved, 0, tokens.shape[1] - 1), 1), 4
        )
    if strands:
        other = jnp.where(tokens < 4, 3 - tokens, tokens)[:, ::-1]
        tokens = jnp.where(jax.random.bernoulli(second, 0.5, (len(tokens), 1)), other, tokens)
    return tokens


def train_subset(
    kind: str,
    subset: str,
    *,
    seed: int,
    out: Path,
    recipe: CNNRecipe | None = None,
    steps: int | None = None,
    load: Callable[[str, str], LabelledSequences] = gue,
    log: Any = print,
) -> dict[str, Any]:
    """Trains one subset's network; resumes where an interrupted run stopped. Returns what
    `run.json` says.

    Args:
        kind: key of `RECIPES`.
        subset: of GUE, e.g. `tf_0`.
        seed: of the initial weights and of the order of sequences.
        out: `model.safetensors` and `run.json` go there.
        recipe: instead of `recipe_for(kind, subset)`.
        steps: fewer than the recipe.
        load: `(subset, split) -> table`; only "train" and "dev" are asked for.
        log: told a line at the end.
    """
    recipe = recipe or recipe_for(kind, subset)
    out.mkdir(parents=True, exist_ok=True)
    table, dev = load(subset, "train"), load(subset, "dev")
    config = SequenceCNNConfig(length=table.tokens.shape[1], **recipe.network)
    total = max(recipe.least_steps, int(recipe.epochs * len(table) / recipe.batch_size))
    total = min(total, steps) if steps else total
    rate = optax.warmup_cosine_decay_schedule(
        0.0, recipe.learning_rate, max(1, total // 20), total, recipe.learning_rate * 0.01
    )
    optimiser = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=recipe.weight_decay)
    )
    strands = subset.startswith(BOTH_STRANDS)

    def loss(
        model: nnx.Module, batch: dict[str, jax.Array], key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        first, second = jax.random.split(key)
        tokens = augmented(batch["tokens"], first, strands=strands, shift=recipe.shift)
        logit = model(one_hot(tokens, xp=jnp), key=second)
        value = optax.sigmoid_binary_cross_entropy(logit, batch["label"]).mean()
        return value, {"accuracy": ((logit > 0) == (batch["label"] > 0.5)).mean()}

    begin = time.perf_counter()
    arrays = {"tokens": table.tokens, "label": table.labels.astype(np.float32)}
    loop = LoopConfig(
        steps=total,
        batch_size=recipe.batch_size,
        seed=seed,
        log_every=total,
        ema_decay=0.998 if total > 1000 else 0.99,
    )
    result = fit(SequenceCNN(config, rngs=nnx.Rngs(seed)), loss, arrays, optimiser, config=loop)
    logit = cnn_logits(result.model, dev.tokens, strands=strands)
    scores = dev_scores(logit, dev.labels)
    storage.save(
        out / "model.safetensors",
        result.model,
        metadata={"name": kind, "subset": subset, "seed": seed},
    )
    facts = {
        "kind": kind,
        "subset": subset,
        "seed": seed,
        "steps": total,
        "sequences": len(table),
        "length": config.length,
        "network": dict(recipe.network),
        "recipe": dataclasses.asdict(recipe),
        "loss": result.history[-1]["loss"],
        "wall_seconds": time.perf_counter() - begin,
        "dev": scores,
    }
    (out / "run.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    log(
        f"{kind} {subset} seed {seed}: {facts['wall_seconds']:.0f} s, "
        + " ".join(f"{name} {value:.4f}" for name, value in scores.items())
    )
    return facts


def cnn_logits(
    model: SequenceCNN, tokens: np.ndarray, *, strands: bool, batch: int = 512
) -> np.ndarray:
    """Logits float32 `[sequence]`, the mean of both strands where `strands`."""
    graph, state = nnx.split(model)
    call = jax.jit(lambda state, tokens: nnx.merge(graph, state)(one_hot(tokens, xp=jnp)))

    def one_strand(tokens: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [
                np.asarray(call(state, tokens[start : start + batch]))
                for start in range(0, len(tokens), batch)
            ]
        )

    return both_strands(one_strand, tokens) if strands else one_strand(tokens)


def dev_scores(logit: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """MCC at argmax and AUROC."""
    counts = classification.confusion(logit > 0, label).sum(0)
    return {
        "mcc": float(classification.matthews(counts)),
        "auroc": float(classification.auroc(logit, label == 1)[0]),
    }


def recipe(
    architecture: str, *, seed: int, data: Path | None, out: Path, steps: int | None
) -> Iterator[str]:
    """What `zoo train genomics/gue <architecture>` runs: every subset in turn.

    Raises:
        ValueError: no such recipe; lists those there are.
        zoo.files.FileMissing: GUE's files cannot be had; says how to get them.
    """

    def load(subset: str, split: str) -> LabelledSequences:
        return gue(subset, split, folder=data)

    for subset in SUBSETS:
        folder = Path(out) / f"{architecture}.{subset}.seed{seed}"
        if not (folder / "run.json").exists():
            facts = train_subset(
                architecture,
                subset,
                seed=seed,
                out=folder,
                steps=steps,
                load=load,
                log=lambda line: None,
            )
            yield (
                f"{subset}: dev MCC {facts['dev']['mcc']:.4f}, {facts['wall_seconds']:.0f} s, in "
                f"{folder}"
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains one recipe on several subsets with several seeds, each into
    `OUT/<recipe>.<subset>.seed<k>`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument(
        "--task", default="genomics/gue", help="a task of genomics whose class is Gue"
    )
    parser.add_argument("--subsets", nargs="+", default=None, help="default: all of the task")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--steps", type=int, default=None)
    options = parser.parse_args(arguments)
    task = load_task(options.task)
    for seed in options.seeds:
        for subset in options.subsets or task.subsets:
            folder = options.out / f"{options.name}.{subset}.seed{seed}"
            if not (folder / "run.json").exists():
                train_subset(
                    options.name,
                    subset,
                    seed=seed,
                    out=folder,
                    steps=options.steps,
                    load=task.visible,
                    log=lambda line: print(line, flush=True),
                )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
