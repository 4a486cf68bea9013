"""The tagging benchmarks on our own simulated jets: `jet_tagging` (ten classes),
`top_tagging` and `quark_gluon` (two).

An *example* is a jet. After the nominal test jets come two small *shifted* samples, which
one call of the predictor scores as well: `mpi_off`, the same processes simulated without
multiple parton interactions, and `smeared`, some of the nominal jets with every
constituent's momentum scaled by its own Gaussian factor. Nominal scores use nominal jets
only.

A predictor maps `Jets` to `{"probability": [jet, class]}` (rows sum to one) or, for two
classes, to `{"score": [jet]}` (higher: more like signal; any scale). It may say NaN for
shifted jets, which leaves a gap in those columns.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from zoo.interfaces.figures import Figure
from zoo.interfaces.task import Arrays, Examples, Task
from zoo.particle_physics.data.jets import CLASSES, Jets
from zoo.particle_physics.data.pictures import of_jets
from zoo.particle_physics.tagging import metrics, pictures
from zoo.particle_physics.tagging.samples import SAMPLES, assemble, first_of_each, select, smear

FLOOR = -30.0
"""Smallest log-probability that is told apart: exp(-30) = 1e-13."""
PLAIN = {"Tbqq": "top"}
"""Names of classes as pictures say them."""
BLOCK = 12_000_000
"""Weights (examples times resamples) handled at once: 100 MB."""


class Tagging(Task):
    """What all tagging tasks share: jets to examples, checks of predictions, resampling of
    rank scores.

    Which metrics are computed, at which signal efficiencies (`es30` is 0.30) and in which
    bins of jet momentum (`pt500_600`, in GeV), stands in the task's TOML.
    """

    classes: tuple[str, ...] = ()
    """Names of the classes; the columns of `probability`."""

    @property
    def max_particles(self) -> int:
        """Constituents kept, the hardest first; 128 as in JetClass's published networks."""
        return self.spec.parameter("max_particles")

    @property
    def fewest(self) -> int:
        """Background jets that must survive a cut before a rejection is shown."""
        return self.spec.parameter("fewest_survivors")

    @property
    def bins(self) -> int:
        """Bins of confidence in the calibration error."""
        return self.spec.parameter("bins", of="calibration_error")

    def examples(self) -> Examples:
        """Nominal jets of `test.root` in the file's order, then the shifted ones, of which
        the task's card may ask for some a class: `mpi_off` from `shift_mpi_off.root`, and
        `smeared`, nominal jets scored a second time with smeared momenta."""
        nominal = self.jets("test.root")
        parts, samples = [nominal], [0]
        if "mpi_off" in self.spec.parameters:
            shifted = self.jets("shift_mpi_off.root", absent_ok=True)
            parts.append(shifted[first_of_each(shifted.label, self.spec.parameter("mpi_off"))])
            samples.append(1)
        if "smeared" in self.spec.parameters:
            chosen = nominal[first_of_each(nominal.label, self.spec.parameter("smeared"))]
            parts.append(
                smear(chosen, seed=self.spec.resampling.seed, width=self.spec.parameter("smearing"))
            )
            samples.append(2)
        return assemble(parts, samples)

    def jets(self, name: str, *, absent_ok: bool = False) -> Jets:
        """The jets of one file of the data set that belong to the task's classes, labelled
        by their place among them."""
        from zoo.particle_physics.data.read import read_jets

        jets = read_jets([self.file(name)], max_particles=self.max_particles, classes=self.classes)
        return select(jets, self.classes, absent_ok=absent_ok)

    def wanted(self, family: str) -> list[str]:
        """The points at which the TOML asks for a metric family; none where it does not."""
        return next((metric.at for metric in self.spec.metric if metric.name == family), [])

    def probability(self, predictions: Mapping[str, np.ndarray], examples: Examples) -> np.ndarray:
        """Predicted probabilities `[jet, class]`, checked.

        Raises:
            ValueError: a wrong shape, values outside [0, 1] or rows that do not sum to one,
                or NaN for a nominal jet.
        """
        value = np.asarray(predictions["probability"], np.float64)
        shape = (len(examples), len(self.classes))
        if value.shape != shape:
            raise ValueError(
                f"predictions['probability'] has shape {value.shape}, {self.spec.id} needs "
                f"{shape}: [jet, class]"
            )
        self._check_gaps(value.sum(axis=1), examples, "probability")
        given = value[np.isfinite(value).all(axis=1)]
        if (given < 0).any() or (given > 1).any() or (np.abs(given.sum(axis=1) - 1) > 1e-3).any():
            raise ValueError(
                "predictions['probability'] must lie in [0, 1] and sum to one over classes: apply "
                "a softmax to logits"
            )
        return value

    def _check_gaps(self, value: np.ndarray, examples: Examples, name: str) -> None:
        bad = ~np.isfinite(value) & ((examples.targets.sample == 0) | np.isinf(value))
        if bad.any():
            raise ValueError(
                f"predictions[{name!r}] is not finite for {int(bad.sum())} jets, the first is "
                f"{examples.ids[int(np.argmax(bad))]}; every nominal jet needs a prediction (NaN "
                "is allowed for shifted jets only)"
            )

    def of_truth(self, examples: Examples) -> Arrays:
        """The part of a record that is no prediction: label, sample, jet momentum (GeV)."""
        truth = examples.targets
        return {
            "label": truth.label,
            "sample": truth.sample,
            "jet_pt": np.asarray(examples.inputs.scalars["jet_pt"], np.float32),
        }

    def sample_figures(self) -> list[Figure]:
        """The average image of each class, spectra of mass, tau32 and multiplicity: of the
        nominal test jets."""
        examples = self.examples()
        truth = examples.targets
        return of_jets(
            dataclasses.replace(examples.inputs, label=truth.label, classes=self.classes)[
                truth.sample == 0
            ]
        )

    def rank_values(
        self, record: Mapping[str, np.ndarray], weights: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """AUCs and rejections, exact on each resample, `[resample]`; counts and Poisson
        ends are NaN there.

        Resamples are handled in blocks, so that memory stays bounded for hundreds of
        thousands of jets.
        """
        n = len(record["label"])
        if weights is None:
            return {
                name: value[0]
                for name, value in self.ranked(record, np.ones((n, 1)), resampled=False).items()
            }
        size = max(1, BLOCK // n)
        blocks = [weights[begin : begin + size] for begin in range(0, len(weights), size)]
        parts = [
            self.ranked(record, np.ascontiguousarray(block.T), resampled=True) for block in blocks
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def ranked(
        self, record: Mapping[str, np.ndarray], weights: np.ndarray, *, resampled: bool
    ) -> dict[str, np.ndarray]:
        """`rank_values` for weights `[jet, resample]`; overridden."""
        raise NotImplementedError


class JetTagging(Tagging):
    """Ten classes. The record holds log-probabilities in half precision: half a megabyte a
    row, ranks kept to 0.1 %."""

    classes = CLASSES["jet_tagging"]

    def record(self, predictions: Mapping[str, np.ndarray], examples: Examples) -> Arrays:
        """`log_probability` float16 `[jet, class]` (no smaller than `FLOOR`), label,
        sample, jet_pt."""
        log = np.log(np.maximum(self.probability(predictions, examples), np.exp(FLOOR)))
        return {"log_probability": log.astype(np.float16), **self.of_truth(examples)}

    def statistics(self, record: Mapping[str, np.ndarray]) -> Arrays:
        """Hits and jets by sample and by bin of momentum, confidence and hits by bin of
        confidence."""
        log = np.asarray(record["log_probability"], np.float64)
        given = np.asarray(np.isfinite(log).all(axis=1))
        chosen = np.argmax(np.where(given[:, None], log, 0.0), axis=1)
        correct = np.asarray(given & (chosen == record["label"]))
        nominal = record["sample"] == 0
        confidence = np.exp(np.where(given, log.max(axis=1), FLOOR))
        of_sample = (record["sample"][:, None] == np.arange(len(SAMPLES))) & given[:, None]
        bins = self.momentum_bins(record, nominal)
        return {
            "jets": of_sample.astype(np.float64),
            "correct": (of_sample & correct[:, None]).astype(np.float64),
            "jets_by_pt": bins,
            "correct_by_pt": bins * correct[:, None],
            **metrics.confidence_bins(
                np.minimum(confidence, 1.0), correct, nominal & given, bins=self.bins
            ),
        }

    def momentum_bins(self, record: Mapping[str, np.ndarray], chosen: np.ndarray) -> np.ndarray:
        """Which bin of jet momentum a chosen jet falls into, `[jet, bin]`, 0 or 1."""
        inside = [
            chosen & (record["jet_pt"] >= low) & (record["jet_pt"] < high)
            for low, high in edges(self.wanted("accuracy_by_pt"))
        ]
        return np.stack(inside, axis=1).astype(np.float64) if inside else np.zeros((len(chosen), 0))

    def values(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """`accuracy`, `calibration_error`, `accuracy_by_pt.*`, `accuracy_shifted.*`."""
        share, by_pt = (
            means["correct"] / means["jets"],
            means["correct_by_pt"] / means["jets_by_pt"],
        )
        error = metrics.calibration_error(
            means["bin_confidence"], means["bin_correct"], means["jets"][..., 0]
        )
        found = {"accuracy": share[..., 0], "calibration_error": error}
        found |= {
            f"accuracy_shifted.{at}": share[..., SAMPLES.index(at)]
            for at in self.wanted("accuracy_shifted")
        }
        return found | {
            f"accuracy_by_pt.{at}": by_pt[..., i]
            for i, at in enumerate(self.wanted("accuracy_by_pt"))
        }

    def ranked(
        self, record: Mapping[str, np.ndarray], weights: np.ndarray, *, resampled: bool
    ) -> dict[str, np.ndarray]:
        """`auc` (mean one-vs-one), rejections of QCD by class, and top-vs-QCD AUC by sample."""
        nominal = np.flatnonzero(record["sample"] == 0)
        log, label = np.asarray(record["log_probability"], np.float64), np.asarray(record["label"])
        every = np.array_equal(nominal, np.arange(len(label)))
        w, log0, label0 = (
            (weights, log, label) if every else (weights[nominal], log[nominal], label[nominal])
        )
        found = {"auc": metrics.mean_ovo_auc(log0, label0, w)}
        qcd = self.classes.index("QCD")
        for family, efficiency in self.efficiencies():
            for at in self.wanted(family):
                which = [name.lower() for name in self.classes].index(at)
                # score_S / (score_S + score_QCD) increases with the difference of logarithms
                score = metrics.rejection(
                    log0[:, which] - log0[:, qcd],
                    label0 == which,
                    label0 == qcd,
                    w,
                    [efficiency],
                    fewest=self.fewest,
                )
                found |= named_rejection(
                    family.removeprefix("rejection"), [at], score, resampled=resampled
                )
        top = self.classes.index("Tbqq")
        for at in self.wanted("top_auc"):
            chosen = record["sample"] == SAMPLES.index(at)
            found[f"top_auc.{at}"] = gap_or_auc(
                log[:, top] - log[:, qcd], label == top, label == qcd, weights, chosen
            )
        return found

    def figures(self, record: Mapping[str, np.ndarray]) -> list[Figure]:
        """The confusion matrix, and the ROC curve of tops against QCD: nominal jets."""
        nominal = record["sample"] == 0
        log, label = (
            np.asarray(record["log_probability"], np.float64)[nominal],
            np.asarray(record["label"])[nominal],
        )
        top, qcd = self.classes.index("Tbqq"), self.classes.index("QCD")
        curve = pictures.roc(
            log[:, top] - log[:, qcd],
            label == top,
            label == qcd,
            names=("top", "QCD"),
            points=(0.3, 0.5, 0.8),
        )
        return [
            pictures.confusion(log.argmax(axis=1), label, self.classes),
            *([curve] if curve else []),
        ]

    def efficiencies(self) -> Iterator[tuple[str, float]]:
        """The TOML's families `rejection_es50`, `rejection_es99`, ... with the signal
        efficiency that each names."""
        for metric in self.spec.metric:
            if re.fullmatch(r"rejection_es\d+", metric.name):
                yield metric.name, efficiency(metric.name.removeprefix("rejection_"))


class BinaryTagging(Tagging):
    """Two classes, background first. The record holds one score a jet: the logit of the
    signal's probability, or the row's own score."""

    def record(self, predictions: Mapping[str, np.ndarray], examples: Examples) -> Arrays:
        """`score` float32 `[jet]`, `is_probability` (whether it is a logit), label, sample, jet_pt.

        Raises:
            ValueError: neither `probability` nor `score`, a wrong shape, or a nominal jet
                without a finite value.
        """
        if "probability" in predictions:
            log = np.log(np.maximum(self.probability(predictions, examples), np.exp(FLOOR)))
            score = log[:, 1] - log[:, 0]
        elif "score" in predictions:
            score = np.asarray(predictions["score"], np.float64)
            if score.shape != (len(examples),):
                raise ValueError(
                    f"predictions['score'] has shape {score.shape}, {self.spec.id} needs "
                    f"{(len(examples),)}: [jet]"
                )
            self._check_gaps(score, examples, "score")
        else:
            raise ValueError(
                f"predictions of {self.spec.id} need 'probability' [jet, 2] or 'score' [jet], got "
                f"{sorted(predictions)}"
            )
        logit = np.full(len(examples), "probability" in predictions)
        return {
            "score": score.astype(np.float32),
            "is_probability": logit,
            **self.of_truth(examples),
        }

    def statistics(self, record: Mapping[str, np.ndarray]) -> Arrays:
        """Hits and jets (nominal ones whose score is a probability's logit), confidence and
        hits by bin of confidence."""
        chosen = (record["sample"] == 0) & np.asarray(record["is_probability"], bool)
        logit = np.where(chosen, np.asarray(record["score"], np.float64), 0.0)
        correct = (logit > 0) == (record["label"] == 1)
        confidence = 1.0 / (1.0 + np.exp(-np.abs(logit)))
        return {
            "jets": chosen.astype(np.float64),
            "correct": (chosen & correct).astype(np.float64),
            **metrics.confidence_bins(confidence, correct, chosen, bins=self.bins),
        }

    def values(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """`accuracy` at probability one half and `calibration_error`; a gap for rows that
        give scores only."""
        error = metrics.calibration_error(
            means["bin_confidence"], means["bin_correct"], means["jets"]
        )
        return {"accuracy": means["correct"] / means["jets"], "calibration_error": error}

    def ranked(
        self, record: Mapping[str, np.ndarray], weights: np.ndarray, *, resampled: bool
    ) -> dict[str, np.ndarray]:
        """`auc`, rejections, AUC of the shifted samples and by bin of momentum."""
        score, signal, sample = (
            record["score"],
            np.asarray(record["label"]) == 1,
            np.asarray(record["sample"]),
        )
        nominal = sample == 0
        found = {"auc": gap_or_auc(score, signal, ~signal, weights, nominal)}
        points = self.wanted("rejection")
        if points:
            wanted = [efficiency(at) for at in points]
            of = metrics.rejection(
                score, signal & nominal, ~signal & nominal, weights, wanted, fewest=self.fewest
            )
            found |= named_rejection("", points, of, resampled=resampled)
        for at in self.wanted("auc_shifted"):
            found[f"auc_shifted.{at}"] = gap_or_auc(
                score, signal, ~signal, weights, sample == SAMPLES.index(at)
            )
        points = self.wanted("auc_by_pt")
        for at, (low, high) in zip(points, edges(points), strict=True):
            inside = nominal & (record["jet_pt"] >= low) & (record["jet_pt"] < high)
            found[f"auc_by_pt.{at}"] = gap_or_auc(score, signal, ~signal, weights, inside)
        return found

    def figures(self, record: Mapping[str, np.ndarray]) -> list[Figure]:
        """The ROC curve of nominal jets."""
        signal, nominal = np.asarray(record["label"]) == 1, np.asarray(record["sample"]) == 0
        background, wanted = (PLAIN.get(name, name) for name in self.classes)
        points = [efficiency(at) for at in self.wanted("rejection")]
        curve = pictures.roc(
            record["score"],
            signal & nominal,
            ~signal & nominal,
            names=(wanted, background),
            points=points,
        )
        return [curve] if curve else []


class TopTagging(BinaryTagging):
    """Hadronic tops against QCD, from the jets of `jet_tagging`."""

    classes = CLASSES["top_tagging"]


class QuarkGluon(BinaryTagging):
    """Light quarks (signal) against gluons."""

    classes = CLASSES["quark_gluon"]


def efficiency(point: str) -> float:
    """The signal efficiency that a point of a metric names: es30 -> 0.30, es995 -> 0.995."""
    return float(f"0.{point.removeprefix('es')}")


def edges(points: list[str]) -> list[tuple[float, float]]:
    """Bins of jet momentum (GeV) that points of a metric name: pt500_600 -> (500, 600)."""
    bounds = (point.removeprefix("pt").split("_") for point in points)
    return [(float(low), float(high)) for low, high in bounds]


def gap_or_auc(
    score: np.ndarray,
    signal: np.ndarray,
    background: np.ndarray,
    weights: np.ndarray,
    chosen: np.ndarray,
) -> np.ndarray:
    """The AUC among some jets, `[resample]`; NaN where a kind is absent or a score is missing."""
    signal, background = signal & chosen, background & chosen
    if (
        not signal.any()
        or not background.any()
        or not np.isfinite(score[signal | background]).all()
    ):
        return np.full(weights.shape[1], np.nan)
    return metrics.auc(score, signal, background, weights)


def named_rejection(
    suffix: str, points: list[str], score: Mapping[str, Any], *, resampled: bool
) -> dict[str, np.ndarray]:
    """Rejection, its Poisson ends and the survivors as metrics `rejection<suffix>.<point>`,
    `rejection_low<suffix>.<point>`, ..."""
    found = {}
    n = score["samples"].shape[1]
    for i, at in enumerate(points):
        found[f"rejection{suffix}.{at}"] = (
            score["samples"][i] if resampled else score["value"][i : i + 1]
        )
        for name, key in (
            ("rejection_low", "low"),
            ("rejection_high", "high"),
            ("survivors", "survivors"),
        ):
            found[f"{name}{suffix}.{at}"] = (
                np.full(n, np.nan) if resampled else score[key][i : i + 1]
            )
    return found
