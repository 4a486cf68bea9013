"""The audit of labelled sequences: what makes a score on them say something else than it seems to.

Copies within and across splits, on one strand and on either; copies with another label;
shared 31-mers; sequences that differ only by a dinucleotide-preserving shuffle (Altschul &
Erickson 1985), which gives their labels away; and how far one feature alone carries:
content of G and C, number of CpG, length. Thresholds of the latter are fitted on train
(best accuracy) and scored on test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np

from zoo.genomics.data import LabelledSequences, read_table, signatures
from zoo.genomics.data import sequences as dna
from zoo.genomics.ecoli.metrics.genes import confusion
from zoo.genomics.gue.baselines.lookup import UNKNOWN, look_up
from zoo.interfaces.findings import Finding, Report, Verdict
from zoo.scoring.scores import matthews

FEW, MANY = 0.01, 0.15
"""Shares of a split: copies of more than FEW of it make a leak; common 31-mers
(neighbouring windows share them) of more than MANY."""
K = 31
STRONG, TELLING = 0.2, 0.8
"""MCC of one feature alone from which it is worth a sentence, and from which the set asks
for nothing else."""
DATASET = "genomics/gue"


def audit(
    train: LabelledSequences,
    dev: LabelledSequences | None = None,
    test: LabelledSequences | None = None,
    *,
    name: str = "sequences",
) -> Report:
    """The audit of one set of sequences.

    Args:
        train: the table that models learn from; with it alone only what lies within it is
            looked at.
        dev: the table that choices are made on.
        test: the table that is scored.
        name: what the report is called.
    """
    splits = (
        {"train": train}
        | ({"dev": dev} if dev is not None else {})
        | ({"test": test} if test is not None else {})
    )
    parts = (
        _balance(splits),
        _copies_within(train),
        _copies_across(splits),
        _words(splits),
        _shuffles(splits),
        _features(splits),
    )
    sizes = {split: len(table) for split, table in splits.items()}
    return Report(name, "sequences", sizes, tuple(finding for part in parts for finding in part))


def audit_dataset(
    subset: str | None = None, *, folder: str | os.PathLike | None = None
) -> Iterator[Report]:
    """The audits of `genomics/gue`: of one subset, or of all whose files can be had.

    Args:
        subset: of the card; `mouse_0_grouped` is `mouse_0` in the split of
            `zoo.genomics.gue.regroup`.
        folder: where the files lie, if not where the card says.

    Raises:
        zoo.genomics.data.DataError: no such subset.
        zoo.files.FileMissing: the subset's files are nowhere; without a subset: those of
            none are here.
    """
    from zoo import files, registry
    from zoo.genomics.data.cards import GUE_SPLITS, gue
    from zoo.genomics.gue.regroup import regroup

    card = registry.dataset(DATASET)
    subsets = (
        sorted({file.name.split(".")[0] for file in card.file}) if subset is None else [subset]
    )
    missing: files.FileMissing | None = None
    done = 0
    for each in subsets:
        try:
            tables = {
                split: gue(each.removesuffix("_grouped"), split, folder=folder)
                for split in GUE_SPLITS
            }
        except files.FileMissing as error:
            if subset is not None:
                raise
            missing = error
            continue
        done += 1
        yield audit(
            **(regroup(tables) if each.endswith("_grouped") else tables), name=f"{DATASET}:{each}"
        )
    if not done and missing is not None:
        raise missing


def audit_files(
    paths: Sequence[str | os.PathLike], *, sequence: str = "sequence", label: str | None = "label"
) -> Report:
    """The audit of a user's own files: one table, train and test, or train, dev and test.

    Args:
        paths: as `read_table` takes them.
        sequence, label: names of the columns; `label=""` or None where there is none.

    Raises:
        ValueError: more than three files.
        zoo.genomics.data.DataError: as `read_table`; or a label that train lacks.
    """
    if not 1 <= len(paths) <= 3:
        raise ValueError(
            f"{len(paths)} files; give one table, or train and test, or train, dev and test"
        )
    label = label or None
    train = read_table(paths[0], sequence=sequence, label=label, id=None)
    classes = train.classes or None
    others = [
        read_table(path, sequence=sequence, label=label, id=None, classes=classes)
        for path in paths[1:]
    ]
    return audit(
        train,
        *([None, *others] if len(others) == 1 else others),
        name=", ".join(os.path.basename(path) for path in paths),
    )


def stump(feature: np.ndarray, labels: np.ndarray, other: np.ndarray, classes: int) -> np.ndarray:
    """Classes `[other]` by the best single cut of one feature: fitted by accuracy on
    `feature` and `labels`, applied to `other`.

    Each side of the cut says its most frequent class. Of equal cuts the lowest is taken.
    """
    order = np.argsort(feature, kind="stable")
    value = feature[order]
    counts = np.cumsum(labels[order][:, None] == np.arange(classes), 0)
    # last place of each value; the last of all: no cut
    edges = np.flatnonzero(np.r_[value[1:] != value[:-1], True])
    below, above = counts[edges], counts[-1] - counts[edges]
    best = int(np.argmax(below.max(1) + above.max(1)))
    return np.where(
        other <= value[edges[best]],
        below[best].argmax(),
        above[best].argmax() if above[best].any() else below[best].argmax(),
    )


def correlation(predicted: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """Matthews' correlation of K classes, zero where a margin is empty."""
    return float(matthews(confusion(labels[None], predicted[None], classes)[0]))


