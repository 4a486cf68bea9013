"""What a prediction costs: parameters, FLOPs, latency, memory."""

from __future__ import annotations

import math
import os
import resource
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def count_parameters(parameters: Mapping[str, np.ndarray]) -> int:
    """How many numbers a flat dictionary of weights holds."""
    return sum(math.prod(np.shape(value)) for value in parameters.values())


def flops(function: Callable[..., Any], *arguments: Any, repeats: int = 1) -> float | None:
    """XLA's count of floating-point operations of one compiled call, times `repeats`; None
    where XLA gives none.

    Why `repeats`: XLA counts the body of a `scan` once, however often it runs, so a rollout
    is counted by one step times its number of steps.
    """
    import jax

    analysis = jax.jit(function).lower(*arguments).compile().cost_analysis()
    if isinstance(analysis, list):
        analysis = analysis[0] if analysis else None
    count = (analysis or {}).get("flops", -1.0)
    return float(count) * repeats if count >= 0 else None


def latency(seconds: list[float], n_examples: int) -> tuple[float, float]:
    """(median, 95th percentile) in milliseconds per example of whole-test-set calls."""
    per_example = 1e3 * np.asarray(seconds) / n_examples
    return float(np.median(per_example)), float(np.quantile(per_example, 0.95))


def peak_memory_bytes() -> int:
    """The largest resident set of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def load_average() -> float:
    """Runnable processes over the last minute; 0 where the platform does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
