"""Costs are counted, not guessed."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from zoo.scoring import cost


def test_parameters_are_the_numbers_that_a_file_holds():
    weights = {"kernel": np.zeros((3, 4)), "bias": np.zeros(4), "scale": np.float32(1.0)}
    assert cost.count_parameters(weights) == 3 * 4 + 4 + 1
    assert cost.count_parameters({}) == 0


def test_a_matrix_product_costs_two_operations_for_each_pair():
    counted = cost.flops(jnp.matmul, jnp.zeros((8, 16)), jnp.zeros((16, 32)))
    assert counted == pytest.approx(2 * 8 * 16 * 32, rel=0.05)
    assert cost.flops(jnp.matmul, jnp.zeros((8, 16)), jnp.zeros((16, 32)), repeats=10) == (
        10 * counted
    )


def test_latency_is_the_median_and_its_tail_for_one_example():
    median, tail = cost.latency([1.0, 2.0, 3.0, 4.0, 100.0], n_examples=1000)
    assert median == 3.0 and 4.0 < tail < 100.0


def test_the_peak_never_falls_and_is_in_bytes():
    before = cost.peak_memory_bytes()
    held = np.ones(30_000_000)
    after = cost.peak_memory_bytes()
    assert held.nbytes < after and before <= after < 1e12
    del held
    assert cost.peak_memory_bytes() >= after


def test_load_is_no_share():
    assert cost.load_average() >= 0.0
