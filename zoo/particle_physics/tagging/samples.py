"""From jets to the examples of a tagging task: classes selected, shifted samples added, ids
given."""

from __future__ import annotations

import dataclasses

import numpy as np

from zoo.interfaces.task import Examples
from zoo.particle_physics.data.jets import MOMENTUM, Jets, concatenate

SAMPLES = ("nominal", "mpi_off", "smeared")
"""What `Truth.sample` counts."""


@dataclasses.dataclass(frozen=True)
class Truth:
    """What only the task sees.

    Attributes:
        label: int8 `[jet]`, index into the task's classes.
        sample: int8 `[jet]`, index into `SAMPLES`.
    """

    label: np.ndarray
    sample: np.ndarray


def select(jets: Jets, classes: tuple[str, ...], *, absent_ok: bool = False) -> Jets:
    """The jets of some classes, labelled by their place in `classes`.

    Raises:
        ValueError: a class has no jets (unless `absent_ok`); names it and the classes that
            are there.
    """
    place = np.full(len(jets.classes) + 1, -1, np.int8)  # the last is for label -1
    for number, name in enumerate(classes):
        place[jets.classes.index(name)] = number
    label = place[jets.label]
    absent = [name for number, name in enumerate(classes) if not (label == number).any()]
    if absent and not absent_ok:
        present = [name for number, name in enumerate(jets.classes) if (jets.label == number).any()]
        raise ValueError(
            f"no jets of class {', '.join(absent)}; the files hold "
            f"{', '.join(present) or 'no labelled jets'}"
        )
    if absent and len(absent) == len(classes):
        raise ValueError(f"no jets of any of {', '.join(classes)}")
    kept = label >= 0
    chosen = jets if kept.all() else jets[kept]
    return dataclasses.replace(chosen, label=label[kept], classes=tuple(classes))


def assemble(parts: list[Jets], samples: list[int]) -> Examples:
    """Examples of several samples; ids are `QCD:000123` (the class's 124th jet) and, for
    the shifted, `mpi_off/QCD:000123`."""
    ids = []
    for part, number in zip(parts, samples, strict=True):
        prefix = f"{SAMPLES[number]}/" if number else ""
        seen = [0] * len(part.classes)
        for label in part.label.tolist():
            ids.append(f"{prefix}{part.classes[label]}:{seen[label]:06d}")
            seen[label] += 1
    jets = concatenate(parts) if len(parts) > 1 else parts[0]
    sample = np.repeat(np.array(samples, np.int8), [len(part) for part in parts])
    hidden = dataclasses.replace(jets, label=np.full(len(jets), -1, np.int8))
    return Examples(tuple(ids), hidden, Truth(jets.label.astype(np.int8), sample))


def first_of_each(label: np.ndarray, count: int) -> np.ndarray:
    """Indices, in order, of the first `count` jets of each class."""
    return np.sort(
        np.concatenate([np.flatnonzero(label == each)[:count] for each in np.unique(label)])
    )


def smear(jets: Jets, *, seed: int, width: float = 0.05) -> Jets:
    """The same jets with every constituent's four-momentum scaled by its own factor 1 +
    N(0, width), sorted again by pT.

    Directions and the jet's axis stay; jet_pt and jet_energy follow the sum of the
    constituents. The soft-drop mass and N-subjettiness would need a new clustering: they
    are NaN, so a predictor that uses them has a gap rather than a robustness that was never
    tested.
    """
    rng = np.random.default_rng(seed)
    factor = np.maximum(1.0 + width * rng.standard_normal(jets.mask.shape), 0.05).astype(np.float32)
    momentum = [jets.columns.index(name) for name in MOMENTUM]
    particles = jets.particles.copy()
    particles[..., momentum] *= factor[..., None]
    pt = np.where(
        jets.mask, np.hypot(particles[..., momentum[0]], particles[..., momentum[1]]), -1.0
    )
    order = np.argsort(-pt, axis=1, kind="stable")
    particles = np.take_along_axis(particles, order[..., None], axis=1)
    scalars = {name: np.array(value) for name, value in jets.scalars.items()}
    before = jets.particles[..., momentum].sum(axis=1, dtype=np.float64)
    after = particles[..., momentum].sum(axis=1, dtype=np.float64)
    scalars["jet_pt"] = (
        scalars["jet_pt"]
        * np.hypot(after[:, 0], after[:, 1])
        / np.hypot(before[:, 0], before[:, 1])
    ).astype(np.float32)
    scalars["jet_energy"] = (scalars["jet_energy"] * after[:, 3] / before[:, 3]).astype(np.float32)
    for name in scalars.keys() & {"jet_sdmass", "jet_tau1", "jet_tau2", "jet_tau3", "jet_tau4"}:
        scalars[name] = np.full(len(jets), np.nan, np.float32)
    return dataclasses.replace(
        jets,
        particles=particles,
        mask=np.take_along_axis(jets.mask, order, axis=1),
        scalars=scalars,
    )
