"""The field's other formats give the same jets as the ROOT reader would; files with other
bytes than their card's are refused."""

from __future__ import annotations

import hashlib
import pickle

import h5py
import jet_files
import numpy as np
import pytest

from zoo import files, registry
from zoo.cards import DatasetCard, DownloadCard, parse
from zoo.particle_physics.data.jets import DIRECTION, IDENTITY, LABELS, MOMENTUM, QUARK_GLUON_LABELS
from zoo.particle_physics.data.public_sets import (
    TOP_LABELS,
    hdf5_columns,
    read_jetclass,
    read_quark_gluon,
    read_top_landscape,
)
from zoo.particle_physics.data.root import JetFileError

SLOTS = 200


def top_arrays(jets: int = 17) -> tuple[np.ndarray, np.ndarray]:
    """Constituents [jet, slot, (E, px, py, pz)] in falling pT with zeros behind, and labels."""
    random = np.random.default_rng(5)
    pt = -np.sort(-random.exponential(20, (jets, SLOTS)), axis=1)
    eta, phi = 0.8 + random.normal(0, 0.2, (2, jets, SLOTS))
    vectors = np.stack(
        [pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], -1
    ).astype(np.float32)
    vectors[np.arange(SLOTS) >= random.integers(3, 90, jets)[:, None]] = 0
    return vectors, random.integers(0, 2, jets)


def write_frame(path, vectors, label, *, protocol=0):
    """What `DataFrame.to_hdf(path, key="table", format="table")` leaves: a compound table,
    names of columns pickled in attributes."""
    jets = len(label)
    names = [f"{axis}_{i}" for i in range(SLOTS) for axis in ("E", "PX", "PY", "PZ")] + [
        "truthE",
        "truthPX",
        "truthPY",
        "truthPZ",
    ]
    block = np.concatenate([vectors.reshape(jets, -1), np.zeros((jets, 4), np.float32)], 1)
    rows = np.zeros(
        jets,
        [
            ("index", "<i8"),
            ("values_block_0", "<f4", (len(names),)),
            ("values_block_1", "<i8", (2,)),
        ],
    )
    rows["index"], rows["values_block_0"], rows["values_block_1"] = (
        np.arange(jets),
        block,
        np.stack([np.zeros(jets), label], -1),
    )
    with h5py.File(path, "w") as file:
        table = file.create_group("table").create_dataset("table", data=rows)
        table.attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(names, protocol))
        table.attrs["values_block_1_kind"] = np.bytes_(
            pickle.dumps(["ttv", "is_signal_new"], protocol)
        )


def test_the_original_top_landscape_is_read_to_its_last_jet(tmp_path):
    vectors, label = top_arrays()
    write_frame(tmp_path / "test.h5", vectors, label)
    jets = read_top_landscape(tmp_path / "test.h5", max_particles=50)
    assert jets.classes == TOP_LABELS and np.array_equal(jets.label, label) and len(jets) == 17
    for name, index in zip(MOMENTUM, (1, 2, 3, 0), strict=True):
        assert np.array_equal(jets.column(name), vectors[:, :50, index])
    total = vectors.astype(np.float64).sum(1)
    assert np.allclose(jets.scalars["jet_pt"], np.hypot(total[:, 1], total[:, 2])) and np.allclose(
        jets.scalars["jet_energy"], total[:, 0]
    )
    assert np.array_equal(jets.scalars["jet_nparticles"], (vectors[..., 0] > 0).sum(1))
    assert np.abs(jets.column("part_deta")).max() < 1.5 and jets.column("part_deta").std() > 0.05
    part = read_top_landscape(tmp_path / "test.h5", max_particles=50, start=3, stop=9)
    assert np.array_equal(part.particles, jets.particles[3:9])


