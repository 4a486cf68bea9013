"""Reference inputs keep what they say."""

from __future__ import annotations

import numpy as np
import pytest

from zoo import attribution


@pytest.mark.parametrize("keep_pairs", [False, True])
def test_shuffles_keep_what_they_say(keep_pairs):
    sequences = np.eye(4, dtype=np.float32)[np.random.default_rng(3).integers(0, 4, (3, 60))]
    made = attribution.shuffles(sequences, 4, seed=2, keep_pairs=keep_pairs)
    assert made.shape == (4, 3, 60, 4)
    np.testing.assert_array_equal(made.sum(2), np.broadcast_to(sequences.sum(1), (4, 3, 4)))
    assert (made != sequences).any((2, 3)).all()
    if keep_pairs:

        def pairs(x):
            return np.einsum("npa,npb->nab", x[:, :-1], x[:, 1:])

        for each in made:
            np.testing.assert_array_equal(pairs(each), pairs(sequences))
            np.testing.assert_array_equal(each[:, [0, -1]], sequences[:, [0, -1]])
