"""Attribution: which parts of an input a network's score depends on. Pure functions, for
every model of the zoo.

All take a differentiable `function(inputs [n, ...]) -> scores [n]` that treats examples
apart, and NumPy or JAX arrays; all return NumPy arrays. They are jitted (a function object
is compiled once for each method and batch size) and run in batches of `batch`, the last one
filled up, so any number of examples costs one compilation.

| method | what it answers | cost in calls |
|---|---|---|
| `saliency`, `gradient_x_input` | how the score changes with a small change | 1 gradient |
| `smooth_grad` | the same, averaged over noisy copies | samples |
| `integrated_gradients` | how the score's difference from a baseline is made up, and how much is not accounted for | baselines x steps |
| `in_silico_mutagenesis` | what each other letter in each place would do | 3 x positions |
| `occlusion` | what is lost when a region is blotted out | regions |
| `surrogate` | a linear model of random maskings; says how well that fits | samples |

No attribution is true as such: compare methods, look at the completeness error and the
surrogate's R2, and see `genomics/motif_grammar` for how often each finds what was planted.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

Function = Callable[[Any], Any]
"""`[n, ...] -> [n]`."""

__all__ = [
    "Attends",
    "Integrated",
    "Surrogate",
    "centred",
    "gradient_x_input",
    "in_silico_mutagenesis",
    "integrated_gradients",
    "l2_of_mutations",
    "occlusion",
    "patches",
    "saliency",
    "scores",
    "shuffles",
    "smooth_grad",
    "surrogate",
    "windows",
]


@runtime_checkable
class Attends(Protocol):
    """What an explained model gives where it has attention: the weights of each layer, by name."""

    def attention(self, inputs: Any) -> dict[str, np.ndarray]:
        """Layer -> weights `[example, head, query, key]`, each row of keys summing to one."""
        ...


# ---------------------------------------------------------------------------------------- gradients


def scores(function: Function, inputs: Any, *, batch: int = 256) -> np.ndarray:
    """The function's scores `[n]`, in batches."""
    return _chunked(functools.partial(_scores, function), [np.asarray(inputs)], batch)


def saliency(function: Function, inputs: Any, *, batch: int = 256) -> np.ndarray:
    """The gradient of each example's score by its input `[n, ...]` (Simonyan, Vedaldi &
    Zisserman 2013, arXiv:1312.6034).

    The sign is kept; take the absolute value for a map of sensitivity.
    """
    return _chunked(functools.partial(_gradients, function), [np.asarray(inputs)], batch)


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
            _chunked(call, pairs, examples, extra=tuple(map(jnp.asarray, part)))
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


def shuffles(
    inputs: np.ndarray, number: int, *, seed: int = 0, keep_pairs: bool = False
) -> np.ndarray:
    """Baselines for sequences: each example's positions in random order
    `[number, n, position, letter]`.

    Args:
        inputs: one-hot `[n, position, letter]`.
        number: shuffles of each.
        seed: of the generator.
        keep_pairs: keep the counts of dinucleotides too (Altschul & Erickson 1985,
            doi:10.1093/oxfordjournals.molbev.a040370): a random walk of each letter's
            successors along a random spanning tree.
    """
    rng = np.random.default_rng(seed)
    out = np.empty((number, *inputs.shape), inputs.dtype)
    for copy in out:
        for row, example in zip(copy, inputs, strict=True):
            row[:] = example[
                _euler_shuffle(example, rng) if keep_pairs else rng.permutation(len(example))
            ]
    return out


def _euler_shuffle(example: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An order of positions that keeps the first and last letter and the number of each
    pair of neighbours."""
    code = np.where(example.any(-1), example.argmax(-1), example.shape[-1])
    letters, code = np.unique(code, return_inverse=True)
    followers = [np.flatnonzero(code[:-1] == letter) + 1 for letter in range(len(letters))]
    last = code[-1]
    while True:  # the last step out of each letter must lead, in the end, to the last letter
        final = [
            int(rng.choice(each)) if len(each) and letter != last else -1
            for letter, each in enumerate(followers)
        ]
        if all(
            _reaches(letter, last, final, code)
            for letter in range(len(letters))
            if len(followers[letter])
        ):
            break
    queues = []
    for each, end in zip(followers, final, strict=True):
        rest = rng.permutation(each[each != end])
        queues.append([*rest, *([end] if end >= 0 else [])][::-1])
    order = [0]
    while len(order) < len(code):
        order.append(queues[code[order[-1]]].pop())
    return np.array(order)


def _reaches(letter: int, last: int, final: list[int], code: np.ndarray) -> bool:
    """Whether following the last steps from a letter ends at the last letter."""
    for _ in range(len(final) + 1):
        if letter == last:
            return True
        letter = int(code[final[letter]])
    return False


# ------------------------------------------------------------------------------------ perturbations


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
    gained = _chunked(call, [mutants], batch, extra=(jnp.asarray(inputs),), extra_first=True)
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
    left = _chunked(
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
    regions = np.asarray(
        ~np.concatenate([kept, np.ones((samples, 1), bool)], 1)[:, np.asarray(groups)]
    )  # group -1 is the last column
    for row, example in enumerate(inputs):
        extra = (
            jnp.asarray(example[None]),
            jnp.asarray(value[row : row + 1]),
            jnp.asarray(regions),
        )
        y = _chunked(
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


# ----------------------------------------------------------------------------------- compiled calls


@functools.partial(jax.jit, static_argnums=0)
def _scores(function: Function, inputs: jax.Array) -> jax.Array:
    return function(inputs)


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


def _chunked(
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
