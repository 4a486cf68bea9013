"""Jets come out of ROOT files as they were put in, by whichever road; what is wrong with a
file is said in words."""

from __future__ import annotations

import awkward as ak
import jet_files
import numpy as np
import pytest
import uproot

from zoo.particle_physics.data import padding
from zoo.particle_physics.data.jets import (
    JET_BRANCHES,
    LABELS,
    MOMENTUM,
    PARTICLE_BRANCHES,
    QUARK_GLUON_LABELS,
)
from zoo.particle_physics.data.read import Selection, read_branches, read_jets, read_range
from zoo.particle_physics.data.root import JetFileError, Tree, resolve

ENGINES = ["numpy", "numba"]
CONTENT = jet_files.make(537)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return jet_files.write(tmp_path_factory.mktemp("jets") / "mixed_000.root", CONTENT)


def equal(jets, other) -> bool:
    return (
        jets.columns == other.columns
        and np.array_equal(jets.particles, other.particles)
        and np.array_equal(jets.mask, other.mask)
        and np.array_equal(jets.label, other.label)
        and all(np.array_equal(jets.scalars[k], other.scalars[k]) for k in other.scalars)
    )


# ------------------------------------------------------------------------------------- what is read


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("particles", [1, 12, 64])
def test_every_number_is_where_pad_none_puts_it(path, engine, particles):
    jets = read_jets(path, max_particles=particles, engine=engine)
    assert (
        jets.particles.dtype == np.float32
        and jets.particles.shape == (537, particles, 16)
        and len(jets) == 537
    )
    for name in PARTICLE_BRANCHES:
        assert np.array_equal(jets.column(name), jet_files.padded(CONTENT[name], particles)), name
    assert np.array_equal(jets.mask.sum(1), np.minimum(ak.num(CONTENT["part_px"]), particles))
    assert (jets.particles[~jets.mask] == 0).all()
    for name in JET_BRANCHES:
        assert np.array_equal(jets.scalars[name], CONTENT[name])
    assert all(
        np.array_equal(CONTENT[f"label_{name}"].astype(bool), jets.label == i)
        for i, name in enumerate(LABELS)
    )


@pytest.mark.parametrize(
    "compression",
    [uproot.LZ4(4), uproot.ZSTD(5), uproot.ZLIB(1), None],
    ids=["lz4", "zstd", "zlib", "none"],
)
def test_the_engines_are_bit_equal(tmp_path, compression):
    path = jet_files.write(
        tmp_path / "jets.root",
        jet_files.make(300, seed=1, directions=False),
        compression=compression,
    )
    a, b = (read_jets(path, max_particles=20, engine=engine) for engine in ("numba", "numpy"))
    assert a.particles.tobytes() == b.particles.tobytes() and equal(a, b)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("header", [0, 10])
@pytest.mark.parametrize("dtype", [">f4", "<f4", ">f8", ">i4", ">i2", "?"])
def test_bytes_of_any_type_with_or_without_a_vector_header_are_padded_alike(engine, header, dtype):
    random, dtype = np.random.default_rng(0), np.dtype(dtype)
    counts = np.array([3, 0, 7, 1])
    numbers = [
        random.integers(0, 2 if dtype.kind == "b" else 1000, n).astype(dtype) for n in counts
    ]
    raw = np.frombuffer(b"".join(b"\xff" * header + each.tobytes() for each in numbers), np.uint8)
    edges = np.concatenate([[0], np.cumsum(counts * dtype.itemsize + header)])
    branch = padding.Ragged(raw, edges, header, dtype)
    out = np.full((1, 4, 5), np.nan, np.float32)
    assert padding.pad([branch], out, engine=engine) is None
    expected = [np.pad(each[:5].astype(np.float32), (0, max(5 - len(each), 0))) for each in numbers]
    assert np.array_equal(out[0], expected) and branch.counts.tolist() == counts.tolist()


