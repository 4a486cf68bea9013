"""Scores of generated jets: distances between a generated and a true sample, each with what
every generated jet adds to it.

A distance between distributions is no mean over jets. But close to the sample at hand it is
one: every score here comes as an array `[jet]` whose mean is the score *exactly* and whose
spread is that of its influence function, the first-order change of the score when the jet
counts a little more (Hampel 1974, doi:10.2307/2285666). So resampling jets and averaging
gives the interval of the delta method, and two rows can be compared, from one number per
jet and score. Only generated jets are resampled, not the reference. Where generated and
true jets are alike, as in the floor row, the first order vanishes and the interval says
little.

Every random choice has a fixed seed.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int


def relative_mass(
    particles: Float[np.ndarray, "jet particle 3"], mask: Bool[np.ndarray, "jet particle"]
) -> Float[np.ndarray, " jet"]:
    """Invariant mass over transverse momentum of the jet, from massless particles (etarel,
    phirel, ptrel)."""
    eta, phi, pt = np.moveaxis(np.where(mask[..., None], particles, 0.0).astype(np.float64), -1, 0)
    energy, along = (pt * np.cosh(eta)).sum(-1), (pt * np.sinh(eta)).sum(-1)
    across = [(pt * np.cos(phi)).sum(-1), (pt * np.sin(phi)).sum(-1)]
    return np.sqrt(np.maximum(energy**2 - along**2 - across[0] ** 2 - across[1] ** 2, 0.0))


def wasserstein(
    generated: Float[np.ndarray, " value"],
    true: Float[np.ndarray, " reference"],
    *,
    owner: Int[np.ndarray, " value"] | None = None,
    jets: int | None = None,
) -> Float[np.ndarray, " jet"]:
    """First Wasserstein distance, ∫ |F - G| dx, as an array whose mean it is.

    With s = sign(F - G), a value x moves the distance by ∫ s (1[t >= x] - F) dt.

    Args:
        generated: values of all generated jets; one each, or several where `owner` says
            whose they are.
        true: values of the reference.
        owner: index of the jet of each value.
        jets: number of generated jets, where `owner` is given.
    """
    points = np.concatenate([generated, true]).astype(np.float64)
    order = np.argsort(points, kind="stable")
    mine = order < len(generated)
    step = np.diff(points[order])
    # Counted in whole numbers: where F equals G the sign is zero, not that of a rounding error.
    difference = np.cumsum(np.where(mine, len(true), -len(generated)))[:-1] / (
        len(generated) * len(true)
    )
    distance = float(np.sum(np.abs(difference) * step))
    # Integral of the sign from the left end to each point; what a value adds is its own
    # integral less the mean of all.
    integral = np.empty(len(points))
    integral[order] = np.concatenate([[0.0], np.cumsum(np.sign(difference) * step)])
    moved = integral[: len(generated)].mean() - integral[: len(generated)]
    if owner is None:
        return distance + moved
    count = len(generated) if jets is None else jets
    return distance + np.bincount(owner, weights=moved, minlength=count) * (count / len(generated))


def particle_wasserstein(
    generated: Float[np.ndarray, "jet particle 3"],
    generated_mask: Bool[np.ndarray, "jet particle"],
    true: Float[np.ndarray, "reference particle 3"],
    true_mask: Bool[np.ndarray, "reference particle"],
) -> Float[np.ndarray, " jet"]:
    """Mean over etarel, phirel and ptrel of the Wasserstein distance of all particles: W1-P
    of Kansal et al. 2021."""
    owner = np.nonzero(generated_mask)[0]
    each = [
        wasserstein(
            generated[generated_mask][:, i], true[true_mask][:, i], owner=owner, jets=len(generated)
        )
        for i in range(3)
    ]
    return np.mean(each, axis=0)


def root(matrix: Float[np.ndarray, "n n"], *, power: float = 0.5) -> Float[np.ndarray, "n n"]:
    """A power of a symmetric positive matrix; eigenvalues at the level of rounding count as
    zero, also for negative powers."""
    value, vector = np.linalg.eigh(matrix)
    kept = value > 1e-13 * value[-1]
    return (vector[:, kept] * value[kept] ** power) @ vector[:, kept].T


def frechet_distance(
    mean_a: Float[np.ndarray, " n"],
    cov_a: Float[np.ndarray, "n n"],
    mean_b: Float[np.ndarray, " n"],
    cov_b: Float[np.ndarray, "n n"],
) -> float:
    """|m_a - m_b|² + tr(A + B - 2 (A^½ B A^½)^½): the squared Wasserstein-2 distance of two
    Gaussians (Fréchet 1957)."""
    half = root(cov_a)
    cross = np.linalg.eigvalsh(half @ cov_b @ half)
    return float(
        np.sum((mean_a - mean_b) ** 2)
        + np.trace(cov_a)
        + np.trace(cov_b)
        - 2.0 * np.sqrt(np.maximum(cross, 0.0)).sum()
    )


def _gaussian_distance(a: np.ndarray, b: np.ndarray) -> float:
    return frechet_distance(a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False))


def frechet_physics_distance(
    generated: Float[np.ndarray, "jet n"],
    true: Float[np.ndarray, "reference n"],
    *,
    splits: int = 20,
    seed: int = 0,
) -> Float[np.ndarray, " jet"]:
    """Fréchet distance of Gaussians with the samples' moments, for samples of infinite
    size, as an array whose mean it is.

    FPD of Kansal et al. 2023 (arXiv:2211.10295). Finite samples differ by chance, by about
    c/N; the same halves of both samples differ by 2c/N, so that 2 FPD(N) - FPD(N/2),
    averaged over `splits` random halvings, is free of it. It may come out below zero.
    """
    whole = _gaussian_distance(generated, true)
    rng, halves = np.random.default_rng(seed), []
    for _ in range(splits):
        first, second = rng.permutation(len(generated)), rng.permutation(len(true))
        for part in range(2):
            halves.append(_gaussian_distance(generated[first[part::2]], true[second[part::2]]))
    mean, reference = generated.mean(0), true.mean(0)
    cov, half = np.cov(generated, rowvar=False, ddof=0), root(np.cov(true, rowvar=False, ddof=0))
    transport = half @ root(half @ cov @ half, power=-0.5) @ half
    centred = generated - mean
    quadratic = np.sum((centred @ (np.eye(len(mean)) - transport)) * centred, axis=1)
    influence = 2.0 * centred @ (mean - reference) + quadratic - quadratic.mean()
    return 2.0 * whole - float(np.mean(halves)) + influence


def polynomial_kernel(
    a: Float[np.ndarray, "a n"], b: Float[np.ndarray, "b n"]
) -> Float[np.ndarray, "a b"]:
    """(x·y / n + 1)⁴."""
    kernel = a @ b.T
    kernel /= a.shape[1]
    kernel += 1.0
    return np.square(np.square(kernel, out=kernel), out=kernel)


def _row_sums(a: np.ndarray, b: np.ndarray, chunk: int = 512) -> np.ndarray:
    return np.concatenate(
        [polynomial_kernel(a[i : i + chunk], b).sum(1) for i in range(0, len(a), chunk)]
    )


def mean_kernel(sample: Float[np.ndarray, "jet n"]) -> Float[np.ndarray, " jet"]:
    """Mean of k(x, x') over all other jets x' of the sample, for each jet x."""
    own = (np.sum(sample * sample, axis=1) / sample.shape[1] + 1.0) ** 4
    return (_row_sums(sample, sample) - own) / (len(sample) - 1)


def kernel_physics_distance(
    generated: Float[np.ndarray, "jet n"],
    true: Float[np.ndarray, "reference n"],
    *,
    within_true: float | None = None,
) -> Float[np.ndarray, " jet"]:
    """Unbiased squared maximum mean discrepancy with the quartic kernel (KPD of Kansal et
    al. 2023), as an array whose mean it is.

    mean over pairs of k(x, x') - 2 mean k(x, y) + mean over pairs of k(y, y'). It may come
    out below zero.

    Args:
        generated, true: one row a jet.
        within_true: the last term, where it is known already: the mean of `mean_kernel(true)`.
    """
    constant = float(mean_kernel(true).mean()) if within_true is None else within_true
    within = mean_kernel(generated)
    return 2.0 * within - within.mean() - 2.0 * _row_sums(generated, true) / len(true) + constant


def rank_below(
    generated: Float[np.ndarray, " jet"], true: Float[np.ndarray, " reference"]
) -> Float[np.ndarray, " jet"]:
    """Share of true jets with a lower score than each generated jet, ties counting half:
    its mean is the AUC (Mann-Whitney)."""
    ordered = np.sort(true)
    return (
        np.searchsorted(ordered, generated, "left") + np.searchsorted(ordered, generated, "right")
    ) / (2.0 * len(true))
