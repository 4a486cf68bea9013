"""Measures one optimiser step of a weather model and of its PyTorch twins, alternating in
this process.

    python benchmarks/speed/train_step.py convnext --threads 1 --out convnext.json

A step: gather a shuffled batch of windows from the resident data set, roll the model out,
area-weighted mean squared error, gradient, AdamW; float32 unless the variant says
otherwise. Ours is the compiled call of `zoo.train.loop` with one step per call. Variants:
`jax`, `torch*` (eager; `_nhwc`: channels_last; `_matrix`, `_fft`: form of the transform),
with `_compile` (torch.compile) and `_bf16` (autocast) behind it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import alternate

VARIANTS = {
    "convnext": ("jax", "torch_nchw", "torch_nhwc"),
    "sfno": ("jax", "torch_matrix", "torch_fft"),
}
TIMES = 64
LEARNING_RATE, BETA2, WEIGHT_DECAY = 1e-3, 0.99, 0.02


def data(rollout: int) -> tuple[Any, Any, Any]:
    """(smooth random states [time, longitude, latitude, channel], increment over state
    scale, area weights)."""
    import jax
    import numpy as np

    from zoo.climate.data.grid import area_weights
    from zoo.climate.models.layers.spherical import Grid, synthesise

    random = np.random.default_rng(0)
    spectrum = 1.0 / (1.0 + np.arange(22.0)) ** 1.5
    coefficients = (
        random.normal(size=(TIMES + rollout, 2, 22, 22, 20))
        * spectrum[:, None]
        * np.tri(22).T[:, :, None]
    )
    states = np.array(jax.jit(synthesise)(coefficients.astype(np.float32)))
    return (
        states / states.std(),
        np.full(20, 0.5, np.float32),
        area_weights(Grid().latitude).astype(np.float32),
    )


def our_step(architecture: str, rollout: int, batch_size: int) -> Callable[[], float]:
    """A function that takes one optimiser step of ours and returns its loss."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax
    from flax import nnx

    from zoo.climate.held_suarez.forecast import step
    from zoo.train import loop
    from zoo.train.batches import Windows
    from zoo.train.devices import data_mesh, replicate
    from zoo.train.step import compiled_call

    states, ratio, area = data(rollout)

    def loss(model: Any, batch: Any, key: Any) -> Any:
        state, memory, errors = batch[:, 0], None, []
        for lead in range(1, rollout + 1):
            state, memory = step(model, state, memory, ratio)
            errors.append(jnp.mean(jnp.square((state - batch[:, lead]) / ratio) * area[:, None]))
        return jnp.mean(jnp.stack(errors)), {}

    windows = Windows(states, np.arange(TIMES), tuple(range(rollout + 1)))
    config, mesh = loop.LoopConfig(1, batch_size), data_mesh()
    optimiser = optax.adamw(LEARNING_RATE, b2=BETA2, weight_decay=WEIGHT_DECAY)
    graph, params, rest = nnx.split(our_model(architecture), nnx.Param, ...)
    state = {
        "step": jnp.zeros((), jnp.int32),
        "params": params,
        "rest": rest,
        "optimiser": optimiser.init(params),
    }
    held = {"state": replicate(jax.tree.map(jnp.copy, state), mesh)}
    call, resident = (
        compiled_call(graph, loss, optimiser, config, mesh, windows),
        replicate(states, mesh),
    )
    order = Shuffled(batch_size)

    def one() -> float:
        held["state"], scalars = call(held["state"], order()[None], resident)
        return float(scalars["loss"][0])

    return one


def our_model(architecture: str) -> Any:
    """Our model with its default sizes and seed 0."""
    from flax import nnx

    if architecture == "convnext":
        from zoo.climate.models.convnext import ConvNeXt

        return ConvNeXt(rngs=nnx.Rngs(0))
    from zoo.climate.models.sfno import SFNO

    return SFNO(rngs=nnx.Rngs(0))


