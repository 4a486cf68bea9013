"""Fits the example: `python -m zoo_girth.fit BUILD`, where BUILD holds validation-*.root of
`zoo data build particle_physics/quark_gluon`.

Four numbers need no more than the task's 2,000 validation jets; its test jets are not looked at.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from zoo.particle_physics.data.jets import QUARK_GLUON_LABELS
from zoo.particle_physics.data.read import read_jets
from zoo.pretrained.publish import publish
from zoo.pretrained.weights import save
from zoo_girth.model import COLUMNS, Girth, GirthConfig, observables

STEPS = 400


def main(build: str) -> Path:
    """Writes weights and card beside this file; returns the card."""
    begin = time.perf_counter()
    jets = read_jets(
        sorted(Path(build).glob("validation-*.root")), columns=COLUMNS, classes=QUARK_GLUON_LABELS
    )
    x, y = observables(jets), jnp.asarray(jets.label, jnp.float32)
    mean, scale = x.mean(0), x.std(0)
    z = jnp.asarray((x - mean) / scale)
    model = Girth(GirthConfig(), rngs=nnx.Rngs(0))
    graph, state = nnx.split(model)
    optimiser = optax.adam(0.05)

    def loss(state: nnx.State) -> jax.Array:
        return optax.sigmoid_binary_cross_entropy(nnx.merge(graph, state)(z), y).mean()

    @jax.jit
    def step(carry: tuple, _: None) -> tuple:
        state, moments = carry
        updates, moments = optimiser.update(jax.grad(loss)(state), moments)
        return (optax.apply_updates(state, updates), moments), None

    (state, _), _ = jax.lax.scan(step, (state, optimiser.init(state)), length=STEPS)
    folder = Path(__file__).parent
    source = folder / "fitted.safetensors"
    save(source, nnx.merge(graph, state), transforms={"mean": mean, "scale": scale})
    logit = np.asarray(nnx.merge(graph, state)(z))
    content = {
        "id": "particle_physics/girth.logistic",
        "title": "Logistic regression on multiplicity, girth and pTD",
        "summary": (
            "How many particles a jet has, how wide it is and how unevenly they share its momentum."
        ),
        "architecture": "zoo_girth.model:Girth",
        "predictor": "zoo_girth.model:GirthTagger",
        "tasks": ["particle_physics/quark_gluon"],
        "licence": "Apache-2.0",
        "paper": "https://doi.org/10.1103/PhysRevLett.107.172001",
        "truth": "simulated",
        "config": {"inputs": 3},
        "caveats": [
            "Fitted on SIMULATED jets without detector and pile-up.",
            "The example of a plug-in: made to be read, not to win.",
        ],
        "training": {
            "command": "python -m zoo_girth.fit BUILD",
            "data": [f"particle_physics/quark_gluon:validation ({len(jets):,} jets)"],
            "chosen_on": "nothing was chosen",
            "hardware": "one CPU core",
            "wall_seconds": round(time.perf_counter() - begin, 1),
            "steps": STEPS,
            "validation": {
                "fit_cross_entropy": round(float(loss(state)), 4),
                "fit_auc": round(auc(logit, jets.label), 4),
            },
        },
    }
    path = publish(folder, content, {0: source}, dtype=None)
    source.unlink()
    return path


def auc(score: np.ndarray, label: np.ndarray) -> float:
    """Chance that a quark scores above a gluon, of the jets that it was fitted on."""
    rank = np.argsort(np.argsort(score)) + 1.0
    positive = label == 1
    return float(
        (rank[positive].sum() - positive.sum() * (positive.sum() + 1) / 2)
        / (positive.sum() * (~positive).sum())
    )


if __name__ == "__main__":
    print(main(sys.argv[1]))
