"""The lookup that learns nothing and beats every published model on GUE's mouse tasks: the
other label of a shuffle's original.

Every negative there is a dinucleotide-preserving shuffle of a positive (Altschul & Erickson 1985,
doi:10.1093/oxfordjournals.molbev.a040370). A shuffle keeps all dinucleotide counts and the
first and the last letter, so it and its original find each other, and the published split,
drawn over single sequences, left four fifths of the test sequences with their partner in
train. On a split that keeps such pairs together (`genomics/gue_mouse_grouped`) the lookup
finds nothing and is worth nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.genomics.data import LabelledSequences, signatures

UNKNOWN = 0.499
"""Probability of class 1 where nothing is found: the constant guess "not bound", hardly
less than one half."""


def look_up(train: LabelledSequences, tokens: np.ndarray) -> np.ndarray:
    """Probability of class 1 by lookup, float64 `[sequence]`; NaN where nothing is found.

    A sequence is found where a *different* training sequence has the same dinucleotide
    counts and the same end letters; it gets the other label (with several: one less their
    mean).

    Args:
        train: the training table, classes 0 and 1.
        tokens: int8 `[sequence, position]`, padded at the end.

    Raises:
        ValueError: the training table has no labels.
    """
    if train.labels is None:
        raise ValueError("the lookup needs a training table with labels")
    known, asked = signatures.dinucleotides(train.tokens, tokens)
    known_self, asked_self = signatures.exact(train.tokens, tokens)
    size = max(known.max(initial=-1), asked.max(initial=-1)) + 1
    count = np.bincount(known, minlength=size)[asked].astype(np.float64)
    ones = np.bincount(known, train.labels, minlength=size)[asked]
    # The same sequence is no pair: its own label would be the right one.
    own = max(known_self.max(initial=-1), asked_self.max(initial=-1)) + 1
    count -= np.bincount(known_self, minlength=own)[asked_self]
    ones = ones - np.bincount(known_self, train.labels, minlength=own)[asked_self]
    return np.where(count > 0, 1.0 - ones / np.where(count > 0, count, 1.0), np.nan)


class Lookup:
    """The predictor: `zoo.genomics.gue.task.SequenceInputs` -> `{"probability": [sequence, 2]}`."""

    def __call__(self, inputs: Any) -> dict[str, np.ndarray]:
        """Probability of each class, float64; where nothing is found, class 0 by a hair.

        Args:
            inputs: `.tokens` `[sequence, position]`, `.subset` `[sequence]`, and
                `.train(subset)`, the subset's training table.
        """
        subsets = np.asarray(inputs.subset)
        positive = np.full(len(subsets), UNKNOWN)
        for subset in np.unique(subsets):
            rows = np.flatnonzero(subsets == subset)
            found = look_up(inputs.train(str(subset)), np.asarray(inputs.tokens)[rows])
            positive[rows] = np.where(np.isnan(found), UNKNOWN, found)
        return {"probability": np.stack([1.0 - positive, positive], 1)}


def lookup(task: Any) -> Lookup:
    """The lookup as a baseline of a task."""
    return Lookup()
