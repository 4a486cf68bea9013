"""Can a classifier tell generated jets from true ones? The AUC of a seeded one,
cross-fitted: 0.5 is perfect, 1 useless.

The classifier is kernel ridge regression on random Fourier features (Rahimi & Recht 2007)
of what physicists would look at first. Why no network: its answer would hang on the
training; this one is a linear solve, the same everywhere and in a second. It is a lower
bound: a better classifier may still tell apart what this one cannot.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from zoo.particle_physics.generation.metrics import rank_below

ANGLE = 0.05
"""Angles are seen as asinh(angle / ANGLE): linear in the core of the jet, logarithmic outside."""
DIRECTIONS = 10
"""Of so many hardest particles the classifier sees the direction; of all of them the momentum."""


def observables(
    particles: Float[np.ndarray, "jet particle 3"],
    mask: Bool[np.ndarray, "jet particle"],
    primes: Float[np.ndarray, "jet graph"],
) -> Float[np.ndarray, "jet observable"]:
    """What the classifier sees: logarithms of energy-flow polynomials, multiplicity,
    momenta by rank, hardest particles' directions."""
    present = np.where(mask[..., None], particles, 0.0).astype(np.float64)
    # Momenta are rounded, so that some are equal: the angles then decide, and not the order
    # in which the particles came.
    order = np.lexsort((present[..., 1], present[..., 0], -present[..., 2]), axis=1)
    ranked = np.take_along_axis(present, order[..., None], axis=1)
    momenta = np.log(np.maximum(ranked[..., 2], 1e-6))
    directions = np.arcsinh(ranked[:, :DIRECTIONS, :2] / ANGLE).reshape(len(ranked), -1)
    return np.concatenate(
        [np.log(np.maximum(primes, 1e-30)), mask.sum(1, keepdims=True), momenta, directions], axis=1
    )


def classifier_auc(
    generated: Float[np.ndarray, "jet observable"],
    true: Float[np.ndarray, "reference observable"],
    *,
    features: int = 200,
    penalty: float = 1e-4,
    seed: int = 0,
) -> Float[np.ndarray, " jet"]:
    """AUC of telling generated from true jets, as an array whose mean it is; scores below
    one half are luck.

    Both samples are cut in two; each half is judged by the classifier fitted on the other.
    Observables are standardised and clipped at five standard deviations; the kernel is
    Gaussian and as wide as the typical distance between jets.

    Args:
        generated, true: `observables`; the first `len(generated)` true ones are used, if
            there are more.
        features: random ones, beside the observables themselves.
        penalty: of the ridge, relative to the number of jets.
        seed: of the random features and of the halves.
    """
    true = true[: len(generated)]
    rng = np.random.default_rng(seed)
    both = np.concatenate([generated, true])
    z = np.clip((both - both.mean(0)) / np.maximum(both.std(0), 1e-9), -5.0, 5.0)
    width = z.shape[1]
    phases = z @ rng.normal(size=(width, features)) / np.sqrt(width) + rng.uniform(
        0.0, 2.0 * np.pi, features
    )
    design = np.concatenate([np.ones((len(z), 1)), z / np.sqrt(width), np.cos(phases)], axis=1)
    target = np.concatenate([np.ones(len(generated)), -np.ones(len(true))])
    half = np.concatenate([rng.permutation(len(generated)) % 2, rng.permutation(len(true)) % 2])
    ranks = np.empty(len(generated))
    is_generated = target > 0
    for part in range(2):
        seen, held = half != part, half == part
        gram = design[seen].T @ design[seen] + penalty * seen.sum() * np.eye(design.shape[1])
        score = design @ np.linalg.solve(gram, design[seen].T @ target[seen])
        ranks[half[: len(generated)] == part] = rank_below(
            score[held & is_generated], score[held & ~is_generated]
        )
    return ranks
