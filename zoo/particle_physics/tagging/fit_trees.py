"""Boosted trees and Gaussians fitted to the scalars of whole jets, for the baselines.

`zoo data build particle_physics/jet_tagging --step baselines` fits them (`build`). The settings
are fixed, not searched. Needs scikit-learn (extra `dev`); the result needs NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.particle_physics.data.jets import Jets
from zoo.particle_physics.data.read import split_files
from zoo.particle_physics.tagging.baselines import SUBSTRUCTURE, near_normal, observables
from zoo.particle_physics.tagging.trees import from_sklearn

SETTINGS: dict[str, dict[str, Any]] = {
    "jet_tagging": {"max_iter": 90, "learning_rate": 0.12, "max_leaf_nodes": 16, "max_depth": 5},
    "top_tagging": {"max_iter": 250, "learning_rate": 0.06, "max_leaf_nodes": 16, "max_depth": 5},
    "quark_gluon": {"max_iter": 150, "learning_rate": 0.06, "max_leaf_nodes": 16, "max_depth": 5},
}
"""Of scikit-learn's `HistGradientBoostingClassifier`; small enough for a file of half a
megabyte."""
SCALARS = ("jet_pt", "jet_sdmass", "jet_nparticles", "jet_tau1", "jet_tau2", "jet_tau3", "jet_tau4")


def read_scalars(
    folder: Path, split: str, classes: Sequence[str], *, per_class: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Substructure float32 `[jet, feature]` and label `[jet]` of a split, the same number
    of jets of every class.

    Raises:
        FileNotFoundError: a class has no file; names it and the command that makes it.
    """
    import uproot

    found = []
    for name in classes:
        parts = []
        for path in split_files(folder, split, name):
            with uproot.open(path) as file:
                scalars = {
                    key: np.asarray(value, np.float32)
                    for key, value in file["tree"].arrays(SCALARS, library="np").items()
                }
            n = len(scalars["jet_pt"])
            empty = Jets(
                np.zeros((n, 0, 0), np.float32),
                np.zeros((n, 0), bool),
                (),
                scalars,
                np.full(n, -1, np.int8),
                tuple(classes),
            )
            parts.append(observables(empty, SUBSTRUCTURE))
        found.append(np.concatenate(parts)[:per_class])
    fewest = min(map(len, found))
    return np.concatenate([part[:fewest] for part in found]), np.repeat(
        np.arange(len(classes)), fewest
    )


def fit_trees(
    x: np.ndarray, label: np.ndarray, *, seed: int = 0, **settings: Any
) -> dict[str, np.ndarray]:
    """Arrays for `Trees`, fitted without early stopping."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return from_sklearn(
        HistGradientBoostingClassifier(early_stopping=False, random_state=seed, **settings).fit(
            x, label
        )
    )


def fit_gaussians(x: np.ndarray, label: np.ndarray) -> dict[str, np.ndarray]:
    """Mean `[class, feature]` and covariance `[class, feature, feature]` of the nearly normal
    substructure; 1e-4 on the diagonal."""
    z = near_normal(x)
    groups = [z[label == each] for each in range(label.max() + 1)]
    covariance = np.stack([np.cov(group, rowvar=False) for group in groups]) + 1e-4 * np.eye(
        z.shape[1]
    )
    return {"mean": np.stack([group.mean(axis=0) for group in groups]), "covariance": covariance}
