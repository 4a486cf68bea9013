"""Jets as point clouds of their 30 hardest particles, as JetNet has them (Kansal et al.
2021, arXiv:2106.11535), packed into 16 bits.

A particle is (etarel, phirel, ptrel): pseudorapidity and azimuth relative to the jet's,
transverse momentum over the jet's. Angles are kept to 2^-12 rad, momenta to 2^-1/256 of
their value: far below what a detector resolves. Generated jets are rounded alike before
they are scored, so that nothing can tell them from true ones by their digits. `build` makes
the files.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from zoo.particle_physics.models.point_clouds import MAX_ANGLE, PARTICLES
from zoo.scoring import record

CLASSES = ("gluon", "quark", "top")
ANGLE_STEPS, OCTAVE_STEPS = 4096, 256
"""Steps per rad, and per factor two of a momentum."""
MAX_OCTAVES = 24.0
"""Momenta below 2^-24 of the jet's are clipped, as angles are beyond `MAX_ANGLE`."""
CONDITIONS = ("jet_pt", "jet_mass", "jet_nparticles")
"""Of the whole jet: GeV, GeV, and the number of all its particles."""


@dataclasses.dataclass(frozen=True)
class PointClouds:
    """Jets, packed.

    Attributes:
        codes: int16 `[jet, particle, 3]`, `pack`ed; zero where there is no particle. Hardest first.
        count: uint8 `[jet]`, particles that there are, up to 30.
        label: int8 `[jet]`, index into `CLASSES`.
        conditions: float32 `[jet, 3]`, `CONDITIONS`.
    """

    codes: np.ndarray
    count: np.ndarray
    label: np.ndarray
    conditions: np.ndarray

    def __len__(self) -> int:
        return len(self.count)

    def __getitem__(self, chosen: slice | np.ndarray) -> PointClouds:
        return PointClouds(
            self.codes[chosen], self.count[chosen], self.label[chosen], self.conditions[chosen]
        )

    @property
    def mask(self) -> np.ndarray:
        """Bool `[jet, particle]`: where there is a particle."""
        return np.arange(self.codes.shape[1]) < self.count[:, None]

    @property
    def particles(self) -> np.ndarray:
        """Float32 `[jet, particle, 3]`: etarel, phirel (rad), ptrel; zero where there is none."""
        return unpack(self.codes, self.mask)

    def arrays(self, prefix: str = "") -> dict[str, np.ndarray]:
        """The columns one by one, which compress better apart."""
        columns = {name: self.codes[..., i] for i, name in enumerate(("eta", "phi", "pt"))}
        columns |= {"count": self.count, "label": self.label, "conditions": self.conditions}
        return {prefix + name: value for name, value in columns.items()}


def from_arrays(arrays: Mapping[str, np.ndarray], prefix: str = "") -> PointClouds:
    """The point clouds that `PointClouds.arrays` took apart.

    Raises:
        KeyError: an array is missing; names it.
    """
    missing = [
        name
        for name in ("eta", "phi", "pt", "count", "label", "conditions")
        if prefix + name not in arrays
    ]
    if missing:
        raise KeyError(
            f"the file has no array {prefix + missing[0]!r}; it has {', '.join(sorted(arrays))}"
        )
    codes = np.stack([arrays[prefix + name] for name in ("eta", "phi", "pt")], -1)
    return PointClouds(
        codes, arrays[prefix + "count"], arrays[prefix + "label"], arrays[prefix + "conditions"]
    )


def join(parts: Sequence[PointClouds]) -> PointClouds:
    """Jets of several, one after another."""
    return PointClouds(
        *(
            np.concatenate([getattr(part, field.name) for part in parts])
            for field in dataclasses.fields(PointClouds)
        )
    )