def torch_step(
    architecture: str, rollout: int, batch_size: int, variant: str
) -> Callable[[], float]:
    """A function that takes one optimiser step of a twin and returns its loss."""
    import peers_torch
    import torch

    options = variant.split("_")[1:]
    ours = our_model(architecture)
    states, ratio, area = map(torch.from_numpy, data(rollout))
    area = area[:, None]
    if architecture == "convnext":
        model = peers_torch.ConvNeXt(ours.config).copy_from(ours)
        states, ratio, area = (
            states.permute(0, 3, 1, 2).contiguous(),
            ratio[:, None, None],
            area[:, 0],
        )
        if "nhwc" in options:
            model, states = (
                model.to(memory_format=torch.channels_last),
                states.to(memory_format=torch.channels_last),
            )
    else:
        model = peers_torch.SFNO(ours.config, transform=options[0]).copy_from(ours)
    optimiser = torch.optim.AdamW(
        model.parameters(), LEARNING_RATE, betas=(0.9, BETA2), weight_decay=WEIGHT_DECAY, fused=True
    )
    objective = (
        torch.compile(peers_torch.rollout_loss)
        if "compile" in options
        else peers_torch.rollout_loss
    )
    order = Shuffled(batch_size)

    def one() -> float:
        starts = torch.from_numpy(order())
        # Each lead is gathered on its own, so that a state keeps its memory format.
        batch = torch.stack([states[starts + lead] for lead in range(rollout + 1)], dim=1)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled="bf16" in options):
            loss = objective(model, batch, ratio, area)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return loss.item()

    return one


class Shuffled:
    """The starts of one batch after the other, the same for every variant."""

    def __init__(self, batch_size: int) -> None:
        from zoo.train.batches import Order

        self.order, self.step = Order(TIMES, batch_size), -1

    def __call__(self) -> Any:
        self.step += 1
        return self.order(self.step)


def main() -> None:
    """Runs the measurement, prints its table and writes it as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("architecture", choices=list(VARIANTS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rollout", type=int, default=1)
    parser.add_argument(
        "--batch", type=int, default=16, help="windows per step; default: that of the recipes"
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=1, help="steps per turn")
    parser.add_argument(
        "--variants", default="", help="comma-separated; default: all but the compiled ones"
    )
    parser.add_argument("--out", type=Path, help="JSON file")
    given = parser.parse_args()
    alternate.pin(given.threads)
    import torch

    torch.set_num_threads(given.threads)
    names = given.variants.split(",") if given.variants else list(VARIANTS[given.architecture])
    steps = {}
    for name in names:
        if name.startswith("jax"):
            steps[name] = our_step(given.architecture, given.rollout, given.batch)
        else:
            steps[name] = torch_step(given.architecture, given.rollout, given.batch, name)
    first = {name: [step() for _ in range(2)] for name, step in steps.items()}
    described = {
        "architecture": given.architecture,
        "threads": given.threads,
        "rollout": given.rollout,
        "batch": given.batch,
        "losses": first,
        "environment": alternate.environment(),
    }

    def keep(samples: dict[str, list[alternate.Sample]]) -> None:
        if given.out:
            given.out.write_text(
                json.dumps(
                    described
                    | {"samples": {name: [vars(s) for s in each] for name, each in samples.items()}}
                )
            )

    samples = alternate.alternate(
        steps, rounds=given.rounds, calls=given.calls, settle=given.threads > 1, after_round=keep
    )
    clock = alternate.clock(given.threads)
    loads = [s.load for each in samples.values() for s in each]
    print(
        f"{given.architecture}, rollout {given.rollout}, {given.threads} thread(s), {clock} time, "
        f"load {min(loads):.1f}-{max(loads):.1f}"
    )
    print(
        alternate.table(
            samples,
            clock=clock,
            reference=next((n for n in names if n.startswith("torch")), names[0]),
        )
    )
    print({name: [round(v, 5) for v in values] for name, values in first.items()}, file=sys.stderr)


if __name__ == "__main__":
    main()
