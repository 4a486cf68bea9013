"""Recipes of the networks of `genomics/motif_grammar` and `genomics/motif_grammar_hard`.

    zoo train genomics/motif_grammar cnn_dist.exponential --seed 0 --out RUNS/exponential.seed0
    zoo train genomics/motif_grammar cnn_dist.exponential_both --out RUNS/both
    zoo train genomics/motif_grammar_hard cnn_dist.exponential_hard --seed 0
    zoo publish RUNS/exponential.seed0 RUNS/exponential.seed1 RUNS/exponential.seed2

Adam with a cosine schedule, batches of 100 as published; no augmentation by the other
strand, since the authors use none. The weights kept are those of the epoch with the highest
AUROC on the validation sequences. Which attribution method a card declares, and which
network or combination explains best, is chosen on the first 200 validation positives too;
the test sequences are read by neither. Cost: about a minute of one CPU core for `cnn_dist`
and 12 epochs, a third of that for `cnn_local`.

`cnn_dist.exponential_both` trains nothing: it is the mean of all seeds of
`cnn_dist.exponential` over both strands, those that lie beside its folder or the published
ones, and chooses its own threshold and method.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from zoo.genomics.data.sequences import one_hot
from zoo.genomics.models.members import pack, seeds_of
from zoo.genomics.models.motif_cnn import MotifCnn, MotifCnnConfig, freeze
from zoo.genomics.motif_grammar import recipes
from zoo.genomics.motif_grammar.data import PlantedSequences, load, read_planted
from zoo.genomics.motif_grammar.metrics import auroc
from zoo.genomics.motif_grammar.predict import MotifModel
from zoo.genomics.motif_grammar.recipes import COMBINATION, COMBINED, RECIPES, MotifRecipe
from zoo.pretrained import weights as storage
from zoo.pretrained.run import write_run
from zoo.train.loop import LoopConfig, fit

CHOSEN_ON = 200
"""Validation positives on which methods are compared."""


def train(
    recipe: str, *, seed: int, data: Path | None, out: Path, steps: int | None = None
) -> Iterator[str]:
    """What `zoo train` runs; ends in a run that `zoo predict` and `zoo publish` read.

    Args:
        recipe: key of `RECIPES`, or `cnn_dist.exponential_both`.
        seed: of the initial weights, the order of sequences and dropout.
        data: folder of `zoo data build genomics/motif_grammar`; None: the files that ship.
        out: folder of the run.
        steps: fewer than the recipe.

    Raises:
        ValueError: no such recipe; lists those there are.
    """
    out = Path(out)
    if recipe == COMBINATION:
        yield from combine(data, out)
        return
    if recipe not in RECIPES:
        raise ValueError(f"no recipe {recipe!r}; there are {', '.join((*RECIPES, COMBINATION))}")
    settings = RECIPES[recipe]
    yield f"{recipe}, seed {seed}, into {out}"
    network, facts = fit_network(
        settings,
        seed=seed,
        data=data,
        steps=steps,
        log=lambda line: print(f"{recipe} seed {seed}: {line}", file=sys.stderr, flush=True),
    )
    held_out = read_split(settings.task, "validation", data)
    model = MotifModel([network])
    choices, scores = choose_settings(model, held_out)
    path = write_run(
        out,
        network,
        [recipes.describe(recipe, facts, choices, scores)],
        task=f"genomics/{settings.task}",
        recipe=recipe,
        seed=seed,
        died=cause_of_death(model, held_out),
    )
    yield (
        f"validation AUROC {facts['validation']['auroc']:.4f}, accuracy "
        f"{facts['validation']['accuracy']:.4f}, declared {choices['declared']}"
    )
    yield f"wrote {path}"


def combine(data: Path | None, out: Path) -> Iterator[str]:
    """The mean of several seeds over both strands, as a run; arguments as in `train`."""
    seeds, task = seeds_of(COMBINED, beside=out), RECIPES[COMBINED].task
    member = seeds.description.model_dump(mode="json", exclude_none=True)
    members = [storage.load(path)[0] for path in seeds.weights.values()]
    config = MotifCnnConfig(**member["config"])
    networks: list[Any] = [
        storage.restore(MotifCnn(config, rngs=nnx.Rngs(0)), each) for each in members
    ]
    model = MotifModel(networks, both_strands=True, methods=recipes.COMBINATION_METHODS)
    held_out = read_split(task, "validation", data)
    choices, scores = choose_settings(model, held_out)
    described = recipes.describe_combination(
        member, len(members), seeds.wall_seconds, choices, scores
    )
    path = write_run(
        out,
        pack(members),
        [described],
        task=f"genomics/{task}",
        recipe=COMBINATION,
        seed=0,
        died=cause_of_death(model, held_out),
    )
    yield f"seeds {', '.join(map(str, seeds.weights))} of {COMBINED}: {scores}"
    yield f"wrote {path}"


# ------------------------------------------------------------------- chosen on validation sequences


def choose_settings(
    model: MotifModel, held_out: PlantedSequences
) -> tuple[dict[str, Any], dict[str, float]]:
    """A predictor's settings, and the attribution AUROC of each method on the first positives."""
    positives = held_out[np.flatnonzero(held_out.label == 1)[:CHOSEN_ON]]
    truth, values = positives.planted(), model.attribute(positives.tokens, model.methods)
    scores = {
        method: round(float(auroc(values[method], truth).mean()), 4) for method in model.methods
    }
    settings = {
        "declared": max(scores, key=lambda method: scores[method]),
        "threshold": threshold(model, held_out),
        "methods": list(scores),
    }
    return settings, scores