def pack(particles: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Codes int16 `[jet, particle, 3]` of float particles of the same shape; zero where
    `mask` is False."""
    angles = np.rint(np.clip(particles[..., :2], -MAX_ANGLE, MAX_ANGLE) * ANGLE_STEPS)
    octaves = -np.log2(np.maximum(particles[..., 2:], 2.0**-MAX_OCTAVES))
    momenta = np.rint(np.clip(octaves, -MAX_OCTAVES, MAX_OCTAVES) * OCTAVE_STEPS)
    return np.where(mask[..., None], np.concatenate([angles, momenta], -1), 0).astype(np.int16)


def unpack(codes: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The float32 particles of codes; zero where `mask` is False."""
    angles = codes[..., :2].astype(np.float32) / ANGLE_STEPS
    momenta = np.exp2(-codes[..., 2:].astype(np.float32) / OCTAVE_STEPS)
    return np.where(mask[..., None], np.concatenate([angles, momenta], -1), np.float32(0.0))


def read_root(path: str | Path, label: int, *, particles: int = PARTICLES) -> PointClouds:
    """The jets of one ROOT file of the JetClass layout.

    Raises:
        ValueError: branches are missing, a jet has no particle, or a value is not finite;
            says which.
    """
    import awkward as ak
    import uproot

    names = (
        "part_px",
        "part_py",
        "part_pz",
        "jet_pt",
        "jet_eta",
        "jet_phi",
        "jet_energy",
        "jet_nparticles",
    )
    with uproot.open(path) as file:
        if "tree" not in {key.split(";")[0] for key in file.keys()}:  # noqa: SIM118  (a ROOT folder is no mapping)
            raise ValueError(
                f"{path} has no tree 'tree'; it has {', '.join(file.keys()) or 'nothing'}"
            )
        missing = [name for name in names if name not in file["tree"].keys()]  # noqa: SIM118
        if missing:
            raise ValueError(
                f"{path} lacks the branches {', '.join(missing)} of the JetClass layout"
            )
        tree = file["tree"].arrays(names)
    counts = ak.to_numpy(ak.num(tree["part_px"])).astype(np.int64)
    if len(counts) == 0 or counts.min() == 0:
        raise ValueError(
            f"{path} has {len(counts)} jets, {int((counts == 0).sum())} of them without a particle"
        )
    start, kept = np.concatenate([[0], np.cumsum(counts)[:-1]]), np.minimum(counts, particles)
    mask = np.arange(particles) < kept[:, None]
    place = np.where(mask, start[:, None] + np.arange(particles), 0)
    px, py, pz = (
        ak.to_numpy(ak.flatten(tree[name])).astype(np.float64)[place] for name in names[:3]
    )
    pt, eta, phi, energy = (ak.to_numpy(tree[name]).astype(np.float64) for name in names[3:7])
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.hypot(px, py)
        dphi = np.mod(np.arctan2(py, px) - phi[:, None] + np.pi, 2.0 * np.pi) - np.pi
        values = np.stack([np.arcsinh(pz / own) - eta[:, None], dphi, own / pt[:, None]], -1)
    mass = np.sqrt(np.maximum(energy**2 - (pt * np.cosh(eta)) ** 2, 0.0))
    conditions = np.stack([pt, mass, ak.to_numpy(tree["jet_nparticles"])], -1).astype(np.float32)
    if not (np.isfinite(values[mask]).all() and np.isfinite(conditions).all()):
        raise ValueError(f"{path} holds values that are not finite")
    codes = pack(np.where(mask[..., None], values, 0.0), mask)
    return PointClouds(codes, kept.astype(np.uint8), np.full(len(pt), label, np.int8), conditions)


def load_dataset(*, split: str = "reference", folder: str | Path | None = None) -> PointClouds:
    """One sample: "reference" or "floor", which the package carries; or "validation" or
    "train" of a folder of `write_products`.

    Raises:
        ValueError: an unknown split, or one that is not carried and no folder.
    """
    from zoo import files, registry

    if split in ("reference", "floor"):
        card = registry.dataset("particle_physics/jet_generation")
        wanted = next(file for file in card.file if file.name == "test.zarr.zip")
        return from_arrays(
            record.read(files.get(wanted, folder=registry.dataset_folder(card))), f"{split}_"
        )
    if split not in ("validation", "train"):
        raise ValueError(
            f"split {split!r} is not known; there are reference, floor, validation, train"
        )
    if folder is None:
        raise ValueError(
            f"the {split} jets are not carried: say folder=..., as `zoo data build "
            "particle_physics/jet_generation --step products` wrote it"
        )
    return from_arrays(record.read(Path(folder) / f"{split}.zarr.zip"))
