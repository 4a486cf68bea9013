"""What an ENSO network learns from: the months before, and the seasons after."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.climate.enso.windows import similarity_weights, windows


@pytest.fixture
def record() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(40, 3))
    return x, np.arange(40) % 12


def test_an_input_is_the_newest_month_first_and_its_target_lies_ahead(record):
    x, month = record
    made = windows(x, month, window=2)
    assert made["x"].shape == (36, 6) and made["y"].shape == (36, 9)
    row = 10  # the month 11 is the newest that it knows
    np.testing.assert_allclose(made["x"][row], np.r_[x[11], x[10]], rtol=1e-6)
    assert made["month"][row] == month[11]
    for k in range(9):
        np.testing.assert_allclose(made["y"][row, k], x[12 + k : 15 + k, 0].mean(), rtol=1e-5)
    np.testing.assert_allclose(made["states"][row], x[12:23], rtol=1e-6)


def test_beyond_the_end_nothing_has_a_weight(record):
    made = windows(*record, window=1)
    assert made["w"][-1].tolist() == [1] + [0] * 8 and (made["w"][0] == 1).all()
    assert not made["y"][made["w"] == 0].any() and not made["states"][made["known"] == 0].any()


def test_a_model_whose_ocean_behaves_as_the_observed_one_weighs_more():
    rng = np.random.default_rng(1)

    def ocean(memory, n=600):
        x = np.zeros((n, 2))
        for t in range(1, n):
            x[t] = memory * x[t - 1] + rng.normal(size=2)
        return windows(x / x.std(0), np.arange(n) % 12, window=1)

    observed, alike, other = ocean(0.95), ocean(0.95), ocean(-0.5)
    weight = similarity_weights([alike, other], observed, width=0.5)
    assert weight.mean() == pytest.approx(1.0) and weight[0] > 2 * weight[1]
    assert similarity_weights([alike, other], observed, width=None).tolist() == [1.0, 1.0]
