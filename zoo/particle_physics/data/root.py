"""Branches of TTrees and RNTuples as the file's own bytes: opening, errors that help, and
reading basket by basket.

A `Tree` hands out `Ragged` branches and plain ones for a range of entries. Baskets of
different branches need not begin at the same entries: each branch is put together from
whatever baskets overlap the range, and the ranges that `Tree.ranges` proposes follow the
entries at which all branches' baskets meet, so that a basket is rarely decompressed twice
(the last ones are kept for that case).
"""

from __future__ import annotations

import collections
import difflib
import glob
import os
import queue
import re
import struct
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.particle_physics.data.padding import Ragged, from_values

SUFFIX = ".root"
KEPT_BASKETS = 64
_TREES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple")
_EXTRAS = {
    "root": "xrootd",
    "xroot": "xrootd",
    "http": "remote",
    "https": "remote",
    "s3": "remote",
    "gs": "remote",
}


class JetFileError(ValueError):
    """A file is no ROOT file, is truncated, or lacks what was asked for."""


def resolve(
    paths: str | os.PathLike | Iterable[str | os.PathLike], *, suffix: str = SUFFIX
) -> list[str]:
    """Files behind a path, folder, glob, address or a list of such; `_10` sorts behind `_9`.

    Raises:
        FileNotFoundError: a path that is not there, a folder or pattern without files.
    """
    if not isinstance(paths, (str, os.PathLike)):
        return [path for each in paths for path in resolve(each, suffix=suffix)]
    text = os.fspath(paths)
    if "://" in text:
        return [text]
    if os.path.isdir(text):
        found = [str(path) for path in Path(text).rglob(f"*{suffix}")]
        what = f"folder {text} holds no *{suffix}"
    elif os.path.exists(text):
        return [text]
    else:
        found = glob.glob(text, recursive=True)
        what = f"no file matches {text}" if glob.has_magic(text) else f"there is no file {text}"
    if not found:
        raise FileNotFoundError(f"{what}; it is read relative to {os.getcwd()}")
    return sorted(
        found,
        key=lambda path: [
            int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path)
        ],
    )


def missing_branches(wanted: Iterable[str], known: Iterable[str], path: str) -> None:
    """Raises `JetFileError` that names all wanted branches which the file lacks, with the
    nearest that it has."""
    known = list(known)
    lacking = [name for name in dict.fromkeys(wanted) if name not in set(known)]
    if lacking:
        near = {name: difflib.get_close_matches(name, known, n=2) for name in lacking}
        listed = ", ".join(
            name + (f" (nearest: {' or '.join(near[name])})" if near[name] else "")
            for name in lacking
        )
        raise JetFileError(
            f"{path} lacks {len(lacking)} of the branches: {listed}. It has {_some(known)}"
        )


