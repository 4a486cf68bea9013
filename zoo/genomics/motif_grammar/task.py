"""`genomics/motif_grammar` and `genomics/motif_grammar_hard`: tell simulated sequences
apart, and say where what was planted lies.

An *example* is a test sequence of 200 bases. The first 500 positives in the test split's
order are *explained* too: a predictor gives one number a position, and the score is how
well these numbers find the positions where a motif was planted, sequence by sequence.

A predictor maps `MotifInputs` to a dictionary:

    "score"        [sequence]; higher: more like a positive (logits, or any scale)
    "threshold"    a number, the score from which it says "positive"; may be left out
                   (accuracy is a gap then)
    "attribution"  {method: [explained, position]}
    "declared"     the method that stands for it, chosen without test data; a key of
                   "attribution"
    "completeness_error"  [explained], of integrated gradients; may be left out
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from zoo.genomics.motif_grammar import pictures
from zoo.genomics.motif_grammar.data import PlantedSequences, read_planted
from zoo.genomics.motif_grammar.metrics import aupr, auroc
from zoo.interfaces.figures import Figure, Histogram, Histograms
from zoo.interfaces.task import Arrays, Examples, Task
from zoo.scoring.scores import weighted_auroc

METHODS = (
    "saliency",
    "gradient_x_input",
    "gradient_norm",
    "smooth_grad",
    "integrated_gradients",
    "ism",
)
"""Those that have a column of their own; other names may be declared."""


@dataclasses.dataclass(frozen=True)
class MotifInputs:
    """What a predictor gets.

    Attributes:
        tokens: int8 `[sequence, 200]`: A 0, C 1, G 2, T 3.
        explained: int64 `[explained]`: rows to be explained. All of them are positives; a
            predictor that used this for its scores would cheat, and none of ours looks.
    """

    tokens: np.ndarray
    explained: np.ndarray


class MotifGrammar(Task):
    """The published set."""

    file_name = "motif_grammar.zarr.zip"
    set_name, suffix = "the published set", ""
    """In titles, and at the end of pictures' names: both sets are of one data set."""

    def sequences(self, split: str) -> PlantedSequences:
        """One split of the task's set."""
        return read_planted(self.file(self.file_name), split)

    def examples(self) -> Examples:
        """The test split, in its order."""
        return self.examples_of("test")

    def examples_of(self, split: str) -> Examples:
        """A split as examples; choices are made on those of "validation"."""
        planted = self.sequences(split)
        explained = np.flatnonzero(planted.label == 1)[: self.spec.parameter("explained")]
        ids = tuple(f"{split}{row:05d}" for row in range(len(planted)))
        return Examples(ids, MotifInputs(planted.tokens, explained), planted)

    def record(self, predictions: Mapping[str, Any], examples: Examples) -> Arrays:
        """Score, label and decision of each sequence; AUROC and AUPR of each explained
        sequence by method, NaN elsewhere.

        Raises:
            ValueError: a wrong shape, a value that is not finite, or a declared method that
                was not given.
        """
        n, explained = len(examples), examples.inputs.explained
        score = _finite(predictions["score"], (n,), "score")
        record = {
            "score": score.astype(np.float32),
            "label": examples.targets.label,
            "kind": examples.targets.kind,
        }
        threshold = predictions.get("threshold")
        # Three values: 1 right, 0 wrong, -1 says nothing.
        decided = (
            -np.ones(n) if threshold is None else (score > threshold) == (record["label"] == 1)
        )
        record["correct"] = np.asarray(decided, np.int8)
        given, declared = predictions["attribution"], predictions["declared"]
        if declared not in given:
            raise ValueError(
                f"the declared method {declared!r} is not among the attributions given: "
                f"{', '.join(given) or 'none'}"
            )
        truth = examples.targets.planted()[explained]
        for method, values in given.items():
            values = _finite(values, truth.shape, f"attribution[{method!r}]")
            for name, measure in (("auroc", auroc), ("aupr", aupr)):
                record[f"{name}_{method}"] = np.full(n, np.nan, np.float32)
                record[f"{name}_{method}"][explained] = measure(values, truth)
        for name in ("auroc", "aupr"):
            record[f"{name}_declared"] = record[f"{name}_{declared}"]
        if "completeness_error" in predictions:
            record["completeness_error"] = np.full(n, np.nan, np.float32)
            record["completeness_error"][explained] = _finite(
                predictions["completeness_error"], (len(explained),), "completeness_error"
            )
        return record

    def statistics(self, record: Mapping[str, np.ndarray]) -> Arrays:
        """Each value with its count beside it; zero where there is none."""
        found = {
            "correct": np.maximum(record["correct"], 0).astype(np.float64),
            "decided": (record["correct"] >= 0).astype(np.float64),
        }
        for name in _per_explained(record):
            there = np.isfinite(record[name])
            found[name] = np.where(there, record[name], 0.0).astype(np.float64)
            found[f"given_{name}"] = there.astype(np.float64)
        return found

    def values(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Means over the explained sequences, and accuracy."""
        found = {"accuracy": _ratio(means["correct"], means["decided"])}
        for name in [key for key in means if f"given_{key}" in means]:
            value = _ratio(means[name], means[f"given_{name}"])
            measure, _, method = name.partition("_")
            if name == "completeness_error":
                found[name] = value
            elif method == "declared":
                found[f"attribution_{measure}"] = value
            elif method in METHODS:
                found[f"{measure}_by_method.{method}"] = value
        return found

    def rank_values(
        self, record: Mapping[str, np.ndarray], weights: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """AUROC of the classification, exact on every resample."""
        found = {"auroc": weighted_auroc(record["score"], record["label"] == 1, weights)}
        for kind, name in self.kinds.items():
            mine = (record["label"] == 1) | (record["kind"] == kind)
            part = None if weights is None else weights[:, mine]
            found[f"auroc_by_negative.{name}"] = weighted_auroc(
                record["score"][mine], record["label"][mine] == 1, part
            )
        return {name: value if weights is not None else value[0] for name, value in found.items()}

    kinds: ClassVar[Mapping[int, str]] = {}
    """Kinds of negatives that are scored apart."""

    def figures(self, record: Mapping[str, np.ndarray]) -> list[Figure]:
        """How the attribution AUROC spreads over sequences, by method."""
        edges = np.linspace(0.0, 1.0, 21)
        series = []
        for method in METHODS:
            if f"auroc_{method}" in record:
                values = record[f"auroc_{method}"]
                counts = np.histogram(values[np.isfinite(values)], edges)[0]
                series.append(
                    Histogram(
                        label=method.replace("_", " "),
                        values=[float(v) for v in np.round(counts / counts.sum(), 5)],
                    )
                )
        if not series:
            return []
        return [
            Histograms(
                name="attribution_auroc",
                title="How well each sequence's explanation finds its motifs",
                caption=(
                    "Share of the explained SIMULATED test positives in each bin of their "
                    "attribution AUROC; one half is chance."
                ),
                x_label="attribution AUROC of a sequence",
                y_label="share of sequences",
                edges=[float(e) for e in np.round(edges, 3)],
                series=series,
            )
        ]

    def sample_figures(self) -> list[Figure]:
        """A sequence of each class with its motifs, where motifs lie, and GC content: what
        a network could use without a motif."""
        planted, names = self.sequences("test"), {"kind": self.set_name, "suffix": self.suffix}
        return [
            pictures.first_of_each_class(planted, **names),
            pictures.positions_by_class(planted, **names),
            pictures.gc_by_class(planted, **names),
        ]


class MotifGrammarHard(MotifGrammar):
    """Our own set, in which only the order and the distance of motifs tell the classes apart."""

    file_name = "motif_grammar_hard.zarr.zip"
    set_name, suffix = "the harder set", "_hard"
    kinds: ClassVar[Mapping[int, str]] = {1: "order", 2: "distance"}


def _per_explained(record: Mapping[str, np.ndarray]) -> list[str]:
    return [
        name
        for name in record
        if name.startswith(("auroc_", "aupr_")) or name == "completeness_error"
    ]


def _finite(values: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Predictions as float64, checked."""
    values = np.asarray(values, np.float64)
    if values.shape != shape:
        raise ValueError(f"predictions[{name!r}] has shape {values.shape}, wanted is {shape}")
    if not np.isfinite(values).all():
        raise ValueError(
            f"predictions[{name!r}] holds {int((~np.isfinite(values)).sum())} values that are not "
            "finite"
        )
    return values


def _ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.where(count > 0, total / np.where(count > 0, count, 1.0), np.nan)
