"""Recipes of the E. coli tasks: masked-language pre-training on the train arc, and genes
labelled from it or from scratch.

    zoo train genomics/ecoli_lm sequence_encoder --seed 0 --out RUNS/lm.seed0
    zoo train genomics/ecoli_genes periodic_cnn --seed 0 --out RUNS/periodic_cnn.seed0
    zoo train genomics/ecoli_genes sequence_encoder --seed 0 --out RUNS/genes.seed0
    python -m zoo.genomics.ecoli.train lm periodic_cnn genes genes_scratch --seeds 0 1 2 --out RUNS

Windows of 512 bases begin anywhere in the train arc and are read on either strand, each
with probability one half; nothing of the other arcs is seen. `lm` is corrupted anew in
every step as the task corrupts its test arc (80/10/10 of 15 %). `genes` starts from `lm`'s
weights (of the run's own seed where there are, else of seed 0), `genes_scratch` from random
ones; otherwise they are the same. The last weights, averaged exponentially, are the model:
no step is chosen. Of the settings, peak rates of 2e-3 and 5e-3 were compared on the
validation arc after 100 steps; the rest are first settings.

What they reached: `lm` 1.2555 nats on the test arc (1.2561 on validation) after 3,100
steps, 7 minutes of a CPU core, still falling. `genes` had learned to tell coding from
non-coding bases but not the strand when it was stopped after 500 steps (loss .915): eight
bases a token hide the reading frame, and no card rests on it. `periodic_cnn`, whose
dilations keep the frame, passed it within 200 steps and has a macro-F1 of .943 on
validation after 5,000 (8 minutes of a core). A first run of 1,500 steps had .883 on
validation and, which was looked at too, on the test arc; its loss was still falling, so the
steps were raised, once.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from zoo import registry
from zoo.genomics.ecoli.metrics import genes as gene_scores
from zoo.genomics.ecoli.predict import BaseLabeller, MaskedLanguageModel
from zoo.genomics.models.gene_labeller import GeneLabeller, GeneLabellerConfig
from zoo.genomics.models.masking import HIDDEN, KEPT, MASK
from zoo.genomics.models.periodic_cnn import PeriodicCNN, PeriodicCNNConfig
from zoo.genomics.models.sequence_encoder import SequenceEncoder, SequenceEncoderConfig
from zoo.interfaces.task import load_task
from zoo.pretrained import weights as storage
from zoo.train.batches import Windows
from zoo.train.loop import LoopConfig, fit

if TYPE_CHECKING:
    from zoo.genomics.ecoli.task import EColiGenes, EColiLanguage

WINDOW = 512
CHOSEN = 0.15
"""Share of the positions that the training loss looks at."""
IGNORED = 3
"""Label of bases that are not scored, and not learned from."""


@dataclasses.dataclass(frozen=True)
class EColiRecipe:
    """How a network is trained.

    Attributes:
        task: `ecoli_lm` or `ecoli_genes`.
        steps: optimiser steps.
        batch_size: windows a step.
        learning_rate: peak, after a warm-up of a twentieth; then a cosine to a hundredth.
        network: fields of the encoder's config.
        periodic: whether the network is a `PeriodicCNN` and not the encoder.
        start: recipe whose weights training begins with; None: random weights.
        weight_decay: AdamW's.
        ema_decay: of the average of the weights.
    """

    task: str
    steps: int
    batch_size: int = 8
    learning_rate: float = 3e-3
    network: dict[str, Any] = dataclasses.field(default_factory=dict)
    periodic: bool = False
    start: str | None = None
    weight_decay: float = 0.01
    ema_decay: float = 0.998


_PLAIN = {"dropout": 0.0}  # the train arc is read less than four times
RECIPES: dict[str, EColiRecipe] = {
    "lm": EColiRecipe("ecoli_lm", 3100, learning_rate=4e-3, network=_PLAIN),
    "periodic_cnn": EColiRecipe(
        "ecoli_genes", 5000, learning_rate=3e-3, ema_decay=0.998, periodic=True
    ),
    "genes": EColiRecipe(
        "ecoli_genes", 1500, learning_rate=3e-3, network=_PLAIN, start="lm", ema_decay=0.99
    ),
    "genes_scratch": EColiRecipe(
        "ecoli_genes", 1500, learning_rate=3e-3, network=_PLAIN, ema_decay=0.99
    ),
}


def either_strand(
    tokens: jax.Array, key: jax.Array, labels: jax.Array | None = None
) -> tuple[jax.Array, jax.Array | None]:
    """Windows `[window, position]`, each on its other strand with probability one half,
    with labels (forward and reverse change places)."""
    turn = jax.random.bernoulli(key, 0.5, (len(tokens), 1))
    if labels is not None:
        labels = jnp.where(
            turn, jnp.array([0, 2, 1, IGNORED], labels.dtype)[labels][:, ::-1], labels
        )
    return jnp.where(turn, 3 - tokens[:, ::-1], tokens), labels


def corrupted(tokens: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Windows as the task's corruption makes them, and which positions were chosen, bool
    `[window, position]`."""
    choose, what, letter = jax.random.split(key, 3)
    chosen = jax.random.bernoulli(choose, CHOSEN, tokens.shape)
    share = jax.random.uniform(what, tokens.shape)
    drawn = jax.random.randint(letter, tokens.shape, 0, 4).astype(tokens.dtype)
    shown = jnp.where(
        share < HIDDEN,
        jnp.asarray(MASK, tokens.dtype),
        jnp.where(share < HIDDEN + KEPT, tokens, drawn),
    )
    return jnp.where(chosen, shown, tokens), chosen


def language_loss(
    model: nnx.Module, batch: dict[str, jax.Array], key: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean cross-entropy (nats) of the chosen positions of a batch."""
    turn, hide, drop = jax.random.split(key, 3)
    tokens, _ = either_strand(batch["tokens"], turn)
    shown, chosen = corrupted(tokens, hide)
    each = optax.softmax_cross_entropy_with_integer_labels(
        model(shown, key=drop), tokens.astype(jnp.int32)
    )
    return (each * chosen).sum() / jnp.maximum(chosen.sum(), 1), {}


def labels_loss(
    model: nnx.Module, batch: dict[str, jax.Array], key: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean cross-entropy of the bases' labels; bases that are not scored do not count."""
    turn, drop = jax.random.split(key)
    tokens, labels = either_strand(batch["tokens"], turn, batch["labels"].astype(jnp.int32))
    counts = labels != IGNORED
    logits = model(tokens, key=drop)
    each = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.where(counts, labels, 0))
    total = jnp.maximum(counts.sum(), 1)
    return (each * counts).sum() / total, {
        "accuracy": ((logits.argmax(-1) == labels) & counts).sum() / total
    }


def build_model(recipe: EColiRecipe, *, seed: int, start: Path | None) -> nnx.Module:
    """The network before training: random, or with the weights of a language model in every
    layer but the last."""
    rngs = nnx.Rngs(seed)
    if recipe.task == "ecoli_lm":
        return SequenceEncoder(SequenceEncoderConfig(**recipe.network), rngs=rngs)
    if recipe.periodic:
        return PeriodicCNN(PeriodicCNNConfig(**recipe.network), rngs=rngs)
    model = GeneLabeller(GeneLabellerConfig(**recipe.network), rngs=rngs)
    if start is not None:
        own = storage.flatten(model)
        given = {
            f"encoder.{name}": value
            for name, value in storage.load(start)[0].items()
            if not name.startswith("letters.")
        }
        storage.restore(model, own | given)
    return model


def train(
    name: str,
    *,
    task: EColiLanguage | EColiGenes,
    seed: int,
    out: Path,
    start: Path | None = None,
    recipe: EColiRecipe | None = None,
    steps: int | None = None,
    log: Any = print,
    validate_on: int | None = None,
) -> dict[str, Any]:
    """Trains one network; resumes where an interrupted run stopped. Returns what `run.json` says.

    Args:
        name: key of `RECIPES`.
        task: gives the arcs; of the test arc nothing is read.
        seed: of the initial weights, the windows and the corruption.
        out: checkpoints, `log.jsonl`, `model.safetensors`, `run.json`.
        start: weights of the language model to begin with.
        recipe: instead of `RECIPES[name]`.
        steps: fewer than the recipe.
        log: told a line now and then.
        validate_on: windows of the validation arc that report at the end; by default all.
    """
    recipe = recipe or RECIPES[name]
    out.mkdir(parents=True, exist_ok=True)
    total = min(recipe.steps, steps) if steps else recipe.steps
    arrays = {"tokens": np.ascontiguousarray(task.arc("train"))}
    if recipe.task == "ecoli_genes":
        arrays["labels"] = np.ascontiguousarray(task.arc("train", task.labels))
    windows = Windows(
        arrays, np.arange(len(arrays["tokens"]) - WINDOW, dtype=np.int32), tuple(range(WINDOW))
    )
    rate = optax.warmup_cosine_decay_schedule(
        0.0, recipe.learning_rate, max(1, total // 20), total, recipe.learning_rate * 0.01
    )
    optimiser = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=recipe.weight_decay)
    )
    config = LoopConfig(
        steps=total,
        batch_size=recipe.batch_size,
        seed=seed,
        log_every=min(100, total),
        checkpoint_every=min(500, total),
        ema_decay=recipe.ema_decay,
    )
    begin = time.perf_counter()

    def progress(row: dict[str, float]) -> None:
        with (out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({key: round(value, 5) for key, value in row.items()}) + "\n")
        log(
            f"{name} seed {seed}: step {int(row['step'])}/{total} loss {row['loss']:.4f} "
            f"({row['seconds_per_step']:.2f} s a step)"
        )

    loss = language_loss if recipe.task == "ecoli_lm" else labels_loss
    model = build_model(recipe, seed=seed, start=start)
    model = fit(
        model,
        loss,
        windows,
        optimiser,
        config=config,
        checkpoint_dir=out / "checkpoints",
        on_progress=progress,
    ).model
    seconds = time.perf_counter() - begin
    storage.save(out / "model.safetensors", model, metadata={"name": name, "seed": seed})
    scores = validation_scores(model, task, validate_on)
    facts = {
        "name": name,
        "seed": seed,
        "steps": total,
        "wall_seconds": seconds,
        "config": dataclasses.asdict(model.config),
        "recipe": dataclasses.asdict(recipe),
        "validation": scores,
    }
    (out / "run.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    log(
        f"{name} seed {seed}: {seconds:.0f} s, "
        + " ".join(f"{key} {value:.4f}" for key, value in scores.items())
    )
    return facts


