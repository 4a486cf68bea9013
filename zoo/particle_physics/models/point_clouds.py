"""What the EPiC networks see of a jet: its 30 hardest particles, and these stretched so that
they are nearer to normal.

A particle is (etarel, phirel, ptrel): pseudorapidity and azimuth relative to the jet's (rad),
transverse momentum over the jet's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

PARTICLES, FEATURES = 30, 3
MAX_ANGLE = 2.0
"""rad; a jet of R = 0.8 has nothing beyond."""
ANGLE = 0.05
"""rad; angles are Gaussian, if at all, as asinh(angle / ANGLE)."""


def stretch(particles: np.ndarray) -> np.ndarray:
    """(asinh(etarel / .05), asinh(phirel / .05), ln ptrel): what is nearer to normal than
    the particles themselves."""
    return np.concatenate(
        [np.arcsinh(particles[..., :2] / ANGLE), np.log(np.maximum(particles[..., 2:], 1e-7))], -1
    )


def relax(stretched: Any, *, xp: Any = np) -> Any:
    """The inverse of `stretch`, float32; angles within 2 rad and ptrel within 1. `xp`:
    NumPy, or `jax.numpy` for a gradient."""
    # a float64, so that NumPy takes the hyperbolic sine in float64
    limit = np.arcsinh(MAX_ANGLE / ANGLE)
    angles = ANGLE * xp.sinh(xp.clip(stretched[..., :2], -limit, limit))
    return xp.concatenate([angles, xp.exp(xp.minimum(stretched[..., 2:], 0.0))], -1).astype(
        np.float32
    )
