"""Recipes of the sequence encoder on GUE: masked-language pre-training on its training
sequences, then a network for each subset.

    python -m zoo.genomics.gue.train_encoder pretrain --seeds 0 --out RUNS
    python -m zoo.genomics.gue.train_encoder tune --seeds 0 1 2 --out RUNS
    python -m zoo.genomics.gue.train_encoder curve --subsets tf_2 prom_core_tata --out RUNS

`tune` learns one subset from its own training set, starting from RUNS/pretrain.seed0. The
kernels of the attention blocks and of the widest convolution keep their pre-trained values,
the same for all subsets and seeds, and get a low-rank update; everything else is trained
(`models/low_rank.py`).

The subsets' splits cross: a training sequence of one may be a test sequence of another, or
overlap it in the genome. Pre-training, which reads all of them, must not see those, so
every training sequence that shares a 31-mer (either strand) with any dev or test set is
left out. `prom_300_tata` is read at its 104 bases around the start of transcription (190 to
294 of 300).

Nothing here was chosen on a test set. The dev sets report, and chose the low-rank updates:
on prom_core_tata they reached .787 (rank 8, six passes), training every weight .757 and
.773 (two seeds, six passes). One trunk for all subsets at once stayed at .40 there.

What they reached (minutes of CPU in brackets): `pretrain` 1.218 nats a base; `tune` (about
20 a seed), dev MCC of seed 0: tf_0 .544, tf_1 .487, tf_2 .470, tf_4 .509, prom_core_all
.618, prom_core_notata .679, prom_core_tata .773, prom_300_tata .677; of seed 1, in this
order: .570, .480, .478, .514, .623, .689, .789, .592; of seed 2: .528, .500, .490, .528,
.618, .676, .775, .574. Two passes are few; the CNNs of `training_gue` make ten.

`curve`, dev MCC of prom_core_tata, seeds 0 and 1, pre-trained against scratch: with 1 % of
the training sequences .31, .14 against .36, .27; with 10 % .34, .45 against .54, .55; with
all .76, .77 against .76, .74. So this pre-training does not help there, and with few labels
it harms. tf_2, seeds 0 and 1: with 1 % .29, .22 against .24, .14; with 10 % .40, .41
against .38, .30; with all (seed 0) .50 against .54: a help with few labels, none with all.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from zoo.genomics.data import LabelledSequences, gue, signatures
from zoo.genomics.data.sequences import PADDING
from zoo.genomics.ecoli.train import corrupted
from zoo.genomics.gue.strands import BOTH_STRANDS, both_strands
from zoo.genomics.gue.train import SUBSETS, augmented, dev_scores
from zoo.genomics.models.low_rank import freeze
from zoo.genomics.models.sequence_encoder import REDUCTION, SequenceEncoder, SequenceEncoderConfig
from zoo.pretrained import weights as storage
from zoo.scoring import cost
from zoo.train.loop import LoopConfig, fit

LENGTH = 104
"""Bases that the classifying encoder sees."""
CROP = {"prom_300_tata": 190}
"""First base that is read of the subsets with longer sequences."""
BASES = {
    subset: LENGTH if subset in CROP else 101 if subset.startswith("tf_") else 70
    for subset in SUBSETS
}
"""Bases that a subset's network sees."""
WINDOW_STARTS = (0, 98, 196)
"""Where pre-training cuts sequences of 300 bases."""
Load = Callable[[str, str], LabelledSequences]


@dataclasses.dataclass(frozen=True)
class EncoderRecipe:
    """How the encoder is trained.

    Attributes:
        epochs: passes over the sequences.
        batch_size: sequences a step.
        learning_rate: peak, after a warm-up of a twentieth; then a cosine to a hundredth.
        network: fields of `SequenceEncoderConfig`.
        weight_decay: AdamW's.
        rank: of the updates of frozen kernels (`zoo.genomics.models.low_rank`); 0: every
            kernel is trained.
    """

    epochs: float
    batch_size: int = 64
    learning_rate: float = 1e-3
    network: dict[str, Any] = dataclasses.field(default_factory=dict)
    weight_decay: float = 0.02
    rank: int = 0