def threshold(model: MotifModel, held_out: PlantedSequences) -> float:
    """The logit between two sequences at which most of them are told apart rightly."""
    logits = model.logits(held_out.tokens)
    order = np.argsort(logits, kind="stable")
    # Negatives below the cut less positives below it.
    right = np.cumsum(np.where(held_out.label[order] == 1, -1, 1))
    best = int(np.argmax(right[:-1]))
    return round(float(logits[order[best : best + 2]].mean()), 4)


def cause_of_death(model: MotifModel, held_out: PlantedSequences) -> str | None:
    """Why a network is not worth publishing; None: it is."""
    logits = model.logits(held_out.tokens)
    if not np.isfinite(logits).all():
        return "a logit of a validation sequence is not finite"
    return None if np.ptp(logits) > 1e-6 else "every validation sequence has the same logit"


# ------------------------------------------------------------------------------------- one training


def fit_network(
    recipe: MotifRecipe,
    *,
    seed: int,
    data: Path | None = None,
    steps: int | None = None,
    log: Callable[[str], None] = print,
) -> tuple[MotifCnn, dict[str, Any]]:
    """Trains one network; it as it was in the best epoch (frozen, see `freeze`), and what is to
    be said of it.

    Args:
        recipe: its settings.
        seed: of the initial weights, the order of sequences and dropout.
        data: folder of `zoo data build genomics/motif_grammar`; None: the files that ship.
        steps: fewer than the recipe.
        log: told a line an epoch.
    """
    learn = read_split(recipe.task, "train", data)
    held_out = read_split(recipe.task, "validation", data)
    epoch = len(learn) // recipe.batch_size
    total = recipe.epochs * epoch if steps is None else min(steps, recipe.epochs * epoch)
    every = min(epoch, total)
    total -= total % every
    best: dict[str, Any] = {"auroc": -1.0}
    graph = nnx.graphdef(MotifCnn(recipe.config, rngs=nnx.Rngs(0)))
    call = jax.jit(lambda state, tokens: nnx.merge(graph, state)(one_hot(tokens, xp=jnp)))

    def validate(model: nnx.Module) -> dict[str, float]:
        state = nnx.state(model)
        score = np.concatenate(
            [np.asarray(call(state, part)) for part in np.split(held_out.tokens, 4)]
        )
        area = float(auroc(score, held_out.label == 1))
        if area > best["auroc"]:
            best.update(
                auroc=area,
                model=model,
                accuracy=float(((score > 0) == (held_out.label == 1)).mean()),
            )
        return {"auroc": area}

    def progress(row: dict[str, float]) -> None:
        log(
            f"step {int(row['step'])}/{total} loss {row['loss']:.4f} "
            f"validation AUROC {row['validation_auroc']:.4f} "
            f"{1e3 * row['seconds_per_step']:.0f} ms a step"
        )

    begin = time.perf_counter()
    arrays = {"tokens": learn.tokens, "label": learn.label.astype(np.float32)}
    rate = optax.cosine_decay_schedule(recipe.learning_rate, total, 0.01)
    config = LoopConfig(
        steps=total, batch_size=recipe.batch_size, seed=seed, log_every=every, validate_every=every
    )
    fit(
        MotifCnn(recipe.config, rngs=nnx.Rngs(seed)),
        make_loss(recipe),
        arrays,
        optax.adam(rate),
        config=config,
        validate=validate,
        on_progress=progress,
    )
    network = freeze(best["model"])
    return network, {
        "seed": seed,
        "steps": total,
        "sequences": len(learn),
        "wall_seconds": round(time.perf_counter() - begin, 1),
        "config": dataclasses.asdict(network.config),
        "validation": {name: round(best[name], 5) for name in ("auroc", "accuracy")},
    }


def make_loss(recipe: MotifRecipe) -> Callable[..., Any]:
    """Binary cross-entropy of a batch of tokens, with the penalty on kernels."""

    def loss(
        model: MotifCnn, batch: dict[str, jax.Array], key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        logits = model(one_hot(batch["tokens"], xp=jnp), key=key)
        kernels = [*(layer.conv.kernel[...] for layer in model.layers), model.hidden.kernel[...]]
        value = optax.sigmoid_binary_cross_entropy(logits, batch["label"]).mean()
        return value + recipe.penalty * sum(jnp.sum(kernel**2) for kernel in kernels), {
            "cross_entropy": value
        }

    return loss


def read_split(name: str, split: str, data: Path | None) -> PlantedSequences:
    """One split from a build folder, or by the data card."""
    if data is None:
        return load(name, split=split)
    return read_planted(Path(data) / f"{name}.zarr.zip", split)