@pytest.mark.parametrize("engine", ENGINES)
def test_baskets_that_do_not_meet_between_branches_are_put_together(tmp_path, engine, monkeypatch):
    """Branches of one file are given baskets of different lengths by reading them from
    files that were written differently."""
    first, second = (jet_files.write(tmp_path / f"{n}.root", CONTENT, basket=n) for n in (100, 37))
    monkeypatch.setattr("zoo.particle_physics.data.read.JETS_AT_ONCE", 80)
    with Tree(str(first)) as a, Tree(str(second)) as b:
        for name in PARTICLE_BRANCHES[1::2]:
            a._branches[name] = b._branches[name]
        # Each branch's bytes must come from its own file.
        monkeypatch.setattr(
            a,
            "_baskets",
            lambda names, start, stop: {
                name: [
                    (n, a._branches[name].basket(n))
                    for n, _ in a._branches[name].entries_to_ranges_or_baskets(start, stop)
                ]
                for name in names
            },
        )
        selection = Selection(max_particles=30, engine=engine).settled(a.branches, a.path)
        parts = [
            read_range(a, *part, selection, engine=engine)
            for part in a.ranges(selection.needed(a.branches), jets=80)
        ]
        assert sum(map(len, parts)) == 537
        for name in PARTICLE_BRANCHES:
            assert np.array_equal(
                np.concatenate([part.column(name) for part in parts]),
                jet_files.padded(CONTENT[name], 30),
            ), name


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 1), (99, 101), (150, 480), (536, None), (None, 7), (400, 9999)]
)
def test_a_range_is_the_same_as_cutting_the_whole(path, start, stop):
    whole = read_jets(path, max_particles=8)
    assert equal(read_jets(path, max_particles=8, start=start, stop=stop), whole[start or 0 : stop])


def test_threads_change_nothing(path, monkeypatch):
    whole = read_jets(path, max_particles=8)
    monkeypatch.setattr("zoo.particle_physics.data.read.JETS_AT_ONCE", 90)
    assert equal(read_jets(path, max_particles=8, threads=3), whole)


def test_an_rntuple_is_read_like_a_ttree(tmp_path, path):
    ntuple = jet_files.write_ntuple(tmp_path / "n.root", CONTENT)
    assert equal(read_jets(ntuple, max_particles=25), read_jets(path, max_particles=25))
    assert equal(
        read_jets(ntuple, max_particles=25, start=90, stop=210),
        read_jets(path, max_particles=25, start=90, stop=210),
    )


def test_folder_list_and_glob_are_read_in_the_order_of_their_numbers(tmp_path):
    parts = [jet_files.make(20, seed=i) for i in range(11)]
    paths = [jet_files.write(tmp_path / f"a_{i}.root", part) for i, part in enumerate(parts)]
    expected = np.concatenate([part["jet_pt"] for part in parts])
    for given in (
        tmp_path,
        str(tmp_path / "*.root"),
        paths,
        [str(tmp_path / "a_?.root"), paths[10]],
    ):
        assert np.array_equal(read_jets(given, max_particles=2).scalars["jet_pt"], expected)
    assert np.array_equal(
        read_jets(tmp_path, max_particles=2, start=15, stop=65).scalars["jet_pt"], expected[15:65]
    )


def test_a_file_behind_an_address_is_read_through_fsspec(path):
    import fsspec

    with fsspec.open("memory://jets/mixed.root", "wb") as file:
        file.write(path.read_bytes())
    assert equal(
        read_jets("memory://jets/mixed.root", max_particles=9), read_jets(path, max_particles=9)
    )


def test_an_address_without_its_package_names_the_extra(monkeypatch):
    def fail(*_, **__):
        raise ModuleNotFoundError("install fsspec-xrootd")

    monkeypatch.setattr(uproot, "open", fail)
    with pytest.raises(
        ModuleNotFoundError, match=r"a.root cannot be reached: .pip install 'scizoo\[xrootd\]'"
    ):
        read_jets("root://host//a.root")


# ------------------------------------------------------------------------- order, directions, truth


@pytest.mark.parametrize("engine", ENGINES)
def test_particles_in_any_order_come_hardest_first_and_none_is_cut_off_before(tmp_path, engine):
    random = np.random.default_rng(3)
    order = ak.argsort(ak.Array([random.random(int(n)) for n in ak.num(CONTENT["part_px"])]))
    mixed = {
        name: value[order] if name.startswith("part_") else value for name, value in CONTENT.items()
    }
    path = jet_files.write(tmp_path / "mixed.root", mixed)
    jets = read_jets(path, max_particles=5, engine=engine)
    for name in PARTICLE_BRANCHES:
        assert np.array_equal(jets.column(name), jet_files.padded(CONTENT[name], 5)), name


def test_an_order_that_rounding_upset_is_left_alone(tmp_path):
    content = jet_files.make(3) | {
        name: ak.Array(np.float32([[100.0, 50.0, 50.02]] * 3)) for name in ("part_px",)
    }
    content |= {
        name: ak.Array(np.zeros((3, 3), np.float32))
        for name in PARTICLE_BRANCHES
        if name != "part_px"
    }
    path = jet_files.write(
        tmp_path / "rounded.root",
        {name: ak.from_regular(v) if v.ndim == 2 else v for name, v in content.items()},
    )
    assert read_jets(path, columns=["part_px"], max_particles=3).column("part_px")[0].tolist() == [
        100.0,
        50.0,
        np.float32(50.02),
    ]