RECIPES = {
    "pretrain": EncoderRecipe(1.0, learning_rate=2e-3, network={"dropout": 0.0}),
    "tune": EncoderRecipe(2.0, learning_rate=2e-3, network={"dropout": 0.1}, rank=6),
    "curve": EncoderRecipe(6.0, network={"dropout": 0.1}),
}
SMALL, SMALL_EPOCHS = 10_000, 8.0
"""Training sequences below which `tune` makes more passes, and how many."""


def read(subset: str, tokens: np.ndarray) -> np.ndarray:
    """The bases of a subset's sequences that the encoder sees, `[sequence, at most 104]`."""
    start = CROP.get(subset, 0)
    return tokens[:, start : start + LENGTH]


def padded(tokens: np.ndarray) -> np.ndarray:
    """Tokens padded at their end to 104."""
    return np.pad(tokens, ((0, 0), (0, LENGTH - tokens.shape[1])), constant_values=PADDING)


def clean_tables(
    subsets: Sequence[str] = SUBSETS, load: Load = gue
) -> dict[str, LabelledSequences]:
    """The training tables without every sequence that shares a 31-mer, on either strand,
    with a dev or test set of any subset.

    Of those sets the letters are read, never a label.
    """
    held = np.unique(
        np.concatenate(
            [
                signatures.all_words(load(subset, split).tokens)
                for subset in subsets
                for split in ("dev", "test")
            ]
        )
    )
    tables = {subset: load(subset, "train") for subset in subsets}
    return {
        subset: table[~signatures.shares_words(table.tokens, held)]
        for subset, table in tables.items()
    }


def pool(tables: dict[str, LabelledSequences]) -> np.ndarray:
    """What pre-training reads: each different sequence once (either strand), longer ones
    cut into three; int8 `[sequence, 104]`."""
    pieces = []
    for table in tables.values():
        starts = WINDOW_STARTS if table.tokens.shape[1] > LENGTH else (0,)
        pieces += [padded(table.tokens[:, start : start + LENGTH]) for start in starts]
    tokens = np.concatenate(pieces)
    (number,) = signatures.either_strand(tokens)
    return tokens[np.sort(np.unique(number, return_index=True)[1])]


def language_loss(
    model: nnx.Module, batch: dict[str, jax.Array], key: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean cross-entropy (nats) of the chosen positions of a batch that hold a base."""
    hide, drop = jax.random.split(key)
    tokens = batch["tokens"]
    shown, chosen = corrupted(tokens, hide)
    there = tokens < 4
    shown, counts = jnp.where(there, shown, tokens), chosen & there
    each = optax.softmax_cross_entropy_with_integer_labels(
        model(shown, key=drop), jnp.where(there, tokens, 0).astype(jnp.int32)
    )
    return (each * counts).sum() / jnp.maximum(counts.sum(), 1), {}


def label_loss(
    model: nnx.Module, batch: dict[str, jax.Array], key: jax.Array, *, strands: bool
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean binary cross-entropy; sequences are turned to their other strand at random where
    `strands`."""
    turn, drop = jax.random.split(key)
    tokens = augmented(batch["tokens"], turn, strands=strands, shift=0)
    logit = model.classify(tokens, key=drop)[:, 0]
    return optax.sigmoid_binary_cross_entropy(logit, batch["label"]).mean(), {
        "accuracy": ((logit > 0) == (batch["label"] > 0.5)).mean()
    }


def logits(
    model: SequenceEncoder, tokens: np.ndarray, *, strands: bool, batch: int = 256
) -> np.ndarray:
    """Logits float32 `[sequence]` of sequences of at most 104 bases, the mean of both
    strands where `strands`."""
    graph, state = nnx.split(model)
    call = jax.jit(lambda state, tokens: nnx.merge(graph, state).classify(tokens)[:, 0])

    def one_strand(tokens: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [
                np.asarray(call(state, tokens[start : start + batch]))
                for start in range(0, len(tokens), batch)
            ]
        )

    return both_strands(one_strand, tokens) if strands else one_strand(tokens)


def optimisation(
    recipe: EncoderRecipe, sequences: int, seed: int, steps: int | None
) -> tuple[optax.GradientTransformation, LoopConfig]:
    """Optimiser and loop of a recipe on so many sequences; `steps`: fewer than the recipe's."""
    batch = min(recipe.batch_size, sequences)
    total = max(200, int(recipe.epochs * sequences / batch)) // 2 * 2
    total = min(total, steps) if steps else total
    rate = optax.warmup_cosine_decay_schedule(
        0.0, recipe.learning_rate, max(1, total // 20), total, recipe.learning_rate * 0.01
    )
    optimiser = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=recipe.weight_decay)
    )
    loop = LoopConfig(
        steps=total,
        batch_size=batch,
        seed=seed,
        log_every=min(100, total),
        checkpoint_every=min(500, total),
        ema_decay=0.998 if total > 1000 else 0.99,
    )
    return optimiser, loop


