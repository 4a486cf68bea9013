"""Measures one optimiser step of a convolutional DNA classifier and of the same network in
PyTorch, alternating in this process.

    pip install torch
    python benchmarks/speed/dna_train_step.py embedded --out embedded.json

A step: gather a shuffled batch of 128 sequences from the resident tokens, binary
cross-entropy, gradient, AdamW, float32. Ours is the compiled call of `zoo.train.loop`:
`jax` takes one step per call, `jax4` four. `torch` is eager PyTorch, `torch_compile` goes
through torch.compile.

embedded: the plan of the baseline network of Genomic Benchmarks (Gresova et al. 2023,
doi:10.1186/s12863-023-01123-8) without its batch normalisations: letters embedded in 100
features, convolutions 100-16-8-4 of width 8, each with ReLU and pooling, dense 512; 251
bases. PyTorch convolves the embeddings; ours (`zoo.genomics.models.fold`) folds the
embedding into the kernel and convolves one-hot letters. `torch_folded` is that same fold
written in PyTorch: what is left of the ratio is XLA's.

one_hot: the first convolution of `genomics/cnn.gue` with pooling, one more convolution and
a dense layer, on one-hot letters; 101 bases. Both sides convolve one-hot letters.
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
    "embedded": ("jax", "jax4", "torch", "torch_folded"),
    "one_hot": ("jax", "jax4", "torch"),
}
LENGTH = {"embedded": 251, "one_hot": 101}
LAYERS = {
    "embedded": ((100, 16, 8, 2), (16, 8, 8, 2), (8, 4, 8, 2)),
    "one_hot": ((4, 64, 15, 4), (64, 64, 5, 5)),
}
"""Channels in, channels out, width, pooling of each convolution."""
HIDDEN = {"embedded": 512, "one_hot": 64}
SEQUENCES, LEARNING_RATE, BETA2, WEIGHT_DECAY = 1024, 1e-3, 0.99, 0.01


def data(network: str) -> dict[str, Any]:
    """Random sequences as tokens int8 `[sequence, position]`, and labels."""
    import numpy as np

    random = np.random.default_rng(0)
    return {
        "tokens": random.integers(0, 4, (SEQUENCES, LENGTH[network])).astype(np.int8),
        "label": random.integers(0, 2, SEQUENCES).astype(np.float32),
    }


def our_step(network: str, batch_size: int, steps_per_call: int) -> tuple[Callable[[], float], int]:
    """A function that takes `steps_per_call` optimiser steps of ours and returns the last
    loss; and the number of parameters."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax
    from flax import nnx

    from zoo.genomics.data.sequences import one_hot
    from zoo.genomics.models.fold import FoldedConv
    from zoo.train import loop
    from zoo.train.devices import data_mesh, replicate
    from zoo.train.step import compiled_call

    first, *others = LAYERS[network]

    class Network(nnx.Module):
        def __init__(self, rngs: nnx.Rngs):
            self.first = FoldedConv(
                first[2],
                first[1],
                padding="VALID",
                embedding=None if first[0] == 4 else first[0],
                rngs=rngs,
            )
            self.others = nnx.List(
                [nnx.Conv(i, o, (width,), padding="VALID", rngs=rngs) for i, o, width, _ in others]
            )
            length = LENGTH[network]
            for _, _, width, pool in LAYERS[network]:
                length = (length - width + 1) // pool
            self.dense = nnx.Linear(length * LAYERS[network][-1][1], HIDDEN[network], rngs=rngs)
            self.logit = nnx.Linear(HIDDEN[network], 1, rngs=rngs)

        def __call__(self, tokens: jax.Array) -> jax.Array:
            x = one_hot(tokens, xp=jnp)
            for convolution, (_, _, _, pool) in zip(
                [self.first, *self.others], LAYERS[network], strict=True
            ):
                x = jax.nn.relu(convolution(x))
                n = x.shape[1] // pool
                x = x[:, : n * pool].reshape(x.shape[0], n, pool, x.shape[2]).max(2)
            return self.logit(jax.nn.relu(self.dense(x.reshape(len(x), -1))))[:, 0]

    def loss(model: Any, batch: Any, key: Any) -> Any:
        return optax.sigmoid_binary_cross_entropy(model(batch["tokens"]), batch["label"]).mean(), {}

    held_data, mesh = data(network), data_mesh()
    config = loop.LoopConfig(steps_per_call, batch_size, steps_per_call, log_every=steps_per_call)
    optimiser = optax.adamw(LEARNING_RATE, b2=BETA2, weight_decay=WEIGHT_DECAY)
    graph, params, rest = nnx.split(Network(nnx.Rngs(0)), nnx.Param, ...)
    state = {
        "step": jnp.zeros((), jnp.int32),
        "params": params,
        "rest": rest,
        "optimiser": optimiser.init(params),
    }
    held = {"state": replicate(jax.tree.map(jnp.copy, state), mesh)}
    call, resident = (
        compiled_call(graph, loss, optimiser, config, mesh, held_data),
        replicate(held_data, mesh),
    )
    order = alternate.Shuffled(SEQUENCES, batch_size)

    def steps() -> float:
        indices = np.stack([order() for _ in range(steps_per_call)])
        held["state"], scalars = call(held["state"], indices, resident)
        return float(scalars["loss"][-1])

    return steps, sum(leaf.size for leaf in jax.tree.leaves(params))


