"""Recipes of the networks of `genomics/motif_grammar` and `genomics/motif_grammar_hard`.

    zoo train genomics/motif_grammar cnn_dist.exponential --seed 0
    python -m zoo.genomics.motif_grammar.train motif_grammar/cnn_dist.exponential \\
        --seeds 0 1 2 --out RUNS

Adam with a cosine schedule, batches of 100 as published; no augmentation by the other
strand, since the authors use none. The weights kept are those of the epoch with the highest
AUROC on the validation sequences. Which attribution method a card declares, and which
network or combination explains best, is chosen on the first 200 validation positives too;
the test sequences are read by neither. Cost: about a minute of one CPU core for `cnn_dist`
and 12 epochs, a third of that for `cnn_local`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from zoo.genomics.data.sequences import one_hot
from zoo.genomics.gue.metrics import auroc
from zoo.genomics.models.motif_cnn import ACTIVATIONS, KINDS, MotifCnn, MotifCnnConfig, freeze
from zoo.genomics.motif_grammar import data as motifs
from zoo.pretrained import weights as storage
from zoo.train.loop import LoopConfig, fit


@dataclasses.dataclass(frozen=True)
class MotifRecipe:
    """Settings of one run.

    Attributes:
        config: the architecture's.
        epochs: of the training sequences.
        learning_rate: at the start; it falls to a hundredth along a cosine.
        batch_size: sequences a step.
        penalty: weight of the squared kernels in the loss, as published.
    """

    config: MotifCnnConfig
    epochs: int = 12
    learning_rate: float = 4e-3
    batch_size: int = 100
    penalty: float = 1e-6


def _recipes() -> dict[str, MotifRecipe]:
    found = {}
    for kind in KINDS:
        for activation in ACTIVATIONS:
            config = MotifCnnConfig(kind, activation)
            # The validation AUROC of cnn-dist.exponential stands still after eight epochs;
            # the others' still rises at the twelfth.
            epochs = 12 if (kind, activation) == ("dist", "exponential") else 30
            found[f"motif_grammar/cnn_{kind}.{activation}"] = MotifRecipe(config, epochs=epochs)
            found[f"motif_grammar_hard/cnn_{kind}.{activation}"] = MotifRecipe(config, epochs=12)
    return found


RECIPES = _recipes()
"""`<task>/<architecture>.<activation>` -> settings."""


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


def logits(model: MotifCnn, tokens: np.ndarray, *, batch: int = 500) -> np.ndarray:
    """The network's outputs float32 `[sequence]`."""
    graph, state = nnx.split(model)
    call = jax.jit(lambda state, tokens: nnx.merge(graph, state)(one_hot(tokens, xp=jnp)))
    return np.concatenate(
        [
            np.asarray(call(state, tokens[begin : begin + batch]))
            for begin in range(0, len(tokens), batch)
        ]
    )


def read_split(name: str, split: str, data: Path | None) -> motifs.PlantedSequences:
    """One split from a build folder, or by the data card."""
    return (
        motifs.load(name, split=split)
        if data is None
        else motifs.read_planted(Path(data) / f"{name}.zarr.zip", split)
    )


