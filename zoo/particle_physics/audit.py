"""The audit of events: the same jet or event in two splits, and what one observable alone tells.

An event is recognised by its content: a 128-bit sum over the bits of every number in it,
whatever the branch order of the file; labels and branches that begin with `aux_` or `gen`
(truth, bookkeeping) are left out, so a copy under another label is found too. Simulated
events are also compared by what made them, a file's seed (a branch, or the `manifest.json`
of its build) and `aux_event`: both jets of an event belong to one split.
"""

from __future__ import annotations

import dataclasses
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from zoo.interfaces.findings import Finding, Report, Verdict
from zoo.particle_physics.data.padding import Ragged
from zoo.particle_physics.data.read import TRUTH_PREFIXES
from zoo.particle_physics.data.root import JetFileError, Tree, resolve
from zoo.scoring.scores import auroc

AT_ONCE = 20_000
FEW = 0.001
"""Share of a split that copies may be (near-empty events coincide by chance) before they
are a leak."""
STRONG, TELLING = 0.75, 0.95
"""AUC of one observable alone (or of its opposite) from which it is worth a sentence, and
from which it answers the question."""
EVENT = ("aux_event", "event", "eventNumber", "EventNumber")
SEED = ("aux_seed", "seed", "run", "runNumber", "RunNumber")
DATASETS = ("particle_physics/jet_tagging", "particle_physics/quark_gluon")
_BOOKKEEPING = (*EVENT, *SEED, "luminosityBlock", "lumi")


@dataclasses.dataclass(frozen=True, eq=False)
class Events:
    """Events of some files, as far as an audit looks at them.

    Attributes:
        name: of the split.
        content: uint64 `[event, 2]`, equal for events that are equal number for number.
        empty: bool `[event]`: no particle, or nothing but zeros.
        origin: int64 `[event, 2]`: seed (or run) and event number; None where the files do
            not tell both.
        label: int64 `[event]`; None without `label_*` branches.
        classes: names of the labels.
        observables: float64 `[event]` by name.
    """

    name: str
    content: np.ndarray
    empty: np.ndarray
    origin: np.ndarray | None
    label: np.ndarray | None
    classes: tuple[str, ...]
    observables: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.content)


def read_events(
    paths: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    name: str = "events",
    tree: str | None = None,
) -> Events:
    """What an audit needs of ROOT files (TTree or RNTuple), read piece by piece.

    Args:
        paths: file, folder, glob or a list of such; all must have the same branches.
        name: of the split.
        tree: name of the tree; None: the only one, or `tree`, or `Events`.

    Raises:
        JetFileError: no such tree, no entry, no branch of numbers, damaged bytes, or files
            whose branches differ.
        FileNotFoundError: there is no such file.
    """
    parts: list[dict[str, np.ndarray]] = []
    first: tuple[str, ...] | None = None
    for path in resolve(paths):
        with _open(path, tree) as opened:
            if not opened.entries:
                raise JetFileError(f"{path} holds no event")
            if first is None:
                first = tuple(opened.branches)
            elif set(first) != set(opened.branches):
                other = ", ".join(sorted(set(first) ^ set(opened.branches)))
                raise JetFileError(f"{path} has other branches than the files before it: {other}")
            for start in range(0, opened.entries, AT_ONCE):
                parts.append(_look(opened, start, min(start + AT_ONCE, opened.entries)))
                if (seed := _seed_of(path)) is not None:
                    parts[-1].setdefault("id.aux_seed", np.full(len(parts[-1]["a"]), seed))
    # A seed is of use only where every file has one.
    columns = {
        key: np.concatenate([part[key] for part in parts])
        for key in parts[0]
        if all(key in part for part in parts)
    }
    labels = [key for key in columns if key.startswith("label_")]
    label: np.ndarray | None = None
    if len(labels) > 1:
        label = np.stack([columns[key] for key in labels], 1).argmax(1)
    event, source = (
        next((columns[f"id.{key}"] for key in keys if f"id.{key}" in columns), None)
        for keys in (EVENT, SEED)
    )
    observables: dict[str, np.ndarray] = {}
    for key in columns:  # the same number stands in a file under several names
        if key.startswith("obs.") and not any(
            np.array_equal(columns[key], each) for each in observables.values()
        ):
            observables[key[4:]] = columns[key]
    classes = tuple(key.removeprefix("label_") for key in labels)
    origin = None if event is None or source is None else np.stack([source, event], 1)
    return Events(
        name,
        np.stack([columns["a"], columns["b"]], 1),
        columns["empty"],
        origin,
        label,
        classes,
        observables,
    )