def _graded(count: int, of: int, limit: float) -> Verdict:
    return "ok" if not count else "leak" if count > limit * of else "note"


def _balance(splits: dict[str, LabelledSequences]) -> Iterator[Finding]:
    for split, table in splits.items():
        if table.labels is None:
            continue
        share = np.bincount(table.labels, minlength=len(table.classes)) / max(len(table), 1)
        said = ", ".join(
            f"{name} {part:.3f}" for name, part in zip(table.classes[:6], share, strict=False)
        )
        verdict: Verdict = "note" if share.max() > 0.9 or (share == 0).any() else "ok"
        why = "shares; where one class is rare or absent, accuracy says little"
        yield Finding(f"classes.{split}", f"classes of {split}", said, verdict, why)


def _copies_within(train: LabelledSequences) -> Iterator[Finding]:
    (number,), (either,) = signatures.exact(train.tokens), signatures.either_strand(train.tokens)
    again = len(number) - len(np.unique(number))
    strands = len(either) - len(np.unique(either))
    yield Finding(
        "copies.within_train",
        "repeats within train",
        again,
        "note" if again else "ok",
        "sequences that occur before; they weigh double",
        len(number),
    )
    yield Finding(
        "copies.within_train_strands",
        "the same, either strand",
        strands,
        "note" if strands else "ok",
        "also counts a sequence whose reverse complement occurs before",
        len(number),
    )
    if train.labels is not None:
        labels = _labels_of(number, train.labels)
        conflicting = int((labels > 1).sum())
        yield Finding(
            "copies.conflicting",
            "sequences with two labels in train",
            conflicting,
            "note" if conflicting else "ok",
            "different sequences that occur with more than one label: nothing can be right on both",
            len(labels),
        )


