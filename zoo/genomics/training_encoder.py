"""Recipes of the sequence encoder on GUE: masked-language pre-training on its training sequences, then one network for all subsets.

    python -m zoo.genomics.training_encoder pretrain --seeds 0 --out RUNS
    python -m zoo.genomics.training_encoder tune --seeds 0 1 2 --out RUNS          # from RUNS/pretrain.seed0
    python -m zoo.genomics.training_encoder scratch --seeds 0 1 2 --out RUNS       # the same without pre-training
    python -m zoo.genomics.training_encoder curve --subsets tf_2 prom_core_tata --out RUNS

The subsets' splits cross: a training sequence of one may be a test sequence of another, or overlap it in the genome. A network that
learns from several at once must not see those, so every training sequence that shares a 31-mer (either strand) with any dev or test set
is left out. `prom_300_tata` is read at its 104 bases around the start of transcription (190 to 294 of 300).

Nothing here was chosen on a test set; the dev sets report, and chose the rate and the epochs of `tune` from two settings.

What they reached (dev MCC; minutes are those of two shared cores): `pretrain` 1.218 nats a base (12); `tune` .40 to .68 by subset (14 a
seed): one trunk for all subsets stays behind a small network for each. `curve`, prom_core_tata, seeds 0 and 1, pre-trained against scratch:
with 1 % of the training sequences .31, .14 against .36, .27; with 10 % .34, .45 against .54, .55; with all .76, .77 against .76, .74. So
this pre-training does not help here, and with few labels it harms.
"""

from __future__ import annotations

import argparse
import dataclasses
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

from zoo import weights as storage
from zoo.genomics import signatures
from zoo.genomics.data import LabelledSequences, gue
from zoo.genomics.models.sequence_encoder import SequenceEncoder, SequenceEncoderConfig
from zoo.genomics.sequences import PADDING
from zoo.genomics.strands import BOTH_STRANDS, both_strands
from zoo.genomics.training_ecoli import corrupted
from zoo.genomics.training_gue import SUBSETS, augmented, dev_scores
from zoo.train.loop import LoopConfig, fit

LENGTH = 104
"""Bases that the classifying encoder sees."""
CROP = {"prom_300_tata": 190}
"""First base that is read of the subsets with longer sequences."""
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
        repeat: how often an epoch holds the sequences of the small subsets (fewer than 10,000).
    """

    epochs: float
    batch_size: int = 64
    learning_rate: float = 1e-3
    network: dict[str, Any] = dataclasses.field(default_factory=dict)
    weight_decay: float = 0.02
    repeat: int = 3


RECIPES = {
    "pretrain": EncoderRecipe(1.0, learning_rate=2e-3, network={"dropout": 0.0}),
    "tune": EncoderRecipe(2.0, batch_size=128, learning_rate=3e-3, network={"dropout": 0.1}),
    "scratch": EncoderRecipe(2.0, batch_size=128, learning_rate=3e-3, network={"dropout": 0.1}),
    "curve": EncoderRecipe(6.0, network={"dropout": 0.1}, repeat=1),
}


def read(subset: str, tokens: np.ndarray) -> np.ndarray:
    """The bases of a subset's sequences that the encoder sees, `[sequence, at most 104]`."""
    start = CROP.get(subset, 0)
    return tokens[:, start : start + LENGTH]


def padded(tokens: np.ndarray) -> np.ndarray:
    """Tokens padded at their end to 104."""
    return np.pad(tokens, ((0, 0), (0, LENGTH - tokens.shape[1])), constant_values=PADDING)


def clean_tables(subsets: Sequence[str] = SUBSETS, load: Load = gue) -> dict[str, LabelledSequences]:
    """The training tables without every sequence that shares a 31-mer, on either strand, with a dev or test set of any subset.

    Of those sets the letters are read, never a label.
    """
    held = np.unique(np.concatenate([signatures.all_words(load(subset, split).tokens) for subset in subsets for split in ("dev", "test")]))
    tables = {subset: load(subset, "train") for subset in subsets}
    return {subset: table[~signatures.shares_words(table.tokens, held)] for subset, table in tables.items()}


