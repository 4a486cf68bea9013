"""Sets of GUE as one benchmark: a score for each subset as its authors define it, and their
mean over a fixed list of subsets.

An *example* is a test sequence of one subset. A predictor maps `SequenceInputs` to
`{"logit": [sequence]}` (positive class; zero is one half) or
`{"probability": [sequence, 2]}`. It decides at one half (argmax): no threshold is tuned.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from zoo.genomics.data import LabelledSequences, read_table, signatures
from zoo.genomics.data.sequences import PADDING
from zoo.genomics.gue.metrics import confusion, macro_f1, matthews
from zoo.genomics.gue.regroup import regroup
from zoo.interfaces.task import Arrays, Examples, Task
from zoo.scoring.scores import weighted_auroc

LARGEST = 30.0
"""Logits are kept within this: a probability of exactly zero or one says no more."""


@dataclasses.dataclass(frozen=True)
class SequenceInputs:
    """What a predictor sees: sequences, the subset that each belongs to, and that subset's
    own training and dev tables.

    Attributes:
        tokens: int8 `[sequence, position]`, padded at the end (`zoo.genomics.data.sequences`).
        subset: name `[sequence]`.
        table: `(subset, split) -> LabelledSequences` for the splits "train" and "dev", for
            predictors that are fitted when they are run.
    """

    tokens: np.ndarray
    subset: np.ndarray
    table: Callable[[str, str], LabelledSequences]

    def __len__(self) -> int:
        return len(self.tokens)

    def by_subset(self) -> Iterator[tuple[str, np.ndarray]]:
        """Each subset with the numbers of its sequences."""
        for name in dict.fromkeys(self.subset.tolist()):
            yield name, np.flatnonzero(self.subset == name)

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Tokens of some sequences, without the padding that none of them needs."""
        tokens = self.tokens[rows]
        return tokens[:, : int((tokens != PADDING).sum(1).max(initial=1))]

    def train(self, subset: str) -> LabelledSequences:
        """A subset's training table."""
        return self.table(subset, "train")


