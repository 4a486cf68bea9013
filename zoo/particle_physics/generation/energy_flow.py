"""Energy-flow polynomials (Komiske, Metodiev & Thaler 2018, doi:10.1007/JHEP04(2018)013) of
every multigraph with up to four edges.

    EFP_G = Σ_{i1} ... Σ_{iN} z_{i1} ... z_{iN} Π_{(k,l) in G} θ_{ik il}
    θ_ij = (Δη² + Δφ²)^{β/2}, β = 1

One sum per vertex, one factor per edge; `z` are the given transverse momenta, not
normalised. There are 36 such graphs without isolated vertices: 21 connected ones ("prime")
and 15 products of these. Fréchet and kernel physics distances are taken in them.

Why closed forms and no general contraction: a sum over five vertices costs N^5 as it
stands, but a graph's leaves can be summed first. With  v_k = (θ^k) z  and  D = θ diag(z) θ
each of the 21 is at most one matrix product per jet, N^3.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import numpy as np

Graph = tuple[tuple[int, int], ...]
"""Edges between numbered vertices; a repeated edge is a higher power of the distance. `()`
is the single vertex."""

PRIMES: dict[str, Graph] = {
    "vertex": (),
    "edge": ((0, 1),),
    "edge2": ((0, 1),) * 2,
    "path3": ((0, 1), (1, 2)),
    "edge3": ((0, 1),) * 3,
    "path3_21": ((0, 1), (0, 1), (1, 2)),
    "path4": ((0, 1), (1, 2), (2, 3)),
    "star3": ((0, 1), (0, 2), (0, 3)),
    "triangle": ((0, 1), (1, 2), (0, 2)),
    "edge4": ((0, 1),) * 4,
    "path3_31": ((0, 1), (0, 1), (0, 1), (1, 2)),
    "path3_22": ((0, 1), (0, 1), (1, 2), (1, 2)),
    "triangle_211": ((0, 1), (0, 1), (1, 2), (0, 2)),
    "path4_211": ((0, 1), (0, 1), (1, 2), (2, 3)),
    "path4_121": ((0, 1), (1, 2), (1, 2), (2, 3)),
    "star3_211": ((0, 1), (0, 1), (0, 2), (0, 3)),
    "triangle_tail": ((0, 1), (1, 2), (0, 2), (2, 3)),
    "square": ((0, 1), (1, 2), (2, 3), (0, 3)),
    "path5": ((0, 1), (1, 2), (2, 3), (3, 4)),
    "star4": ((0, 1), (0, 2), (0, 3), (0, 4)),
    "fork": ((0, 1), (0, 2), (0, 3), (3, 4)),
}
"""The 21 connected multigraphs with at most four edges."""

FOUR_FOUR = ("path4_211", "path4_121", "star3_211", "triangle_tail", "square")
"""The five connected graphs with four vertices and four edges: those of the W1 score of
Kansal et al. 2021 (arXiv:2106.11535)."""


@functools.cache
def products(edges: int = 4) -> tuple[tuple[str, ...], ...]:
    """Names of the prime factors of every multigraph with up to `edges` edges, fewest edges
    first; 36 of them for four."""
    primes = [name for name, graph in PRIMES.items() if graph]
    found: list[tuple[str, ...]] = [("vertex",)]
    for total in range(1, edges + 1):
        for factors in range(1, total + 1):
            chosen = itertools.combinations_with_replacement(primes, factors)
            found += [
                names for names in chosen if sum(len(PRIMES[name]) for name in names) == total
            ]
    return tuple(found)


def vertices(graph: Graph) -> int:
    """The number of vertices of a graph."""
    return 1 + max((max(edge) for edge in graph), default=0)


def prime_polynomials(particles: np.ndarray, mask: np.ndarray, *, chunk: int = 64) -> np.ndarray:
    """The 21 connected polynomials `[jet, 21]` in float64, in the order of `PRIMES`.

    Args:
        particles: `[jet, particle, 3]`: pseudorapidity and azimuth (within one branch),
            transverse momentum.
        mask: bool `[jet, particle]`; particles outside do not count, whatever they hold.
        chunk: jets at a time, so that the matrices of distances stay in a core's cache.

    Raises:
        ValueError: the shapes do not fit.
    """
    particles, mask = np.asarray(particles), np.asarray(mask, bool)
    if particles.ndim != 3 or particles.shape[-1] != 3 or particles.shape[:2] != mask.shape:
        raise ValueError(
            f"need particles [jet, particle, 3] and mask [jet, particle]; got {particles.shape} "
            f"and {mask.shape}"
        )
    out = np.empty((len(particles), len(PRIMES)))
    for start in range(0, len(particles), chunk):
        part = slice(start, start + chunk)
        out[part] = _primes(np.where(mask[part, :, None], particles[part], 0.0).astype(np.float64))
    return out


def _primes(particles: np.ndarray) -> np.ndarray:
    eta, phi, z = np.moveaxis(particles, -1, 0)
    squared = np.square(eta[:, :, None] - eta[:, None, :]) + np.square(
        phi[:, :, None] - phi[:, None, :]
    )
    theta = np.sqrt(squared)

    def times(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
        return np.matmul(matrix, vector[..., None])[..., 0]

    def total(vector: np.ndarray) -> np.ndarray:
        return vector.sum(-1)

    v1, v2 = times(theta, z), times(squared, z)
    v3, v4 = times(theta * squared, z), times(squared * squared, z)
    zv1, zv2 = z * v1, z * v2
    walk = times(theta, zv1)
    through = np.matmul(theta * z[:, None, :], theta)
    closed = z[:, None, :] * theta * through
    values = {
        "vertex": total(z),
        "edge": total(zv1),
        "edge2": total(zv2),
        "path3": total(zv1 * v1),
        "edge3": total(z * v3),
        "path3_21": total(zv1 * v2),
        "path4": total(zv1 * walk),
        "star3": total(zv1 * v1 * v1),
        "triangle": total(z * total(closed)),
        "edge4": total(z * v4),
        "path3_31": total(zv1 * v3),
        "path3_22": total(zv2 * v2),
        "triangle_211": total(z * total(closed * theta)),
        "path4_211": total(zv2 * walk),
        "path4_121": total(zv1 * times(squared, zv1)),
        "star3_211": total(zv1 * v1 * v2),
        "triangle_tail": total(zv1 * total(closed)),
        "square": total(z * total(z[:, None, :] * np.square(through))),
        "path5": total(z * np.square(walk)),
        "star4": total(z * v1**4),
        "fork": total(zv1 * v1 * walk),
    }
    return np.stack([values[name] for name in PRIMES], -1)


def all_polynomials(primes: np.ndarray, *, edges: int = 4) -> np.ndarray:
    """All 36 polynomials `[jet, 36]` from the 21 connected ones `[jet, 21]`, in the order
    of `products`."""
    if primes.shape[-1] != len(PRIMES):
        raise ValueError(
            f"need the {len(PRIMES)} values of `prime_polynomials` per jet; got {primes.shape[-1]}"
        )
    place = {name: number for number, name in enumerate(PRIMES)}
    return np.stack(
        [np.prod(primes[:, [place[name] for name in names]], -1) for names in products(edges)], -1
    )


def of_graph(graph: Sequence[tuple[int, int]], z: np.ndarray, theta: np.ndarray) -> float:
    """One polynomial of one jet, summed as it is written; costs N to the number of vertices
    and is meant to check the others.

    Args:
        graph: edges.
        z: `[particle]`.
        theta: `[particle, particle]`.
    """
    letters = "abcdefgh"[: vertices(tuple(graph))]
    terms = [*letters, *(letters[i] + letters[j] for i, j in graph)]
    return float(
        np.einsum(
            f"{','.join(terms)}->", *([z] * len(letters)), *([theta] * len(graph)), optimize=True
        )
    )
