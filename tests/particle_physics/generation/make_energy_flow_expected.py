"""Writes `energy_flow_expected.json` with the package `energyflow`; see
`test_energy_flow.py`. Not run by the tests."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
MODULE = HERE.parents[2] / "zoo/particle_physics/generation/energy_flow.py"


def main() -> None:
    """Three random jets, all 36 polynomials in our order, and energyflow's own set of 36,
    sorted."""
    import energyflow

    spec = importlib.util.spec_from_file_location("energy_flow", MODULE)
    ours = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(ours)
    options = {
        "measure": "hadr",
        "beta": 1,
        "normed": False,
        "coords": "ptyphim",
        "check_input": False,
    }
    rng, jets = np.random.default_rng(5), []
    for n in (3, 7, 12):
        pt = np.round(rng.dirichlet(np.ones(n)), 6)
        jets.append(np.column_stack([np.round(rng.normal(0, 0.25, (n, 2)), 6), pt]))
    whole, values, everything = energyflow.EFPSet("d<=4", **options), [], []
    for jet in jets:
        event = np.column_stack([jet[:, 2], jet[:, 0], jet[:, 1], np.zeros(len(jet))])
        graphs = [union(ours, names) for names in ours.products()]
        values.append(
            [
                float(energyflow.EFP(graph, **options).compute(event))
                if graph
                else float(jet[:, 2].sum())
                for graph in graphs
            ]
        )
        everything.append(sorted(map(float, whole.compute(event))))
    content = {
        "energyflow": energyflow.__version__,
        "jets": [jet.tolist() for jet in jets],
        "values": values,
        "set": everything,
    }
    (HERE / "energy_flow_expected.json").write_text(json.dumps(content) + "\n", encoding="utf-8")


def union(ours: object, names: tuple[str, ...]) -> list[tuple[int, int]]:
    """The edges of the graph that has the named ones side by side."""
    edges, shift = [], 0
    for name in names:
        edges += [(a + shift, b + shift) for a, b in ours.PRIMES[name]]
        shift += ours.vertices(ours.PRIMES[name])
    return edges


if __name__ == "__main__":
    main()