def progress(out: Path) -> Callable[[dict[str, float]], None]:
    """Writes each row of the history to `out/log.jsonl`."""

    def write(row: dict[str, float]) -> None:
        with (out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({key: round(value, 5) for key, value in row.items()}) + "\n")

    return write


def pretrain(
    *,
    seed: int,
    out: Path,
    subsets: Sequence[str] = SUBSETS,
    recipe: EncoderRecipe | None = None,
    steps: int | None = None,
    load: Load = gue,
    log: Any = print,
) -> dict[str, Any]:
    """Learns to fill in hidden letters of all subsets' training sequences; resumes where it
    was interrupted. Returns `run.json`.

    Args:
        seed: of the initial weights, the order and the corruption.
        out: checkpoints, `model.safetensors`, `run.json`.
        subsets: of GUE.
        recipe: instead of `RECIPES["pretrain"]`.
        steps: fewer than the recipe.
        load: `(subset, split) -> table`.
        log: told a line at the end.
    """
    recipe = recipe or RECIPES["pretrain"]
    out.mkdir(parents=True, exist_ok=True)
    tokens = pool(clean_tables(subsets, load))
    optimiser, loop = optimisation(recipe, len(tokens), seed, steps)
    begin = time.perf_counter()
    model = SequenceEncoder(SequenceEncoderConfig(**recipe.network), rngs=nnx.Rngs(seed))
    result = fit(
        model,
        language_loss,
        {"tokens": tokens},
        optimiser,
        config=loop,
        checkpoint_dir=out / "checkpoints",
        on_progress=progress(out),
    )
    storage.save(
        out / "model.safetensors", result.model, metadata={"name": "pretrain", "seed": seed}
    )
    facts = {
        "name": "pretrain",
        "seed": seed,
        "steps": loop.steps,
        "sequences": len(tokens),
        "loss": result.history[-1]["loss"],
        "wall_seconds": time.perf_counter() - begin,
        "config": dataclasses.asdict(model.config),
        "recipe": dataclasses.asdict(recipe),
    }
    (out / "run.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    log(
        f"pretrain seed {seed}: {len(tokens)} sequences, {loop.steps} steps, "
        f"{facts['wall_seconds']:.0f} s, loss {facts['loss']:.4f}"
    )
    return facts


