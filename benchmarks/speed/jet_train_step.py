"""Measures one optimiser step of a jet tagger and of weaver-core's PyTorch network of the
same sizes, alternating in this process.

    pip install torch weaver-core
    python benchmarks/speed/jet_train_step.py particle_net --out particle_net.json

A step: gather a shuffled batch of 64 jets of up to 64 particles from the resident data set,
cross-entropy of ten classes, gradient, AdamW, float32. Ours is the compiled call of
`zoo.train.loop`: `jax` takes one step per call, `jax4` four. Ours accumulates its gradient
over microbatches, as the recipes do (PyTorch would be slower so). The peers are the
networks of weaver-core (Qu et al.) in training mode without dropout: `torch` eager,
`torch_compile` through torch.compile.

particle_net: 7 neighbours, widths (32, 32, 32) and (64, 64, 64), 128 before the logits:
28,036 parameters on both sides. Theirs has batch normalisation, ours a layer norm per
block. particle_transformer: width 64, 4 layers, 4 heads, 16 for pairs; the numbers of
parameters differ (theirs has normalisations inside its layers and a class token with a
block of its own) and are printed.
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
    "particle_net": ("jax", "jax4", "torch"),
    "particle_transformer": ("jax", "jax4", "torch"),
}
MICROBATCH = 8
"""Jets that go through our network at once, as in the recipes."""

JETS, PARTICLES, FEATURES, CLASSES = 1024, 64, 13, 10
LEARNING_RATE, BETA2, WEIGHT_DECAY = 1e-3, 0.99, 0.01


def data() -> dict[str, Any]:
    """Made-up jets as arrays: features `[jet, particle, 13]`, vectors `[jet, particle, 4]`,
    mask, label."""
    import numpy as np

    random, shape = np.random.default_rng(0), (JETS, PARTICLES)
    mask = (
        np.arange(PARTICLES)
        < np.clip(random.normal(55, 20, JETS), 5, PARTICLES).astype(int)[:, None]
    )
    pt = -np.sort(-random.lognormal(1.0, 1.2, shape), axis=1)
    eta, phi = random.normal(0.0, 0.3, shape), random.normal(0.0, 0.3, shape)
    vectors = np.stack(
        [pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)], -1
    )
    features = np.concatenate(
        [random.normal(size=(*shape, FEATURES - 2)), np.stack([eta, phi], -1)], -1
    )
    return {
        "features": (features * mask[..., None]).astype(np.float32),
        "vectors": (vectors * mask[..., None]).astype(np.float32),
        "mask": mask,
        "label": random.integers(0, CLASSES, JETS).astype(np.int32),
    }


def our_model(architecture: str) -> Any:
    """Our network with its default sizes and seed 0."""
    from flax import nnx

    if architecture == "particle_net":
        from zoo.particle_physics.models.particle_net import ParticleNet

        return ParticleNet(rngs=nnx.Rngs(0))
    from zoo.particle_physics.models.particle_transformer import ParticleTransformer

    return ParticleTransformer(rngs=nnx.Rngs(0))


def our_step(
    architecture: str, batch_size: int, steps_per_call: int
) -> tuple[Callable[[], float], int]:
    """A function that takes `steps_per_call` optimiser steps of ours and returns the last
    loss; and the number of parameters."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax
    from flax import nnx

    from zoo.train import loop
    from zoo.train.devices import data_mesh, replicate
    from zoo.train.step import compiled_call

    def loss(model: Any, batch: Any, key: Any) -> Any:
        logits = model(batch["features"], batch["vectors"], batch["mask"])
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch["label"]).mean(), {}

    jets, mesh = data(), data_mesh()
    config = loop.LoopConfig(
        steps_per_call,
        batch_size,
        steps_per_call,
        log_every=steps_per_call,
        microbatch_size=min(batch_size, MICROBATCH),
    )
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
        compiled_call(graph, loss, optimiser, config, mesh, jets),
        replicate(jets, mesh),
    )
    order = alternate.Shuffled(JETS, batch_size)

    def steps() -> float:
        indices = np.stack([order() for _ in range(steps_per_call)])
        held["state"], scalars = call(held["state"], indices, resident)
        return float(scalars["loss"][-1])

    return steps, sum(leaf.size for leaf in jax.tree.leaves(params))


def torch_step(
    architecture: str, batch_size: int, *, compiled: bool
) -> tuple[Callable[[], float], int]:
    """A function that takes one optimiser step of weaver-core's network and returns its
    loss; and the number of parameters."""
    import torch

    if architecture == "particle_net":
        from weaver.nn.model.ParticleNet import ParticleNet

        model = ParticleNet(
            input_dims=FEATURES,
            num_classes=CLASSES,
            conv_params=[(7, (32, 32, 32)), (7, (64, 64, 64))],
            fc_params=[(128, 0.0)],
            use_fusion=False,
        )
    else:
        from weaver.nn.model.ParticleTransformer import ParticleTransformer

        none = {"dropout": 0.0, "attn_dropout": 0.0, "activation_dropout": 0.0}
        model = ParticleTransformer(
            input_dim=FEATURES,
            num_classes=CLASSES,
            pair_input_dim=4,
            embed_dims=[64],
            pair_embed_dims=[16],
            num_heads=4,
            num_layers=4,
            num_cls_layers=1,
            block_params=none,
            cls_block_params=none,
            fc_params=[],
            trim=False,
        )
    jets = {name: torch.from_numpy(value) for name, value in data().items()}
    jets = {
        name: value.transpose(1, 2).contiguous() if value.ndim == 3 else value
        for name, value in jets.items()
    }
    optimiser = torch.optim.AdamW(
        model.parameters(), LEARNING_RATE, betas=(0.9, BETA2), weight_decay=WEIGHT_DECAY, fused=True
    )

    def objective(batch: dict[str, Any]) -> Any:
        mask = batch["mask"][:, None]
        if architecture == "particle_net":
            logits = model(batch["features"][:, -2:].clone(), batch["features"], mask.float())
        else:
            logits = model(batch["features"], v=batch["vectors"], mask=mask)
        return torch.nn.functional.cross_entropy(logits, batch["label"].long())

    objective, order = (
        torch.compile(objective) if compiled else objective,
        alternate.Shuffled(JETS, batch_size),
    )

    def step() -> float:
        indices = torch.from_numpy(order())
        loss = objective({name: value[indices] for name, value in jets.items()})
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
    parser.add_argument("architecture", choices=list(VARIANTS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=64, help="jets per step")
    parser.add_argument("--rounds", type=int, default=7)
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
    names = given.variants.split(",") if given.variants else list(VARIANTS[given.architecture])
    steps, parameters, per_turn = {}, {}, 4  # every turn is four steps, in one call or in four
    for name in names:
        if name.startswith("jax"):
            steps_per_call = int(name.removeprefix("jax") or 1)
            step, parameters[name] = our_step(given.architecture, given.batch, steps_per_call)
        else:
            steps_per_call = 1
            step, parameters[name] = torch_step(
                given.architecture, given.batch, compiled=name == "torch_compile"
            )
        steps[name] = lambda step=step, calls=per_turn // steps_per_call: [
            step() for _ in range(calls)
        ]
    first = {name: turn()[0] for name, turn in steps.items()}
    described = {
        "architecture": given.architecture,
        "threads": given.threads,
        "batch": given.batch,
        "particles": PARTICLES,
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
        f"{given.architecture}, batch {given.batch}, {given.threads} thread(s), {clock} time, "
        f"load {min(loads):.1f}-{max(loads):.1f}"
    )
    reference = next((name for name in names if name.startswith("torch")), names[0])
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