def _labels_of(number: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many different labels each different sequence has."""
    pairs = np.unique(np.stack([number, labels], 1), axis=0)
    return np.unique(pairs[:, 0], return_counts=True)[1]


def _copies_across(splits: dict[str, LabelledSequences]) -> Iterator[Finding]:
    names = list(splits)
    exact = dict(
        zip(names, signatures.exact(*(table.tokens for table in splits.values())), strict=True)
    )
    either = dict(
        zip(
            names,
            signatures.either_strand(*(table.tokens for table in splits.values())),
            strict=True,
        )
    )
    for here, there in (("dev", "train"), ("test", "train"), ("test", "dev")):
        if here not in splits or there not in splits:
            continue
        size = len(splits[here])
        same = np.isin(exact[here], exact[there])
        both = int(np.isin(either[here], either[there]).sum())
        count = int(same.sum())
        why = (
            "choices made on dev are optimistic"
            if here == "dev"
            else "they are remembered, not predicted"
        )
        yield Finding(
            f"copies.{here}_in_{there}",
            f"{here} sequences that are in {there}",
            count,
            _graded(count, size, FEW),
            why,
            size,
        )
        yield Finding(
            f"copies.{here}_in_{there}_strands",
            "the same, either strand",
            both,
            _graded(both, size, FEW),
            "to a model that sees both strands these are copies",
            size,
        )
        labels, known = splits[here].labels, splits[there].labels
        if there == "train" and labels is not None and known is not None:
            pair = 1 + max(int(labels.max(initial=0)), int(known.max(initial=0)))
            agreeing = np.isin(exact[here] * pair + labels, exact[there] * pair + known)
            other = int((same & ~agreeing).sum())
            yield Finding(
                f"copies.{here}_conflicting",
                f"of them only with another label in {there}",
                other,
                "note" if other else "ok",
                "a model that remembers is wrong on them",
                size,
            )


def _words(splits: dict[str, LabelledSequences]) -> Iterator[Finding]:
    if len(splits) < 2:
        return
    known = signatures.all_words(splits["train"].tokens, K)
    for split in splits:
        if split == "train":
            continue
        table = splits[split]
        count = int(signatures.shares_words(table.tokens, known, K).sum())
        short = int((dna.lengths(table.tokens) < K).sum())
        why = (
            f"{K} bases in a row, either strand, are in train too: neighbouring windows or repeats"
        )
        why += f"; {short} are shorter than that and not looked at" if short else ""
        what, verdict = (
            f"{split} sequences that share a {K}-mer with train",
            _graded(count, len(table), MANY),
        )
        yield Finding(f"words.{split}_in_train", what, count, verdict, why, len(table))


def _shuffles(splits: dict[str, LabelledSequences]) -> Iterator[Finding]:
    train = splits["train"]
    if train.labels is None or len(train.classes) != 2:
        return
    for split, table in splits.items():
        if (split == "train" and len(splits) > 1) or table.labels is None:
            continue
        said = look_up(train, table.tokens)
        found = np.isfinite(said) & (said != 0.5)
        count, right = int(found.sum()), int(((said > 0.5) == table.labels)[found].sum())
        share = right / count if count else 0.0
        telling = count > FEW * len(table) and max(share, 1 - share) > 0.9
        where = "train" if split != "train" else "itself"
        yield Finding(
            f"dinucleotides.{split}_found",
            f"{split} sequences with a sequence of the same dinucleotides in {where}",
            count,
            "leak" if telling else "note" if count > FEW * len(table) else "ok",
            "same dinucleotide counts and end letters, other order: a shuffle and its original",
            len(table),
        )
        yield Finding(
            f"dinucleotides.{split}_other_label",
            "of them with the other label",
            right,
            "leak" if telling else "ok",
            "the lookup that says the other label is right on these"
            + (": negatives are shuffles of positives" if telling else ""),
            count,
        )
        guess = (np.nan_to_num(said, nan=UNKNOWN) > 0.5).astype(np.int64)
        score = correlation(guess, table.labels, 2)
        yield Finding(
            f"dinucleotides.{split}_mcc",
            f"MCC of that lookup on {split}",
            round(score, 4),
            "leak" if telling else "ok",
            "nothing is learned; where nothing is found it says class 0",
        )


def _features(splits: dict[str, LabelledSequences]) -> Iterator[Finding]:
    split = "test" if "test" in splits else "train"
    train, table = splits["train"], splits[split]
    if train.labels is None or table.labels is None:
        return
    features = {
        "gc": ("content of G and C", dna.gc_content),
        "cpg": (
            "number of CpG",
            lambda tokens: ((tokens[:, :-1] == 1) & (tokens[:, 1:] == 2)).sum(1),
        ),
        "length": ("length", dna.lengths),
    }
    scored = (
        "fitted on train, scored on test"
        if split == "test"
        else "fitted and scored on train: there is no test"
    )
    for key, (words, feature) in features.items():
        values, others = feature(train.tokens), feature(table.tokens)
        if key == "length" and values.min() == values.max() == others.min() == others.max():
            continue
        score = correlation(
            stump(values, train.labels, others, len(train.classes)),
            table.labels,
            len(train.classes),
        )
        limit = STRONG if key == "length" else TELLING  # length is how a set was cut, never biology
        verdict: Verdict = "leak" if abs(score) > limit else "note" if abs(score) > STRONG else "ok"
        yield Finding(
            f"one_feature.{key}",
            f"MCC of {words} alone",
            round(score, 4),
            verdict,
            f"one threshold, {scored}",
        )