def network(
    subset: str, recipe: EncoderRecipe, *, seed: int, start: Path | None
) -> SequenceEncoder:
    """The network of one subset before it learns labels: weights of `start` (None: random)
    but for the head; low-rank where asked."""
    rngs = nnx.Rngs(seed)
    tokens = -(-BASES[subset] // REDUCTION)
    model = SequenceEncoder(
        SequenceEncoderConfig(tasks=1, head_tokens=tokens, **recipe.network), rngs=rngs
    )
    if start is not None:
        own, known = storage.flatten(model), storage.load(start)[0]
        storage.restore(model, own | {name: value for name, value in known.items() if name in own})
    return freeze(model, recipe.rank, rngs=rngs) if recipe.rank else model


def tune(
    subset: str,
    *,
    seed: int,
    out: Path,
    start: Path | None,
    share: float = 1.0,
    recipe: EncoderRecipe | None = None,
    steps: int | None = None,
    load: Load = gue,
    log: Any = print,
    name: str = "tune",
) -> dict[str, Any]:
    """Trains one subset's network on its labels; resumes where it was interrupted. Returns
    what `run.json` says.

    Args:
        subset: of GUE.
        seed: of the initial weights, the order, and which sequences are kept of a `share`.
        out: checkpoints, `model.safetensors`, `run.json`.
        start: pre-trained weights; None: random ones.
        share: part of the training sequences that is used.
        recipe: instead of `RECIPES[name]`.
        steps: fewer than the recipe.
        load: `(subset, split) -> table`; only "train" and "dev" are asked for.
        log: told a line at the end.
        name: key of `RECIPES`, "tune" or "curve".
    """
    out.mkdir(parents=True, exist_ok=True)
    table, dev, strands = (
        load(subset, "train"),
        load(subset, "dev"),
        subset.startswith(BOTH_STRANDS),
    )
    if recipe is None:
        recipe = RECIPES[name]
        if name == "tune" and len(table) < SMALL:
            recipe = dataclasses.replace(recipe, epochs=SMALL_EPOCHS)
    if share < 1.0:
        table = table[
            np.random.default_rng(seed).permutation(len(table))[: round(share * len(table))]
        ]
    arrays = {"tokens": read(subset, table.tokens), "label": table.labels.astype(np.float32)}
    optimiser, loop = optimisation(recipe, len(table), seed, steps)
    begin = time.perf_counter()
    model = network(subset, recipe, seed=seed, start=start)
    result = fit(
        model,
        functools.partial(label_loss, strands=strands),
        arrays,
        optimiser,
        config=loop,
        checkpoint_dir=out / "checkpoints",
        on_progress=progress(out),
    )
    storage.save(
        out / "model.safetensors",
        result.model,
        metadata={"name": name, "subset": subset, "seed": seed},
    )
    facts = {
        "name": name,
        "subset": subset,
        "seed": seed,
        "steps": loop.steps,
        "sequences": len(table),
        "share": share,
        "wall_seconds": time.perf_counter() - begin,
        "loss": result.history[-1]["loss"],
        "config": dataclasses.asdict(model.config),
        "recipe": dataclasses.asdict(recipe),
        "parameters": cost.count_parameters(storage.flatten(result.model)),
        "start": None if start is None else start.parent.name,
        "dev": dev_scores(
            logits(result.model, read(subset, dev.tokens), strands=strands), dev.labels
        ),
    }
    (out / "run.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    log(
        f"{name} {subset} seed {seed}: {len(table)} sequences, {loop.steps} steps, "
        f"{facts['wall_seconds']:.0f} s, loss {facts['loss']:.4f}, dev MCC "
        f"{facts['dev']['mcc']:.4f}"
    )
    return facts


def curve(
    subset: str, *, seed: int, out: Path, start: Path, load: Load = gue
) -> list[dict[str, Any]]:
    """The transfer curve of one subset: 1, 10 and 100 % of its training sequences,
    pre-trained against scratch, all weights trained."""
    table = clean_tables([subset], load)[subset]
    rows = []
    for share in (0.01, 0.1, 1.0):
        for kind, weights in (("pretrained", start), ("scratch", None)):
            folder = out / f"curve.{subset}.{kind}.{share:g}.seed{seed}"
            if not (folder / "run.json").exists():
                tune(
                    subset,
                    seed=seed,
                    out=folder,
                    start=weights,
                    share=share,
                    name="curve",
                    load=lambda subset, split: table if split == "train" else load(subset, split),
                    log=say,
                )
            rows.append(json.loads((folder / "run.json").read_text(encoding="utf-8")))
    return rows


def say(line: str) -> None:
    """Prints at once, also into a file."""
    print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; runs go into `OUT/pretrain.seed<k>` and `OUT/<name>.<subset>.seed<k>`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--subsets", nargs="+", default=list(SUBSETS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--steps", type=int, default=None)
    options = parser.parse_args(arguments)
    start = options.out / "pretrain.seed0" / "model.safetensors"
    for seed in options.seeds:
        if options.name == "pretrain":
            folder = options.out / f"pretrain.seed{seed}"
            if not (folder / "run.json").exists():
                pretrain(
                    seed=seed, out=folder, subsets=options.subsets, steps=options.steps, log=say
                )
            continue
        for subset in options.subsets:
            folder = options.out / f"tune.{subset}.seed{seed}"
            if options.name == "curve":
                curve(subset, seed=seed, out=options.out, start=start)
            elif not (folder / "run.json").exists():
                tune(subset, seed=seed, out=folder, start=start, steps=options.steps, log=say)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