@pytest.mark.optional
def test_a_frame_that_pandas_wrote_is_read_without_pandas(tmp_path):
    import pandas

    pytest.importorskip("tables", reason="needs PyTables to write the file as pandas does")
    vectors, label = top_arrays()
    names = [f"{axis}_{i}" for i in range(SLOTS) for axis in ("E", "PX", "PY", "PZ")]
    frame = pandas.DataFrame(vectors.reshape(len(label), -1), columns=names).assign(
        ttv=0, is_signal_new=label
    )
    frame.to_hdf(tmp_path / "pandas.h5", key="table", format="table")
    jets = read_top_landscape(tmp_path / "pandas.h5")
    assert np.array_equal(jets.label, label) and np.array_equal(
        jets.column("part_px"), vectors[:, :128, 1]
    )


def test_names_are_read_from_a_pickle_that_is_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'sprung')!r}, 'w')",))

    write_frame(tmp_path / "trap.h5", *top_arrays())
    with h5py.File(tmp_path / "trap.h5", "r+") as file:
        file["table/table"].attrs["values_block_1_kind"] = np.bytes_(
            pickle.dumps(["ttv", "is_signal_new", Trap()], 0)
        )
    assert (
        "is_signal_new" in hdf5_columns(str(tmp_path / "trap.h5"), ["is_signal_new"])
        and not (tmp_path / "sprung").exists()
    )


def test_original_and_parquet_copy_are_the_same_jets(tmp_path):
    import pyarrow as arrow

    vectors, label = top_arrays()
    write_frame(tmp_path / "test.h5", vectors, label)
    original = read_top_landscape(tmp_path / "test.h5")
    counts = original.scalars["jet_nparticles"].astype(int)
    offsets = arrow.array(np.concatenate([[0], np.cumsum(counts)]), arrow.int32())
    content = {
        name: arrow.ListArray.from_arrays(
            offsets, arrow.array(original.column(name)[original.mask])
        )
        for name in original.columns
    }
    content |= {name: arrow.array(value) for name, value in original.scalars.items()} | {
        "label": arrow.array(label)
    }
    import pyarrow.parquet

    pyarrow.parquet.write_table(arrow.table(content), tmp_path / "test_file.parquet")
    copy = read_top_landscape(tmp_path / "test_file.parquet")
    assert copy.particles.tobytes() == original.particles.tobytes() and np.array_equal(
        copy.label, original.label
    )
    assert np.array_equal(read_top_landscape(tmp_path).mask, original.mask), (
        "a folder's Parquet files come before its HDF5 files"
    )
    (tmp_path / "test_file.parquet").write_bytes(
        (tmp_path / "test_file.parquet").read_bytes()[:-50]
    )
    with pytest.raises(JetFileError, match=r"cannot be read as Parquet.*damaged or truncated"):
        read_top_landscape(tmp_path / "test_file.parquet")


def write_npz(path, pdg):
    x = np.zeros((2, 6, 4))
    x[0, :4] = [
        [5.0, 0.1, 1.0, pdg[0]],
        [200.0, 0.2, 1.1, pdg[1]],
        [50.0, 0.3, 1.2, pdg[2]],
        [1.0, -0.1, 0.9, pdg[3]],
    ]
    x[1, :1] = [[500.0, -1.5, 6.2, pdg[0]]]
    np.savez(path, X=x, y=np.array([1.0, 0.0]))


def test_quark_gluon_particles_are_sorted_and_identified(tmp_path):
    write_npz(tmp_path / "QG_jets.npz", (22, -211, 130, -11))
    jets = read_quark_gluon(tmp_path, max_particles=5)
    assert (
        jets.classes == QUARK_GLUON_LABELS
        and jets.label.tolist() == [1, 0]
        and jets.mask.sum(1).tolist() == [4, 1]
    )
    assert np.allclose(
        np.hypot(jets.column("part_px"), jets.column("part_py"))[0], [200, 50, 5, 1, 0]
    )
    identity = np.stack([jets.column(name)[0] for name in IDENTITY], -1)
    # charge, charged hadron, neutral hadron, photon, electron, muon of pi-, K0L, photon, positron
    assert identity[:4].tolist() == [
        [-1, 1, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 0],
        [1, 0, 0, 0, 1, 0],
    ]
    assert np.allclose(jets.scalars["jet_pt"][1], 500) and np.allclose(
        jets.scalars["jet_eta"][1], -1.5
    )
    assert np.allclose(
        jets.particles[1, 0, [jets.columns.index(name) for name in DIRECTION]], 0, atol=1e-6
    )