def torch_step(network: str, batch_size: int, *, kind: str) -> tuple[Callable[[], float], int]:
    """A function that takes one optimiser step of the same network in PyTorch and returns
    its loss; and the number of parameters."""
    import torch
    from torch import nn

    first, *others = LAYERS[network]

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = None if first[0] == 4 else nn.Embedding(4, first[0])
            self.convolutions = nn.ModuleList(
                [nn.Conv1d(i, o, width) for i, o, width, _ in (first, *others)]
            )
            length = LENGTH[network]
            for _, _, width, pool in LAYERS[network]:
                length = (length - width + 1) // pool
            self.dense, self.logit = (
                nn.Linear(length * LAYERS[network][-1][1], HIDDEN[network]),
                nn.Linear(HIDDEN[network], 1),
            )

        def forward(self, tokens: Any) -> Any:
            for number, (convolution, (_, _, _, pool)) in enumerate(
                zip(self.convolutions, LAYERS[network], strict=True)
            ):
                if number:
                    x = convolution(x)
                elif self.embedding is None or kind == "torch_folded":
                    kernel = convolution.weight
                    if self.embedding is not None:
                        kernel = torch.einsum("le,cew->clw", self.embedding.weight, kernel)
                    hot = nn.functional.one_hot(tokens, 4).float().transpose(1, 2)
                    x = nn.functional.conv1d(hot, kernel, convolution.bias)
                else:
                    x = convolution(self.embedding(tokens).transpose(1, 2))
                x = nn.functional.max_pool1d(torch.relu(x), pool)
            return self.logit(torch.relu(self.dense(x.flatten(1))))[:, 0]

    model = Network()
    sequences = {name: torch.from_numpy(value) for name, value in data(network).items()}
    optimiser = torch.optim.AdamW(
        model.parameters(), LEARNING_RATE, betas=(0.9, BETA2), weight_decay=WEIGHT_DECAY, fused=True
    )

    def objective(batch: dict[str, Any]) -> Any:
        return nn.functional.binary_cross_entropy_with_logits(
            model(batch["tokens"].long()), batch["label"]
        )

    objective, order = (
        torch.compile(objective) if kind == "torch_compile" else objective,
        alternate.Shuffled(SEQUENCES, batch_size),
    )

    def step() -> float:
        indices = torch.from_numpy(order())
        loss = objective({name: value[indices] for name, value in sequences.items()})
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return loss.item()

    return step, sum(value.numel() for value in model.parameters())


def main() -> None:
    """Runs the measurement, prints its table and writes it as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", choices=list(VARIANTS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=128, help="sequences per step")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument(
        "--variants",
        default="",
        help="comma-separated; default: all but the compiled one, which takes a minute",
    )
    parser.add_argument("--out", type=Path, help="JSON file")
    given = parser.parse_args()
    alternate.pin(given.threads)
    import torch

    torch.set_num_threads(given.threads)
    names = given.variants.split(",") if given.variants else list(VARIANTS[given.network])
    # every turn is sixteen steps, in four calls or in sixteen
    steps, parameters, per_turn = {}, {}, 16
    for name in names:
        if name.startswith("jax"):
            steps_per_call = int(name.removeprefix("jax") or 1)
            step, parameters[name] = our_step(given.network, given.batch, steps_per_call)
        else:
            steps_per_call = 1
            step, parameters[name] = torch_step(given.network, given.batch, kind=name)
        steps[name] = lambda step=step, calls=per_turn // steps_per_call: [
            step() for _ in range(calls)
        ]
    first = {name: turn()[0] for name, turn in steps.items()}
    described = {
        "network": given.network,
        "threads": given.threads,
        "batch": given.batch,
        "length": LENGTH[given.network],
        "parameters": parameters,
        "losses": first,
        "steps_per_sample": per_turn,
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
        steps, rounds=given.rounds, settle=given.threads > 1, after_round=keep
    )
    clock = alternate.clock(given.threads)
    loads = [s.load for each in samples.values() for s in each]
    print(
        f"{given.network}, batch {given.batch}, {given.threads} thread(s), {clock} time, load "
        f"{min(loads):.1f}-{max(loads):.1f}"
    )
    reference = "torch" if "torch" in names else names[0]
    print(
        alternate.table(
            samples,
            clock=clock,
            reference=reference,
            unit=1e3 / per_turn,
            per=given.batch * per_turn,
        )
    )
    print({name: f"{count:,} parameters" for name, count in parameters.items()})
    print({name: round(value, 4) for name, value in first.items()}, file=sys.stderr)


if __name__ == "__main__":
    main()
