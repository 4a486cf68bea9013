"""The field's public jet sets as `Jets`: JetClass (ROOT), Top Landscape (HDF5 or Parquet),
quark/gluon (npz or Parquet).

All SIMULATED. Cards with addresses, licences and hashes:
`datasets/particle_physics/{jetclass,top_landscape,quark_gluon_kmt}`.

* JetClass (Qu, Li & Qian 2022, arXiv:2202.03772): ROOT files `<process>_NNN.root`, read by
  `read_jets`.
* Top Landscape (Kasieczka et al. 2019, arXiv:1902.09914): anti-kT R = 0.8, 550-650 GeV,
  Delphes; 200 hardest constituents as E_i, PX_i, PY_i, PZ_i; `is_signal_new` = 1 for top.
  No jet of a file is left out (the usual conversion to Parquet loses the last).
* Quark/gluon (Komiske, Metodiev & Thaler 2019, arXiv:1810.05165): anti-kT R = 0.4, 500-550
  GeV, no detector; (pt, y, phi, PDG id). Particles are taken as massless, as in the field's
  Parquet conversion: then rapidity is pseudorapidity.
"""

from __future__ import annotations

import os
import pickletools
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.particle_physics.data import padding
from zoo.particle_physics.data.jets import (
    DIRECTION,
    IDENTITY,
    LABELS,
    MOMENTUM,
    QUARK_GLUON_LABELS,
    Jets,
    concatenate,
)
from zoo.particle_physics.data.padding import Ragged, from_values
from zoo.particle_physics.data.parquet import parquet_table
from zoo.particle_physics.data.read import Paths, directions, read_jets, require_every_class
from zoo.particle_physics.data.root import JetFileError, missing_branches, resolve

TOP_LABELS = ("QCD", "Tbqq")
"""Classes of the top-tagging set in JetClass's words; the signal is the second."""

_CHARGED = {11: -1, 13: -1, 211: 1, 321: 1, 2212: 1}
_NEUTRAL = (22, 130, 2112, 310, 3122)
"""PDG ids that the quark/gluon set has (long-lived particles of Pythia's default); negative
ones are antiparticles."""


def read_jetclass(
    folder: str | os.PathLike, *, per_file: int | None = None, card: Any = None, **options: Any
) -> Jets:
    """JetClass from its unpacked folder (`val_5M`, `test_20M`, ...), files `HToBB_000.root`
    and so on, in the order of their names.

    Args:
        folder: of ROOT files; the classes are those of the `label_*` branches.
        per_file: first jets of each file; None: all (a file has 100 000; mind the memory,
            or use `stream_batches`).
        card: its downloads that lie in the folder are verified first
            (`zoo.files.verify_downloads`); a `zoo.cards.DatasetCard`.
        options: of `read_jets`.
    """
    if card is not None:
        from zoo import files

        files.verify_downloads(folder, card)
    every_class = options.pop("every_class", False)
    if per_file is None:
        return read_jets(folder, every_class=every_class, **options)
    jets = concatenate([read_jets(path, stop=per_file, **options) for path in resolve(folder)])
    if every_class:
        require_every_class(jets.label, jets.classes or LABELS, str(folder))
    return jets


def read_top_landscape(
    paths: Paths,
    *,
    max_particles: int = 128,
    columns: Sequence[str] = (*MOMENTUM, *DIRECTION),
    start: int = 0,
    stop: int | None = None,
) -> Jets:
    """Top Landscape jets, from the original `train.h5`, `val.h5`, `test.h5` or from
    `*_file.parquet`.

    Args:
        paths: one file or many; a folder means its Parquet files, or else its HDF5 files.
        max_particles: hardest constituents to keep.
        columns: of momentum and direction; the set has nothing else.
        start, stop: jets of each file.
    """
    _only(columns, (*MOMENTUM, *DIRECTION), "Top Landscape")
    read = {".parquet": _parquet_jets, ".h5": _hdf5_jets, ".hdf5": _hdf5_jets}
    return _each(paths, read, max_particles, columns, TOP_LABELS, start, stop)


def read_quark_gluon(
    paths: Paths,
    *,
    max_particles: int = 128,
    columns: Sequence[str] = (*MOMENTUM, *DIRECTION, *IDENTITY),
    start: int = 0,
    stop: int | None = None,
) -> Jets:
    """Quark/gluon jets of Komiske, Metodiev and Thaler, from the original `QG_jets*.npz` or
    from Parquet; label 1 = quark.

    Args:
        paths: one file or many; a folder means its Parquet files, or else its npz files.
        max_particles: hardest particles to keep.
        columns: of momentum, direction and identity; the set has no displacements.
        start, stop: jets of each file.
    """
    _only(columns, (*MOMENTUM, *DIRECTION, *IDENTITY), "the quark/gluon set")
    read = {".parquet": _parquet_jets, ".npz": _npz_jets}
    return _each(paths, read, max_particles, columns, QUARK_GLUON_LABELS, start, stop)