def test_directions_are_those_of_jetclass_where_the_file_has_none(tmp_path):
    content = jet_files.make(200, directions=False)
    jets = read_jets(jet_files.write(tmp_path / "no_directions.root", content), max_particles=30)
    px, py, pz = (jets.column(name).astype(np.float64) for name in MOMENTUM[:3])
    eta_of_jet, phi_of_jet = jets.scalars["jet_eta"][:, None], jets.scalars["jet_phi"][:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        deta = np.sign(eta_of_jet) * (np.arctanh(pz / np.sqrt(px**2 + py**2 + pz**2)) - eta_of_jet)
    dphi = np.angle(np.exp(1j * (np.arctan2(py, px) - phi_of_jet)))
    assert np.allclose(jets.column("part_deta")[jets.mask], deta[jets.mask], atol=2e-6)
    assert np.allclose(jets.column("part_dphi")[jets.mask], dphi[jets.mask], atol=2e-6)
    assert (np.abs(jets.column("part_dphi")) < 1).all(), "an angle was not wrapped"
    alone = read_jets(
        tmp_path / "no_directions.root", columns=["part_dphi", "part_charge"], max_particles=30
    )
    assert alone.columns == ("part_dphi", "part_charge") and np.array_equal(
        alone.column("part_dphi"), jets.column("part_dphi")
    )


def test_an_axis_of_another_jet_is_noticed(tmp_path):
    content = jet_files.make(20, directions=False)
    content["jet_eta"] = content["jet_eta"] + np.float32(3)
    path = jet_files.write(tmp_path / "axis.root", content)
    with pytest.raises(
        JetFileError, match=r"particle of jet 0 lies \d.* from the axis.*not of the same jet"
    ):
        read_jets(path)


@pytest.mark.parametrize("name", ["aux_event", "label_QCD", "genjet_pt", "jet_label"])
def test_truth_is_never_a_feature(path, name):
    for options in ({"columns": (*MOMENTUM, name)}, {"scalars": ("jet_pt", name)}):
        with pytest.raises(
            JetFileError, match=f"{name} is the generator's truth and never a feature"
        ):
            read_jets(path, **options)


def test_classes_are_found_in_the_file_if_none_are_named(tmp_path, path):
    two = jet_files.write(tmp_path / "qg.root", jet_files.make(30, labels=QUARK_GLUON_LABELS))
    assert read_jets(two, classes=None).classes == QUARK_GLUON_LABELS
    assert read_jets(path, classes=None).classes == LABELS
    some = read_jets(path, classes=("QCD", "Tbqq"))
    assert set(some.label) == {-1, 0, 1} and np.array_equal(
        some.label == 1, CONTENT["label_Tbqq"].astype(bool)
    )
    assert (read_jets(path, classes=()).label == -1).all()


# ---------------------------------------------------------------------------------------- bad input


def refused(message: str, *arguments, **options) -> None:
    with pytest.raises(JetFileError, match=message):
        read_jets(*arguments, **options)


def test_a_file_without_the_tree_lists_those_that_it_has(path, tmp_path):
    refused(
        r"mixed_000.root has no tree 'Events'; there are tree: pass tree=NAME", path, tree="Events"
    )
    with uproot.recreate(tmp_path / "empty.root"):
        pass
    refused("has no tree 'tree'; it holds none", tmp_path / "empty.root")


def test_missing_branches_are_all_named_with_their_nearest(path):
    message = r"lacks 2 of the branches: part_d0value \(nearest: part_d0val.*\), jet_masses"
    refused(message, path, columns=["part_d0value"], scalars=["jet_masses"])
    refused(r"lacks 1 of the branches: label_gluon", path, classes=("gluon",))


@pytest.mark.parametrize("share", [0.3, 0.999])
def test_a_truncated_file_says_so(path, tmp_path, share):
    content = path.read_bytes()
    (tmp_path / "cut.root").write_bytes(content[: int(len(content) * share)])
    refused(
        rf"cut.root is truncated: \d+ bytes, its header says {len(content)}", tmp_path / "cut.root"
    )


@pytest.mark.parametrize(
    ("branch", "message"),
    [
        ("part_isPhoton", "cannot be read .*checksum"),  # compressed: LZ4's checksum tells
        # not compressible: the offsets at its end make no sense
        ("part_pz", "part_pz.* not those of numbers"),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_damaged_basket_never_reaches_the_arrays(path, tmp_path, branch, message, engine):
    content = bytearray(path.read_bytes())
    with uproot.open(path) as file:
        seek, size = (
            file["tree"][branch].member("fBasketSeek")[1],
            file["tree"][branch].basket_compressed_bytes(1),
        )
    content[seek + size - 20] ^= 0xFF
    (tmp_path / "flipped.root").write_bytes(content)
    refused(
        f"flipped.root: .*{message}.*fetch or build it again",
        tmp_path / "flipped.root",
        engine=engine,
    )


def test_what_is_no_root_file_is_called_so(tmp_path):
    (tmp_path / "page.root").write_text("<html>404 not found, but served with status 200</html>")
    refused("page.root is no ROOT file", tmp_path / "page.root")


def test_a_file_with_zero_jets_is_named(path, tmp_path):
    content = {name: value[:0] for name, value in CONTENT.items()}
    jet_files.write(tmp_path / "none.root", content)
    refused(
        r"none.root holds no jets: its tree 'tree' has 0 entries", [path, tmp_path / "none.root"]
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_none_is_named_by_branch_and_jet(tmp_path, engine, value):
    content = jet_files.make(250)
    flat = ak.to_numpy(ak.flatten(content["part_dzval"])).copy()
    flat[int(ak.sum(ak.num(content["part_dzval"][:207])))] = value
    path = jet_files.write(
        tmp_path / "nan.root",
        content | {"part_dzval": jet_files.ragged(flat, ak.to_numpy(ak.num(content["part_px"])))},
    )
    refused("branch part_dzval is NaN or infinite in jet 207", path, engine=engine)
    assert len(read_jets(path, columns=MOMENTUM, engine=engine)) == 250
    tau = content["jet_tau2"].copy()
    tau[130] = value
    path = jet_files.write(tmp_path / "tau.root", content | {"jet_tau2": tau})
    refused("branch jet_tau2 is NaN or infinite in jet 130", path, engine=engine)


def test_an_absent_class_is_named(tmp_path):
    for index, name in enumerate(LABELS[:8]):
        jet_files.write(tmp_path / f"{name}.root", jet_files.make(5, seed=index, only=name))
    assert set(read_jets(tmp_path, max_particles=2).label) == set(range(8))
    refused(
        r"no jet of class Tbqq, Tbl in .*; there are QCD, Hbb",
        tmp_path,
        max_particles=2,
        every_class=True,
    )


def test_a_jet_of_two_classes_and_branches_of_other_particles_are_refused(tmp_path):
    content = jet_files.make(40)
    both = {"label_QCD": np.ones(40, bool), "label_Hbb": np.arange(40) == 6}
    refused(
        "jet 6 is of 2 classes at once: QCD, Hbb",
        jet_files.write(
            tmp_path / "two.root",
            content | {f"label_{name}": np.zeros(40, bool) for name in LABELS} | both,
        ),
    )
    cut = ak.concatenate(
        [content["part_pz"][:31], content["part_pz"][31:32, :-1], content["part_pz"][32:]]
    )
    cut = jet_files.ragged(ak.to_numpy(ak.flatten(cut)), ak.to_numpy(ak.num(cut)))
    refused(
        "jet 31 has .* numbers in part_px and .* in part_pz",
        jet_files.write(tmp_path / "cut.root", content | {"part_pz": cut}),
    )


def test_paths_options_and_engines_that_cannot_be_meant_are_refused(path, tmp_path):
    for name, message in (
        ("nothing.root", "there is no file"),
        ("", "holds no"),
        ("*.root", "no file matches"),
    ):
        with pytest.raises(FileNotFoundError, match=message):
            resolve(tmp_path / name)
    with pytest.raises(ValueError, match="leave no jet of the 537"):
        read_jets(path, start=600)
    with pytest.raises(ValueError, match="max_particles is 0"):
        read_jets(path, max_particles=0)
    with pytest.raises(ValueError, match="no engine 'torch'; choose from auto, numba, numpy"):
        read_jets(path, engine="torch")


def test_any_branch_can_be_looked_at(path):
    opened = read_branches(path, branches=["aux_event", "part_px"])
    assert opened["aux_event"].tolist() == list(range(537)) and ak.all(
        opened["part_px"] == CONTENT["part_px"]
    )
    with pytest.raises(
        JetFileError, match=r"lacks 1 of the branches: aux_events \(nearest: aux_event"
    ):
        read_branches(path, branches=["aux_events"])