def _some(names: Sequence[str], most: int = 40) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _check_whole(path: str) -> None:
    """Compares a local file with the length that its own header states (ROOT's TFile: fEND)."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(20)
    if head[:4] != b"root" or len(head) < 20:
        raise JetFileError(
            f"{path} is no ROOT file ({size} bytes, and they do not begin with 'root'); Parquet, "
            "HDF5, npz: see `public_sets`"
        )
    version, _, end = struct.unpack(">iii", head[4:16])
    if version >= 1_000_000:
        end = struct.unpack(">q", head[12:20])[0]
    if size < end:
        raise JetFileError(
            f"{path} is truncated: {size} bytes, its header says {end}; fetch or build it again"
        )


class Tree:
    """One TTree or RNTuple of one file, open for reading; a context manager."""

    def __init__(self, path: str, tree: str | None = "tree"):
        import uproot

        self.path, self._lock = path, threading.Lock()
        self._kept: collections.OrderedDict[tuple[str, int], Any] = collections.OrderedDict()
        local = "://" not in path
        if local:
            _check_whole(path)
        try:
            self._file = uproot.open(
                path, **({"handler": uproot.source.file.MemmapSource} if local else {})
            )
            trees = {
                key.split(";")[0]: kind
                for key, kind in self._file.classnames().items()
                if kind in _TREES
            }
        except (ImportError, ModuleNotFoundError) as error:
            extra = _EXTRAS.get(path.split("://")[0], "remote")
            raise ModuleNotFoundError(
                f"{path} cannot be reached: `pip install 'scizoo[{extra}]'` ({_first_line(error)})"
            ) from error
        except FileNotFoundError:
            raise
        except Exception as error:
            raise JetFileError(
                f"{path} is damaged or truncated ({_first_line(error)}); fetch or build it again"
            ) from error
        if tree is None and len(trees) == 1:
            tree = next(iter(trees))
        if tree not in trees:
            self._file.close()
            listed = ", ".join(trees)
            asked = (
                "more than one tree, and none was named"
                if tree is None and trees
                else f"no tree {tree!r}"
                if tree
                else "no tree"
            )
            raise JetFileError(
                f"{path} has {asked}; "
                + (f"there are {listed}: pass tree=NAME" if trees else "it holds none")
            )
        self.is_ntuple = trees[tree] == "ROOT::RNTuple"
        self._tree = self._file[tree]
        self.entries = int(self._tree.num_entries)
        self._branches = (
            {} if self.is_ntuple else {branch.name: branch for branch in self._tree.branches}
        )
        self.branches = (
            list(self._tree.keys(recursive=False)) if self.is_ntuple else list(self._branches)
        )

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, *_: object) -> None:
        self._kept.clear()
        self._file.close()

    def require(self, names: Iterable[str]) -> None:
        """Raises `JetFileError` that names all branches which are missing."""
        missing_branches(names, self.branches, self.path)

    @property
    def all_branches(self) -> list[str]:
        """Names of all branches, those inside others too."""
        return list(self._tree.keys())

    def as_awkward(self, names: Iterable[str] | None = None) -> dict[str, Any]:
        """Whole branches by name as awkward arrays.

        Args:
            names: None: all that uproot can interpret (not so: C++ objects without a
                layout, TObject's reference bits).

        Raises:
            JetFileError: a branch that was named cannot be read.
        """
        if self.is_ntuple:
            arrays = self._tree.arrays(filter_name=None if names is None else list(names))
            return {name: arrays[name] for name in arrays.fields}
        read = {}
        for name in self.all_branches if names is None else names:
            try:
                read[name] = self._tree[name].array(library="ak")
            except Exception as error:
                if names is not None:
                    raise JetFileError(
                        f"{self.path}: branch {name} cannot be read ({_first_line(error)})"
                    ) from error
        return read

    def ranges(
        self, names: Sequence[str], *, jets: int, start: int = 0, stop: int | None = None
    ) -> list[tuple[int, int]]:
        """Ranges of entries of about `jets` jets that cut as few baskets as can be."""
        stop = self.entries if stop is None else min(stop, self.entries)
        if stop <= start:
            return []
        edges = np.arange(0, self.entries, max(jets, 1))
        all_edges = [
            np.asarray(self._branches[name].entry_offsets)
            for name in names
            if name in self._branches
        ]
        if all_edges:
            common = all_edges[0]
            for each in all_edges[1:]:
                common = np.intersect1d(common, each)
            widest = np.diff(common).max(initial=0)
            # Branches may meet rarely or never: then the first branch's own baskets.
            edges = common if widest <= 4 * max(jets, 1) else all_edges[0]
        cuts = [start]
        for edge in edges:
            if cuts[-1] + jets <= edge < stop:
                cuts.append(int(edge))
        return list(zip(cuts, [*cuts[1:], stop], strict=True))

    def read(self, names: Sequence[str], start: int, stop: int) -> dict[str, Ragged | np.ndarray]:
        """Branches of the entries `start` to `stop`: `Ragged` ones, and `[jet]` arrays in
        the file's type.

        Raises:
            JetFileError: damaged bytes; names file and branch.
        """
        names = list(dict.fromkeys(names))
        try:
            if self.is_ntuple:
                arrays = self._tree.arrays(filter_name=names, entry_start=start, entry_stop=stop)
                return {name: _from_awkward(arrays[name], name, self.path) for name in names}
            baskets = self._baskets(names, start, stop)
            read = {name: self._assemble(name, baskets[name], start, stop) for name in names}
            for name, branch in read.items():
                if isinstance(branch, Ragged) and not branch.is_sound():
                    raise JetFileError(
                        f"{self.path}: the offsets of branch {name}, entries {start} to {stop}, "
                        f"are not those of numbers of type {branch.dtype}: the file is damaged; "
                        "fetch or build it again"
                    )
            return read
        except JetFileError:
            raise
        except Exception as error:
            raise JetFileError(
                f"{self.path}: entries {start} to {stop} cannot be read ({type(error).__name__}: "
                f"{_first_line(error)}): the file is damaged or truncated; fetch or build it again"
            ) from error

    def _baskets(
        self, names: Sequence[str], start: int, stop: int
    ) -> dict[str, list[tuple[int, Any]]]:
        """Decompressed baskets of each branch, with their numbers; the bytes of all are
        asked for at once (one round trip to a server)."""
        import uproot

        found: dict[str, dict[int, Any]] = {name: {} for name in names}
        places = {}
        for name in names:
            for number, place in self._branches[name].entries_to_ranges_or_baskets(start, stop):
                with self._lock:
                    kept = self._kept.get((name, number))
                if kept is not None or not isinstance(place, tuple):
                    found[name][number] = kept if kept is not None else place
                else:
                    places[int(place[0]), int(place[1])] = (name, number)
        if places:
            for chunk in self._file.file.source.chunks(list(places), notifications=queue.Queue()):
                name, number = places[chunk.start, chunk.stop]
                cursor, context = uproot.source.cursor.Cursor(chunk.start), {"basket_num": number}
                file = self._file.file
                basket = uproot.models.TBasket.Model_TBasket.read(
                    chunk, cursor, context, file, file, self._branches[name]
                )
                found[name][number] = basket
                first, last = self._branches[name].basket_entry_start_stop(number)
                if first < start or last > stop:  # its other part will be asked for next
                    with self._lock:
                        self._kept[name, number] = basket
                        while len(self._kept) > KEPT_BASKETS:
                            self._kept.popitem(last=False)
        return {name: sorted(each.items()) for name, each in found.items()}

    def _assemble(
        self, name: str, baskets: list[tuple[int, Any]], start: int, stop: int
    ) -> Ragged | np.ndarray:
        """One branch from the parts of its baskets that lie between two entries."""
        import uproot

        branch = self._branches[name]
        kind = branch.interpretation
        ragged = type(kind) is uproot.AsJagged and type(kind.content) is uproot.AsDtype
        flat = kind.content if ragged else kind
        if (
            type(flat) is not uproot.AsDtype
            or flat.from_dtype.subdtype is not None
            or flat.from_dtype.names is not None
        ):
            return _from_awkward(
                branch.array(entry_start=start, entry_stop=stop, library="ak"), name, self.path
            )
        raws, edges, offset = [], [], 0
        for number, basket in baskets:
            first, last = branch.basket_entry_start_stop(number)
            low, high = max(start, first) - first, min(stop, last) - first
            if not ragged:
                raws.append(basket.data.view(flat.from_dtype)[low:high])
                continue
            own = basket.byte_offsets
            if own is None:
                return _from_awkward(
                    branch.array(entry_start=start, entry_stop=stop, library="ak"), name, self.path
                )
            if len(baskets) == 1:
                return Ragged(basket.data, own[low : high + 1], kind.header_bytes, flat.from_dtype)
            raws.append(basket.data[own[low] : own[high]])
            edges.append(own[low:high].astype(np.int64) - own[low] + offset)
            offset += len(raws[-1])
        if not ragged:
            return (
                np.concatenate(raws).astype(flat.to_dtype) if raws else np.empty(0, flat.to_dtype)
            )
        if not raws:
            return Ragged(
                np.empty(0, np.uint8), np.zeros(1, np.int64), kind.header_bytes, flat.from_dtype
            )
        return Ragged(
            np.concatenate(raws),
            np.append(np.concatenate(edges), offset),
            kind.header_bytes,
            flat.from_dtype,
        )


def _from_awkward(array: Any, name: str, path: str) -> Ragged | np.ndarray:
    import awkward as ak

    if array.ndim == 1:
        return ak.to_numpy(array)
    if array.ndim > 2:
        raise JetFileError(
            f"{path}: branch {name} is nested {array.ndim} deep; a jet's branch has one list "
            "(`read_branches` reads others)"
        )
    return from_values(ak.to_numpy(ak.flatten(array)), ak.to_numpy(ak.num(array)))


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def holds_root_files(path: str | os.PathLike, options: Mapping[str, Any]) -> bool:
    """Whether a folder holds `.root` files: how `zoo audit` recognises events."""
    return Path(path).is_dir() and any(Path(path).rglob("*.root"))