def pool(tables: dict[str, LabelledSequences]) -> np.ndarray:
    """What pre-training reads: each different sequence once (either strand), longer ones cut into three; int8 `[sequence, 104]`."""
    pieces = []
    for table in tables.values():
        starts = WINDOW_STARTS if table.tokens.shape[1] > LENGTH else (0,)
        pieces += [padded(table.tokens[:, start : start + LENGTH]) for start in starts]
    tokens = np.concatenate(pieces)
    (number,) = signatures.either_strand(tokens)
    return tokens[np.sort(np.unique(number, return_index=True)[1])]


def language_loss(model: nnx.Module, batch: dict[str, jax.Array], key: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean cross-entropy (nats) of the chosen positions of a batch that hold a base."""
    hide, drop = jax.random.split(key)
    tokens = batch["tokens"]
    shown, chosen = corrupted(tokens, hide)
    there = tokens < 4
    shown, counts = jnp.where(there, shown, tokens), chosen & there
    each = optax.softmax_cross_entropy_with_integer_labels(model(shown, key=drop), jnp.where(there, tokens, 0).astype(jnp.int32))
    return (each * counts).sum() / jnp.maximum(counts.sum(), 1), {}


def label_loss(model: nnx.Module, batch: dict[str, jax.Array], key: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean binary cross-entropy, each sequence by the output of its own subset; strand-less ones are turned at random."""
    turn, drop = jax.random.split(key)
    tokens = batch["tokens"]
    # Sequences without a direction are 101 bases long: the padding behind them stays where it is.
    turned = jnp.concatenate([augmented(tokens[:, :101], turn, strands=True, shift=0), tokens[:, 101:]], 1)
    logits = model.classify(jnp.where(batch["strandless"][:, None], turned, tokens), key=drop)
    logit = jnp.take_along_axis(logits, batch["subset"][:, None], 1)[:, 0]
    return optax.sigmoid_binary_cross_entropy(logit, batch["label"]).mean(), {"accuracy": ((logit > 0) == (batch["label"] > 0.5)).mean()}


def labelled(tables: dict[str, LabelledSequences], subsets: Sequence[str], repeat: int) -> dict[str, np.ndarray]:
    """All subsets in one set of arrays; small ones several times."""
    parts: list[dict[str, np.ndarray]] = []
    for subset, table in tables.items():
        n = len(table)
        part = {
            "tokens": padded(read(subset, table.tokens)), "label": table.labels.astype(np.float32),
            "subset": np.full(n, subsets.index(subset), np.int32), "strandless": np.full(n, subset.startswith(BOTH_STRANDS)),
        }  # fmt: skip
        parts += [part] * (repeat if n < 10_000 else 1)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def logits(model: SequenceEncoder, subset: int, tokens: np.ndarray, *, strands: bool, batch: int = 256) -> np.ndarray:
    """Logits float32 `[sequence]` of one output for sequences of at most 104 bases, the mean of both strands where `strands`."""
    graph, state = nnx.split(model)
    call = jax.jit(lambda state, tokens: nnx.merge(graph, state).classify(tokens)[:, subset])

    def one_strand(tokens: np.ndarray) -> np.ndarray:
        return np.concatenate([np.asarray(call(state, tokens[start : start + batch])) for start in range(0, len(tokens), batch)])

    return both_strands(one_strand, tokens) if strands else one_strand(tokens)


def train(
    name: str, *, seed: int, out: Path, start: Path | None = None, subsets: Sequence[str] = SUBSETS, share: float = 1.0,
    recipe: EncoderRecipe | None = None, steps: int | None = None, load: Load = gue, log: Any = print,
) -> dict[str, Any]:
    """Trains the encoder; resumes where an interrupted run stopped. Returns what `run.json` says.

    Args:
        name: key of `RECIPES`; "pretrain" learns letters, the others labels.
        seed: of the initial weights, the order, the corruption, and which sequences are kept of a `share`.
        out: checkpoints, `model.safetensors`, `run.json`.
        start: weights to begin with; outputs of the head start anew.
        subsets: of GUE.
        share: part of the training sequences that is used.
        recipe: instead of `RECIPES[name]`.
        steps: fewer than the recipe.
        load: `(subset, split) -> table`.
        log: told a line now and then.
    """
    recipe = recipe or RECIPES[name]
    out.mkdir(parents=True, exist_ok=True)
    tables = clean_tables(subsets, load)
    if share < 1.0:
        order = np.random.default_rng(seed)
        tables = {subset: table[order.permutation(len(table))[: round(share * len(table))]] for subset, table in tables.items()}
    language = name == "pretrain"
    config = SequenceEncoderConfig(tasks=0 if language else len(subsets), **recipe.network)
    arrays = {"tokens": pool(tables)} if language else labelled(tables, subsets, recipe.repeat)
    n = len(arrays["tokens"])
    batch = min(recipe.batch_size, n)
    total = max(200, int(recipe.epochs * n / batch)) // 2 * 2
    total = min(total, steps) if steps else total
    rate = optax.warmup_cosine_decay_schedule(0.0, recipe.learning_rate, max(1, total // 20), total, recipe.learning_rate * 0.01)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=recipe.weight_decay))
    loop = LoopConfig(
        steps=total, batch_size=batch, seed=seed, log_every=min(100, total), checkpoint_every=min(500, total),
        ema_decay=0.998 if total > 1000 else 0.99,
    )  # fmt: skip
    model = SequenceEncoder(config, rngs=nnx.Rngs(seed))
    if start is not None:
        storage.restore(model, storage.flatten(model) | storage.load(start)[0])
    begin = time.perf_counter()

    def progress(row: dict[str, float]) -> None:
        with (out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({key: round(value, 5) for key, value in row.items()}) + "\n")

    loss = language_loss if language else label_loss
    result = fit(model, loss, arrays, optimiser, config=loop, checkpoint_dir=out / "checkpoints", on_progress=progress)
    seconds = time.perf_counter() - begin
    storage.save(out / "model.safetensors", result.model, metadata={"name": name, "seed": seed})
    facts = {
        "name": name, "seed": seed, "steps": total, "sequences": n, "share": share, "wall_seconds": seconds,
        "loss": result.history[-1]["loss"],
        "config": dataclasses.asdict(result.model.config), "recipe": dataclasses.asdict(recipe), "subsets": list(subsets),
        "start": None if start is None else start.parent.name, "dev": {} if language else of_dev(result.model, subsets, load),
    }  # fmt: skip
    (out / "run.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    shown = " ".join(f"{subset} {scores['mcc']:.4f}" for subset, scores in facts["dev"].items())
    log(f"{name} seed {seed}: {n} sequences, {total} steps, {seconds:.0f} s, loss {facts['loss']:.4f} {shown}")
    return facts


def of_dev(model: SequenceEncoder, subsets: Sequence[str], load: Load) -> dict[str, dict[str, float]]:
    """MCC and AUROC on each dev set."""
    found = {}
    for index, subset in enumerate(subsets):
        dev = load(subset, "dev")
        found[subset] = dev_scores(logits(model, index, read(subset, dev.tokens), strands=subset.startswith(BOTH_STRANDS)), dev.labels)
    return found


def curve(subset: str, *, seed: int, out: Path, start: Path) -> list[dict[str, Any]]:
    """The transfer curve of one subset: 1, 10 and 100 % of its training sequences, pre-trained against scratch."""
    rows = []
    for share in (0.01, 0.1, 1.0):
        for kind, weights in (("pretrained", start), ("scratch", None)):
            folder = out / f"curve.{subset}.{kind}.{share:g}.seed{seed}"
            if not (folder / "run.json").exists():
                train("curve", seed=seed, out=folder, start=weights, subsets=[subset], share=share)
            rows.append(json.loads((folder / "run.json").read_text(encoding="utf-8")))
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; each run goes into `OUT/<name>.seed<k>`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--subsets", nargs="+", default=list(SUBSETS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--steps", type=int, default=None)
    options = parser.parse_args(arguments)
    weights = options.out / "pretrain.seed0" / "model.safetensors"
    for seed in options.seeds:
        if options.name == "curve":
            for subset in options.subsets:
                curve(subset, seed=seed, out=options.out, start=weights)
            continue
        folder = options.out / f"{options.name}.seed{seed}"
        if not (folder / "run.json").exists():
            start = weights if options.name == "tune" else None
            train(
                options.name, seed=seed, out=folder, start=start, subsets=options.subsets, steps=options.steps,
                log=lambda line: print(line, flush=True),
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
