"""What the ENSO networks learn from: months of standardised indices and the seasons that
follow, of the observed record and of CMIP6."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.climate.enso.data import LEADS, three_month_mean
from zoo.climate.enso.state import CausalModes, IndexState, fourier

if TYPE_CHECKING:
    from zoo.climate.enso.task import Enso

Windows = dict[str, np.ndarray]


def fit_state(task: Enso, name: str, *, last: str) -> IndexState | CausalModes:
    """The standardised state of a recipe, fitted to the months up to `last`."""
    if name == "modes_causal":
        return CausalModes.fit(task, last=last)
    return IndexState.fit(task, name, first="1958-01" if name == "core" else "1979-01", last=last)


def windows(x: np.ndarray, month: np.ndarray, *, window: int) -> Windows:
    """Inputs and targets of every month of a record, in standard units; a target beyond the
    record's end has weight 0.

    Args:
        x: `[month, index]` standardised states.
        month: `[month]` calendar months 0..11.
        window: months in the input, newest first.

    Returns:
        `x` `[n, window * index]`, `month` `[n]`, `y` and `w` `[n, 9]`, and the states of
        the eleven months after with their weights, `states` `[n, 11, index]`, `known`
        `[n, 11]`.
    """
    t = np.arange(window - 1, len(x) - 3)
    ahead = t[:, None] + 1 + np.arange(LEADS + 2)
    known = ahead < len(x)
    states = np.where(known[..., None], x[np.minimum(ahead, len(x) - 1)], 0.0)
    season, centre = three_month_mean(x[:, 0]), t[:, None] + 2 + np.arange(LEADS)
    inside = centre < len(x) - 1
    arrays = {
        "x": np.stack([x[t - lag] for lag in range(window)], 1).reshape(len(t), -1),
        "y": np.where(inside, season[np.minimum(centre, len(x) - 2)], 0.0),
        "w": inside,
        "states": states,
        "known": known,
    }
    return {name: value.astype(np.float32) for name, value in arrays.items()} | {
        "month": month[t].astype(np.int32)
    }


def cmip6_states(task: Enso) -> np.ndarray:
    """Standardised core indices `[model, month, index]`: each model's own annual cycle and
    standard deviations removed."""
    values = task.cmip6.values
    by_month = values.reshape(len(values), -1, 12, values.shape[-1])
    anomaly = (by_month - by_month.mean(1, keepdims=True)).reshape(values.shape)
    return anomaly / anomaly.std(1, keepdims=True)


def similarity_weights(
    models: Sequence[Windows], observed: Windows, *, width: float | None, harmonics: int = 3
) -> np.ndarray:
    """Weight `[model]`, mean one, by how well each model's own linear operator forecasts
    the observed fit period."""
    if width is None:
        return np.ones(len(models))

    def design(data: Windows) -> np.ndarray:
        return (fourier(data["month"], harmonics)[:, :, None] * data["x"][:, None, :]).reshape(
            len(data["x"]), -1
        )

    observed_design, errors = design(observed), []
    for data in models:
        d = design(data)
        gram = d.T @ (d * data["w"].mean(1)[:, None]) + 1e-3 * len(d) * np.eye(d.shape[1])
        operator = np.linalg.solve(gram, d.T @ (data["y"] * data["w"]))
        errors.append(
            (((observed_design @ operator - observed["y"]) ** 2) * observed["w"]).sum(0)
            / observed["w"].sum(0)
        )
    excess = (np.array(errors) / np.min(errors, axis=0) - 1.0).mean(1)
    weight = np.exp(-excess / width)
    return weight / weight.mean()