class Gue(Task):
    """The published splits. Which subsets: the points of the metric `mcc` in the task's TOML."""

    @property
    def subsets(self) -> list[str]:
        """Names of the subsets, in the TOML's order."""
        return next(metric.at for metric in self.spec.metric if metric.name == "mcc")

    def table(self, subset: str, split: str) -> LabelledSequences:
        """One table of the task's split. Raises as `published`."""
        return self.published(subset, split)

    @functools.cache  # noqa: B019  (a task lives as long as its benchmark)
    def published(self, subset: str, split: str) -> LabelledSequences:
        """One published table.

        Raises:
            ValueError: no such subset or split; names those that there are.
        """
        if subset not in self.subsets or split not in ("train", "dev", "test"):
            raise ValueError(
                f"{self.spec.id} has no {subset}.{split}; it has {', '.join(self.subsets)}, each "
                "train, dev and test"
            )
        return read_table(self.file(f"{subset}.{split}.csv"), classes=("0", "1"))

    def visible(self, subset: str, split: str) -> LabelledSequences:
        """What a predictor may ask for: `table` but for the test split."""
        if split == "test":
            raise ValueError(
                f"the test labels of {subset} are not a predictor's to see; ask for train or dev"
            )
        return self.table(subset, split)

    def examples(self) -> Examples:
        """The test sequences, subset after subset, in the files' order; named `<subset>/<row>`.

        The targets are `label` `[sequence]` and `clean` `[sequence]`: whether no copy and
        no 31-mer of it, on either strand, is in its subset's training table.
        """
        tables = {subset: self.table(subset, "test") for subset in self.subsets}
        width = max(table.tokens.shape[1] for table in tables.values())
        tokens = np.full((sum(map(len, tables.values())), width), PADDING, np.int8)
        ids, start, clean = [], 0, []
        length = self.spec.parameter("word_length", of="mcc_clean")
        for subset, table in tables.items():
            tokens[start : start + len(table), : table.tokens.shape[1]] = table.tokens
            start += len(table)
            ids += [f"{subset}/{name}" for name in table.ids]
            clean.append(signatures.clean(table.tokens, self.table(subset, "train").tokens, length))
        subsets = np.repeat(list(tables), [len(table) for table in tables.values()])
        targets = {
            "label": np.concatenate([table.known_labels for table in tables.values()]),
            "clean": np.concatenate(clean),
        }
        return Examples(tuple(ids), SequenceInputs(tokens, subsets, self.visible), targets)

    def record(self, predictions: Mapping[str, np.ndarray], examples: Examples) -> Arrays:
        """`logit` float32, `label`, `clean`, `subset` (number in the TOML's list), each
        `[sequence]`.

        Raises:
            ValueError: neither `logit` nor `probability`, a wrong shape, values that are
                not finite or no probabilities.
        """
        n = len(examples)
        if "logit" in predictions:
            logit = np.asarray(predictions["logit"], np.float64)
            if logit.shape != (n,):
                raise ValueError(
                    f"predictions['logit'] has shape {logit.shape}, {self.spec.id} needs {(n,)}: "
                    "[sequence]"
                )
        elif "probability" in predictions:
            value = np.asarray(predictions["probability"], np.float64)
            if value.shape != (n, 2):
                raise ValueError(
                    f"predictions['probability'] has shape {value.shape}, {self.spec.id} needs "
                    f"{(n, 2)}: [sequence, class]"
                )
            given = value[np.isfinite(value).all(1)]
            if (given < 0).any() or (given > 1).any() or (np.abs(given.sum(1) - 1) > 1e-3).any():
                raise ValueError(
                    "predictions['probability'] must lie in [0, 1] and sum to one over classes: "
                    "apply a softmax to logits"
                )
            with np.errstate(divide="ignore"):
                logit = np.log(value[:, 1]) - np.log(value[:, 0])
        else:
            raise ValueError(
                f"predictions of {self.spec.id} need 'logit' [sequence] or 'probability' "
                f"[sequence, 2], got {sorted(predictions)}"
            )
        gaps = np.isnan(logit)
        if gaps.any():
            raise ValueError(
                f"{int(gaps.sum())} sequences have no prediction, the first is "
                f"{examples.ids[int(np.argmax(gaps))]}"
            )
        number = {name: index for index, name in enumerate(self.subsets)}
        return {
            "logit": np.clip(logit, -LARGEST, LARGEST).astype(np.float32),
            "label": examples.targets["label"].astype(np.int8),
            "clean": examples.targets["clean"].astype(bool),
            "subset": np.array([number[name] for name in examples.inputs.subset], np.int8),
        }

    def statistics(self, record: Mapping[str, np.ndarray]) -> Arrays:
        """`counts` and `counts_clean` `[sequence, subset, 4]`: true negatives, false
        positives, false negatives, true positives."""
        cells = confusion(np.asarray(record["logit"]) > 0, record["label"])
        of_subset = (np.asarray(record["subset"])[:, None] == np.arange(len(self.subsets))).astype(
            np.float64
        )
        counts = of_subset[..., None] * cells[:, None]
        return {
            "counts": counts,
            "counts_clean": counts * np.asarray(record["clean"], np.float64)[:, None, None],
        }

    def values(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """`mcc`, `mcc_clean` and `macro_f1` by subset, and `mcc_mean`."""
        mcc, clean = (matthews(means["counts"]), matthews(means["counts_clean"]))
        f1 = macro_f1(means["counts"])
        found: dict[str, np.ndarray] = {"mcc_mean": mcc.mean(-1), "mcc_clean_mean": clean.mean(-1)}
        for index, subset in enumerate(self.subsets):
            found |= {
                f"mcc.{subset}": mcc[..., index],
                f"mcc_clean.{subset}": clean[..., index],
                f"macro_f1.{subset}": f1[..., index],
            }
        return found

    def rank_values(
        self, record: Mapping[str, np.ndarray], weights: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """`auroc` by subset, exact on every resample."""
        found = {}
        for index, subset in enumerate(self.subsets):
            rows = np.flatnonzero(np.asarray(record["subset"]) == index)
            inside = None if weights is None else weights[:, rows]
            value = weighted_auroc(
                np.asarray(record["logit"])[rows], np.asarray(record["label"])[rows] == 1, inside
            )
            found[f"auroc.{subset}"] = value[0] if weights is None else value
        return found


class GueGrouped(Gue):
    """The same sequences, split anew so that a sequence and its shuffles stay together
    (`zoo.genomics.gue.regroup`)."""

    @functools.cache  # noqa: B019
    def _regrouped(self, subset: str) -> dict[str, LabelledSequences]:
        splits = ("train", "dev", "test")
        shares = {split: self.spec.parameter(split) for split in splits}
        return regroup(
            {split: self.published(subset, split) for split in splits},
            shares=shares,
            salt=self.spec.parameter("salt"),
        )

    def table(self, subset: str, split: str) -> LabelledSequences:
        """One table of the grouped split."""
        self.published(subset, split)  # names what is wrong with a name
        return self._regrouped(subset)[split]
