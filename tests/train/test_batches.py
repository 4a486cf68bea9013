"""Batches visit every example once, resident or streamed."""

from __future__ import annotations

import numpy as np
import pytest
from regression_runs import examples, squared_error, train, weights

from zoo.train.batches import Order, Stream, Windows
from zoo.train.loop import LoopConfig


def test_an_epoch_visits_every_example_once_and_the_order_changes_between_epochs():
    order = Order(10, 4, seed=3)
    visited = np.concatenate([order(step) for step in range(5)])
    assert sorted(visited[:10]) == sorted(visited[10:]) == list(range(10))
    assert list(visited[:10]) != list(visited[10:])
    np.testing.assert_array_equal(order(3), Order(10, 4, seed=3)(3))
    assert not np.array_equal(order(3), Order(10, 4, seed=4)(3))


def test_windows_of_a_series_are_the_examples_they_stand_for():
    data = examples(60)
    starts = np.arange(50)
    windows = Windows(data, starts, (0, 3))
    config = LoopConfig(6, 8, log_every=2)

    def from_windows(model, batch, key):
        return squared_error(model, {"x": batch["x"][:, 0], "y": batch["y"][:, 1]}, key)

    pairs = {"x": data["x"][:50], "y": data["y"][3:53]}
    for a, b in zip(
        weights(train(config, data=windows, loss=from_windows)),
        weights(train(config, data=pairs)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="windows reach index 62, the arrays have 60"):
        Windows(data, starts + 10, (0, 3))


def test_a_stream_shards_each_batch_among_hosts():
    stream = Stream(lambda indices: indices, examples=50, sort=False)
    order = Order(50, 8, seed=0)
    halves = [list(stream.batches(order, start=2, stop=4, shard=k, shards=2)) for k in range(2)]
    np.testing.assert_array_equal(np.concatenate([halves[0][1], halves[1][1]]), order(3))
