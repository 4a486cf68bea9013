"""The compiled part of the training loop: optimiser steps with the state donated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from zoo.train.batches import Stream, Windows
from zoo.train.config import LoopConfig

Loss = Callable[[nnx.Module, Any, jax.Array], tuple[jax.Array, dict[str, jax.Array]]]
"""`(model, batch, key) -> (scalar, dict of scalars)`, the mean over the batch."""
Gradients = Callable[[Any, Any, Any, jax.Array], tuple[Any, Any]]
"""`(params, rest, batch, key) -> (rest afterwards, (gradient, loss, scalars))`."""
State = dict[str, Any]
"""`step`, `params`, `rest` (variables that are not trained), `optimiser` and perhaps `ema`."""
Step = Callable[[State, Any], tuple[State, dict[str, jax.Array]]]


def compiled_call(
    graph: Any,
    loss: Loss,
    optimiser: optax.GradientTransformation,
    config: LoopConfig,
    mesh: Mesh,
    data: Any,
) -> Callable[..., tuple[State, dict[str, jax.Array]]]:
    """The compiled function of one call: `steps_per_call` optimiser steps, with the state
    donated.

    Args:
        graph: of the module, as `flax.nnx.split` gives it.
        loss, optimiser, config, mesh, data: as `zoo.train.loop.fit` takes them.
    """
    unroll = jax.default_backend() == "cpu" if config.unroll is None else config.unroll
    split = NamedSharding(mesh, PartitionSpec("data"))
    parts = config.batch_size // (config.microbatch_size or config.batch_size)
    gradients = _gradients(graph, loss)
    one_step = _one_step(
        gradients if parts == 1 else _accumulated(gradients, parts), optimiser, config
    )
    resident = not isinstance(data, Stream)
    offsets = np.asarray(data.offsets, np.int32) if isinstance(data, Windows) else None

    def gather(leaf: jax.Array, indices: jax.Array) -> jax.Array:
        indices = indices if offsets is None else indices[:, None] + offsets
        return (
            jax.lax.with_sharding_constraint(leaf[indices], split)
            if mesh.size > 1
            else leaf[indices]
        )

    def many_steps(state: State, feed: Any, *arrays: Any) -> tuple[State, dict[str, jax.Array]]:
        def body(state: State, item: Any) -> tuple[State, dict[str, jax.Array]]:
            batch = jax.tree.map(lambda leaf: gather(leaf, item), arrays[0]) if resident else item
            return one_step(state, batch)

        if config.steps_per_call == 1:
            state, scalars = body(state, jax.tree.map(lambda leaf: leaf[0], feed))
            return state, jax.tree.map(lambda leaf: leaf[None], scalars)
        return jax.lax.scan(body, state, feed, unroll=config.steps_per_call if unroll else 1)

    return jax.jit(many_steps, donate_argnums=0)


def _one_step(
    gradients: Gradients, optimiser: optax.GradientTransformation, config: LoopConfig
) -> Step:
    """One optimiser step, with the average of the weights where the run has one."""

    def one_step(state: State, batch: Any) -> tuple[State, dict[str, jax.Array]]:
        key = jax.random.fold_in(jax.random.key(config.seed), state["step"])
        rest, (gradient, value, scalars) = gradients(state["params"], state["rest"], batch, key)
        updates, memory = optimiser.update(gradient, state["optimiser"], state["params"])
        params = optax.apply_updates(state["params"], updates)
        new = {"step": state["step"] + 1, "params": params, "rest": rest, "optimiser": memory}
        if config.ema_decay is not None:
            # A short average at first (decay 1/10, 2/11, ...), or the initial weights would
            # weigh on the start.
            count = new["step"].astype(jnp.float32)
            decay = jnp.minimum(config.ema_decay, (1.0 + count) / (10.0 + count))
            new["ema"] = jax.tree.map(
                lambda a, p: (a + (1.0 - decay) * (p - a)).astype(p.dtype), state["ema"], params
            )
        return new, {"loss": value, "gradient_norm": optax.tree.norm(gradient)} | scalars

    return one_step


def _accumulated(gradients: Gradients, parts: int) -> Gradients:
    """`gradients` of a batch in `parts` microbatches, one after the other."""

    def accumulate(params: Any, rest: Any, batch: Any, key: jax.Array) -> tuple[Any, Any]:
        # Every parts-th example, so that a batch that is split over devices stays where it is.
        split_batch = jax.tree.map(
            lambda leaf: leaf.reshape(-1, parts, *leaf.shape[1:]).swapaxes(0, 1), batch
        )
        first = jax.tree.map(lambda leaf: leaf[0], split_batch)
        zeros = jax.tree.map(
            lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
            jax.eval_shape(gradients, params, rest, first, key)[1],
        )

        def body(carry: Any, item: Any) -> tuple[Any, None]:
            rest, total = carry
            rest, new = gradients(params, rest, item[0], jax.random.fold_in(key, item[1]))
            return (rest, jax.tree.map(jnp.add, total, new)), None

        (rest, total), _ = jax.lax.scan(body, (rest, zeros), (split_batch, jnp.arange(parts)))
        return rest, jax.tree.map(lambda leaf: leaf / parts, total)

    return accumulate


def _gradients(graph: Any, loss: Loss) -> Gradients:
    """The gradient of a batch that goes through the network at once."""

    def differentiate(params: Any, rest: Any, batch: Any, key: jax.Array) -> tuple[Any, Any]:
        def objective(params: Any) -> tuple[jax.Array, Any]:
            model = nnx.merge(graph, params, rest, copy=True)
            value, scalars = loss(model, batch, key)
            return value, (scalars, nnx.split(model, nnx.Param, ...)[-1])

        (value, (scalars, rest)), gradient = jax.value_and_grad(objective, has_aux=True)(params)
        return rest, (gradient, value, scalars)

    return differentiate
