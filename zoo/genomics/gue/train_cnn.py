"""Training of the convolutional networks of GUE: one network for each subset.

Everything is fitted on the published training sets; the dev sets report, and chose the
settings of `zoo.genomics.gue.recipes` (before any test score was computed). The last weights,
averaged exponentially, are the model: no epoch is chosen. On transcription factor sets each
training sequence is turned to its other strand with probability one half: a site is a site on
both. Promoters have a direction and are not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from zoo.genomics.data import LabelledSequences
from zoo.genomics.data.sequences import one_hot
from zoo.genomics.gue.metrics import class_scores
from zoo.genomics.gue.recipes import CNNRecipe
from zoo.genomics.gue.strands import STRAND_SYMMETRIC_SUBSETS, both_strands
from zoo.genomics.models.sequence_cnn import SequenceCNN, SequenceCNNConfig
from zoo.train.loop import LoopConfig, fit


def train_subset(
    subset: str,
    recipe: CNNRecipe,
    *,
    seed: int,
    load: Callable[[str, str], LabelledSequences],
    steps: int | None = None,
) -> tuple[SequenceCNN, dict[str, Any]]:
    """Trains one subset's network; it, and what is to be said of it.

    Args:
        subset: of GUE, e.g. `tf_0`.
        recipe: its settings are those `of_subset`.
        seed: of the initial weights and of the order of sequences.
        load: `(subset, split) -> table`; only "train" and "dev" are asked for.
        steps: fewer than the recipe.
    """
    recipe = recipe.of_subset(subset)
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
    strands = subset.startswith(STRAND_SYMMETRIC_SUBSETS)

    def loss(
        model: nnx.Module, batch: dict[str, jax.Array], key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        first, second = jax.random.split(key)
        tokens = augment(batch["tokens"], first, strands=strands, shift=recipe.shift)
        logit = model(one_hot(tokens, xp=jnp), key=second)
        value = optax.sigmoid_binary_cross_entropy(logit, batch["label"]).mean()
        return value, {"accuracy": ((logit > 0) == (batch["label"] > 0.5)).mean()}

    begin = time.perf_counter()
    arrays = {"tokens": table.tokens, "label": table.known_labels.astype(np.float32)}
    loop = LoopConfig(
        steps=total,
        batch_size=recipe.batch_size,
        seed=seed,
        log_every=total,
        ema_decay=0.998 if total > 1000 else 0.99,
    )
    result = fit(SequenceCNN(config, rngs=nnx.Rngs(seed)), loss, arrays, optimiser, config=loop)
    network: Any = result.model
    logit = cnn_logits(network, dev.tokens, strands=strands)
    return network, {
        "subset": subset,
        "seed": seed,
        "steps": total,
        "sequences": len(table),
        "length": config.length,
        "network": dict(recipe.network),
        "loss": result.history[-1]["loss"],
        "wall_seconds": time.perf_counter() - begin,
        "dev": class_scores(logit, dev.known_labels),
        "died": cause_of_death(logit),
    }


def cause_of_death(logit: np.ndarray) -> str | None:
    """Why a network is not worth publishing, from its dev logits `[sequence]`; None: it is."""
    if not np.isfinite(logit).all():
        return "a logit of a dev sequence is not finite"
    return None if np.ptp(logit) > 1e-6 else "every dev sequence has the same logit"


def augment(tokens: jax.Array, key: jax.Array, *, strands: bool, shift: int) -> jax.Array:
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