def _only(columns: Sequence[str], known: Sequence[str], title: str) -> None:
    unknown = [name for name in columns if name not in known]
    if unknown:
        raise JetFileError(f"{title} has no {', '.join(unknown)}; it has {', '.join(known)}")


def _each(
    paths: Paths,
    readers: dict[str, Any],
    max_particles: int,
    columns: Sequence[str],
    classes: tuple[str, ...],
    start: int,
    stop: int | None,
) -> Jets:
    if isinstance(paths, (str, os.PathLike)) and os.path.isdir(paths):
        suffix = next(
            (each for each in readers if any(Path(paths).rglob(f"*{each}"))), next(iter(readers))
        )
        found = resolve(paths, suffix=suffix)
    else:
        found = resolve(paths)
    parts = []
    for path in found:
        read = readers.get(Path(path).suffix)
        if read is None:
            raise JetFileError(f"{path} is of no kind that this reader knows: {', '.join(readers)}")
        parts.append(read(path, max_particles, tuple(columns), classes, start, stop))
    return concatenate(parts)


# ------------------------------------------------------------------------------------------ Parquet


def _parquet_jets(
    path: str,
    max_particles: int,
    columns: tuple[str, ...],
    classes: tuple[str, ...],
    start: int,
    stop: int | None,
) -> Jets:
    scalars = ("jet_pt", "jet_eta", "jet_phi", "jet_energy", "jet_nparticles")
    table = parquet_table(path, list(dict.fromkeys([*columns, *MOMENTUM[:2], *scalars, "label"])))
    table = table.slice(start, None if stop is None else stop - start)
    branches = {}
    for name in dict.fromkeys([*columns, *MOMENTUM[:2]]):
        lists = table.column(name).combine_chunks()
        counts = lists.value_lengths().to_numpy(zero_copy_only=False)
        branches[name] = from_values(lists.flatten().to_numpy(zero_copy_only=False), counts)
    # 1 for top and for quark: the second class of both
    label = table.column("label").to_numpy().astype(np.int8)
    flat = {name: table.column(name).to_numpy().astype(np.float32) for name in scalars}
    return _jets(path, branches, columns, flat, label, classes, max_particles, start)


# ----------------------------------------------------------------------------------- HDF5 of pandas


