"""Attribution by gradients: what a small change does, and the way from a baseline."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zoo.attribution.calls import Function, in_chunks, scores


def saliency(function: Function, inputs: Any, *, batch: int = 256) -> np.ndarray:
    """The gradient of each example's score by its input `[n, ...]` (Simonyan, Vedaldi &
    Zisserman 2013, arXiv:1312.6034).

    The sign is kept; take the absolute value for a map of sensitivity.
    """
    return in_chunks(functools.partial(_gradients, function), [np.asarray(inputs)], batch)


def centred(gradient: np.ndarray, *, axis: int = -1) -> np.ndarray:
    """A gradient without its mean over letters.

    A network saw one-hot letters only, whose sum is one: what it does off that plane is
    arbitrary, and a gradient's component across it is noise (Majdandzic, Rajesh & Koo 2023,
    doi:10.1186/s13059-023-02956-3).
    """
    return gradient - gradient.mean(axis=axis, keepdims=True)


def gradient_x_input(
    function: Function, inputs: Any, *, letters: int | None = None, batch: int = 256
) -> np.ndarray:
    """Gradient times input `[n, ...]` (Shrikumar et al. 2016, arXiv:1605.01713).

    Args:
        function, inputs, batch: as everywhere here.
        letters: the axis of one-hot letters, over which the gradient is centred first
            (`centred`); None: inputs are no letters.
    """
    gradient = saliency(function, inputs, batch=batch)
    return (gradient if letters is None else centred(gradient, axis=letters)) * np.asarray(inputs)


def smooth_grad(
    function: Function,
    inputs: Any,
    *,
    noise: float = 0.1,
    samples: int = 25,
    seed: int = 0,
    batch: int = 256,
) -> np.ndarray:
    """The gradient averaged over noisy copies of the input `[n, ...]` (Smilkov et al. 2017,
    arXiv:1706.03825).

    Args:
        function, inputs, batch: as everywhere here.
        noise: standard deviation of the Gaussian noise, as a share of each example's range
            (maximum minus minimum).
        samples: copies.
        seed: of the noise.
    """
    inputs = np.asarray(inputs, np.float32)
    rng = np.random.default_rng(seed)
    spread = noise * np.ptp(inputs.reshape(len(inputs), -1), axis=1).reshape(
        -1, *[1] * (inputs.ndim - 1)
    )
    total = np.zeros_like(inputs)
    for _ in range(samples):
        noisy = inputs + (spread * rng.standard_normal(inputs.shape, np.float32)).astype(np.float32)
        total += saliency(function, noisy, batch=batch)
    return total / samples


@dataclasses.dataclass(frozen=True)
class Integrated:
    """Integrated gradients.

    Attributes:
        values: `[n, ...]`, mean over baselines of (input - baseline) x the path's mean gradient.
        gradient: `[n, ...]`, the path's mean gradient alone.
        completeness_error: `[n]`, |sum of values - (score - mean baseline score)| as a
            share of what it should be (of the largest such difference in the batch, where
            an example's own is near zero).
    """

    values: np.ndarray
    gradient: np.ndarray
    completeness_error: np.ndarray


def integrated_gradients(
    function: Function,
    inputs: Any,
    baselines: Any,
    *,
    steps: int = 20,
    rule: str = "gauss_legendre",
    batch: int = 256,
) -> Integrated:
    """Gradients averaged on the straight line from each baseline to the input
    (Sundararajan, Taly & Yan 2017, arXiv:1703.01365).

    The values add up to the score's difference from the baseline's, so how far they fail to
    shows whether there were enough steps.

    Args:
        function, inputs, batch: as everywhere here.
        baselines: `[baseline, n, ...]`, or `[n, ...]` or anything that broadcasts to it for one.
        steps: points on each line.
        rule: `gauss_legendre`, `midpoint`, or `left` (0, 1/steps, ...: that of Koo &
            Ploenzke's code, which needs many steps).
    """
    inputs = np.asarray(inputs, np.float32)
    baselines = np.asarray(baselines, np.float32)
    if baselines.ndim <= inputs.ndim:
        baselines = np.broadcast_to(baselines, inputs.shape)[None]
    if baselines.shape[1:] != inputs.shape:
        raise ValueError(
            f"baselines have shape {baselines.shape}; wanted is [baseline, "
            f"{', '.join(map(str, inputs.shape))}]"
        )
    places, weights = _quadrature(rule, steps)
    call = functools.partial(_weighted_gradients, function)
    gradient, values = np.zeros_like(inputs), np.zeros_like(inputs)
    examples, parts = max(1, batch // steps), -(-steps // batch)
    lacking = -steps % parts  # points of no weight, so that every part of a long line is one size
    places, weights = (
        np.append(each, np.zeros(lacking, np.float32)).reshape(parts, -1)
        for each in (places, weights)
    )
    for baseline in baselines:
        pairs = [inputs, baseline]
        path = sum(
            in_chunks(call, pairs, examples, extra=tuple(map(jnp.asarray, part)))
            for part in zip(places, weights, strict=True)
        )
        gradient += path / len(baselines)
        values += (inputs - baseline) * path / len(baselines)
    wanted = scores(function, inputs, batch=batch).astype(np.float64)
    wanted = wanted - np.mean(
        [scores(function, baseline, batch=batch) for baseline in baselines], axis=0
    )
    found = values.reshape(len(inputs), -1).sum(1, dtype=np.float64)
    scale = np.maximum(np.abs(wanted), 0.05 * np.abs(wanted).max(initial=0.0) + 1e-12)
    return Integrated(values, gradient, np.abs(found - wanted) / scale)


def _quadrature(rule: str, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Places in [0, 1] and weights that sum to one."""
    if steps < 1:
        raise ValueError(f"steps={steps}: a line needs one point or more")
    if rule == "gauss_legendre":
        places, weights = np.polynomial.legendre.leggauss(steps)
        places, weights = (places + 1) / 2, weights / 2
    elif rule in ("midpoint", "left"):
        places = (np.arange(steps) + (0.5 if rule == "midpoint" else 0.0)) / steps
        weights = np.full(steps, 1.0 / steps)
    else:
        raise ValueError(f"rule {rule!r} is none of gauss_legendre, midpoint, left")
    return places.astype(np.float32), weights.astype(np.float32)


@functools.partial(jax.jit, static_argnums=0)
def _gradients(function: Function, inputs: jax.Array) -> jax.Array:
    return jax.grad(lambda x: function(x).sum())(inputs)


@functools.partial(jax.jit, static_argnums=0)
def _weighted_gradients(
    function: Function,
    inputs: jax.Array,
    baseline: jax.Array,
    places: jax.Array,
    weights: jax.Array,
) -> jax.Array:
    """Mean gradient on the lines from baselines to inputs `[b, ...]`; all points are one
    batch: no convolution in a loop."""
    place = places.reshape(-1, *[1] * inputs.ndim)
    points = (baseline + place * (inputs - baseline)).reshape(-1, *inputs.shape[1:])
    gradient = jax.grad(lambda x: function(x).sum())(points).reshape(len(places), *inputs.shape)
    return jnp.tensordot(weights, gradient, axes=1)
