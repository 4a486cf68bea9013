"""Jets from ROOT files in JetClass's layout, ours and the real ones, as padded arrays:
TTree or RNTuple, local or remote.

    jets = read_jets("folder-or-glob", max_particles=64, columns=COLUMNS["kinpid"])
    for batch in stream_batches(paths, batch_size=512, max_particles=64, shuffle_buffer=50_000):
        ...

Basket-wise, into float32 and a mask, without a jagged array in between (`padding`, `root`).
Constituents come hardest first whatever the file's order. Where `part_deta`, `part_dphi`
are not in the file they are computed from the momenta and the jet's axis. Truth (`aux_*`,
`label_*`, generator branches) is never handed out as a feature. The other public sets:
`public_sets`; streaming: `stream`.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.particle_physics.data import padding
from zoo.particle_physics.data.jets import (
    DIRECTION,
    JET_BRANCHES,
    LABELS,
    PARTICLE_BRANCHES,
    QUARK_GLUON_LABELS,
    Jets,
)
from zoo.particle_physics.data.padding import Ragged
from zoo.particle_physics.data.parquet import parquet_table
from zoo.particle_physics.data.root import JetFileError, Tree, missing_branches, resolve

Paths = str | os.PathLike | Iterable[str | os.PathLike]

JETS_AT_ONCE = 10_000
TRUTH_PREFIXES = ("aux_", "gen", "label", "truth", "jet_label")
FARTHEST = 2.0
"""No jet of the sets in use has a larger radius: constituents beyond it do not belong to
the axis that the file gives."""


@dataclasses.dataclass(frozen=True)
class Selection:
    """What to read of each file.

    Attributes:
        max_particles: hardest particles to keep.
        columns: particle branches.
        scalars: jet branches; None: those of `JET_BRANCHES` that the (first) file has.
        classes: names whose `label_<name>` branches say the class; None: as the (first)
            file has them; (): no labels.
        engine: see `padding.ENGINES`.
    """

    max_particles: int = 128
    columns: tuple[str, ...] = PARTICLE_BRANCHES
    scalars: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = LABELS
    engine: str = "auto"

    def __post_init__(self) -> None:
        if self.max_particles < 1:
            raise ValueError(f"max_particles is {self.max_particles}; it must be at least 1")
        for name in (*self.columns, *(self.scalars or ())):
            if name.startswith(TRUTH_PREFIXES):
                raise JetFileError(
                    f"{name} is the generator's truth and never a feature; columns are "
                    f"{', '.join(PARTICLE_BRANCHES)}, scalars {', '.join(JET_BRANCHES)} "
                    "(`read_branches` opens anything, to look at)"
                )

    def settled(self, branches: Sequence[str], path: str) -> Selection:
        """The same with scalars and classes as a file with these branches has them.

        Raises:
            JetFileError: the file lacks branches.
        """
        scalars, classes = self.scalars, self.classes
        if scalars is None:
            scalars = tuple(name for name in JET_BRANCHES if name in branches)
        if classes is None:
            classes = next(
                (each for each in (LABELS, QUARK_GLUON_LABELS) if f"label_{each[0]}" in branches),
                LABELS,
            )
        chosen = dataclasses.replace(self, scalars=scalars, classes=classes)
        missing_branches(
            [*chosen.needed(branches), *scalars, *(f"label_{name}" for name in classes)],
            branches,
            path,
        )
        return chosen

    def derived(self, branches: Sequence[str]) -> bool:
        """Whether (deta, dphi) must be computed."""
        return any(name in self.columns and name not in branches for name in DIRECTION)

    def needed(self, branches: Sequence[str]) -> list[str]:
        """Particle branches, and the jet's axis if directions must be computed; px and py
        always, to see the order."""
        derived = self.derived(branches)
        names = [name for name in self.columns if not (derived and name in DIRECTION)]
        return list(
            dict.fromkeys(
                [
                    *names,
                    "part_px",
                    "part_py",
                    *(("part_pz", "jet_eta", "jet_phi") if derived else ()),
                ]
            )
        )


def read_jets(
    paths: Paths,
    *,
    max_particles: int = 128,
    columns: Sequence[str] = PARTICLE_BRANCHES,
    classes: Sequence[str] | None = LABELS,
    scalars: Sequence[str] | None = None,
    start: int | None = None,
    stop: int | None = None,
    tree: str = "tree",
    threads: int = 1,
    engine: str = "auto",
    every_class: bool = False,
) -> Jets:
    """The jets of one or many files, in the files' order.

    Args:
        paths: file, folder, glob, address (`root://`, `https://`, ...) or a list of such.
        max_particles: of a jet with more, the hardest.
        columns: particle branches, in the order wanted.
        classes: read from `label_<class>`; None: those that the file has; (): no labels.
        scalars: jet branches; None: those of `JET_BRANCHES` that the file has.
        start, stop: of all files' jets, one file after another.
        tree: name of the TTree or RNTuple.
        threads: baskets decompressed side by side.
        engine: "numba", "numpy" or "auto"; results are equal.
        every_class: raise if a class of `classes` has no jet.

    Raises:
        JetFileError: no such tree, missing branches, a damaged or empty file, numbers that
            are not finite, an absent class.
        FileNotFoundError: there is no such file.
    """
    selection = Selection(
        max_particles,
        tuple(columns),
        None if scalars is None else tuple(scalars),
        _tuple(classes),
        engine,
    )
    files = resolve(paths)
    with contextlib.ExitStack() as stack:
        trees = [stack.enter_context(open_tree(path, tree)) for path in files]
        selection = selection.settled(trees[0].branches, trees[0].path)
        work = _pieces(trees, selection, start, stop)
        out = _empty(sum(end - begin for _, begin, end in work), selection)
        engine = padding.chosen_engine(selection.engine, len(out))
        ends = np.cumsum([end - begin for _, begin, end in work])

        def read_piece(number: int) -> None:
            each, begin, end = work[number]
            row_end = int(ends[number])
            rows = out[row_end - (end - begin) : row_end]
            fill(each, begin, end, rows, selection, engine=engine)

        if threads > 1:
            with concurrent.futures.ThreadPoolExecutor(threads) as pool:
                list(pool.map(read_piece, range(len(work))))
        else:
            for number in range(len(work)):
                read_piece(number)
    if every_class:
        require_every_class(out.label, selection.classes or (), ", ".join(files))
    return out


def _pieces(
    trees: Sequence[Tree], selection: Selection, start: int | None, stop: int | None
) -> list[tuple[Tree, int, int]]:
    """Ranges of entries, tree after tree, that hold the jets `start` to `stop` of all of them.

    Raises:
        JetFileError: a tree lacks what was selected.
        ValueError: no jet is left.
    """
    every = sum(each.entries for each in trees)
    first, last = start or 0, every if stop is None else stop
    if first < 0 or last <= first:
        raise ValueError(f"start={start} and stop={stop} leave no jet of the {every}")
    work: list[tuple[Tree, int, int]] = []
    before = 0
    for each in trees:
        selection.settled(each.branches, each.path)
        low, high = max(first - before, 0), min(last - before, each.entries)
        before += each.entries
        if low < high:
            names = selection.needed(each.branches)
            ranges = each.ranges(names, jets=JETS_AT_ONCE, start=low, stop=high)
            work += [(each, *part) for part in ranges]
    if not work:
        raise ValueError(f"start={start} and stop={stop} leave no jet of the {every}")
    return work


def split_files(
    folder: str | os.PathLike, split: str, name: str, *, build: str = "zoo data build"
) -> list[Path]:
    """The files `<split>-<class>-<k>.root` of one class in a build folder, in the order of k.

    Raises:
        FileNotFoundError: there is none; names the folder and the command that makes them.
    """
    paths = sorted(
        Path(folder).glob(f"{split}-{name}-*.root"),
        key=lambda path: int(path.stem.rsplit("-", 1)[1]),
    )
    if not paths:
        raise FileNotFoundError(
            f"{folder} has no file {split}-{name}-*.root: run `{build}`, or name its folder by "
            "--data"
        )
    return paths


def require_every_class(label: np.ndarray, classes: Sequence[str], where: str) -> None:
    """Raises `JetFileError` that names the classes without a jet."""
    absent = [name for index, name in enumerate(classes) if not (label == index).any()]
    if absent:
        there = [name for name in classes if name not in absent]
        raise JetFileError(
            f"no jet of class {', '.join(absent)} in {where}; there are "
            f"{', '.join(there) or 'none of those asked for'}"
        )


def open_tree(path: str, tree: str) -> Tree:
    """A tree with jets in it.

    Raises:
        JetFileError: there is no such tree, or it has no entry.
    """
    opened = Tree(path, tree)
    if not opened.entries:
        opened.__exit__()
        raise JetFileError(
            f"{path} holds no jets: its tree {tree!r} has 0 entries; the job that made it may "
            "have failed"
        )
    return opened


def _empty(jets: int, selection: Selection) -> Jets:
    """Arrays to fill; the particles lie column by column in memory (see `padding`)."""
    particles = np.empty((len(selection.columns), jets, selection.max_particles), np.float32)
    scalars = {name: np.empty(jets, np.float32) for name in selection.scalars or ()}
    mask, label = np.empty((jets, selection.max_particles), bool), np.empty(jets, np.int8)
    return Jets(
        np.moveaxis(particles, 0, -1),
        mask,
        selection.columns,
        scalars,
        label,
        selection.classes or (),
    )


def read_range(tree: Tree, start: int, stop: int, selection: Selection, *, engine: str) -> Jets:
    """The jets between two entries of one tree; `selection` is settled."""
    out = _empty(stop - start, selection)
    fill(tree, start, stop, out, selection, engine=engine)
    return out


def fill(
    tree: Tree, start: int, stop: int, out: Jets, selection: Selection, *, engine: str
) -> None:
    """Reads the jets between two entries into arrays (views of larger ones) that are there
    already."""
    labels = [f"label_{name}" for name in selection.classes or ()]
    needed = selection.needed(tree.branches)
    read = tree.read([*needed, *(selection.scalars or ()), *labels], start, stop)
    branches: dict[str, Ragged] = {}
    for name in needed:
        if not name.startswith("part_"):
            continue
        branch = read[name]
        if not isinstance(branch, Ragged):
            raise JetFileError(
                f"{tree.path}: branch {name} has one number for each jet; particle branches have "
                "one for each particle"
            )
        branches[name] = branch
    px, py = branches["part_px"], branches["part_py"]
    counts = px.counts
    for name, branch in branches.items():
        if not np.array_equal(branch.counts, counts):
            jet = int(np.flatnonzero(branch.counts != counts)[0])
            raise JetFileError(
                f"{tree.path}: jet {start + jet} has {counts[jet]} numbers in part_px and "
                f"{branch.counts[jet]} in {name}; the branches are not of the same particles"
            )
    if not padding.all_sorted(px, py, engine=engine):
        branches = dict(
            zip(branches, padding.hardest_first(list(branches.values()), px, py), strict=True)
        )
    for name in selection.scalars or ():
        out.scalars[name][:] = read[name]
        _require_finite(out.scalars[name], name, tree, start)
    out.label[:] = _labels(
        [np.asarray(read[name]) for name in labels], selection.classes or (), tree, start
    )
    columns = np.moveaxis(out.particles, -1, 0)
    stored = [name for name in selection.columns if name in branches]
    # Columns may lie in any order; where directions must be computed those two are written
    # afterwards.
    targets = (
        columns
        if len(stored) == len(columns)
        else np.empty((len(stored), *columns.shape[1:]), np.float32)
    )
    bad = padding.pad([branches[name] for name in stored], targets, engine=engine)
    if bad is not None:
        raise JetFileError(_not_finite(tree, stored[bad[0]], start + bad[1]))
    if targets is not columns:
        for column, name in enumerate(selection.columns):
            columns[column] = targets[stored.index(name)] if name in branches else 0
    np.less(np.arange(selection.max_particles), counts[:, None], out=out.mask)
    if selection.derived(tree.branches):
        axis = [np.asarray(read[name], np.float32) for name in ("jet_eta", "jet_phi")]
        momentum = [branches[name] for name in ("part_px", "part_py", "part_pz")]
        _fill_directions(
            columns,
            selection.columns,
            out.mask,
            momentum,
            *axis,
            tree=tree,
            start=start,
            engine=engine,
        )


def _fill_directions(
    columns: np.ndarray,
    names: tuple[str, ...],
    mask: np.ndarray,
    momentum: list[Ragged],
    jet_eta: np.ndarray,
    jet_phi: np.ndarray,
    *,
    tree: Tree,
    start: int,
    engine: str,
) -> None:
    vectors = np.empty((3, *mask.shape), np.float32)
    bad = padding.pad(momentum, vectors, engine=engine)
    if bad is not None:
        raise JetFileError(
            _not_finite(tree, ("part_px", "part_py", "part_pz")[bad[0]], start + bad[1])
        )
    for name, axis in (("jet_eta", jet_eta), ("jet_phi", jet_phi)):
        _require_finite(axis, name, tree, start)
    px, py, pz = (vector[mask] for vector in vectors)
    of_jet = np.repeat(np.arange(len(mask)), mask.sum(1))
    deta, dphi = directions(px, py, pz, jet_eta[of_jet], jet_phi[of_jet])
    # Soft heavy particles (a neutron of 0.1 GeV) are near in rapidity, by which jets are
    # made, and far in pseudorapidity.
    far = (np.hypot(deta, dphi) > FARTHEST) & (np.hypot(px, py) > 1.0)
    if far.any():
        jet = int(of_jet[far][0])
        raise JetFileError(
            f"{tree.path}: a particle of jet {start + jet} lies {np.hypot(deta, dphi)[far][0]:.1f} "
            f"from the axis (jet_eta {jet_eta[jet]:.3f}, jet_phi {jet_phi[jet]:.3f}), farther than "
            f"{FARTHEST}: momenta and axis are not of the same jet"
        )
    for name, value in zip(DIRECTION, (deta, dphi), strict=True):
        if name in names:
            columns[names.index(name)][mask] = value


def directions(
    px: Any, py: Any, pz: Any, jet_eta: Any, jet_phi: Any
) -> tuple[np.ndarray, np.ndarray]:
    """(deta, dphi) of particles from the jet's axis, float32, as JetClass has them
    (arXiv:2202.03772).

    deta = sign(jet_eta) (eta - jet_eta), with sign(0) = 1; dphi lies in [-pi, pi). Computed
    in double precision: for particles near the axis the difference is a thousandth of
    either term.
    """
    px, py, pz, jet_eta, jet_phi = (
        np.asarray(value, np.float64) for value in (px, py, pz, jet_eta, jet_phi)
    )
    eta = np.arcsinh(pz / np.maximum(np.hypot(px, py), 1e-12))
    dphi = np.mod(np.arctan2(py, px) - jet_phi + np.pi, 2 * np.pi) - np.pi
    return (np.where(jet_eta < 0, -1.0, 1.0) * (eta - jet_eta)).astype(np.float32), dphi.astype(
        np.float32
    )


def _labels(
    given: list[np.ndarray], classes: Sequence[str], tree: Tree, start: int
) -> np.ndarray | int:
    if not given:
        return -1
    # bool, int or float in the wild
    is_class = np.stack([each.astype(np.float32) > 0.5 for each in given], -1)
    several = is_class.sum(1) > 1
    if several.any():
        jet = int(np.flatnonzero(several)[0])
        names = [name for name, flag in zip(classes, is_class[jet], strict=True) if flag]
        raise JetFileError(
            f"{tree.path}: jet {start + jet} is of {len(names)} classes at once: {', '.join(names)}"
        )
    return np.where(is_class.any(1), is_class.argmax(1), -1)


def _require_finite(values: np.ndarray, name: str, tree: Tree, start: int) -> None:
    if not np.isfinite(values).all():
        raise JetFileError(
            _not_finite(tree, name, start + int(np.flatnonzero(~np.isfinite(values))[0]))
        )


def _not_finite(tree: Tree, name: str, jet: int) -> str:
    return (
        f"{tree.path}: branch {name} is NaN or infinite in jet {jet}; mend the file, or leave the "
        "branch out of what is read"
    )


def _tuple(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def read_branches(
    path: str | os.PathLike, tree: str | None = None, branches: Sequence[str] | None = None
) -> dict[str, Any]:
    """Branches of any TTree, RNTuple or Parquet file as awkward arrays, jagged and nested
    as they are: to look at, not to train on.

    Args:
        path: one file.
        tree: None: the only one of the file. Not for Parquet.
        branches: None: all that can be read.

    Raises:
        JetFileError: no such tree, missing branches, a damaged file.
    """
    import awkward as ak

    path = resolve(path)[0]
    if path.endswith(".parquet"):
        table = parquet_table(path, branches)
        return {name: ak.from_arrow(table.column(name)) for name in table.column_names}
    with Tree(path, tree) as opened:
        if branches is not None:
            opened.require([name for name in branches if name not in opened.all_branches])
        return opened.as_awkward(branches)