def train(
    name: str,
    *,
    seed: int,
    out: Path,
    data: Path | None = None,
    steps: int | None = None,
    recipe: MotifRecipe | None = None,
    log: Callable[[str], None] = print,
) -> Path:
    """Trains one network and writes `model.safetensors` (frozen, see `freeze`) and
    `run.json` of the best epoch.

    Args:
        name: a key of `RECIPES`.
        seed: of the initial weights, the order of sequences and dropout.
        out: folder; an interrupted run continues from its checkpoints.
        data: folder of `zoo data build genomics/motif_grammar`; None: the files that ship.
        steps: fewer than the recipe.
        recipe: instead of `RECIPES[name]`.
        log: told a line an epoch.
    """
    recipe, task = recipe or RECIPES[name], name.split("/")[0]
    out.mkdir(parents=True, exist_ok=True)
    learn, held_out = read_split(task, "train", data), read_split(task, "validation", data)
    epoch = len(learn) // recipe.batch_size
    total = recipe.epochs * epoch if steps is None else min(steps, recipe.epochs * epoch)
    every = min(epoch, total)
    total -= total % every
    best: dict[str, Any] = {"auroc": -1.0}
    graph = nnx.graphdef(MotifCnn(recipe.config, rngs=nnx.Rngs(0)))
    call = jax.jit(lambda state, tokens: nnx.merge(graph, state)(one_hot(tokens, xp=jnp)))

    def validate(model: MotifCnn) -> dict[str, float]:
        state = nnx.state(model)
        score = np.concatenate(
            [np.asarray(call(state, part)) for part in np.split(held_out.tokens, 4)]
        )
        area = float(auroc(score, held_out.label == 1)[0])
        if area > best["auroc"]:
            best.update(
                auroc=area,
                model=model,
                accuracy=float(((score > 0) == (held_out.label == 1)).mean()),
            )
        return {"auroc": area}

    def progress(row: dict[str, float]) -> None:
        best.setdefault("epochs", []).append(round(row["validation_auroc"], 4))
        log(
            f"{name} seed {seed}: step {int(row['step'])}/{total} loss {row['loss']:.4f} "
            f"validation AUROC {row['validation_auroc']:.4f} "
            f"{1e3 * row['seconds_per_step']:.0f} ms a step"
        )

    begin, processor = time.perf_counter(), time.process_time()
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
    model = freeze(best["model"])
    path = out / "model.safetensors"
    storage.save(path, model, metadata={"name": name, "seed": seed})
    facts = {
        "name": name,
        "seed": seed,
        "steps": total,
        "sequences": len(learn),
        "wall_seconds": round(time.perf_counter() - begin, 1),
        "cpu_seconds": round(time.process_time() - processor, 1),
        "config": dataclasses.asdict(model.config),
        "recipe": dataclasses.asdict(recipe),
        "validation": {key: round(best[key], 5) for key in ("auroc", "accuracy")},
        "validation_auroc_by_epoch": best["epochs"],
    }
    (out / "run.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    log(
        f"{name} seed {seed}: validation AUROC {best['auroc']:.4f}, accuracy "
        f"{best['accuracy']:.4f}, {facts['cpu_seconds']} CPU s"
    )
    return path


def _recipe(
    task: str, architecture: str, *, seed: int, data: Path | None, out: Path, steps: int | None
) -> Iterator[str]:
    name = f"{task}/{architecture}"
    if name not in RECIPES:
        legal = ", ".join(key.split("/")[1] for key in RECIPES if key.startswith(f"{task}/"))
        raise ValueError(f"genomics/{task} has no recipe {architecture!r}; it has {legal}")
    yield f"{name}, seed {seed}, into {out}"

    def log(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    yield f"wrote {train(name, seed=seed, out=Path(out), data=data, steps=steps, log=log)}"


def motif_grammar_recipe(architecture: str, **options: Any) -> Iterator[str]:
    """`zoo train genomics/motif_grammar <architecture>`; raises ValueError, which lists the
    recipes, where it is none."""
    return _recipe("motif_grammar", architecture, **options)


def motif_grammar_hard_recipe(architecture: str, **options: Any) -> Iterator[str]:
    """`zoo train genomics/motif_grammar_hard <architecture>`; raises ValueError, which
    lists the recipes, where it is none."""
    return _recipe("motif_grammar_hard", architecture, **options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains recipes with several seeds, each into `OUT/<task>.<architecture>.seed<k>`;
    finished ones are left as they are."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", choices=sorted(RECIPES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--data",
        type=Path,
        default=None,
        help="folder of `zoo data build`; default: the files that ship",
    )
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--steps", type=int, default=None)
    options = parser.parse_args(arguments)
    for seed in options.seeds:
        for name in options.names:
            folder = options.out / f"{name.replace('/', '.')}.seed{seed}"
            if not (folder / "run.json").exists():
                train(
                    name,
                    seed=seed,
                    out=folder,
                    data=options.data,
                    steps=options.steps,
                    log=lambda line: print(line, flush=True),
                )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
