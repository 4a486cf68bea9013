"""Fits the boosted trees and the Gaussians of the tagging tasks and writes their arrays.

    python -m zoo.particle_physics.tagging.fit_trees --data FOLDER [--task TASK] [--out FOLDER]

TASK is jet_tagging, top_tagging or quark_gluon. FOLDER holds the `train-<class>-<k>.root`
files that `zoo data build` makes; only the scalar branches of whole jets are read. The
settings are fixed, not searched; validation files, if there, are only reported on. Needs
scikit-learn (extra `dev`); the result needs NumPy alone. The last lines are what the task's
TOML must say.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoo import files
from zoo.particle_physics.data.jets import CLASSES, Jets
from zoo.particle_physics.data.read import split_files
from zoo.particle_physics.tagging.baselines import (
    FOLDER,
    SUBSTRUCTURE,
    gaussian_probability,
    observables,
    transformed,
)
from zoo.particle_physics.tagging.trees import Trees, from_sklearn
from zoo.pretrained import weights

SETTINGS = {
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
    x: np.ndarray, label: np.ndarray, *, seed: int = 0, **settings: float
) -> dict[str, np.ndarray]:
    """Arrays for `Trees`, fitted without early stopping."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return from_sklearn(
        HistGradientBoostingClassifier(early_stopping=False, random_state=seed, **settings).fit(
            x, label
        )
    )


def fit_gaussians(x: np.ndarray, label: np.ndarray) -> dict[str, np.ndarray]:
    """Mean `[class, feature]` and covariance `[class, feature, feature]` of the transformed
    substructure; 1e-4 on the diagonal."""
    z = transformed(x)
    groups = [z[label == each] for each in range(label.max() + 1)]
    covariance = np.stack([np.cov(group, rowvar=False) for group in groups]) + 1e-4 * np.eye(
        z.shape[1]
    )
    return {"mean": np.stack([group.mean(axis=0) for group in groups]), "covariance": covariance}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--task", choices=sorted(CLASSES), default="jet_tagging")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument(
        "--per-class",
        type=int,
        default=40_000,
        help="jets a class, the first ones of the files in order",
    )
    options = parser.parse_args()
    classes, settings = CLASSES[options.task], SETTINGS[options.task]
    x, label = read_scalars(options.data, "train", classes, per_class=options.per_class)
    each = len(label) // len(classes)
    print(f"{options.task}: {each} training jets of each of {len(classes)} classes", flush=True)
    about = {
        "classes": json.dumps(classes),
        "features": json.dumps(SUBSTRUCTURE),
        "training_jets_per_class": str(each),
    }
    fitted = {
        "trees": (
            fit_trees(x, label, **settings),
            about | {"settings": json.dumps(settings, sort_keys=True)},
        )
    }
    if options.task == "jet_tagging":
        fitted["gaussians"] = (fit_gaussians(x, label), about)
    try:
        held = read_scalars(options.data, "validation", classes)
    except FileNotFoundError:
        held = None
    for kind, (arrays, metadata) in fitted.items():
        name = f"{kind}.{options.task}.safetensors"
        weights.save(options.out / name, arrays, metadata=metadata)
        digest = files.sha256(options.out / name)
        if held is not None:
            of = (
                Trees(arrays).probability
                if kind == "trees"
                else lambda features, arrays=arrays: gaussian_probability(features, arrays)
            )
            print(
                f"{kind}: validation accuracy {(of(held[0]).argmax(axis=1) == held[1]).mean():.4f} "
                f"on {len(held[1])} jets"
            )
        print(f'config = {{ file = "{name}", sha256 = "{digest}" }}')


if __name__ == "__main__":
    main()
