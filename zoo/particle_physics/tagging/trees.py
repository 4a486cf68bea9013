"""Boosted decision trees as plain arrays: evaluated with NumPy alone, stored without a pickle.

Node i of a tree asks whether feature `feature[i]` is at most `threshold[i]`; yes leads to
node `left[i]`, no to `right[i]`. A leaf leads to itself, so every jet takes the same number
of steps and whole trees are walked as arrays. Trees come in rounds of one tree per class
(one in all for two classes); a class's raw score is its `baseline` plus the sum of its
leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

ROWS = 2048
"""Jets walked at once: what fits the cache."""


class Trees:
    """An ensemble of trees.

    Args:
        arrays: `feature` uint8, `threshold` float32, `left`, `right` uint8 (numbers of
            nodes within a tree) and `value` float32 `[tree, node]`; `baseline` float64
            `[output]`; `depth` int32 `[1]`, the longest path.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        self.baseline = np.asarray(arrays["baseline"], np.float64)
        self.depth = int(arrays["depth"][0])
        n_trees, n_nodes = arrays["feature"].shape
        first = np.arange(n_trees)[:, None] * n_nodes
        self.root = first[:, 0].astype(np.int32)
        self.feature = arrays["feature"].astype(np.intp).ravel()
        self.threshold = np.asarray(arrays["threshold"], np.float32).ravel()
        self.value = np.asarray(arrays["value"], np.float64).ravel()
        # One table of successors, [2 node] for no and [2 node + 1] for yes: a step is one look-up.
        self.next = (
            np.stack([arrays["right"] + first, arrays["left"] + first], axis=-1)
            .astype(np.int32)
            .ravel()
        )

    @property
    def n_classes(self) -> int:
        """Two for one output."""
        return max(2, len(self.baseline))

    def raw(self, x: np.ndarray) -> np.ndarray:
        """Raw scores float64 `[jet, output]` of features float32 `[jet, feature]`; none may
        be NaN."""
        x = np.asarray(x, np.float32)
        n_outputs = len(self.baseline)
        result = np.empty((len(x), n_outputs))
        for begin in range(0, len(x), ROWS):
            rows = x[begin : begin + ROWS]
            flat, offset = rows.ravel(), (np.arange(len(rows)) * x.shape[1])[:, None]
            total = np.zeros((len(rows), n_outputs))
            for output in range(n_outputs):
                node = np.broadcast_to(
                    self.root[output::n_outputs], (len(rows), len(self.root) // n_outputs)
                )
                for _ in range(self.depth):
                    yes = flat.take(offset + self.feature.take(node)) <= self.threshold.take(node)
                    node = self.next.take(2 * node + yes)
                total[:, output] = self.value.take(node).sum(axis=1)
            result[begin : begin + ROWS] = total + self.baseline
        return result

    def probability(self, x: np.ndarray) -> np.ndarray:
        """Probabilities float64 `[jet, class]`: logistic of one output, softmax of several."""
        raw = self.raw(x)
        if raw.shape[1] == 1:
            raw = np.concatenate([np.zeros_like(raw), raw], axis=1)
        weight = np.exp(raw - raw.max(axis=1, keepdims=True))
        return weight / weight.sum(axis=1, keepdims=True)


def from_sklearn(fitted: Any) -> dict[str, np.ndarray]:
    """The arrays of a fitted `HistGradientBoostingClassifier` without categorical features.

    Thresholds are rounded down to single precision, which changes no decision about
    single-precision features.

    Raises:
        ValueError: a tree has more than 256 nodes or a categorical split.
    """
    trees = [tree.nodes for stage in fitted._predictors for tree in stage]
    most = max(map(len, trees))
    if most > 256 or any(nodes["is_categorical"].any() for nodes in trees):
        raise ValueError(
            "only trees of at most 256 nodes without categorical splits are stored; the largest "
            f"has {most}"
        )
    shape = len(trees), most
    arrays: dict[str, np.ndarray] = {
        "feature": np.zeros(shape, np.uint8),
        "threshold": np.zeros(shape, np.float32),
        "value": np.zeros(shape, np.float32),
        "left": np.zeros(shape, np.uint8),
        "right": np.zeros(shape, np.uint8),
    }
    for row, nodes in enumerate(trees):
        itself, leaf = np.arange(len(nodes)), nodes["is_leaf"].astype(bool)
        here = slice(0, len(nodes))
        arrays["feature"][row, here] = np.where(leaf, 0, nodes["feature_idx"])
        arrays["threshold"][row, here] = _rounded_down(np.where(leaf, 0.0, nodes["num_threshold"]))
        arrays["value"][row, here] = np.where(leaf, nodes["value"], 0.0)
        arrays["left"][row, here] = np.where(leaf, itself, nodes["left"])
        arrays["right"][row, here] = np.where(leaf, itself, nodes["right"])
    depth = max(int(nodes["depth"].max()) for nodes in trees)
    return arrays | {
        "baseline": np.asarray(fitted._baseline_prediction, np.float64).ravel(),
        "depth": np.array([depth], np.int32),
    }


def _rounded_down(value: np.ndarray) -> np.ndarray:
    """The largest float32 that is no larger."""
    single = value.astype(np.float32)
    return np.where(
        single.astype(np.float64) > value, np.nextafter(single, np.float32(-np.inf)), single
    )
