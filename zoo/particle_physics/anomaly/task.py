"""`particle_physics/anomaly`: dijet events scored by how little they look like QCD; hidden
among them, W' -> WZ and Z' -> tt.

A predictor receives `JetPairs` and returns scores `[event]` or `[event, seed]`, higher for
more anomalous: `{"score": ...}`, or `{"wprime": ..., "zprime": ...}` from a method that
looks for each signal apart. Several seeds are several trainings of one method: each is cut
and scored by itself, and the row is their *median*, beside their lowest and highest.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np

from zoo.interfaces.figures import Figure
from zoo.interfaces.task import Arrays, Examples, Task
from zoo.particle_physics.anomaly import data as dijets
from zoo.particle_physics.anomaly import metrics, pictures
from zoo.particle_physics.anomaly.data import PROCESSES, SIGNALS, Dijets

POINTS = {"fpr_1e1": 0.1, "fpr_3e2": 0.03, "fpr_1e2": 0.01, "fpr_3e3": 0.003, "fpr_1e3": 0.001}
"""Point of a metric -> the false positive rate of its cut, within the signal region."""
DETAILED = ("fpr_1e2", "fpr_1e3")
"""Points with enrichment, Poisson interval and range over the seeds."""


class Anomaly(Task):
    """The task, bound to its test file."""

    @functools.cached_property
    def events(self) -> Dijets:
        """The test events: QCD over the whole mass range, signals of the signal region."""
        return dijets.read_test(self.file("test.zarr.zip"))

    @property
    def mass_edges(self) -> np.ndarray:
        """Bins of the dijet mass in GeV, in which sculpting is measured."""
        return np.array(self.spec.parameter("mass_edges", of="sculpting"))

    @property
    def sculpting_rate(self) -> float:
        """The false positive rate, at any mass, of the cut whose sculpting is measured."""
        return self.spec.parameter("false_positive_rate", of="sculpting")

    @property
    def fewest(self) -> int:
        """Background events that must survive a cut before anything is said about it."""
        return self.spec.parameter("fewest_background")

    def examples(self) -> Examples:
        """Inputs are the jets alone; targets the `Dijets` with dijet mass and process."""
        return examples_of(self.events)

    def record(self, predictions: Mapping[str, np.ndarray], examples: Examples) -> Arrays:
        """Ranks among the background of the signal region `[event, seed]` per signal, 0 for
        events that are not ranked; events of the background at any mass that a 1 % cut
        keeps, `[event, seed]`; process and mass bin `[event]`.

        Raises:
            ValueError: a missing score, a wrong shape, NaN or infinity.
        """
        events: Dijets = examples.targets
        qcd, inside = (
            events.process == 0,
            dijets.within(events.mjj, self.spec.parameter("signal_region")),
        )
        arrays: Arrays = {
            "process": events.process,
            "in_signal_region": inside,
            "mass_bin": (np.searchsorted(self.mass_edges, events.mjj, side="right") - 1).astype(
                np.int8
            ),
        }
        for name, scores in zip(SIGNALS, self._scores(predictions, len(examples)), strict=True):
            ranked = inside & (qcd | (events.process == PROCESSES.index(name)))
            rank, kept = np.zeros(scores.shape, np.uint32), np.zeros(scores.shape, bool)
            for seed, score in enumerate(scores.T):
                rank[ranked, seed] = metrics.ranks(score[ranked], qcd[ranked])
                kept[qcd, seed] = metrics.ranks(score[qcd], np.ones(int(qcd.sum()), bool)) <= int(
                    self.sculpting_rate * qcd.sum()
                )
            arrays |= {f"rank_{name}": rank, f"kept_{name}": kept}
        return arrays

    def _scores(self, predictions: Mapping[str, np.ndarray], count: int) -> list[np.ndarray]:
        """One array `[event, seed]` per signal."""
        wanted = ["score"] if "score" in predictions else list(SIGNALS)
        lacking = [name for name in wanted if name not in predictions]
        if lacking:
            raise ValueError(
                f"{self.spec.id} needs predictions['score'], or one per signal: "
                f"{', '.join(SIGNALS)}; given: {', '.join(predictions) or 'none'}"
            )
        arrays = []
        for name in wanted:
            value = np.asarray(predictions[name])
            value = value[:, None] if value.ndim == 1 else value
            if value.ndim != 2 or len(value) != count or not value.shape[1]:
                raise ValueError(
                    f"predictions[{name!r}] has shape {value.shape}, {self.spec.id} needs "
                    f"({count},) or ({count}, seeds)"
                )
            if not np.isfinite(value).all():
                raise ValueError(
                    f"predictions[{name!r}] holds NaN or infinity; every event needs a score, so "
                    "that a cut can be made"
                )
            arrays.append(value)
        return arrays * (len(SIGNALS) if len(arrays) == 1 else 1)

    def statistics(self, record: Mapping[str, np.ndarray]) -> Arrays:
        """What is kept and what there is; cuts are those of the whole record and stay put
        when events are resampled, so that the number of background events that survive
        fluctuates as a Poisson number does. Whether they are enough is the whole record's
        to say."""
        process, inside = record["process"], record["in_signal_region"]
        qcd = process == 0
        in_bin = qcd[:, None] & (record["mass_bin"][:, None] == np.arange(len(self.mass_edges) - 1))
        statistics: Arrays = {"background": qcd & inside, "mass": in_bin}
        for name in SIGNALS:
            signal = inside & (process == PROCESSES.index(name))
            passes = record[f"rank_{name}"][:, None, :] <= allowed(record)[:, None]
            background_kept = passes & (qcd & inside)[:, None, None]
            statistics |= {
                f"signal_{name}": signal,
                f"signal_kept_{name}": passes & signal[:, None, None],
                f"background_kept_{name}": background_kept,
                f"enough_{name}": np.broadcast_to(
                    background_kept.sum(0) >= self.fewest, passes.shape
                ),
                f"mass_kept_{name}": in_bin[:, :, None] & record[f"kept_{name}"][:, None, :],
            }
        return {name: np.asarray(value, np.float64) for name, value in statistics.items()}

    def values(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """`sic_<signal>` at all points, its enrichment and range over the seeds at two,
        `sculpting`: medians over the seeds."""
        scores: dict[str, np.ndarray] = {}
        divergences = []
        for name in SIGNALS:
            with np.errstate(invalid="ignore", divide="ignore"):  # [..., point, seed]
                tpr = means[f"signal_kept_{name}"] / means[f"signal_{name}"][..., None, None]
                fpr = means[f"background_kept_{name}"] / means["background"][..., None, None]
            tpr = np.where(means[f"enough_{name}"] > 0.5, tpr, np.nan)
            sic, rich = metrics.improvement(tpr, fpr), metrics.enrichment(tpr, fpr)
            for index, point in enumerate(POINTS):
                scores[f"sic_{name}.{point}"] = np.median(sic[..., index, :], axis=-1)
                if point in DETAILED:
                    scores[f"enrichment_{name}.{point}"] = np.median(rich[..., index, :], axis=-1)
                    scores[f"sic_{name}_lowest_seed.{point}"] = sic[..., index, :].min(-1)
                    scores[f"sic_{name}_highest_seed.{point}"] = sic[..., index, :].max(-1)
            after = np.moveaxis(means[f"mass_kept_{name}"], -1, -2)
            divergences.append(metrics.jensen_shannon(means["mass"][..., None, :], after))
        # The worse of a method's two cuts, so that a row with one score and a row with two
        # can be compared.
        return scores | {"sculpting": np.median(np.maximum(*divergences), axis=-1)}

    def rank_values(
        self, record: Mapping[str, np.ndarray], weights: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """`background_kept` and the ends of the Poisson interval: of the whole record
        alone, NaN on resamples."""
        process, inside = record["process"], record["in_signal_region"]
        qcd, limits = (process == 0) & inside, allowed(record)[:, None]
        scores: dict[str, np.ndarray] = {}
        counts = []
        for name in SIGNALS:
            passes = record[f"rank_{name}"][:, None, :] <= limits
            kept = passes[qcd].sum(0)
            tpr = np.where(
                kept >= self.fewest,
                passes[inside & (process == PROCESSES.index(name))].mean(0),
                np.nan,
            )
            low, high = metrics.improvement_interval(tpr, kept, int(qcd.sum()))
            for index, point in enumerate(POINTS):
                if point in DETAILED:
                    scores[f"sic_{name}_poisson_low.{point}"] = np.median(low[index])
                    scores[f"sic_{name}_poisson_high.{point}"] = np.median(high[index])
            counts.append(kept)
        fewest = np.minimum(*counts)
        scores |= {
            f"background_kept.{point}": np.median(fewest[index])
            for index, point in enumerate(POINTS)
            if point in DETAILED
        }
        if weights is not None:
            return {name: np.full(len(weights), np.nan) for name in scores}
        return {name: np.asarray(value, np.float64) for name, value in scores.items()}

    def figures(self, record: Mapping[str, np.ndarray]) -> list[Figure]:
        """The background's dijet mass before and after the 1 % cut: of the seed with the
        median sculpting, the worse of its two cuts."""
        qcd = record["process"] == 0
        place, edges = record["mass_bin"].astype(int), self.mass_edges
        qcd = qcd & (place >= 0) & (place < len(edges) - 1)

        def spectrum(chosen: np.ndarray) -> np.ndarray:
            return np.bincount(place[chosen], minlength=len(edges) - 1)

        before = spectrum(qcd)
        # [signal, seed, bin]
        after = np.array(
            [[spectrum(qcd & kept) for kept in record[f"kept_{name}"].T] for name in SIGNALS]
        )
        divergence = metrics.jensen_shannon(before, after)
        worse = divergence.max(axis=0)
        if not np.isfinite(worse).all():
            return []
        seed = int(np.argsort(worse, kind="stable")[(len(worse) - 1) // 2])
        curve = pictures.sculpting(
            before, after[int(divergence[:, seed].argmax()), seed], edges, rate=self.sculpting_rate
        )
        return [curve] if curve else []

    def sample_figures(self) -> list[Figure]:
        """The dijet mass of the test events by process."""
        return [pictures.dijet_spectrum(self.events)]


def allowed(record: Mapping[str, np.ndarray]) -> np.ndarray:
    """How many background events of the signal region a cut may keep at each of `POINTS`."""
    background = int(((record["process"] == 0) & record["in_signal_region"]).sum())
    return np.array([int(rate * background + 1e-9) for rate in POINTS.values()])


def examples_of(events: Dijets) -> Examples:
    """Examples of any sample: names are process and number within it."""
    number = np.zeros(len(events), np.int64)
    for index in range(len(PROCESSES)):
        chosen = events.process == index
        number[chosen] = np.arange(chosen.sum())
    ids = tuple(
        f"{PROCESSES[process]}-{count:06d}"
        for process, count in zip(events.process, number, strict=True)
    )
    return Examples(ids, events.pairs, events)
