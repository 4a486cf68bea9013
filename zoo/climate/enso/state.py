"""What a model of `climate/enso` sees of the past: chosen indices as a standardised state,
with its base and scale.

Three states, by what they may know:

* `core` — four ORAS5 indices. Base and scale from the fit period alone; no detrending.
  Leak-free but for the reanalysis.
* `modes` — ten ORAS5 indices as their authors made them: detrended quadratically over
  1979-2024. RETROSPECTIVE.
* `modes_causal` — the same ten with the look-ahead taken out. Nino34 and Hm come from the
  core file. From each of the others the monthly means and a quadratic trend are removed
  anew for every issue, fitted to its own past. Why that is exact: what the authors removed
  (monthly constants and a quadratic) lies in the span of what is fitted here, so the result
  is the same number as from the raw index. The price is the uncertainty of a trend at the
  end of its own record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from zoo.climate.enso import data
from zoo.climate.enso.data import Observations, calendar_month

if TYPE_CHECKING:
    from zoo.climate.enso.task import Enso

SATELLITE_ERA = np.datetime64("1979-01", "M")


class IndexState:
    """Indices of one file, as anomalies from the fit period's monthly means over their
    standard deviation there.

    Args:
        source: "core" or "modes".
        columns: which indices of that file.
        base: `[12, index]` monthly means of the fit period.
        scale: `[index]` standard deviations of the fit period.
    """

    def __init__(self, source: str, columns: list[int], base: np.ndarray, scale: np.ndarray):
        self.source, self.columns, self.base, self.scale = source, columns, base, scale

    @classmethod
    def fit(cls, task: Enso, indices: str, *, first: str, last: str = "2003-12") -> IndexState:
        """The state of `indices`: "core", "modes", or some of one of them as
        "core:Nino34,Hw", fitted on first..last."""
        source, columns = parse_indices(indices)
        begin = first_month(source, first)
        past = task.fit_observations(last)
        values = getattr(past, source)[:, columns]
        base = data.monthly_climatology(values, past.months, first=begin, last=past.months[-1])
        anomaly = (values - base[calendar_month(past.months)])[past.months >= begin]
        return cls(source, columns, base, anomaly.std(0))

    def standardise(self, past: Observations) -> np.ndarray:
        """`[month, index]` state of every month of a record; NaN where the file has none."""
        values = getattr(past, self.source)[:, self.columns]
        return (values - self.base[calendar_month(past.months)]) / self.scale

    @property
    def names(self) -> list[str]:
        """Of the indices, in the order of the state."""
        known = data.MODES if self.source == "modes" else data.CORE
        return [known[column] for column in self.columns]

    def arrays(self) -> dict[str, np.ndarray]:
        """What a weights file must keep."""
        return {"base": self.base, "scale": self.scale}


class CausalModes:
    """The ten modes detrended from their own past only.

    Args:
        base: `[12, 2]` monthly means of the core file's Nino34 and Hm over the fit period
            from 1958.
        scale: `[10]` standard deviations over the fit period from 1979.
    """

    def __init__(self, base: np.ndarray, scale: np.ndarray):
        self.base, self.scale = base, scale

    @classmethod
    def fit(cls, task: Enso, *, last: str = "2003-12") -> CausalModes:
        """Base and scale from the fit period."""
        core = IndexState.fit(task, "core:Nino34,Hm", first="1958-01", last=last)
        past = task.fit_observations(last)
        x = cls(core.base, np.ones(len(data.MODES))).standardise(past)
        return cls(core.base, x[past.months >= SATELLITE_ERA].std(0))

    def standardise(self, past: Observations) -> np.ndarray:
        """`[month, 10]` state of every month, each from the whole record given: cut the
        record off first. NaN before 1979."""
        known = past.months >= SATELLITE_ERA
        x = np.full((len(past.months), len(data.MODES)), np.nan)
        x[:, :2] = past.core[:, [0, 2]] - self.base[calendar_month(past.months)]
        x[known, 2:] = detrend(past.modes[known, 2:], past.months[known])
        return x / self.scale

    @property
    def names(self) -> list[str]:
        """Of the indices, in the order of the state."""
        return list(data.MODES)

    def arrays(self) -> dict[str, np.ndarray]:
        """What a weights file must keep."""
        return {"base": self.base, "scale": self.scale}


def state_from_arrays(name: str, arrays: Mapping[str, np.ndarray]) -> IndexState | CausalModes:
    """The state that a weights file was trained with; `name` as in this module's list."""
    if name == "modes_causal":
        return CausalModes(arrays["base"], arrays["scale"])
    return IndexState(*parse_indices(name), arrays["base"], arrays["scale"])


def detrend(values: np.ndarray, months: np.ndarray) -> np.ndarray:
    """Residuals `[month, index]` of a least-squares fit of twelve monthly means and a
    quadratic in time."""
    t = np.linspace(-1.0, 1.0, len(months))
    design = np.column_stack([np.eye(12)[calendar_month(months)], t, t * t])
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def parse_indices(indices: str) -> tuple[str, list[int]]:
    """File and columns of "core", "modes" or "core:Nino34,Hw".

    Raises:
        ValueError: no such file or index; names the legal ones.
    """
    source, _, chosen = indices.partition(":")
    names = {"core": data.CORE, "modes": data.MODES}.get(source)
    if names is None:
        raise ValueError(
            f"indices={indices!r}: begin with 'core' or 'modes', e.g. 'core:Nino34,Hw'"
        )
    wanted = chosen.split(",") if chosen else list(names)
    if unknown := [name for name in wanted if name not in names]:
        raise ValueError(f"indices={indices!r}: {', '.join(unknown)} not among {', '.join(names)}")
    return source, [names.index(name) for name in wanted]


def first_month(source: str, first: str) -> np.datetime64:
    """The first month of a fit: `first`, or the file's own where that is later."""
    asked = np.datetime64(first, "M")
    return max(asked, SATELLITE_ERA) if source == "modes" else asked


def fourier(month: np.ndarray, harmonics: int) -> np.ndarray:
    """1, cos, sin of the annual cycle and its overtones at calendar months 0..11:
    `[..., 1 + 2·harmonics]`."""
    angle = 2.0 * np.pi * np.asarray(month) / 12.0
    waves = [wave(h * angle) for h in range(1, harmonics + 1) for wave in (np.cos, np.sin)]
    return np.stack([np.ones_like(angle), *waves], axis=-1)


def least_squares_operator(
    x: np.ndarray, month: np.ndarray, *, harmonics: int, penalty: float = 0.0
) -> np.ndarray:
    """The seasonal tendency operator `[waves · index, index]` of x(t+1) - x(t), by (ridge)
    regression on F(m) ⊗ x(t).

    Args:
        x: `[month, index]` standardised states, month after month.
        month: `[month]` their calendar months 0..11.
        harmonics: overtones of the annual cycle.
        penalty: ridge strength relative to the number of samples.
    """
    design = (fourier(month[:-1], harmonics)[:, :, None] * x[:-1, None, :]).reshape(len(x) - 1, -1)
    gram = design.T @ design + penalty * len(design) * np.eye(design.shape[1])
    return np.linalg.solve(gram, design.T @ np.diff(x, axis=0))