def test_what_a_set_does_not_have_is_refused_by_name(tmp_path):
    write_npz(tmp_path / "QG_jets.npz", (22, -211, 999, -11))
    with pytest.raises(JetFileError, match="PDG id 999"):
        read_quark_gluon(tmp_path / "QG_jets.npz")
    with pytest.raises(JetFileError, match="the quark/gluon set has no part_d0val; it has part_px"):
        read_quark_gluon(tmp_path / "QG_jets.npz", columns=["part_px", "part_d0val"])
    with pytest.raises(JetFileError, match=r"no kind that this reader knows: \.parquet, \.h5"):
        read_top_landscape(tmp_path / "QG_jets.npz")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(JetFileError, match=r"lacks 2 of the branches: X, y. It has x"):
        read_quark_gluon(tmp_path / "other.npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "QG_jets.npz").read_bytes()[:100])
    with pytest.raises(JetFileError, match=r"cut\.npz cannot be read as npz"):
        read_quark_gluon(tmp_path / "cut.npz")
    (tmp_path / "cut.h5").write_bytes(b"\x89HDF\r\n\x1a\nhalf a file")
    with pytest.raises(JetFileError, match=r"cut\.h5 cannot be read as HDF5"):
        read_top_landscape(tmp_path / "cut.h5")


def test_a_jetclass_folder_is_told_apart_by_labels_not_by_names(tmp_path):
    for index, name in enumerate(LABELS):
        jet_files.write(
            tmp_path / f"process_{index:03d}.root", jet_files.make(12, seed=index, only=name)
        )
    jets = read_jetclass(tmp_path, per_file=5, max_particles=4, every_class=True)
    assert jets.label.tolist() == [index for index in range(10) for _ in range(5)]
    (tmp_path / "process_009.root").unlink()
    with pytest.raises(JetFileError, match="no jet of class Tbl in"):
        read_jetclass(tmp_path, per_file=5, max_particles=4, every_class=True)


def test_an_archive_with_another_md5_stops_the_reading_of_its_folder(tmp_path):
    card = registry.dataset("particle_physics/jetclass")
    jet_files.write(tmp_path / "HToBB_000.root", jet_files.make(12, only="Hbb"))
    assert len(read_jetclass(tmp_path, card=card, max_particles=4)) == 12
    (tmp_path / "JetClass_Pythia_val_5M.tar").write_bytes(b"half a download")
    found = hashlib.md5(b"half a download").hexdigest()
    with pytest.raises(
        files.FileAltered,
        match=rf"val_5M.tar was altered.*MD5 {found}, .* says {card.download[0].md5}; delete it",
    ):
        read_jetclass(tmp_path, card=card, max_particles=4)


def test_downloads_are_checked_by_the_hash_that_their_card_has(tmp_path):
    content = b"jets"
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.tar").write_bytes(content)
    base = {
        "name": "a.tar",
        "urls": ["https://example.org/a.tar"],
        "licence": "CC0-1.0",
        "role": "test",
    }
    card = registry.dataset("particle_physics/jetclass")
    for kind in ("md5", "sha256"):
        digest = hashlib.new(kind, content).hexdigest()
        right, wrong = (
            card.model_copy(update={"download": [DownloadCard(**base, **{kind: each})]})
            for each in (digest, digest[::-1])
        )
        assert files.verify_downloads(tmp_path, right) == [tmp_path / "below" / "a.tar"]
        with pytest.raises(files.FileAltered, match=kind.upper()):
            files.verify_downloads(tmp_path, wrong)
    with pytest.raises(ValueError, match="neither sha256 nor md5: nothing could be checked"):
        parse(card.model_dump(mode="json") | {"download": [base]}, DatasetCard, where="card")
