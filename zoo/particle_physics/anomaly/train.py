"""Training of the learned searches of `particle_physics/anomaly`.

    zoo train particle_physics/anomaly jet_autoencoder.qcd           QCD jets alone
    zoo train particle_physics/anomaly event_classifier.cwola        unlabelled, injected signal
    zoo train particle_physics/anomaly event_classifier.cwola_zero   the same without any signal
    zoo train particle_physics/anomaly event_classifier.supervised   labelled: the bound

Classification without labels (Metodiev, Nachman & Thaler, arXiv:1708.02949; for resonances
Collins, Howe & Nachman, arXiv:1902.02634): a classifier of signal region against side bands
can only learn what differs between them: a resonance, if there is one. Each seed is an
experiment of its own: another draw of injected signal events, other folds, other first
weights. `S/B` in the signal region is the recipe's `fraction`; signal outside the region
contaminates the side bands as it would in nature. Side bands below and above the region
weigh alike, and together as much as the region, so that no trend in the dijet mass pays (as
in arXiv:1902.02634).

Of five folds each network leaves one out; the best step, one for all five, has the lowest
loss on what they left out (region against side band: no label enters). If that is not
better than knowing nothing by two standard errors, the search has found nothing: its
networks stay at step 0, where they say nothing, and its cut is a random one. The five
networks are averaged. In the field the data themselves are scored, each event by the
network that left it out; here the *test file* is scored, which no network has seen, so that
all methods meet the same events.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import files
from zoo.particle_physics.anomaly import data as dijets
from zoo.particle_physics.anomaly import metrics
from zoo.particle_physics.anomaly.data import SIGNALS, Dijets
from zoo.particle_physics.anomaly.fitting import (
    VALIDATION_FOLDS,
    Log,
    fit_autoencoder,
    fit_classifier,
)
from zoo.particle_physics.anomaly.mixtures import (
    draw_folds,
    inject,
    labelled_sample,
    unlabelled_sample,
)
from zoo.particle_physics.anomaly.predict import FittedAutoencoder, FittedClassifier
from zoo.particle_physics.anomaly.recipes import RECIPES, AnomalyRecipe, describe
from zoo.pretrained.run import write_run
from zoo.scoring.environment import hardware

NOTHING_LEARNED = 0.95
"""Share of the error of knowing nothing from which an autoencoder's training has died."""


def train(
    recipe: str, *, seed: int, data: Path | None, out: Path, steps: int | None = None
) -> Iterator[str]:
    """Trains one search and leaves a run.

    Args:
        recipe: key of `RECIPES`.
        seed: of the experiment.
        data: folder of the chunks; None: where `zoo data build` puts them.
        out: of the run.
        steps: fewer than the recipe.

    Yields:
        What was found, and where the run is.

    Raises:
        ValueError: no such recipe; lists those there are.
        FileNotFoundError: the events were not simulated yet.
    """
    if recipe not in RECIPES:
        raise ValueError(
            f"particle_physics/anomaly has no recipe {recipe!r}; it has "
            f"{', '.join(sorted(RECIPES))}"
        )
    chosen, begin = RECIPES[recipe], time.perf_counter()
    lines: list[str] = []
    if steps is not None:
        chosen = dataclasses.replace(chosen, steps=min(steps, chosen.steps))
    events = TrainingEvents.read(data or files.home() / "build" / "particle_physics/anomaly")
    fitted, scores = fit_search(events, chosen, seed=seed, log=lines.append)
    yield from lines
    yield "unseen training-split events: " + " ".join(
        f"{key} {value:.2f}" for key, value in scores.items()
    )
    short = "" if steps is None else f" --steps {steps}"
    described = describe(
        recipe,
        chosen,
        events=events.counts,
        command=f"zoo train particle_physics/anomaly {recipe} --seed {seed}{short}",
        hardware=hardware(),
        wall_seconds=time.perf_counter() - begin,
        validation=scores,
    )
    card = write_run(
        out,
        fitted.model,
        [described],
        task="particle_physics/anomaly",
        recipe=recipe,
        seed=seed,
        transforms={"centre": fitted.centre, "scale": fitted.scale},
        storage="float16",
        died=failure(fitted, chosen, events),
    )
    yield f"wrote {card}"