def hdf5_columns(
    path: str, wanted: Sequence[str] | None, start: int = 0, stop: int | None = None
) -> dict[str, np.ndarray]:
    """Columns `[row]` of the data frame that pandas wrote as `table` into an HDF5 file,
    without pandas and PyTables.

    The names of a block's columns stand in an attribute as a pickle; their strings are read
    from its opcodes, nothing is executed.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if "table/table" not in file:
                raise JetFileError(f"{path} holds no data frame 'table'; it has {', '.join(file)}")
            table = file["table/table"]
            place = {}
            for block in [name for name in table.dtype.names if name.startswith("values_block_")]:
                for index, column in enumerate(_strings(table.attrs[f"{block}_kind"])):
                    place[column] = (block, index)
            missing_branches(wanted or (), place, path)
            rows = table[start:stop]
    except OSError as error:
        raise JetFileError(
            f"{path} cannot be read as HDF5 ({error}): damaged or truncated; fetch it again"
        ) from error
    return {name: rows[place[name][0]][:, place[name][1]] for name in wanted or place}


def _strings(pickled: Any) -> list[str]:
    content = (
        bytes(pickled)
        if isinstance(pickled, (bytes, np.bytes_))
        else str(pickled).encode("latin-1")
    )
    return [
        argument
        for code, argument, _ in pickletools.genops(content)
        if isinstance(argument, str) and "UNICODE" in code.name
    ]


def _hdf5_jets(
    path: str,
    max_particles: int,
    columns: tuple[str, ...],
    classes: tuple[str, ...],
    start: int,
    stop: int | None,
) -> Jets:
    slots = range(200)
    names = [f"{axis}_{i}" for axis in ("PX", "PY", "PZ", "E") for i in slots]
    given = hdf5_columns(path, [*names, "is_signal_new"], start, stop)
    vectors = {
        name: np.stack([given[f"{axis}_{i}"] for i in slots], -1)
        for name, axis in zip(MOMENTUM, ("PX", "PY", "PZ", "E"), strict=True)
    }
    mask = vectors["part_energy"] > 0
    return _from_momenta(
        path,
        vectors,
        mask,
        {},
        columns,
        given["is_signal_new"].astype(np.int8),
        classes,
        max_particles,
        start,
    )


# ---------------------------------------------------------------------------------------------- npz


def _npz_jets(
    path: str,
    max_particles: int,
    columns: tuple[str, ...],
    classes: tuple[str, ...],
    start: int,
    stop: int | None,
) -> Jets:
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            # np.load would leave a damaged file open
            missing_branches(("X", "y"), file.files, path)
            x, label = file["X"][start:stop], file["y"][start:stop].astype(np.int8)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, JetFileError):
            raise
        raise JetFileError(
            f"{path} cannot be read as npz ({error}): damaged or truncated; fetch it again"
        ) from error
    if x.ndim != 3 or x.shape[-1] != 4:
        raise JetFileError(
            f"{path}: X is {x.shape}; it must be [jet, particle, 4] of (pt, y, phi, PDG id)"
        )
    pt, rapidity, phi, pdg = np.moveaxis(x.astype(np.float64), -1, 0)
    mask, pdg = pt > 0, np.rint(pdg).astype(np.int64)
    kind = np.abs(pdg)
    unknown = np.setdiff1d(kind[mask], [*_CHARGED, *_NEUTRAL])
    if unknown.size:
        raise JetFileError(
            f"{path} has particles of PDG id {', '.join(map(str, unknown))}; known are "
            f"{sorted([*_CHARGED, *_NEUTRAL])}"
        )
    vectors = dict(
        zip(
            MOMENTUM,
            (pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(rapidity), pt * np.cosh(rapidity)),
            strict=True,
        )
    )
    hadron = np.isin(kind, (211, 321, 2212))
    charge = np.sign(pdg) * sum((kind == number) * sign for number, sign in _CHARGED.items())
    flags = (charge, hadron, np.isin(kind, _NEUTRAL[1:]), kind == 22, kind == 11, kind == 13)
    return _from_momenta(
        path,
        vectors,
        mask,
        dict(zip(IDENTITY, flags, strict=True)),
        columns,
        label,
        classes,
        max_particles,
        start,
    )


# ------------------------------------------------------------------------------------------- common


def _from_momenta(
    path: str,
    vectors: dict[str, np.ndarray],
    mask: np.ndarray,
    others: dict[str, np.ndarray],
    columns: tuple[str, ...],
    label: np.ndarray,
    classes: tuple[str, ...],
    max_particles: int,
    start: int,
) -> Jets:
    """Jets whose axis is the sum of their constituents, as anti-kT in the E scheme has it;
    arrays `[jet, slot]`."""
    px, py, pz, energy = (
        np.where(mask, vectors[name], 0.0).sum(1, dtype=np.float64) for name in MOMENTUM
    )
    pt, counts = np.hypot(px, py), mask.sum(1)
    eta, phi = np.arcsinh(pz / np.maximum(pt, 1e-12)), np.arctan2(py, px)
    flat = {name: values[mask] for name, values in {**vectors, **others}.items()}
    of_jet = np.repeat(np.arange(len(mask)), counts)
    x, y, z = (flat[name] for name in MOMENTUM[:3])
    flat |= dict(zip(DIRECTION, directions(x, y, z, eta[of_jet], phi[of_jet]), strict=True))
    scalars = {
        "jet_pt": pt,
        "jet_eta": eta,
        "jet_phi": phi,
        "jet_energy": energy,
        "jet_nparticles": counts,
    }
    branches = {name: from_values(values, counts) for name, values in flat.items()}
    scalars = {name: value.astype(np.float32) for name, value in scalars.items()}
    return _jets(path, branches, columns, scalars, label, classes, max_particles, start)


def _jets(
    path: str,
    branches: dict[str, Ragged],
    columns: tuple[str, ...],
    scalars: dict[str, np.ndarray],
    label: np.ndarray,
    classes: tuple[str, ...],
    max_particles: int,
    start: int,
) -> Jets:
    if not len(label):
        raise JetFileError(f"{path} holds no jets (from jet {start} on)")
    if max_particles < 1:
        raise ValueError(f"max_particles is {max_particles}; it must be at least 1")
    if not np.isin(label, range(len(classes))).all():
        raise JetFileError(
            f"{path}: labels are {np.unique(label).tolist()}; they must be 0 ({classes[0]}) or 1 "
            f"({classes[1]})"
        )
    engine = padding.chosen_engine("auto", len(label))
    chosen = [branches[name] for name in columns]
    if not padding.all_sorted(branches["part_px"], branches["part_py"], engine=engine):
        chosen = padding.hardest_first(chosen, branches["part_px"], branches["part_py"])
    particles = np.empty((len(columns), len(label), max_particles), np.float32)
    bad = padding.pad(chosen, particles, engine=engine)
    if bad is not None:
        raise JetFileError(
            f"{path}: {columns[bad[0]]} is NaN or infinite in jet {start + bad[1]}; mend the file "
            "or leave the column out"
        )
    mask = np.arange(max_particles) < branches["part_px"].counts[:, None]
    return Jets(np.moveaxis(particles, 0, -1), mask, columns, scalars, label, classes)
