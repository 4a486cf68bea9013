"""Attribution by changed inputs: substituted letters, blotted-out regions, random maskings."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zoo.attribution.calls import Function, in_chunks, scores


def in_silico_mutagenesis(function: Function, inputs: Any, *, batch: int = 600) -> np.ndarray:
    """What the score gains by each substitution of one letter, `[n, position, letter]`;
    zero for the letter that is there.

    In-silico mutagenesis (Zhou & Troyanskaya 2015, doi:10.1038/nmeth.3547). All
    substitutions of all examples run through one compiled call; a position without a letter
    (N) gets all of them.

    Args:
        function: as everywhere here.
        inputs: one-hot `[n, position, letter]`.
        batch: mutants a call.
    """
    inputs = np.asarray(inputs, np.float32)
    row, place, letter = np.nonzero(inputs == 0)
    mutants = np.zeros((len(row), 3), np.int32)
    mutants[:, 0], mutants[:, 1], mutants[:, 2] = row, place, letter
    call = functools.partial(_mutant_scores, function)
    gained = in_chunks(call, [mutants], batch, extra=(jnp.asarray(inputs),), extra_first=True)
    out = np.zeros(inputs.shape, np.float32)
    out[row, place, letter] = gained - scores(function, inputs, batch=min(batch, 256))[row]
    return out


def l2_of_mutations(gains: np.ndarray) -> np.ndarray:
    """One number a position from `in_silico_mutagenesis`: the root of the sum of squares
    over letters `[n, position]`."""
    return np.sqrt((gains**2).sum(-1))


def patches(
    shape: Sequence[int], size: Sequence[int], *, stride: Sequence[int] | None = None
) -> np.ndarray:
    """Regions for `occlusion`: bool `[region, *shape]`, boxes of `size` laid every `stride`
    (default: side by side) over the last axes.

    `shape` is that of one input; axes before the last `len(size)` are covered whole, boxes
    at the end are cut.
    """
    shape, size = tuple(shape), tuple(size)
    steps = tuple(stride) if stride is not None else size
    if len(size) > len(shape) or min(size) < 1 or min(steps) < 1:
        raise ValueError(f"boxes of {size} every {steps} do not fit inputs of shape {shape}")
    axes = shape[len(shape) - len(size) :]
    corners = np.stack(
        np.meshgrid(
            *[np.arange(0, n, step) for n, step in zip(axes, steps, strict=True)], indexing="ij"
        ),
        -1,
    )
    out = np.zeros((corners[..., 0].size, *shape), bool)
    for region, corner in zip(out, corners.reshape(-1, len(size)), strict=True):
        region[
            (
                ...,
                *(slice(begin, begin + length) for begin, length in zip(corner, size, strict=True)),
            )
        ] = True
    return out


def windows(length: int, size: int) -> np.ndarray:
    """Regions of a sequence `[region, length, 1]`: `size` positions around each position."""
    centre, place = np.arange(length)[:, None], np.arange(length)
    return (np.abs(place - centre) * 2 <= size - 1 + (size % 2 == 0))[..., None]


def occlusion(
    function: Function, inputs: Any, regions: np.ndarray, *, value: Any = 0.0, batch: int = 256
) -> np.ndarray:
    """What the score loses when a region is replaced, `[n, region]` (Zeiler & Fergus 2014,
    arXiv:1311.2901).

    Args:
        function, batch: as everywhere here.
        inputs: `[n, ...]`.
        regions: bool `[region, ...]`, broadcast against one input; see `patches`.
        value: what stands in a blotted-out region, broadcast against the inputs: zero, a
            mean, a climatology.
    """
    inputs = np.asarray(inputs, np.float32)
    value = np.broadcast_to(np.asarray(value, np.float32), inputs.shape)
    whole = scores(function, inputs, batch=min(batch, max(1, len(inputs))))
    row, region = np.divmod(np.arange(len(inputs) * len(regions)), len(regions))
    pairs = np.stack([row, region], 1).astype(np.int32)
    extra = (jnp.asarray(inputs), jnp.asarray(value), jnp.asarray(regions))
    left = in_chunks(
        functools.partial(_occluded_scores, function),
        [pairs],
        min(batch, len(pairs)),
        extra=extra,
        extra_first=True,
    )
    return whole[:, None] - left.reshape(len(inputs), len(regions))


@dataclasses.dataclass(frozen=True)
class Surrogate:
    """A linear model of the function near one input.

    Attributes:
        weights: `[n, group]`: what a group's presence adds to the score.
        r2: `[n]`: share of the variance of the maskings' scores that the linear model
            gives; low means: do not trust the weights.
    """

    weights: np.ndarray
    r2: np.ndarray


def surrogate(
    function: Function,
    inputs: Any,
    groups: np.ndarray,
    *,
    value: Any = 0.0,
    samples: int = 1000,
    ridge: float = 1.0,
    width: float = 0.25,
    seed: int = 0,
    batch: int = 256,
) -> Surrogate:
    """Ridge regression on random maskings, weighted by nearness to the input (LIME:
    Ribeiro, Singh & Guestrin 2016, arXiv:1602.04938).

    Args:
        function, inputs, batch: as everywhere here.
        groups: integers 0..G-1, broadcast against one input: what is kept or masked
            together; a negative number is never masked.
        value: what stands in masked places.
        samples: maskings; each group is kept with probability one half.
        ridge: penalty on the squared weights.
        width: of the kernel exp(-(1 - sqrt(share kept))^2 / width^2).
        seed: of the maskings, the same for every example.
    """
    inputs = np.asarray(inputs, np.float32)
    number = int(np.max(groups)) + 1
    kept = np.random.default_rng(seed).random((samples, number)) < 0.5
    value = np.broadcast_to(np.asarray(value, np.float32), inputs.shape)
    near = np.exp(-((1.0 - np.sqrt(kept.mean(1))) ** 2) / width**2)
    design = np.concatenate([np.ones((samples, 1)), kept], 1)
    penalty = ridge * np.diag([0.0, *np.ones(number)])
    weights, r2 = np.empty((len(inputs), number)), np.empty(len(inputs))
    indices = np.stack([np.zeros(samples), np.arange(samples)], 1).astype(np.int32)
    # group -1 is the last column
    regions = np.asarray(
        ~np.concatenate([kept, np.ones((samples, 1), bool)], 1)[:, np.asarray(groups)]
    )
    for row, example in enumerate(inputs):
        extra = (
            jnp.asarray(example[None]),
            jnp.asarray(value[row : row + 1]),
            jnp.asarray(regions),
        )
        y = in_chunks(
            functools.partial(_occluded_scores, function),
            [indices],
            min(batch, samples),
            extra=extra,
            extra_first=True,
        )
        y = y.astype(np.float64)
        solved = np.linalg.solve(
            design.T @ (design * near[:, None]) + penalty, design.T @ (near * y)
        )
        mean = np.average(y, weights=near)
        residual = near @ (y - design @ solved) ** 2
        weights[row], r2[row] = solved[1:], 1.0 - residual / max(near @ (y - mean) ** 2, 1e-300)
    return Surrogate(weights, r2)


@functools.partial(jax.jit, static_argnums=0)
def _mutant_scores(function: Function, inputs: jax.Array, mutants: jax.Array) -> jax.Array:
    row, place, letter = mutants.T
    changed = (
        inputs[row]
        .at[jnp.arange(len(row)), place]
        .set(jax.nn.one_hot(letter, inputs.shape[-1], dtype=inputs.dtype))
    )
    return function(changed)


@functools.partial(jax.jit, static_argnums=0)
def _occluded_scores(
    function: Function, inputs: jax.Array, value: jax.Array, regions: jax.Array, pairs: jax.Array
) -> jax.Array:
    row, region = pairs.T
    return function(jnp.where(regions[region], value[row], inputs[row]))