def failure(
    fitted: FittedClassifier | FittedAutoencoder, recipe: AnomalyRecipe, events: TrainingEvents
) -> str | None:
    """Why a training failed; None: it did not.

    A search in unlabelled data that finds nothing has not failed: it says so, and cuts at
    random.
    """
    if isinstance(fitted, FittedClassifier):
        learned = np.asarray(fitted.model.leave[...]).any()
        if recipe.method != "supervised" or learned:
            return None
        return "the networks tell signal from QCD no better than nothing, with its labels"
    error = float(np.mean(fitted(events.qcd.pairs)["score"])) / 2.0
    spread = float(np.square(fitted.standardise(dijets.jet_features(events.qcd.pairs))).mean())
    if error < NOTHING_LEARNED * spread:
        return None
    return f"reproduction error {error:.3f} of QCD jets, that of their mean is {spread:.3f}"


@dataclasses.dataclass(frozen=True)
class TrainingEvents:
    """The training split: QCD, and each signal."""

    qcd: Dijets
    signals: tuple[Dijets, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Events by process."""
        return {"qcd": len(self.qcd)} | {
            name: len(each) for name, each in zip(SIGNALS, self.signals, strict=True)
        }

    @classmethod
    def read(cls, folder: Path) -> TrainingEvents:
        """From a folder of chunks."""
        return cls(
            dijets.read_split(folder, "qcd", "train"),
            tuple(dijets.read_split(folder, name, "train") for name in SIGNALS),
        )


def fit_search(
    events: TrainingEvents, recipe: AnomalyRecipe, *, seed: int, log: Log = lambda line: None
) -> tuple[FittedClassifier | FittedAutoencoder, dict[str, float]]:
    """One training, and its scores on training-split events that it has not seen (labels
    serve this report alone)."""
    rest = [signal[signal.in_signal_region] for signal in events.signals]
    if recipe.method == "autoencoder":
        fitted: Any = fit_autoencoder(events.qcd, recipe, seed=seed, log=log)
        unseen = events.qcd[draw_folds(len(events.qcd), VALIDATION_FOLDS, seed) == 0]
        background = [fitted(unseen[unseen.in_signal_region].pairs)["score"]] * len(rest)
        return fitted, report(background, [fitted(signal.pairs)["score"] for signal in rest])
    folds = recipe.config.folds
    if recipe.method == "cwola":
        signals = events.signals[: recipe.config.signals]
        mixtures = [inject(events.qcd, signal, recipe.fraction, seed=seed) for signal in signals]
        sample = unlabelled_sample(mixtures, len(events.qcd), folds=folds, seed=seed)
        log(
            f"{len(events.qcd)} background events, "
            f"{', '.join(str(len(each) - len(events.qcd)) for each in mixtures)} injected"
        )
        if recipe.fraction:
            used = [len(each) - len(events.qcd) for each in mixtures]
            order = [
                np.random.default_rng([seed, 1]).permutation(len(signal)) for signal in signals
            ]
            left = [
                signal[each[count:]]
                for signal, each, count in zip(signals, order, used, strict=True)
            ]
            rest = [signal[signal.in_signal_region] for signal in left]
    elif recipe.method == "supervised":
        sample = labelled_sample(dijets.concatenate([events.qcd, *rest]), folds=folds, seed=seed)
    else:
        raise ValueError(f"no method {recipe.method!r}; there are cwola, supervised, autoencoder")
    fitted = fit_classifier(sample, recipe, seed=seed, log=log)
    out_of_fold = fitted.out_of_fold(sample.features, sample.fold)
    background, scores = [], []
    for column, signal in enumerate(rest):
        column = min(column, recipe.config.signals - 1)
        background.append(out_of_fold[: len(events.qcd)][events.qcd.in_signal_region, column])
        if recipe.method == "supervised":
            scores.append(out_of_fold[sample.label[:, column] == 1, column])
        else:
            scores.append(fitted.logits(dijets.event_features(signal.pairs))[column].mean(0))
    return fitted, report(background, scores)


def report(background: Sequence[np.ndarray], signal: Sequence[np.ndarray]) -> dict[str, float]:
    """SIC at 1 % and 0.1 % per signal, where at least ten background events survive."""
    values = {}
    for name, b, s in zip(SIGNALS, background, signal, strict=True):
        rank = metrics.ranks(np.concatenate([b, s]), np.arange(len(b) + len(s)) < len(b))
        for point, rate in (("fpr_1e2", 0.01), ("fpr_1e3", 0.001)):
            kept = int((rank[: len(b)] <= int(rate * len(b))).sum())
            if kept >= metrics.FEWEST and len(s):
                values[f"sic_{name}.{point}"] = float(
                    metrics.improvement(
                        (rank[len(b) :] <= int(rate * len(b))).mean(), kept / len(b)
                    )
                )
    return values
