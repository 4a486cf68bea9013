"""How ENSO models are explained: what the forecast of one season depends on, by month and index.

The score is the mean forecast for that season, in K, of the standardised indices of past
months; the baseline is the mean state.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.climate.enso.data import LEADS
from zoo.climate.enso.predict import EnsoModel
from zoo.interfaces.explanation import TITLES, Explainable, Explained, NotExplainable, canvas
from zoo.interfaces.task import load_task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from zoo.pretrained.model import PretrainedModel

SEASON = "k5"


def explain_season(
    model: PretrainedModel, source: Path | None, examples: int, target: str
) -> Explainable:
    """What an ENSO model's forecast of one season depends on.

    Args:
        model: an ENSO model.
        source: must be None: it reads the observed record of its own task.
        examples: how many issues, those with the strongest forecasts.
        target: `k0`..`k8`.

    Raises:
        NotExplainable: a file, or no such season.
    """
    if source is not None:
        raise NotExplainable(
            f"{model.card.id} reads the observed record of its own task; it takes no file"
        )
    legal = [f"k{k}" for k in range(LEADS)]
    if target not in legal:
        raise NotExplainable(f"no target {target!r}; a season is one of {', '.join(legal)}")

    lead, predictor = int(target[1:]), cast(EnsoModel, model.predict)
    every = load_task(model.card.tasks[0]).examples().inputs
    x, month = predictor.windows(every)
    unit = float(np.asarray(predictor.state.scale)[0])
    width = x.shape[1]
    split = [nnx.split(each) for each in predictor.models]

    def function(inputs: jax.Array) -> jax.Array:
        # The calendar month rides along as a last column that no method changes.
        when = jnp.round(inputs[:, -1]).astype(jnp.int32)
        each = [
            nnx.merge(graph, state)(inputs[:, :-1], when)[0].mean(0)[:, lead]
            for graph, state in split
        ]
        return sum(each) / len(each) * unit

    inputs = np.concatenate([x, month[:, None]], 1).astype(np.float32)
    # The issues with the strongest forecasts say most.
    chosen = np.argsort(-np.abs(np.asarray(function(jnp.asarray(inputs)))), kind="stable")[
        :examples
    ]
    inputs = inputs[chosen]
    names = tuple(f"issued-{issue}" for issue in every.issues[chosen])
    indices = predictor.state.names
    average = inputs.copy()
    average[:, :-1] = 0.0
    said = f"Nino3.4 anomaly forecast for season {target} (K)"
    shape = (width // len(indices), len(indices))

    def draw(row: int, explained: Explained) -> Figure:
        title = (
            f"{model.card.id}, {names[row]}\n{said} = {explained.score[row]:.3g}. "
            f"{TITLES[explained.method].capitalize()}."
        )
        return months(
            indices, explained.values[row].reshape(shape), inputs[row, :-1].reshape(shape), title
        )

    return Explainable(
        function=function,
        inputs=inputs,
        names=names,
        target=said,
        truth="observed",
        baselines=average[None],
        baseline="the mean state",
        fill=average[0],
        groups=np.append(np.arange(width), -1),
        reduce=lambda values: values[:, :-1],
        spread=lambda each: each,
        draw=draw,
        arrays={"indices": np.array(indices)},
    )


def months(indices: list[str], values: np.ndarray, inputs: np.ndarray, title: str) -> Figure:
    """Attributions `[months back, index]` as cells, with the index's value (standard
    deviations) in each."""
    figure = canvas(max(6.4, 2.2 + 0.62 * len(values)), 1.5 + 0.34 * len(indices), title)
    axes = figure.add_subplot()
    signed = values.min() < 0
    top = float(np.abs(values).max()) or 1.0
    cells = axes.imshow(
        values[::-1].T,
        cmap="RdBu_r" if signed else "viridis",
        vmin=-top if signed else 0.0,
        vmax=top,
        aspect="auto",
    )
    for (back, index), value in np.ndenumerate(inputs[::-1]):
        dark = abs(values[::-1][back, index]) > 0.6 * top
        axes.text(
            back,
            index,
            f"{value:+.1f}",
            ha="center",
            va="center",
            fontsize=6.5,
            color="white" if dark else "black",
        )
    axes.set_yticks(range(len(indices)), indices, fontsize=8)
    axes.set_xticks(
        range(len(values)), [str(back + 1 - len(values)) for back in range(len(values))], fontsize=7
    )
    axes.set_xlabel("months before the issue; numbers: standard deviations", fontsize=8)
    bar = figure.colorbar(cells, ax=axes, shrink=0.9)
    bar.set_label("attribution (K)" if signed else "size of the gradient", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure
