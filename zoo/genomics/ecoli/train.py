"""Training on the E. coli genome: masked-language pre-training on the train arc, and genes
labelled from it or from scratch.

    zoo train genomics/ecoli_lm sequence_encoder.ecoli --seed 0 --out RUNS/lm.seed0
    zoo train genomics/ecoli_genes periodic_cnn.ecoli --seed 0 --out RUNS/periodic.seed0
    zoo train genomics/ecoli_genes gene_labeller.ecoli --seed 0 --out RUNS/genes.seed0
    zoo publish RUNS

Windows of 512 bases begin anywhere in the train arc and are read on either strand, each
with probability one half; nothing of the other arcs is seen. The language model's windows are
corrupted anew in every step as the task corrupts its test arc (80/10/10 of 15 %). A gene
labeller starts from the language model's weights: of a finished run beside its own folder (of
its own seed where there is one, else of the lowest) or the published ones;
`gene_labeller.ecoli_scratch` starts from random ones. Otherwise they are the same. The last
weights, averaged exponentially, are the model: no step is chosen. Settings, costs and scores:
`zoo.genomics.ecoli.recipes`.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from zoo import registry
from zoo.genomics.ecoli.baselines.markov import Chain
from zoo.genomics.ecoli.metrics import genes as gene_scores
from zoo.genomics.ecoli.predict import BaseLabeller, MaskedLanguageModel
from zoo.genomics.ecoli.recipes import CHAIN_ORDER, CHAIN_STRENGTH, RECIPES, EColiRecipe, describe
from zoo.genomics.models.hidden_letters import hide_letters
from zoo.genomics.models.members import seeds_of
from zoo.genomics.models.sequence_encoder import SequenceEncoder
from zoo.interfaces.task import load_task
from zoo.pretrained import weights as storage
from zoo.pretrained.model import config_class
from zoo.pretrained.run import write_run
from zoo.train.batches import Windows
from zoo.train.loop import LoopConfig, fit

if TYPE_CHECKING:
    from zoo.genomics.ecoli.task import EColiGenes, EColiLanguage

WINDOW = 512
IGNORED = 3
"""Label of bases that are not scored, and not learned from."""
KNOWS_NOTHING = float(np.log(4.0))
"""Cross-entropy in nats of a language model that says one quarter of every letter."""


def train(
    recipe: str, *, seed: int, data: Path | None, out: Path, steps: int | None = None
) -> Iterator[str]:
    """What `zoo train` runs; ends in a run that `zoo predict` and `zoo publish` read. Started
    again after an interruption it continues.

    Args:
        recipe: key of `RECIPES`.
        seed: of the initial weights, the windows and the corruption.
        data: None: the tasks find their files by their card.
        out: folder of the run.
        steps: fewer than the recipe.

    Raises:
        ValueError: no such recipe (lists those there are), or `data`.
        zoo.files.FileMissing: a file of the data is nowhere; says how to get it.
        FileNotFoundError: there is no language model to start from.
    """
    if recipe not in RECIPES:
        raise ValueError(f"no recipe {recipe!r}; there are {', '.join(RECIPES)}")
    if data is not None:
        raise ValueError(
            "the E. coli tasks find their files by their card; leave out --data (`zoo data get "
            "genomics/ecoli_k12`)"
        )
    out, settings = Path(out), RECIPES[recipe]
    yield f"{recipe}, seed {seed}, into {out}"
    task = cast("EColiLanguage | EColiGenes", load_task(f"genomics/{settings.task}"))
    network, facts = fit_network(
        settings,
        task=task,
        seed=seed,
        out=out,
        start=None if settings.start is None else first_weights(out, settings.start, seed),
        steps=steps,
        log=lambda line: print(f"{recipe} seed {seed}: {line}", file=sys.stderr, flush=True),
    )
    transforms = None
    if settings.task == "ecoli_lm":
        chain = Chain(task.arc("train"), CHAIN_ORDER, CHAIN_STRENGTH)
        transforms = {"chain": chain.table.astype(np.float16)}
    path = write_run(
        out,
        network,
        describe(recipe, settings, facts),
        task=f"genomics/{settings.task}",
        recipe=recipe,
        seed=seed,
        transforms=transforms,
        died=cause_of_death(facts["validation"]),
    )
    yield f"wrote {path}: " + ", ".join(
        f"{name} {value:.4f}" for name, value in facts["validation"].items()
    )


def cause_of_death(validation: Mapping[str, float]) -> str | None:
    """Why a network is not worth publishing; None: it is.

    Args:
        validation: scores by name, of a language model or of a gene labeller.
    """
    loss = validation.get("cross_entropy", 0.0)
    if not loss < KNOWS_NOTHING:
        return f"validation cross-entropy {loss:.4f}; who knows nothing has {KNOWS_NOTHING:.4f}"
    if validation.get("mcc") == 0.0:
        return "every validation base has the same label"
    return None


def first_weights(out: Path, name: str, seed: int) -> Path:
    """The weights to start from: of a finished run beside `out`, of this seed or else of the
    lowest, else the published ones.

    Raises:
        FileNotFoundError: neither is there; says how to make them.
    """
    try:
        found = seeds_of(name, beside=out).weights
    except registry.UnknownName as error:
        task = RECIPES[name].task
        raise FileNotFoundError(
            f"no {name} to start from: none lies in {out.parent}; `zoo train genomics/{task} "
            f"{name} --out {out.parent / name}` makes it"
        ) from error
    return found[seed] if seed in found else next(iter(found.values()))


# ------------------------------------------------------------------------------------------- losses


def either_strand(
    tokens: jax.Array, key: jax.Array, labels: jax.Array | None = None
) -> tuple[jax.Array, Any]:
    """Windows `[window, position]`, each on its other strand with probability one half,
    with labels (forward and reverse change places)."""
    turn = jax.random.bernoulli(key, 0.5, (len(tokens), 1))
    if labels is not None:
        labels = jnp.where(
            turn, jnp.array([0, 2, 1, IGNORED], labels.dtype)[labels][:, ::-1], labels
        )
    return jnp.where(turn, 3 - tokens[:, ::-1], tokens), labels


def language_loss(
    model: nnx.Module, batch: dict[str, jax.Array], key: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean cross-entropy (nats) of the chosen positions of a batch."""
    turn, hide, drop = jax.random.split(key, 3)
    tokens, _ = either_strand(batch["tokens"], turn)
    corrupt, chosen = hide_letters(tokens, hide)
    each = optax.softmax_cross_entropy_with_integer_labels(
        model(corrupt, key=drop), tokens.astype(jnp.int32)
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


# ------------------------------------------------------------------------------------- one training


def build_network(recipe: EColiRecipe, *, seed: int, start: Path | None) -> nnx.Module:
    """The network before training: random, or with the weights of a language model in every
    layer but the last."""
    settings = config_class(recipe.architecture)(**recipe.network)
    network = registry.resolve(recipe.architecture)(settings, rngs=nnx.Rngs(seed))
    if start is not None:
        own = storage.flatten(network)
        given = {
            f"encoder.{name}": value
            for name, value in storage.load(start)[0].items()
            if not name.startswith("letters.")
        }
        storage.restore(network, own | given)
    return network


def fit_network(
    recipe: EColiRecipe,
    *,
    task: EColiLanguage | EColiGenes,
    seed: int,
    out: Path,
    start: Path | None = None,
    steps: int | None = None,
    log: Callable[[str], None] = print,
    validate_on: int | None = None,
) -> tuple[nnx.Module, dict[str, Any]]:
    """Trains one network; it, and what is to be said of it. Resumes where an interrupted
    training stopped.

    Args:
        recipe: its settings.
        task: gives the arcs; of the test arc nothing is read.
        seed: of the initial weights, the windows and the corruption.
        out: folder for checkpoints and `history.jsonl`.
        start: weights of the language model to begin with.
        steps: fewer than the recipe.
        log: told a line now and then.
        validate_on: windows of the validation arc that report at the end; by default all.
    """
    out.mkdir(parents=True, exist_ok=True)
    total = min(recipe.steps, steps) if steps else recipe.steps
    begin = time.perf_counter()

    def progress(row: dict[str, float]) -> None:
        with (out / "history.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({key: round(value, 5) for key, value in row.items()}) + "\n")
        log(
            f"step {int(row['step'])}/{total} loss {row['loss']:.4f} "
            f"({row['seconds_per_step']:.2f} s a step)"
        )

    network: Any = fit(
        build_network(recipe, seed=seed, start=start),
        language_loss if recipe.task == "ecoli_lm" else labels_loss,
        _windows(recipe, task),
        _optimiser(recipe, total),
        config=LoopConfig(
            steps=total,
            batch_size=recipe.batch_size,
            seed=seed,
            log_every=min(100, total),
            checkpoint_every=min(500, total),
            ema_decay=recipe.ema_decay,
        ),
        checkpoint_dir=out / "checkpoints",
        on_progress=progress,
    ).model
    return network, {
        "seed": seed,
        "steps": total,
        "wall_seconds": time.perf_counter() - begin,
        "config": dataclasses.asdict(network.config),
        "validation": validation_scores(network, task, validate_on),
    }


def _windows(recipe: EColiRecipe, task: EColiLanguage | EColiGenes) -> Windows:
    """The train arc as windows that begin at every base."""
    arrays = {"tokens": np.ascontiguousarray(task.arc("train"))}
    if recipe.task == "ecoli_genes":
        arrays["labels"] = np.ascontiguousarray(task.arc("train", task.labels))
    starts = np.arange(len(arrays["tokens"]) - WINDOW, dtype=np.int32)
    return Windows(arrays, starts, tuple(range(WINDOW)))


def _optimiser(recipe: EColiRecipe, total: int) -> optax.GradientTransformation:
    rate = optax.warmup_cosine_decay_schedule(
        0.0, recipe.learning_rate, max(1, total // 20), total, recipe.learning_rate * 0.01
    )
    return optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=recipe.weight_decay)
    )


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