def audit(
    train: Events, dev: Events | None = None, test: Events | None = None, *, name: str = "events"
) -> Report:
    """The audit of one set of events; with `train` alone it says what lies within it."""
    splits = (
        {"train": train}
        | ({"dev": dev} if dev is not None else {})
        | ({"test": test} if test is not None else {})
    )
    if len(splits) == 1:
        splits = {train.name: train}
    parts = (_copies(splits), _origins(splits), _observables(*list(splits.items())[-1]))
    return Report(
        name,
        "events",
        {split: len(each) for split, each in splits.items()},
        tuple(each for part in parts for each in part),
    )


def audit_dataset(subset: str | None = None) -> Iterator[Report]:
    """The audits of the jets that the repository carries (their training files are built,
    not shipped, from seeds of their own).

    Args:
        subset: "jet_tagging" or "quark_gluon"; None: both.

    Raises:
        ValueError: another subset.
    """
    from zoo import files, registry

    known = [each.split("/")[1] for each in DATASETS]
    if subset is not None and subset not in known:
        raise ValueError(f"no subset {subset!r}; there are {', '.join(known)}")
    for each in known if subset is None else [subset]:
        card = registry.dataset(f"particle_physics/{each}")
        file = next(file for file in card.file if file.name == "test.root")
        path = files.get(file, folder=registry.dataset_folder(card))
        yield audit(read_events(path, name="test"), name=f"{card.id} (test)")


def audit_files(paths: Sequence[str | os.PathLike], *, tree: str | None = None) -> Report:
    """The audit of a user's own ROOT files: train and test, or train, dev and test, or one
    split. Raises as `read_events`."""
    if not 1 <= len(paths) <= 3:
        raise ValueError(
            f"{len(paths)} paths; give one split, or train and test, or train, dev and test "
            "(folders and globs too)"
        )
    names = {1: ("events",), 2: ("train", "test"), 3: ("train", "dev", "test")}[len(paths)]
    found = [
        read_events(path, name=name, tree=tree) for path, name in zip(paths, names, strict=True)
    ]
    label = ", ".join(os.path.basename(os.fspath(path)) for path in paths)
    return audit(found[0], *([None, found[1]] if len(found) == 2 else found[1:]), name=label)


def _open(path: str, tree: str | None) -> Tree:
    if tree is not None:
        return Tree(path, tree)
    try:
        return Tree(path, None)
    except JetFileError:
        for usual in ("tree", "Events"):
            try:
                return Tree(path, usual)
            except JetFileError:
                continue
        raise


def _seed_of(path: str) -> int | None:
    """The seed of a file of ours, from the `manifest.json` that its build left beside it."""
    manifest = Path(path).parent / "manifest.json"
    if "://" in path or not manifest.is_file():
        return None
    try:
        seed = json.loads(manifest.read_text(encoding="utf-8"))["files"][Path(path).name]["seed"]
    except (ValueError, KeyError, TypeError):  # somebody else's manifest
        return None
    return seed if isinstance(seed, int) else None


def _look(tree: Tree, start: int, stop: int) -> dict[str, np.ndarray]:
    """Content, identity, labels and observables of some entries."""
    n = stop - start
    a, b, empty = np.zeros(n, np.uint64), np.zeros(n, np.uint64), np.ones(n, bool)
    out: dict[str, np.ndarray] = {}
    read = _readable(tree, start, stop)
    used = 0
    for name, branch in read.items():
        if name.startswith("label_") and not isinstance(branch, Ragged):
            out[name] = np.asarray(branch).astype(np.int64)
        if name in _BOOKKEEPING and not isinstance(branch, Ragged):
            out[f"id.{name}"] = np.asarray(branch).astype(np.int64)
        if name.startswith(TRUTH_PREFIXES) or name in _BOOKKEEPING:
            continue
        counts = branch.counts if isinstance(branch, Ragged) else np.ones(n, np.int64)
        values = branch.values() if isinstance(branch, Ragged) else np.asarray(branch)
        if values.ndim != 1 or values.dtype.kind not in "fiub" or len(values) != counts.sum():
            continue
        used += 1
        if not isinstance(branch, Ragged):
            out[f"obs.{name}"] = values.astype(np.float64)
        elif "obs.number of particles" not in out and name.startswith("part_"):
            out["obs.number of particles"] = counts.astype(np.float64)
        of = np.repeat(np.arange(n), counts)
        place = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)
        bits = np.where(values == 0, 0.0, values).astype(np.float64).view(np.uint64)  # -0 is 0
        empty[of[bits != 0]] = False
        for total, salt in ((a, 0), (b, 1)):
            key = np.uint64(zlib.crc32(name.encode()) + (salt << 40))
            np.add.at(
                total,
                of,
                _mixed(
                    bits ^ _mixed(place.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + key)
                ),
            )
    if not used:
        raise JetFileError(
            f"{tree.path} has no branch of numbers that is not truth or bookkeeping; it has "
            f"{', '.join(tree.branches[:20])}"
        )
    return out | {"a": a, "b": b, "empty": empty}


