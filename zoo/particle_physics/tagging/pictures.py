"""What taggers' records look like, as plain data (`zoo.interfaces.figures`): ROC curves and
confusion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo.interfaces.figures import Grid, Lines, Mark
from zoo.particle_physics.data.pictures import round_digits, rounded_list
from zoo.particle_physics.tagging.metrics import rejection

EFFICIENCIES = np.round(np.arange(0.01, 1.0001, 0.01), 2)
"""Signal efficiencies at which a ROC curve is drawn."""


def roc(
    score: np.ndarray,
    signal: np.ndarray,
    background: np.ndarray,
    *,
    names: tuple[str, str],
    points: Sequence[float],
    name: str = "roc",
) -> Lines | None:
    """Background rejection 1/eB against signal efficiency, as far as ten background jets
    survive; None where they never do.

    Args:
        score: `[jet]`, higher means more like signal; finite where `signal` or `background`.
        signal, background: bool `[jet]`.
        names: of signal and background.
        points: efficiencies at which the surviving jets are told.
        name: of the figure.
    """
    ones = np.ones((len(score), 1))
    found = rejection(score, signal, background, ones, EFFICIENCIES)
    enough = np.isfinite(found["value"])
    if not enough.any():
        return None
    x, y, low, high = (
        EFFICIENCIES[enough],
        *(found[key][enough] for key in ("value", "low", "high")),
    )
    left = found["survivors"][enough].astype(int)
    total = int(background.sum())
    marked = sorted(
        {
            0,
            *(
                int(np.argmin(np.abs(x - point)))
                for point in points
                if np.abs(x - point).min() < 0.005
            ),
        }
    )
    marks = [
        Mark(
            x=float(x[i]),
            y=round_digits(y[i]),
            short=f"{left[i]} left",
            text=f"efficiency {x[i]:g}: 1/eB = {y[i]:.4g} [{low[i]:.4g}, {high[i]:.4g}], "
            f"{left[i]} of {total} {names[1]} jets left",
        )
        for i in marked
    ]
    return Lines(
        name=name,
        title=f"ROC curve: {names[0]} against {names[1]}",
        caption=(
            f"Rejection of {names[1]} 1/eB (logarithmic) against the share of {names[0]} kept. A "
            f"line begins where ten of the {total} {names[1]} jets survive: below that it would be "
            "luck. Marks tell how many survive; bands are Garwood's 95 % intervals of that number. "
            "No interpolation: the cut is the first threshold, coming down, that keeps the wanted "
            "share."
        ),
        x_label=f"{names[0]} efficiency",
        y_label=f"{names[1]} rejection 1/eB",
        log_y=True,
        x=x.tolist(),
        y=rounded_list(y),
        low=rounded_list(low),
        high=rounded_list(high),
        marks=marks,
        reference_label="a random score",
        reference_x=EFFICIENCIES[4:].tolist(),
        reference_y=rounded_list(1 / EFFICIENCIES[4:]),
    )


def confusion(predicted: np.ndarray, label: np.ndarray, classes: Sequence[str]) -> Grid:
    """How jets of each true class are spread over the predicted ones; rows sum to one."""
    n = len(classes)
    counts = np.bincount(label.astype(int) * n + predicted, minlength=n * n).reshape(n, n)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return Grid(
        name="confusion",
        title="Confusion matrix",
        caption=(
            "Share of the nominal jets of each true class (rows) whose most probable class is the "
            "column's; every row sums to one."
        ),
        row_label="true class",
        column_label="predicted class",
        rows=list(classes),
        columns=list(classes),
        values=[rounded_list(line) for line in shares],
    )
