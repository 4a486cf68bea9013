"""Baselines of the tagging tasks: single observables, a Gaussian per class, boosted trees;
nothing here sees a constituent.

Scores of one observable have a direction that physics gives and no threshold, so nothing is
fitted. The trees and the Gaussians were fitted on the training set by
`zoo data build ... --step baselines`; their numbers lie in safetensors files beside the
models' weights, and the task's TOML names the file and its SHA-256.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import files
from zoo.particle_physics.tagging.trees import Trees

if TYPE_CHECKING:
    from zoo.particle_physics.data.jets import Jets
    from zoo.particle_physics.tagging.task import Tagging

Predictor = Callable[[Any], dict[str, np.ndarray]]
FOLDER = Path(__file__).resolve().parent.parent / "weights"
TOP_MASS = 172.57
"""GeV: average of direct measurements, Review of Particle Physics 2024,
doi:10.1103/PhysRevD.110.030001."""
SUBSTRUCTURE = ("mass", "tau21", "tau32", "tau43", "tau1", "multiplicity")
"""What trees and Gaussians see: soft-drop mass (GeV), ratios of N-subjettiness, tau1,
number of constituents. No momentum."""


def observable(task: Tagging, *, name: str, sign: int = 1) -> Predictor:
    """One observable of `observables` as the score; `sign = -1` where the signal has less of it."""
    if sign not in (1, -1):
        raise ValueError(f"sign {sign} is neither 1 (signal has more) nor -1 (signal has less)")

    def predict(jets: Jets) -> dict[str, np.ndarray]:
        return {"score": sign * observables(jets, [name])[:, 0]}

    return predict


def mass_window(task: Tagging, *, centre: float = TOP_MASS) -> Predictor:
    """Minus the distance of the soft-drop mass from a known mass (GeV): every cut on it is
    a symmetric window."""

    def predict(jets: Jets) -> dict[str, np.ndarray]:
        return {"score": -np.abs(observables(jets, ["mass"])[:, 0] - centre)}

    return predict


def uniform(task: Tagging) -> Predictor:
    """The same probability for every class: what knowing nothing scores."""

    def predict(jets: Jets) -> dict[str, np.ndarray]:
        n_classes = len(task.classes)
        return {"probability": np.full((len(jets), n_classes), 1.0 / n_classes, np.float32)}

    return predict


def gaussians(task: Tagging, *, file: str, sha256: str) -> Predictor:
    """Quadratic discriminant analysis: one Gaussian per class in nearly normal substructure,
    equal priors."""
    stored = _stored(file, sha256)

    def predict(jets: Jets) -> dict[str, np.ndarray]:
        return {"probability": gaussian_probability(observables(jets, SUBSTRUCTURE), stored)}

    return predict


def boosted_trees(task: Tagging, *, file: str, sha256: str) -> Predictor:
    """Gradient-boosted trees on substructure, evaluated from their arrays; the same numbers
    as scikit-learn's."""
    trees = Trees(_stored(file, sha256))

    def predict(jets: Jets) -> dict[str, np.ndarray]:
        x = observables(jets, SUBSTRUCTURE)
        known = np.isfinite(x).all(axis=1)
        probability = np.full((len(jets), trees.n_classes), np.nan)
        probability[known] = trees.probability(x[known])
        return {"probability": probability}

    return predict


def observables(jets: Jets, names: list[str] | tuple[str, ...]) -> np.ndarray:
    """Properties of whole jets float32 `[jet, name]`; NaN where the jet's scalars are.

    `pt`, `mass` (soft drop), `tau1`..`tau4`, `tau21`, `tau32`, `tau43` (a ratio by zero, a
    jet of too few particles, is 0), `multiplicity`.

    Raises:
        ValueError: the name means none of these.
    """
    return np.stack([_observable(jets.scalars, name) for name in names], axis=1)


def _observable(scalars: Any, name: str) -> np.ndarray:
    plain = {"pt": "jet_pt", "mass": "jet_sdmass", "multiplicity": "jet_nparticles"} | {
        f"tau{n}": f"jet_tau{n}" for n in range(1, 5)
    }
    ratios = {f"tau{n + 1}{n}": (f"jet_tau{n + 1}", f"jet_tau{n}") for n in range(1, 4)}
    if name in plain:
        return np.asarray(scalars[plain[name]], np.float32)
    if name not in ratios:
        raise ValueError(
            f"no observable is called {name!r}; there are {', '.join([*plain, *ratios])}"
        )
    upper, lower = (np.asarray(scalars[branch], np.float32) for branch in ratios[name])
    positive = ~(lower <= 0)  # so that NaN stays NaN
    return np.where(positive, upper / np.where(positive, lower, 1), 0).astype(np.float32)


def near_normal(x: np.ndarray) -> np.ndarray:
    """Substructure made nearly normal for a Gaussian: logarithms of mass (plus 1 GeV), tau1
    and multiplicity; float64."""
    x = np.asarray(x, np.float64).copy()
    columns = {name: SUBSTRUCTURE.index(name) for name in ("mass", "tau1", "multiplicity")}
    x[:, columns["mass"]] = np.log1p(np.maximum(x[:, columns["mass"]], 0))
    x[:, columns["tau1"]] = np.log(np.maximum(x[:, columns["tau1"]], 1e-3))
    x[:, columns["multiplicity"]] = np.log(np.maximum(x[:, columns["multiplicity"]], 1))
    return x


def gaussian_probability(x: np.ndarray, stored: dict[str, np.ndarray]) -> np.ndarray:
    """Posterior `[jet, class]` of Gaussians with `mean` `[class, feature]` and `covariance`
    `[class, feature, feature]`."""
    z = near_normal(x)
    log = np.empty((len(z), len(stored["mean"])))
    for each, (mean, covariance) in enumerate(
        zip(stored["mean"], stored["covariance"], strict=True)
    ):
        factor = np.linalg.cholesky(covariance)
        away = np.linalg.solve(factor, (z - mean).T)
        log[:, each] = -0.5 * (away * away).sum(axis=0) - np.log(np.diag(factor)).sum()
    log -= log.max(axis=1, keepdims=True)
    weight = np.exp(log)
    return weight / weight.sum(axis=1, keepdims=True)


def _stored(file: str, sha256: str) -> dict[str, np.ndarray]:
    """The arrays of a fitted baseline, after a check that they are the ones that the TOML names.

    Raises:
        zoo.files.FileAltered: the file's bytes have another SHA-256.
    """
    from safetensors.numpy import load_file

    path = FOLDER / file
    if not path.is_file():
        raise files.FileMissing(
            f"{path} belongs to the package but is not there; `zoo data build "
            "particle_physics/jet_tagging --step baselines` (quark_gluon for its task) fits it anew"
        )
    if (found := files.sha256(path)) != sha256:
        raise files.FileAltered(
            f"{path} has SHA-256 {found}, the task says {sha256}; `git checkout` it, or fit anew "
            "and write that down"
        )
    return load_file(path)
