"""Point clouds: packed far below a detector's resolution, read from ROOT files, split so that
samples share no jet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_up_clouds import write_products

from zoo.particle_physics.generation import build
from zoo.particle_physics.generation.data import CLASSES, load_dataset, pack, read_root, unpack


def test_packing_keeps_angles_and_momenta_far_below_a_detectors_resolution():
    rng = np.random.default_rng(0)
    particles = np.concatenate(
        [rng.normal(0, 0.2, (50, 30, 2)), 10 ** rng.uniform(-4, 0, (50, 30, 1))], -1
    ).astype(np.float32)
    mask = np.arange(30) < rng.integers(1, 31, 50)[:, None]
    back = unpack(pack(particles, mask), mask)
    assert np.abs(back - particles)[mask][:, :2].max() < 1.3e-4
    assert np.abs(back / particles - 1)[mask][:, 2].max() < 1.4e-3
    assert (back[~mask] == 0).all()
    np.testing.assert_array_equal(unpack(pack(back, mask), mask), back)


def write_root(
    path: Path, n: int, *, seed: int = 0, leave_out: str = "", counts: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """A file of the JetClass layout with jets near azimuth π, so that phi must be wrapped."""
    import awkward as ak
    import uproot

    rng = np.random.default_rng(seed)
    counts = rng.integers(20, 60, n) if counts is None else counts
    eta, phi = rng.normal(0, 0.8, n), np.where(rng.random(n) < 0.5, 3.13, -3.13)
    jet = np.repeat(np.arange(n), counts)
    pt = (
        np.concatenate([-np.sort(-rng.gamma(0.5, 20, count)) + 0.5 for count in counts])
        if n
        else np.zeros(0)
    )
    p_eta, p_phi = eta[jet] + rng.normal(0, 0.2, len(jet)), phi[jet] + rng.normal(0, 0.2, len(jet))
    px, py, pz = pt * np.cos(p_phi), pt * np.sin(p_phi), pt * np.sinh(p_eta)
    total = np.bincount(jet, pt, minlength=n)
    flat = {"part_px": px, "part_py": py, "part_pz": pz}
    columns = {name: ak.unflatten(value.astype(np.float32), counts) for name, value in flat.items()}
    columns |= {
        "jet_pt": total,
        "jet_eta": eta,
        "jet_phi": phi,
        "jet_energy": 1.01 * total * np.cosh(eta),
    }
    columns["jet_nparticles"] = counts.astype(float)
    columns.pop(leave_out, None)
    with uproot.recreate(path) as file:
        file.mktree(
            "tree",
            {name: "var * float32" if name.startswith("part") else "float64" for name in columns},
        )
        file["tree"].extend(columns)
    return {
        "counts": counts,
        "phi": p_phi - phi[jet],
        "eta": p_eta - eta[jet],
        "pt": pt / total[jet],
        "jet": jet,
    }


def test_a_root_file_becomes_point_clouds(tmp_path):
    truth = write_root(tmp_path / "gluon-0.root", 40)
    jets = read_root(tmp_path / "gluon-0.root", 0)
    np.testing.assert_array_equal(jets.count, np.minimum(truth["counts"], 30))
    for i in (0, 17, 39):
        mine = np.flatnonzero(truth["jet"] == i)[:30]
        expected = np.stack([truth["eta"][mine], truth["phi"][mine], truth["pt"][mine]], -1)
        np.testing.assert_allclose(jets.particles[i][: len(mine)], expected, atol=2e-4)
    assert (jets.conditions[:, 1] > 0).all() and jets.label.max() == 0


def test_samples_share_no_jet_and_names_of_files_say_the_class(tmp_path):
    for kind, name in zip(CLASSES, ("train-dijet_gluon", "quark", "train-Tbqq"), strict=True):
        for chunk in (10, 2):
            write_root(tmp_path / f"{name}-{chunk}.root", 300, seed=chunk + CLASSES.index(kind))
    files = build.find_files([tmp_path], "gluon")
    assert [path.name for path in files] == [
        "train-dijet_gluon-2.root",
        "train-dijet_gluon-10.root",
    ]
    parts = build.split(files, 0, sizes=(150, 100, 50))
    assert [len(parts[name]) for name in ("reference", "floor", "train", "validation")] == [
        150,
        100,
        249,
        50,
    ]
    seen = [tuple(jet.ravel()) for part in parts.values() for jet in part.codes]
    assert len(seen) == len(set(seen))
    sizes = build.write_products([tmp_path], tmp_path / "out", sizes=(150, 100, 50))
    assert sizes == {"reference": 450, "floor": 300, "train": 747, "validation": 150}
    first = (tmp_path / "out/test.zarr.zip").read_bytes()
    build.write_products([tmp_path], tmp_path / "again", sizes=(150, 100, 50))
    assert (tmp_path / "again/test.zarr.zip").read_bytes() == first


def test_bad_files_are_refused_by_name(tmp_path):
    import uproot

    write_root(tmp_path / "quark-0.root", 20, leave_out="jet_energy")
    with pytest.raises(ValueError, match="lacks the branches jet_energy"):
        read_root(tmp_path / "quark-0.root", 1)
    write_root(tmp_path / "quark-1.root", 3, counts=np.array([25, 0, 25]))
    with pytest.raises(ValueError, match="1 of them without a particle"):
        read_root(tmp_path / "quark-1.root", 1)
    with uproot.recreate(tmp_path / "quark-2.root") as file:
        file.mktree("jets", {"x": "float32"})
    with pytest.raises(ValueError, match="no tree 'tree'"):
        read_root(tmp_path / "quark-2.root", 1)
    with pytest.raises(FileNotFoundError, match="no files of top jets"):
        build.find_files([tmp_path], "top")
    with pytest.raises(ValueError, match="one file for the test"):
        build.split([tmp_path / "quark-0.root"], 1)


def test_samples_that_are_not_carried_need_a_folder(tmp_path):
    folder = write_products(tmp_path)
    assert len(load_dataset(split="validation", folder=folder)) == 180
    with pytest.raises(ValueError, match="not carried"):
        load_dataset(split="train")
    with pytest.raises(ValueError, match="'test' is not known"):
        load_dataset(split="test")
