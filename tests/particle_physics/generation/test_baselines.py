"""Baselines repeat themselves by seed; the truth has its own jets only."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.particle_physics.generation import baselines
from zoo.particle_physics.generation.task import GenerationRequest


def test_the_truth_has_no_jets_for_another_request(task):
    with pytest.raises(ValueError, match="own examples"):
        baselines.truth_sample(task)(GenerationRequest(np.zeros(5, np.int8)))


def test_baselines_repeat_themselves_by_seed(task):
    generate = baselines.gaussian_copula(task)
    label = np.repeat(np.arange(3), 20).astype(np.int8)
    first, again, other = (generate(GenerationRequest(label, seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first["particles"], again["particles"])
    assert not np.array_equal(first["particles"], other["particles"])
