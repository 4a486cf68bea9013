"""Compiled calls of an explained function, in batches of one size."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

Function = Callable[[Any], Any]
"""`[n, ...] -> [n]`."""


def scores(function: Function, inputs: Any, *, batch: int = 256) -> np.ndarray:
    """The function's scores `[n]`, in batches."""
    return in_chunks(functools.partial(_scores, function), [np.asarray(inputs)], batch)


@functools.partial(jax.jit, static_argnums=0)
def _scores(function: Function, inputs: jax.Array) -> jax.Array:
    return function(inputs)


def in_chunks(
    call: Callable[..., Any],
    arrays: Sequence[np.ndarray],
    size: int,
    *,
    extra: Sequence[Any] = (),
    extra_first: bool = False,
) -> np.ndarray:
    """`call` over rows of arrays in chunks of one size; the last chunk is filled with
    copies of its last row, which are cut off."""
    n = len(arrays[0])
    size = max(1, min(size, n))
    out = []
    for begin in range(0, n, size):
        parts = [array[begin : begin + size] for array in arrays]
        lacking = size - len(parts[0])
        if lacking:
            parts = [
                np.concatenate([part, np.repeat(part[-1:], lacking, axis=0)]) for part in parts
            ]
        result = call(*extra, *parts) if extra_first else call(*parts, *extra)
        out.append(np.asarray(result)[: size - lacking])
    return np.concatenate(out)
