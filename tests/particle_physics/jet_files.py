"""Small synthetic ROOT files in JetClass's layout, and the plain reading that every fast one must equal."""

from __future__ import annotations

from pathlib import Path

import awkward as ak
import numpy as np
import uproot

from zoo.particle_physics.jets import JET_BRANCHES, LABELS, PARTICLE_BRANCHES

FLAGS = PARTICLE_BRANCHES[-5:]


def ragged(values: np.ndarray, counts: np.ndarray) -> ak.Array:
    """A jagged array, also of zero jets (where `unflatten` forgets the type)."""
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(offsets), ak.contents.NumpyArray(values)))


def make(jets: int, *, seed: int = 0, most: int = 30, labels=LABELS, only: str | None = None, directions: bool = True) -> dict:
    """Branches by name: pencil-like jets around random axes, hardest particle first; `aux_event` is the truth to be refused."""
    random = np.random.default_rng(seed)
    counts = random.integers(1, most, jets)
    of_jet = np.repeat(np.arange(jets), counts)
    axis_eta, axis_phi = random.uniform(-2, 2, jets), random.uniform(-np.pi, np.pi, jets)
    pt = random.exponential(20, len(of_jet)) + 0.5
    pt = pt[np.lexsort((-pt, of_jet))]
    eta = axis_eta[of_jet] + random.normal(0, 0.1, len(of_jet))
    phi = axis_phi[of_jet] + random.normal(0, 0.1, len(of_jet))
    flat = {name: random.normal(size=len(of_jet)).astype(np.float32) for name in PARTICLE_BRANCHES}
    flat |= {name: random.integers(0, 2, len(of_jet)).astype(np.int32) for name in FLAGS}
    momenta = (pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta))
    flat |= dict(zip(PARTICLE_BRANCHES[:4], (value.astype(np.float32) for value in momenta), strict=True))
    if not directions:
        del flat["part_deta"], flat["part_dphi"]
    content = {name: ragged(values, counts) for name, values in flat.items()}
    content |= {name: random.uniform(1, 2, jets).astype(np.float32) for name in JET_BRANCHES}
    content |= {"jet_eta": axis_eta.astype(np.float32), "jet_phi": axis_phi.astype(np.float32), "jet_nparticles": counts.astype(np.float32)}
    drawn = np.full(jets, labels.index(only)) if only else random.integers(0, len(labels), jets)
    kinds = (np.bool_, np.int32, np.float32)  # JetClass mixes them
    content |= {f"label_{name}": (drawn == index).astype(kinds[index % 3]) for index, name in enumerate(labels)}
    return content | {"aux_event": np.arange(jets)}


def write(path: Path, content: dict, *, basket: int = 100, tree: str = "tree", compression=uproot.LZ4(4)) -> Path:  # noqa: B008
    """A TTree whose baskets hold `basket` jets each."""
    jets = len(next(iter(content.values())))
    with uproot.recreate(path, compression=compression) as file:
        types = {name: value.type.content if isinstance(value, ak.Array) else value.dtype for name, value in content.items()}
        written = file.mktree(tree, types)
        for begin in range(0, jets, basket):
            written.extend({name: value[begin : begin + basket] for name, value in content.items()})
    return path


def write_ntuple(path: Path, content: dict, *, cluster: int = 100) -> Path:
    """The same as an RNTuple."""
    with uproot.recreate(path) as file:
        written = file.mkrntuple("tree", {name: value[:cluster] for name, value in content.items()})
        for begin in range(cluster, len(content["jet_pt"]), cluster):
            written.extend({name: value[begin : begin + cluster] for name, value in content.items()})
    return path


def padded(values: ak.Array, particles: int) -> np.ndarray:
    """The plain way: `pad_none`, `fill_none`."""
    return np.asarray(ak.fill_none(ak.pad_none(values, particles, clip=True), 0)).astype(np.float32)
