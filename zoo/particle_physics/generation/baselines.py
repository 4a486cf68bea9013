"""Jets with nothing learned by gradient: true ones, particles drawn one by one, and a
Gaussian copula of all 90 numbers.

Each factory is called with the task and gives `request -> {"particles", "mask"}`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zoo.particle_physics.generation.data import CLASSES, PointClouds
from zoo.particle_physics.models.point_clouds import PARTICLES

Generator = Callable[[Any], dict[str, np.ndarray]]
NORMAL_SCORES = np.linspace(-3.5, 3.5, 71)
"""Where quantiles are kept: at Φ of these, so that tails are resolved as well as the middle."""


def fit(train: PointClouds) -> dict[str, np.ndarray]:
    """What the baselines need of the training jets, by class.

    Returns:
        `quantiles` `[class, rank, feature, level]` of the particles of each rank in
        momentum, at `NORMAL_SCORES`; `count` `[class, 31]`, share of jets with so many
        particles; `factor` `[class, 90, 90]`, Cholesky factor of the correlation of normal
        scores of the jets with 30 particles.
    """
    from scipy.stats import norm

    levels = norm.cdf(NORMAL_SCORES)
    parts: dict[str, list[np.ndarray]] = {"quantiles": [], "count": [], "factor": []}
    for label in range(len(CLASSES)):
        jets = train[train.label == label]
        particles, mask = jets.particles, jets.mask
        whole = particles[mask.all(1)].reshape(-1, PARTICLES * 3)
        if len(whole) <= whole.shape[1]:
            raise ValueError(
                f"{len(whole)} {CLASSES[label]} jets with {PARTICLES} particles are too few to "
                f"fit {whole.shape[1]} numbers"
            )
        ranks = np.argsort(np.argsort(whole, axis=0, kind="stable"), axis=0)
        scores = norm.ppf((ranks + 0.5) / len(whole))
        by_rank = [
            np.quantile(particles[mask[:, rank], rank], levels, axis=0).T
            for rank in range(PARTICLES)
        ]
        parts["quantiles"].append(np.stack(by_rank))
        parts["count"].append(np.bincount(jets.count, minlength=PARTICLES + 1) / len(jets))
        parts["factor"].append(
            np.linalg.cholesky(np.corrcoef(scores, rowvar=False) + 1e-6 * np.eye(scores.shape[1]))
        )
    return {name: np.stack(value).astype(np.float32) for name, value in parts.items()}


def truth_sample(task: Any) -> Generator:
    """The simulator itself: other true jets than the reference. What they score is what
    chance alone makes."""

    def generate(request: Any) -> dict[str, np.ndarray]:
        floor = task.floor
        if not np.array_equal(request.label, floor.label):
            raise ValueError("the truth has only the jets of the test's own examples to give")
        return {"particles": floor.particles, "mask": floor.mask}

    return generate


def independent_particles(task: Any) -> Generator:
    """Every number drawn for itself from the training jets' particles of its rank: right
    spectra, no correlation."""
    return _by_class(task, correlated=False)


def gaussian_copula(task: Any) -> Generator:
    """The same spectra with the correlations of a Gaussian copula between all 90 numbers of
    a jet."""
    return _by_class(task, correlated=True)


def _by_class(task: Any, *, correlated: bool) -> Generator:
    def generate(request: Any) -> dict[str, np.ndarray]:
        particles = np.zeros((len(request.label), PARTICLES, 3), np.float32)
        mask = np.zeros(particles.shape[:2], bool)
        for label in range(len(CLASSES)):
            mine = request.label == label
            rng, n = np.random.default_rng([request.seed, label]), int(mine.sum())
            share = np.cumsum(task.fitted["count"][label].astype(np.float64))
            count = np.maximum(np.searchsorted(share / share[-1], rng.random(n), side="right"), 1)
            scores = rng.standard_normal((n, PARTICLES * 3))
            if correlated:
                scores = scores @ task.fitted["factor"][label].T.astype(np.float64)
            mask[mine] = np.arange(PARTICLES) < count[:, None]
            particles[mine] = from_scores(
                scores.reshape(n, PARTICLES, 3), task.fitted["quantiles"][label]
            )
        return {"particles": np.where(mask[..., None], particles, np.float32(0.0)), "mask": mask}

    return generate


def from_scores(scores: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Particles float32 `[jet, rank, feature]` of normal scores of that shape, by linear
    interpolation of `fit`'s quantiles."""
    step = NORMAL_SCORES[1] - NORMAL_SCORES[0]
    position = np.clip((scores - NORMAL_SCORES[0]) / step, 0.0, len(NORMAL_SCORES) - 1.001)
    low = position.astype(np.int64)
    rank, feature = np.arange(quantiles.shape[0])[:, None], np.arange(quantiles.shape[1])
    below, above = quantiles[rank, feature, low], quantiles[rank, feature, low + 1]
    return (below + (position - low) * (above - below)).astype(np.float32)