def _readable(tree: Tree, start: int, stop: int) -> dict[str, Ragged | np.ndarray]:
    """All branches that are numbers, or lists of numbers."""
    try:
        return tree.read(tree.branches, start, stop)
    except JetFileError:
        found = {}
        for name in tree.branches:  # some branch of a foreign file is an object
            try:
                found.update(tree.read([name], start, stop))
            except JetFileError:
                continue
        if not found:
            raise
        return found


def _mixed(x: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser (Steele, Lea & Flood 2014, doi:10.1145/2714064.2660195): every
    bit in changes every bit out."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _numbers(splits: dict[str, Events]) -> dict[str, np.ndarray]:
    _, number = np.unique(
        np.concatenate([each.content for each in splits.values()]), axis=0, return_inverse=True
    )
    parts = np.split(number.ravel(), np.cumsum([len(each) for each in splits.values()])[:-1])
    return dict(zip(splits, parts, strict=True))


def _copies(splits: dict[str, Events]) -> Iterator[Finding]:
    numbers = _numbers(splits)
    for split, each in splits.items():
        full = numbers[split][~each.empty]
        again = len(full) - len(np.unique(full))
        nothing = int(each.empty.sum())
        yield Finding(
            f"copies.within_{split}",
            f"events given again within {split}",
            again,
            "note" if again else "ok",
            "equal number for number",
            len(each),
        )
        yield Finding(
            f"empty.{split}",
            f"events of {split} without content",
            nothing,
            "note" if nothing else "ok",
            "nothing but zeros; they are left out above",
            len(each),
        )
        if each.label is not None:
            pairs = np.unique(np.stack([full, each.label[~each.empty]], 1), axis=0)
            other = int((np.unique(pairs[:, 0], return_counts=True)[1] > 1).sum())
            yield Finding(
                f"copies.{split}_conflicting",
                f"events with two labels in {split}",
                other,
                "note" if other else "ok",
                "nothing can be right on both",
            )
    for here, there in (("dev", "train"), ("test", "train"), ("test", "dev")):
        if here in splits and there in splits:
            same = np.isin(numbers[here], numbers[there]) & ~splits[here].empty
            count = int(same.sum())
            verdict: Verdict = "ok" if not count else "leak" if count > FEW * len(same) else "note"
            why = (
                "choices made on dev are optimistic"
                if here == "dev"
                else "they are remembered, not predicted"
            )
            yield Finding(
                f"copies.{here}_in_{there}",
                f"events of {here} that are in {there}",
                count,
                verdict,
                why,
                len(same),
            )


def _origins(splits: dict[str, Events]) -> Iterator[Finding]:
    names = list(splits)
    for here, there in [(here, there) for i, there in enumerate(names) for here in names[i + 1 :]]:
        known, own = splits[there].origin, splits[here].origin
        label = f"events of {here} with seed (or run) and number of one in {there}"
        if known is None or own is None:
            why = (
                "the files do not say both (aux_seed and aux_event, or run and event): only equal "
                "content was looked for"
            )
            yield Finding(f"origin.{here}_in_{there}", label, None, "note", why, len(splits[here]))
            continue
        shared = int(np.isin(_rows(own), _rows(known)).sum())
        why = "two jets of one event recoil against each other: keep them in one split"
        yield Finding(
            f"origin.{here}_in_{there}",
            label,
            shared,
            "leak" if shared else "ok",
            why,
            len(splits[here]),
        )


def _rows(pairs: np.ndarray) -> np.ndarray:
    """Pairs of integers as one comparable value each."""
    return np.ascontiguousarray(pairs).view([("seed", np.int64), ("event", np.int64)])[:, 0]


def _observables(split: str, events: Events) -> Iterator[Finding]:
    """The AUC of each observable alone, exact, ties half; with more than two classes the
    best of one class against the rest."""
    if events.label is None:
        return
    present = [index for index in range(len(events.classes)) if (events.label == index).any()]
    if len(present) < 2:
        yield Finding(
            "one_feature",
            "AUC of single observables",
            None,
            "note",
            f"every event of {split} is {events.classes[present[0]]}",
        )
        return
    for name, value in events.observables.items():
        known = np.isfinite(value)
        best, against = 0.5, ""
        for index in present if len(present) > 2 else present[:1]:
            signal = events.label[known] == index
            if signal.any() and not signal.all():
                auc = float(auroc(value[known], signal))
                if max(auc, 1 - auc) > best:
                    best, against = max(auc, 1 - auc), events.classes[index]
        why = (
            f"{against} against the rest" if len(present) > 2 else "either direction"
        ) + f", on {split}"
        verdict: Verdict = "leak" if best > TELLING else "note" if best > STRONG else "ok"
        yield Finding(
            f"one_feature.{name.replace(' ', '_')}",
            f"AUC of {name} alone",
            round(float(best), 4),
            verdict,
            why,
        )
