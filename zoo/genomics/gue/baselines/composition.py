"""One number of a sequence and a threshold: what its composition alone gives away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from zoo.genomics.data.sequences import gc_content
from zoo.genomics.gue.metrics import matthews


def cpg_count(tokens: Int[np.ndarray, "sequence position"]) -> Float[np.ndarray, " sequence"]:
    """How often G follows C."""
    tokens = np.asarray(tokens)
    return ((tokens[:, :-1] == 1) & (tokens[:, 1:] == 2)).sum(1).astype(np.float64)


FEATURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "gc_content": gc_content,
    "cpg_count": cpg_count,
}


def best_threshold(
    value: Float[np.ndarray, " n"], label: Int[np.ndarray, " n"]
) -> tuple[float, float]:
    """The threshold and the side (+1: positive above it) with the largest MCC on these
    examples; `(value - threshold) * side > 0`."""
    order = np.argsort(value, kind="stable")
    ranked, positive = value[order], label[order] == 1
    ends = np.flatnonzero(ranked[1:] != ranked[:-1])
    if not len(ends):
        return float(ranked[0]), 1.0
    fn, tn = np.cumsum(positive)[ends], np.cumsum(~positive)[ends]
    counts = np.stack([tn, (~positive).sum() - tn, fn, positive.sum() - fn], -1)
    mcc = matthews(counts)
    best = int(np.argmax(np.abs(mcc)))
    return float(ranked[ends[best]] + ranked[ends[best] + 1]) / 2, 1.0 if mcc[best] >= 0 else -1.0


def threshold(task: Any, *, feature: str) -> Callable[[Any], dict[str, np.ndarray]]:
    """Baseline factory: `(value - threshold) * side` as the logit, threshold and side from
    each subset's training table.

    Raises:
        ValueError: no such feature; lists those there are.
    """
    if feature not in FEATURES:
        raise ValueError(f"no feature {feature!r}; there are {', '.join(FEATURES)}")

    def predict(inputs: Any) -> dict[str, np.ndarray]:
        out = np.full(len(inputs), np.nan)
        for subset, rows in inputs.by_subset():
            table = inputs.train(subset)
            cut, side = best_threshold(FEATURES[feature](table.tokens), table.labels)
            out[rows] = side * (FEATURES[feature](inputs.of(rows)) - cut)
        return {"logit": out}

    return predict