def validation_scores(
    model: nnx.Module, task: EColiLanguage | EColiGenes, windows: int | None = None
) -> dict[str, float]:
    """Cross-entropies of one strand and of both, or macro-F1 and MCC of both, on the
    validation arc's first windows."""
    examples = task.examples("validation")
    n = windows or len(examples)
    inputs = examples.inputs[:n]
    if not isinstance(model, SequenceEncoder):
        label = BaseLabeller([model])(inputs)["probability"].argmax(-1)
        table = gene_scores.confusion(examples.targets[:n], label, 3).sum(0)
        return {
            "macro_f1": float(gene_scores.macro_f1(table)),
            "mcc": float(gene_scores.matthews(table)),
        }
    part = dataclasses.replace(
        examples,
        ids=examples.ids[:n],
        inputs=inputs,
        targets={k: v[:n] for k, v in examples.targets.items()},
    )
    scores = {}
    for name, both in (("cross_entropy_one_strand", False), ("cross_entropy", True)):
        record = task.record(MaskedLanguageModel([model], both_strands=both)(inputs), part)
        scores[name] = float(record["nats"].sum() / record["count"].sum())
    return scores


def run(
    name: str,
    *,
    seed: int,
    out: Path,
    start: Path | None = None,
    steps: int | None = None,
    log: Any = print,
) -> dict[str, Any]:
    """`train` with the task's files found by their card, and `lm`'s weights from beside
    `out` or from the published model.

    Raises:
        zoo.files.FileMissing: a file is nowhere; says how to get it.
        FileNotFoundError: `genes` has no language model to start from.
    """
    recipe = RECIPES[name]
    if recipe.start is not None and start is None:
        start = first_weights(out, recipe.start, seed)
    return train(
        name,
        task=load_task(f"genomics/{recipe.task}"),
        seed=seed,
        out=out,
        start=start,
        steps=steps,
        log=log,
    )


def first_weights(out: Path, name: str, seed: int) -> Path:
    """The language model to start from: `<name>.seed<k>` beside `out`, of the same seed or
    of seed 0, else the published one."""
    for number in (seed, 0):
        path = out.parent / f"{name}.seed{number}" / "model.safetensors"
        if path.is_file():
            return path
    from zoo.pretrained.model import load_model

    try:
        return load_model("genomics/sequence_encoder.ecoli").weights[0]
    except registry.UnknownName as error:
        raise FileNotFoundError(
            f"no language model to start from: {out.parent / f'{name}.seed{seed}'} does not exist; "
            "`zoo train genomics/ecoli_lm sequence_encoder --out "
            f"{out.parent / f'{name}.seed{seed}'}` makes it"
        ) from error


def language_recipe(architecture: str, **options: Any) -> Iterator[str]:
    """`zoo train genomics/ecoli_lm sequence_encoder`."""
    return _recipe({"sequence_encoder": "lm"}, architecture, **options)


def genes_recipe(architecture: str, **options: Any) -> Iterator[str]:
    """`zoo train genomics/ecoli_genes periodic_cnn`, `sequence_encoder`, or
    `sequence_encoder_scratch` without pre-training."""
    known = {
        "periodic_cnn": "periodic_cnn",
        "sequence_encoder": "genes",
        "sequence_encoder_scratch": "genes_scratch",
    }
    return _recipe(known, architecture, **options)


def _recipe(
    known: dict[str, str],
    architecture: str,
    *,
    seed: int,
    data: Path | None,
    out: Path,
    steps: int | None,
) -> Iterator[str]:
    if architecture not in known:
        raise ValueError(f"no recipe {architecture!r}; there are {', '.join(known)}")
    if data is not None:
        raise ValueError(
            "the E. coli tasks find their files by their card; leave out --data (`zoo data get "
            "genomics/ecoli_k12`)"
        )
    yield f"{architecture}, seed {seed}, into {out}"
    facts = run(
        known[architecture],
        seed=seed,
        out=Path(out),
        steps=steps,
        log=lambda line: print(line, file=sys.stderr, flush=True),
    )
    yield f"wrote {Path(out) / 'model.safetensors'}: " + ", ".join(
        f"{name} {value:.4f}" for name, value in facts["validation"].items()
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains recipes with several seeds, each into `OUT/<recipe>.seed<k>`; what is finished
    is left alone."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", choices=sorted(RECIPES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--steps", type=int, default=None)
    options = parser.parse_args(arguments)
    for name in options.names:
        for seed in options.seeds:
            folder = options.out / f"{name}.seed{seed}"
            if not (folder / "run.json").exists():
                run(
                    name,
                    seed=seed,
                    out=folder,
                    steps=options.steps,
                    log=lambda line: print(line, flush=True),
                )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
