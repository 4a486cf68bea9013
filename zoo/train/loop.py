"""`fit`: the one training loop of all domains.

    jit(step with donated state)  --scan-->  `steps_per_call` steps per call  (`zoo.train.step`)
                                  --host-->  history, validation, checkpoint

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
from zoo.train.config import LoopConfig
from zoo.train.devices import data_mesh, place, replicate
from zoo.train.step import Loss, compiled_call

__all__ = ["FitResult", "LoopConfig", "NonFiniteLoss", "fit"]


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
    _check(config, mesh, validate)
    graph, state = _initial(model, optimiser, config, mesh)
    run = _description(config, data)
    step = 0
    history: list[dict[str, float]] = []
    checkpoints = None if checkpoint_dir is None else Checkpoints(checkpoint_dir)
    if checkpoints is not None and (latest := checkpoints.latest()) is not None:
        state, history = checkpoints.restore(latest, state, run=run)
        step = latest

    call = compiled_call(graph, loss, optimiser, config, mesh, data)
    feed = _feed(data, config, mesh, start=step)
    window = _Window(checkpoints, last_saved=step or None)
    stopped = False
    while step < config.steps and not stopped:
        state, scalars = call(state, *next(feed))
        window.add(step, scalars, config.steps_per_call)
        step += config.steps_per_call
        due = _due(config, step)
        if not due:
            continue

        row = {"step": step} | window.means()
        if "validation" in due and validate is not None:
            scores = validate(_current(graph, state))
            row |= {f"validation_{name}": float(value) for name, value in scores.items()}
        history.append(row)
        if on_progress is not None:
            on_progress(row)
        stopped = stop is not None and stop()
        if checkpoints is not None and ("checkpoint" in due or stopped):
            checkpoints.save(step, state, history, run=run)
            window.last_saved = step
        window.restart()

    result = FitResult(_current(graph, state), history)
    if checkpoints is not None:
        checkpoints.close()
    return result


def _check(config: LoopConfig, mesh: Mesh, validate: Any) -> None:
    for name in ("batch_size", "microbatch_size"):
        if (getattr(config, name) or 0) % mesh.size:
            raise ValueError(
                f"{name}={getattr(config, name)} does not divide among {mesh.size} devices"
            )
    if config.validate_every and validate is None:
        raise ValueError("validate_every is set but no `validate` function was given")


def _initial(
    model: nnx.Module, optimiser: optax.GradientTransformation, config: LoopConfig, mesh: Mesh
) -> tuple[Any, dict[str, Any]]:
    """The module's graph, and the state before the first step on every device."""
    graph, *states = nnx.split(model, nnx.Param, ...)
    params, rest = states
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
    return graph, replicate(jax.tree.map(_copy, state), mesh)


def _description(config: LoopConfig, data: Any) -> dict[str, Any]:
    """What a run must have in common with the checkpoints that it resumes from."""
    run = {name: getattr(config, name) for name in ("batch_size", "seed", "ema_decay")} | {
        "examples": example_count(data)
    }
    if config.microbatch_size is not None:  # it decides on random keys
        run["microbatch_size"] = config.microbatch_size
    return run


def _due(config: LoopConfig, step: int) -> set[str]:
    """What is to be done after so many steps: "row", "checkpoint", "validation"; after the
    last one everything that is ever done."""
    last = step >= config.steps
    every = {"row": config.log_every, "checkpoint": config.checkpoint_every}
    due = {name for name, steps in every.items() if last or (steps and step % steps == 0)}
    if config.validate_every and (last or step % config.validate_every == 0):
        due.add("validation")
    return due


def _current(graph: Any, state: dict[str, Any]) -> nnx.Module:
    """The (averaged) model. Copies, because the next call takes the buffers of `state` away."""
    weights, others = jax.tree.map(_copy, (state.get("ema", state["params"]), state["rest"]))
    return nnx.merge(graph, weights, others)


def _copy(leaf: jax.Array) -> jax.Array:
    return jnp.copy(leaf)


class _Window:
    """The scalars of the steps since the last row of the history.

    Those of a call are read when the next one has been sent off, so that the device never
    waits.
    """

    def __init__(self, checkpoints: Checkpoints | None, *, last_saved: int | None):
        self.checkpoints, self.last_saved = checkpoints, last_saved
        self.pending: tuple[int, dict[str, jax.Array]] | None = None
        self.restart()

    def restart(self) -> None:
        """The next row begins."""
        self.calls: list[dict[str, np.ndarray]] = []
        self.steps, self.began = 0, time.perf_counter()

    def add(self, first: int, scalars: dict[str, jax.Array], steps: int) -> None:
        """Takes what the call of step `first` and the following ones gives."""
        self._read()
        self.pending = (first, scalars)
        self.steps += steps

    def means(self) -> dict[str, float]:
        """The mean of each scalar, and `seconds_per_step`."""
        self._read()
        means = {
            name: float(np.mean(np.concatenate([call[name] for call in self.calls])))
            for name in self.calls[0]
        }
        return means | {"seconds_per_step": (time.perf_counter() - self.began) / self.steps}

    def _read(self) -> None:
        if self.pending is not None:
            self.calls.append(_checked(*self.pending, self.checkpoints, self.last_saved))
            self.pending = None


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
            if last_saved and checkpoints is not None
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
