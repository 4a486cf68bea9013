"""Energy-flow polynomials: against the sums as they are written, and against the package of
their authors.

`energy_flow_expected.json` was made with energyflow 1.4.0 (which needs NumPy 1.26, so in an
environment of its own):

    python3 -m venv ef && ef/bin/pip install energyflow
    ef/bin/python tests/particle_physics/generation/make_energy_flow_expected.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from zoo.particle_physics.generation import energy_flow

EXPECTED = json.loads(
    (Path(__file__).parent / "energy_flow_expected.json").read_text(encoding="utf-8")
)


def clouds(n=5, particles=9, seed=3):
    rng = np.random.default_rng(seed)
    values = np.stack(
        [*rng.normal(0, 0.3, (2, n, particles)), rng.dirichlet(np.ones(particles), n)], -1
    )
    return values, np.arange(particles) < rng.integers(2, particles + 1, n)[:, None]


def padded():
    jets = [np.array(jet) for jet in EXPECTED["jets"]]
    particles = np.zeros((len(jets), 12, 3))
    mask = np.zeros((len(jets), 12), bool)
    for i, jet in enumerate(jets):
        particles[i, : len(jet)], mask[i, : len(jet)] = jet, True
    return particles, mask


def test_all_36_polynomials_equal_those_of_energyflow():
    ours = energy_flow.all_polynomials(energy_flow.prime_polynomials(*padded()))
    np.testing.assert_allclose(ours, EXPECTED["values"], rtol=1e-10, atol=1e-18)


def test_the_set_is_energyflows_set_of_all_graphs_with_at_most_four_edges():
    ours = np.sort(energy_flow.all_polynomials(energy_flow.prime_polynomials(*padded())), axis=1)
    np.testing.assert_allclose(ours, EXPECTED["set"], rtol=1e-10, atol=1e-18)


@pytest.mark.parametrize("name", list(energy_flow.PRIMES))
def test_a_closed_form_is_the_sum_as_it_is_written(name):
    particles, mask = clouds()
    ours = energy_flow.prime_polynomials(particles, mask)[:, list(energy_flow.PRIMES).index(name)]
    for jet in range(len(particles)):
        eta, phi, z = particles[jet][mask[jet]].T
        theta = np.hypot(eta[:, None] - eta, phi[:, None] - phi)
        assert ours[jet] == pytest.approx(
            energy_flow.of_graph(energy_flow.PRIMES[name], z, theta), rel=1e-10
        )


def test_there_are_21_connected_graphs_and_36_in_all():
    assert len(energy_flow.PRIMES) == 21 and len(energy_flow.products()) == 36 == len(
        set(energy_flow.products())
    )
    edges = [len(graph) for graph in energy_flow.PRIMES.values()]
    assert np.bincount(edges).tolist() == [1, 1, 2, 5, 12]


def test_five_graphs_have_four_vertices_and_four_edges():
    graphs = energy_flow.PRIMES
    found = {
        name for name, graph in graphs.items() if energy_flow.vertices(graph) == len(graph) == 4
    }
    assert found == set(energy_flow.FOUR_FOUR)


def test_order_and_padding_are_invisible_and_so_is_the_chunk():
    particles, mask = clouds()
    values = energy_flow.prime_polynomials(particles, mask)
    order = np.random.default_rng(0).permutation(particles.shape[1])
    np.testing.assert_allclose(
        energy_flow.prime_polynomials(particles[:, order], mask[:, order]), values, rtol=1e-12
    )
    rubbish = np.where(mask[..., None], particles, 1e3)
    np.testing.assert_allclose(
        energy_flow.prime_polynomials(rubbish, mask, chunk=2), values, rtol=1e-12
    )


def test_a_rotation_of_the_plane_changes_nothing():
    particles, mask = clouds()
    turned = particles.copy()
    turned[..., 0], turned[..., 1] = particles[..., 1], -particles[..., 0]
    turned[..., :2] += 0.2
    np.testing.assert_allclose(
        energy_flow.prime_polynomials(turned, mask),
        energy_flow.prime_polynomials(particles, mask),
        rtol=1e-10,
    )


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"need particles \[jet, particle, 3\]"):
        energy_flow.prime_polynomials(np.zeros((2, 5, 4)), np.ones((2, 5), bool))
    with pytest.raises(ValueError, match="21 values"):
        energy_flow.all_polynomials(np.zeros((2, 36)))
