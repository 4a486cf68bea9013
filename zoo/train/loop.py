"""`fit`: the one training loop of all domains.

    jit(step with donated state)  --scan-->  `steps_per_call` steps per call  --host-->  history, validation, checkpoint

The order of examples and every random key are functions of (seed, step), so a run that was
killed and resumed ends bit for bit where the uninterrupted one ends, and two runs with one
seed on one machine are equal. (Another number of CPU cores gives sums in another order:
record it.)
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from zoo.train.batches import Order, Stream, Windows, example_count
from zoo.train.checkpoints import Checkpoints
from zoo.train.devices import data_mesh, place, replicate

__all__ = ["FitResult", "LoopConfig", "NonFiniteLoss", "fit"]

Loss = Callable[[nnx.Module, Any, jax.Array], tuple[jax.Array, dict[str, jax.Array]]]


@dataclasses.dataclass(frozen=True)
class LoopConfig:
    """What defines a run, apart from model, loss, data and optimiser.

    Attributes:
        steps: optimiser steps of the whole run; a resumed run counts the steps before it
            was interrupted.
        batch_size: examples per step, over all devices and hosts.
        steps_per_call: steps fused into one call of the compiled function. More than one
            saves dispatch (worth it for steps under some 10 ms) and costs compile time
            where `unroll` is on.
        unroll: unroll those steps instead of looping on the device. None: on CPU yes,
            because the gradient of a convolution inside a CPU loop was measured up to 58x
            slower; on accelerators no.
        seed: names the order of examples and all random keys.
        checkpoint_every: steps between checkpoints; None: only at the end, if there is a folder.
        validate_every: steps between validations; None: never.
        log_every: steps that one row of the history averages.
        ema_decay: decay of the exponential average of the weights. Where set, the averaged
            weights are the ones that are validated and returned.
        microbatch_size: examples that go through the network at once; the step's gradient
            is the mean over its microbatches (gradient accumulation), as are its loss and
            scalars. None: the whole batch. On CPU it decides whether what the backward pass
            needs stays in the cache and in memory that malloc keeps: attention among 64
            particles takes 3 MB a jet, and a step of 64 such jets 283 ms of CPU time at
            once (96 of them page faults) and 154 ms four at a time. Each microbatch has a
            random key of its own.
    """

    steps: int
    batch_size: int
    steps_per_call: int = 1
    unroll: bool | None = None
    seed: int = 0
    checkpoint_every: int | None = None
    validate_every: int | None = None
    log_every: int = 100
    ema_decay: float | None = None
    microbatch_size: int | None = None

    def __post_init__(self) -> None:
        if self.steps < 1 or self.steps_per_call < 1:
            raise ValueError(
                f"steps={self.steps} and steps_per_call={self.steps_per_call} must both be 1 or "
                "more"
            )
        for name in ("steps", "checkpoint_every", "validate_every", "log_every"):
            value = getattr(self, name)
            if value is not None and (value < 1 or value % self.steps_per_call):
                raise ValueError(
                    f"{name}={value} must be a positive multiple of "
                    f"steps_per_call={self.steps_per_call}"
                )
        if self.microbatch_size is not None and (
            self.microbatch_size < 1 or self.batch_size % self.microbatch_size
        ):
            raise ValueError(
                f"microbatch_size={self.microbatch_size} must divide batch_size={self.batch_size}"
            )
        if self.ema_decay is not None and not 0.0 <= self.ema_decay < 1.0:
            raise ValueError(f"ema_decay={self.ema_decay} must lie in [0, 1)")


@dataclasses.dataclass(frozen=True)
class FitResult:
    """A trained model (its averaged weights where `ema_decay` is set) and the history, one
    row per `log_every` steps."""

    model: nnx.Module
    history: list[dict[str, float]]


class NonFiniteLoss(FloatingPointError):
    """The loss became NaN or infinite; the message names the step and the last checkpoint
    before it."""


def fit(
    model: nnx.Module,
    loss: Loss,
    data: Any,
    optimiser: optax.GradientTransformation,
    *,
    config: LoopConfig,
    validate: Callable[[nnx.Module], dict[str, float]] | None = None,
    checkpoint_dir: Any = None,
    on_progress: Callable[[dict[str, float]], None] | None = None,
    stop: Callable[[], bool] | None = None,
    mesh: Mesh | None = None,
) -> FitResult:
    """Trains `model` and returns the trained copy; `model` itself stays as it was.

    Args:
        model: any NNX module. Its `nnx.Param`s are trained; other variables (running
            statistics, random streams) are carried along, changed by the loss as it runs.
        loss: `(model, batch, key) -> (scalar, dict of scalars)`, the mean over the batch.
        data: pytree of arrays with one leading length, kept on the device; or `Windows` of
            such arrays; or a `Stream`.
        optimiser: any optax transformation; put the learning-rate schedule in it.
        config: the run.
        validate: called with the (averaged) model every `validate_every` steps; its numbers
            join the history row under the prefix `validation_`.
        checkpoint_dir: folder for checkpoints. If it holds one of this run, the run resumes
            from it.
        on_progress: called with each new row of the history.
        stop: asked with each new row of the history; True ends the run there, with a
            checkpoint (a time limit, a signal from the scheduler). Calling `fit` again goes
            on from it.
        mesh: devices to spread each batch over; default: all of them.
    """
    mesh = data_mesh() if mesh is None else mesh
    for name in ("batch_size", "microbatch_size"):
        if (getattr(config, name) or 0) % mesh.size:
            raise ValueError(
                f"{name}={getattr(config, name)} does not divide among {mesh.size} devices"
            )
    if config.validate_every and validate is None:
        raise ValueError("validate_every is set but no `validate` function was given")

    graph, params, rest = nnx.split(model, nnx.Param, ...)
    state = {
        "step": jnp.zeros((), jnp.int32),
        "params": params,
        "rest": rest,
        "optimiser": optimiser.init(params),
    }
    if config.ema_decay is not None:
        state["ema"] = params
    # The state is donated to each call, so it must share no buffer with the caller's model
    # nor within itself.
    state = replicate(jax.tree.map(_copy, state), mesh)
    run = {name: getattr(config, name) for name in ("batch_size", "seed", "ema_decay")} | {
        "examples": example_count(data)
    }
    if config.microbatch_size is not None:  # it decides on random keys
        run["microbatch_size"] = config.microbatch_size

    step, history = 0, []
    checkpoints = None if checkpoint_dir is None else Checkpoints(checkpoint_dir)
    if checkpoints is not None and (latest := checkpoints.latest()) is not None:
        state, history = checkpoints.restore(latest, state, run=run)
        step = latest

    call = _compile(graph, loss, optimiser, config, mesh, data)
    feed = _feed(data, config, mesh, start=step)

    def current() -> nnx.Module:
        # Copies, because the next call takes the buffers of `state` away.
        weights, others = jax.tree.map(_copy, (state.get("ema", state["params"]), state["rest"]))
        return nnx.merge(graph, weights, others)

    window: list[dict[str, np.ndarray]] = []
    pending: tuple[int, dict[str, jax.Array]] | None = (
        None  # read one call late, so that the device never waits
    )
    began, window_steps = time.perf_counter(), 0
    last_saved = step if step else None
    stopped = False
    while step < config.steps and not stopped:
        state, scalars = call(state, *next(feed))
        if pending is not None:
            window.append(_checked(*pending, checkpoints, last_saved))
        pending = (step, scalars)
        step += config.steps_per_call
        window_steps += config.steps_per_call

        done = step >= config.steps
        due = {
            name: done or (every is not None and step % every == 0)
            for name, every in (("row", config.log_every), ("save", config.checkpoint_every))
        }
        check = (
            validate is not None
            and bool(config.validate_every)
            and (done or step % config.validate_every == 0)
        )
        if not (due["row"] or due["save"] or check):
            continue

        window.append(_checked(*pending, checkpoints, last_saved))
        pending = None
        row = {"step": step} | {
            k: float(np.mean(np.concatenate([w[k] for w in window]))) for k in window[0]
        }
        row["seconds_per_step"] = (time.perf_counter() - began) / window_steps
        if check:
            row |= {
                f"validation_{name}": float(value) for name, value in validate(current()).items()
            }
        history.append(row)
        if on_progress is not None:
            on_progress(row)
        stopped = stop is not None and stop()
        if checkpoints is not None and (due["save"] or stopped):
            checkpoints.save(step, state, history, run=run)
            last_saved = step
        window, window_steps, began = [], 0, time.perf_counter()

    result = FitResult(current(), history)
    if checkpoints is not None:
        checkpoints.close()
    return result


def _copy(leaf: jax.Array) -> jax.Array:
    return jnp.copy(leaf)


def _checked(
    first: int,
    scalars: dict[str, jax.Array],
    checkpoints: Checkpoints | None,
    last_saved: int | None,
) -> dict[str, np.ndarray]:
    """The scalars of one call on the host; raises at the first step whose loss is not finite."""
    values = {name: np.asarray(value, np.float64) for name, value in scalars.items()}
    wrong = np.flatnonzero(~np.isfinite(values["loss"]))
    if wrong.size:
        where = (
            f"the last checkpoint is step {last_saved} in {checkpoints.directory}"
            if last_saved
            else "no checkpoint was written"
        )
        raise NonFiniteLoss(
            f"the loss of step {first + int(wrong[0])} is {values['loss'][wrong[0]]}; {where}. "
            "Lower the learning rate, clip the gradient (optax.clip_by_global_norm), or look for "
            "NaN in the data."
        )
    return values


def _feed(data: Any, config: LoopConfig, mesh: Mesh, *, start: int) -> Iterator[tuple[Any, ...]]:
    """Arguments of the compiled call after the state: (indices, data) where data is
    resident, (batches,) where streamed."""
    order = Order(example_count(data), config.batch_size, config.seed)
    split = NamedSharding(mesh, PartitionSpec(None, "data"))
    if isinstance(data, Stream):
        batches = data.batches(
            order,
            start=start,
            stop=config.steps,
            shard=jax.process_index(),
            shards=jax.process_count(),
        )
        for group in zip(*[iter(batches)] * config.steps_per_call, strict=True):
            stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *group)
            yield (
                jax.tree.map(
                    lambda leaf: jax.make_array_from_process_local_data(split, leaf), stacked
                ),
            )
        return
    # The starts of windows join on the host: what reaches the device is the index of each
    # window's first time.
    resident = replicate(data.arrays if isinstance(data, Windows) else data, mesh)
    starts = np.asarray(data.starts, np.int32) if isinstance(data, Windows) else None
    for step in range(start, config.steps, config.steps_per_call):
        indices = np.stack([order(step + k) for k in range(config.steps_per_call)])
        indices = indices if starts is None else starts[indices]
        yield place(indices, mesh, PartitionSpec(None, "data")), resident


def _compile(
    graph: Any,
    loss: Loss,
    optimiser: optax.GradientTransformation,
    config: LoopConfig,
    mesh: Mesh,
    data: Any,
) -> Callable[..., tuple[Any, dict[str, jax.Array]]]:
    """The compiled function of one call: `steps_per_call` optimiser steps, with the state
    donated."""
    unroll = jax.default_backend() == "cpu" if config.unroll is None else config.unroll
    split = NamedSharding(mesh, PartitionSpec("data"))

    parts = config.batch_size // (config.microbatch_size or config.batch_size)

    def differentiate(params: Any, rest: Any, batch: Any, key: jax.Array) -> tuple[Any, Any]:
        """The other variables afterwards; gradient, loss and scalars."""

        def objective(params: Any) -> tuple[jax.Array, Any]:
            model = nnx.merge(graph, params, rest, copy=True)
            value, scalars = loss(model, batch, key)
            return value, (scalars, nnx.split(model, nnx.Param, ...)[2])

        (value, (scalars, rest)), gradient = jax.value_and_grad(objective, has_aux=True)(params)
        return rest, (gradient, value, scalars)

    def accumulate(params: Any, rest: Any, batch: Any, key: jax.Array) -> tuple[Any, Any]:
        """The same of a batch in `parts` microbatches, one after the other."""
        # Every parts-th example, so that a batch that is split over devices stays where it is.
        split_batch = jax.tree.map(
            lambda leaf: leaf.reshape(-1, parts, *leaf.shape[1:]).swapaxes(0, 1), batch
        )
        first = jax.tree.map(lambda leaf: leaf[0], split_batch)
        zeros = jax.tree.map(
            lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
            jax.eval_shape(differentiate, params, rest, first, key)[1],
        )

        def body(carry: Any, item: Any) -> tuple[Any, None]:
            rest, total = carry
            rest, new = differentiate(params, rest, item[0], jax.random.fold_in(key, item[1]))
            return (rest, jax.tree.map(jnp.add, total, new)), None

        (rest, total), _ = jax.lax.scan(body, (rest, zeros), (split_batch, jnp.arange(parts)))
        return rest, jax.tree.map(lambda leaf: leaf / parts, total)

    def one_step(state: dict[str, Any], batch: Any) -> tuple[dict[str, Any], dict[str, jax.Array]]:
        key = jax.random.fold_in(jax.random.key(config.seed), state["step"])
        gradient_of = differentiate if parts == 1 else accumulate
        rest, (gradient, value, scalars) = gradient_of(state["params"], state["rest"], batch, key)
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

    resident = not isinstance(data, Stream)
    offsets = np.asarray(data.offsets, np.int32) if isinstance(data, Windows) else None

    def gather(leaf: jax.Array, indices: jax.Array) -> jax.Array:
        indices = indices if offsets is None else indices[:, None] + offsets
        return (
            jax.lax.with_sharding_constraint(leaf[indices], split)
            if mesh.size > 1
            else leaf[indices]
        )

    def many_steps(
        state: dict[str, Any], feed: Any, *arrays: Any
    ) -> tuple[dict[str, Any], dict[str, jax.Array]]:
        def body(state: dict[str, Any], item: Any) -> tuple[dict[str, Any], dict[str, jax.Array]]:
            batch = jax.tree.map(lambda leaf: gather(leaf, item), arrays[0]) if resident else item
            return one_step(state, batch)

        if config.steps_per_call == 1:
            state, scalars = body(state, jax.tree.map(lambda leaf: leaf[0], feed))
            return state, jax.tree.map(lambda leaf: leaf[None], scalars)
        return jax.lax.scan(body, state, feed, unroll=config.steps_per_call if unroll else 1)

    return jax.jit(many_steps, donate_argnums=0)
