"""How searches for anomalies are explained: by the few features of an event or of its jets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from flax import nnx

from zoo.interfaces.explanation import TITLES, Explainable, Explained, NotExplainable, canvas
from zoo.interfaces.task import load_task
from zoo.particle_physics.anomaly.data import (
    EVENT_FEATURES,
    JET_FEATURES,
    event_features,
    jet_features,
)
from zoo.particle_physics.anomaly.predict import AnomalyModel, FittedAutoencoder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from zoo.pretrained.model import PretrainedModel


def explain_search(
    model: PretrainedModel,
    predictor: AnomalyModel,
    source: Path | None,
    examples: int,
    target: str | None,
) -> Explainable:
    """A search with events to explain; arguments as `zoo.particle_physics.explain.explainable`.

    Raises:
        NotExplainable: a file or a target: it reads events of its own task, and has one score.
    """
    if source is not None:
        raise NotExplainable(f"{model.card.id} reads events of its own task; it takes no file")
    if target is not None:
        raise NotExplainable(f"{model.card.id} has one score, no target {target!r}")

    fitted = predictor.fitted[0]
    auto = isinstance(fitted, FittedAutoencoder)
    every = load_task(model.card.tasks[0]).examples()
    rows = np.flatnonzero(every.targets.process == 1)[:examples]
    pairs = type(every.inputs)(every.inputs.values[rows])
    inputs = fitted.standardise(jet_features(pairs) if auto else event_features(pairs))
    names = tuple(re.sub(r"[^\w.\-]", "_", every.ids[row]) for row in rows)
    labels = (
        [f"{name}, jet {jet}" for jet in (1, 2) for name in JET_FEATURES]
        if auto
        else list(EVENT_FEATURES)
    )
    graph, state = nnx.split(fitted.model)

    def function(x: jax.Array) -> jax.Array:
        out = fitted.output(nnx.merge(graph, state), x)
        return out if out.ndim == 1 else out.reshape(-1, len(x)).mean(0)

    said = "squared error of reproduction" if auto else "mean log-odds of signal"

    def draw(row: int, explained: Explained) -> Figure:
        title = (
            f"{model.card.id}, {names[row]}\n{said} = {explained.score[row]:.3g}. "
            f"{TITLES[explained.method].capitalize()}."
        )
        return bars(labels, explained.values[row], inputs[row].ravel(), title)

    shape = inputs.shape[1:]
    return Explainable(
        function=function,
        inputs=inputs,
        names=names,
        target=said,
        truth=model.card.truth,
        baselines=np.zeros((1, *inputs.shape), np.float32),
        baseline="the average event",
        fill=0.0,
        groups=np.arange(inputs[0].size).reshape(shape),
        reduce=lambda values: values.reshape(len(values), -1),
        spread=lambda each: each,
        draw=draw,
        arrays={"labels": np.array(labels)},
    )


def bars(labels: list[str], values: np.ndarray, inputs: np.ndarray, title: str) -> Figure:
    """Attribution of each feature, with its value in standard deviations beside its name."""
    figure = canvas(6.4, 1.1 + 0.28 * len(labels), title)
    axes: Any = figure.add_subplot()
    place = np.arange(len(labels))[::-1]
    axes.barh(place, values, color=np.where(values < 0, "#3b6fb6", "#c8352b"), height=0.7)
    axes.set_yticks(
        place,
        [f"{label} ({value:+.1f} s.d.)" for label, value in zip(labels, inputs, strict=True)],
        fontsize=8,
    )
    axes.axvline(0.0, color="black", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("attribution", fontsize=8)
    axes.tick_params(axis="x", labelsize=7)
    return figure
