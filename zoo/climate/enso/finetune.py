"""ENSO ensembles trained on with indices of one's own: Niño3.4 in the next seasons.

The last fifth of the months validates, behind a gap, or a file of the user's own. Annual
cycle and standard deviations are those of the training months.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.climate.data.opening import VALIDATION_SHARE, UserDataError
from zoo.climate.enso.data import CORE, LEADS, calendar_month, monthly_climatology
from zoo.climate.enso.loss import make_loss, weights_only
from zoo.climate.enso.metrics import gaussian_crps
from zoo.climate.enso.predict import read_indices
from zoo.climate.enso.recipes import RECIPES
from zoo.climate.enso.state import IndexState
from zoo.climate.enso.windows import windows
from zoo.interfaces.finetune import Evaluation
from zoo.pretrained.model import build
from zoo.pretrained.weights import load

if TYPE_CHECKING:
    from zoo.pretrained.model import PretrainedModel

GAP_MONTHS = 11
"""Between training and validation months: the last month of the last season that is forecast."""
FEWEST_MONTHS = 120


class EnsoProblem:
    """The ENSO ensemble trained on with the user's months: a `zoo.interfaces.finetune.Problem`.

    Args:
        source: the pretrained ensemble, of the four core indices.
        data, validation: the user's indices.
    """

    # all months in each step
    higher_is_better, batch_size, epochs, rates = False, 1 << 30, 200.0, (1e-3, 3e-3)

    def __init__(self, source: PretrainedModel, data: Path, validation: Path | None):
        if source.card.predictor_config.get("state") != "core":
            raise ValueError(
                f"{source.card.id} reads the state {source.card.predictor_config.get('state')!r}; "
                "that of the file is 'core'"
            )
        self.source, self.window = source, int(source.card.predictor_config["window"])
        self.notes: list[str] = []
        self._pretrained = source.module()
        self._factor = float(np.mean(load(source.weights[0])[1].get("spread_factor", 1.0)))
        months, values = read_indices(data)
        if len(months) < FEWEST_MONTHS:
            raise UserDataError(
                f"{data} has {len(months)} months; {FEWEST_MONTHS} or more are needed"
            )
        if validation is None:
            begin = len(months) - max(round(VALIDATION_SHARE * len(months)), 2 * LEADS)
            held, end = (months[begin:], values[begin:]), begin - GAP_MONTHS
        else:
            held, end = read_indices(validation), len(months)
            if len(both := np.intersect1d(months, held[0])):
                raise UserDataError(
                    f"{len(both)} months, first {both[0]}, are in both {data} and {validation}"
                )
            if len(held[0]) < 2 * LEADS:
                raise UserDataError(
                    f"{validation} has {len(held[0])} months; {2 * LEADS} or more are needed"
                )
        months, values = months[:end], values[:end]
        base = monthly_climatology(values, months, last=months[-1])
        self.state = IndexState(
            "core", [0, 1, 2, 3], base, (values - base[calendar_month(months)]).std(0)
        )
        if not (self.state.scale > 0).all():
            raise UserDataError(
                f"{data}: {CORE[int(np.argmin(self.state.scale))]} never differs from its "
                "annual cycle"
            )
        self.data, self._validation = self._windows(months, values), self._windows(*held)
        self.examples = len(self.data["x"])
        behind = "" if validation else f", {GAP_MONTHS} months behind the last training month"
        self.held_out = (
            f"forecasts from {len(self._validation['x'])} months, {held[0][0]} to "
            f"{held[0][-1]}{behind}"
        )
        origin = jax.tree.map(jnp.copy, weights_only(self._pretrained))
        tuned, scratch = RECIPES["enso_mlp.core"], RECIPES["enso_mlp.core_scratch"]
        self.loss, self.scratch_loss = (
            make_loss(tuned, tuned.noise[1], origin),
            make_loss(scratch, scratch.noise[1]),
        )

    def _windows(self, months: np.ndarray, values: np.ndarray) -> dict[str, np.ndarray]:
        phase = calendar_month(months)
        return windows(
            (values - self.state.base[phase]) / self.state.scale, phase, window=self.window
        )

    def references(self) -> dict[str, Evaluation]:
        """Climatology and damped persistence with spreads from the training months; the
        pretrained ensemble before it saw these data."""
        d, v = self.data, self._validation
        count = np.maximum(d["w"].sum(0), 1)
        spread = np.sqrt((d["w"] * d["y"] ** 2).sum(0) / count)
        damping = (d["w"] * d["y"] * d["x"][:, :1]).sum(0) / np.maximum(
            (d["w"] * d["x"][:, :1] ** 2).sum(0), 1e-9
        )
        rest = np.sqrt((d["w"] * (d["y"] - damping * d["x"][:, :1]) ** 2).sum(0) / count)
        shape = v["y"].shape
        return {
            "climatology": self._scored(np.zeros(shape), np.broadcast_to(spread, shape)),
            "damped persistence": self._scored(
                v["x"][:, :1] * damping, np.broadcast_to(rest, shape)
            ),
            "pretrained": self.evaluate(self._pretrained),
        }

    def linear_probe(self) -> nnx.Module:
        """There is none: its mean and its spread are not one linear layer of features."""
        raise ValueError(
            f"{self.source.card.id} has no linear probe, its last layers give spreads too; leave "
            "--probe out"
        )

    def start(self) -> nnx.Module:
        """The pretrained ensemble."""
        return self._pretrained

    def scratch(self, seed: int) -> nnx.Module:
        """An ensemble with random weights."""
        return build(self.source.card, seed=seed)

    def evaluate(self, model: nnx.Module) -> Evaluation:
        """Scores of an ensemble's mixture on the validation months."""
        x, month = jnp.asarray(self._validation["x"]), jnp.asarray(self._validation["month"])
        mean, std = (np.asarray(part, np.float64) for part in model(x, month))
        return self._scored(mean.mean(0), self._factor * np.sqrt((std**2).mean(0) + mean.var(0)))

    def _scored(self, mean: np.ndarray, std: np.ndarray) -> Evaluation:
        """`crps` (K, mean over the nine seasons), `rmse` (K) and `correlation` (mean over
        seasons)."""
        unit, y, w = float(self.state.scale[0]), self._validation["y"], self._validation["w"]
        crps = gaussian_crps(mean * unit, std * unit, y * unit) * w
        each = crps.sum(1) / np.maximum(w.sum(1), 1)
        known = w > 0
        with np.errstate(invalid="ignore", divide="ignore"):
            pairs = [(mean[known[:, k], k], y[known[:, k], k]) for k in range(LEADS)]
            correlation = [np.corrcoef(*pair)[0, 1] for pair in pairs if len(pair[0]) > 2]
        scores = {
            "crps": float(each.mean()),
            "rmse": unit * float(np.sqrt((w * (mean - y) ** 2).sum() / w.sum())),
        }
        if np.isfinite(correlation).all():
            scores["correlation"] = float(np.mean(correlation))
        return Evaluation(scores, each, np.arange(len(each)) // 12)

    def content(self, model: nnx.Module) -> dict[str, Any]:
        """The domain's part of the card."""
        card = self.source.card
        return {
            "architecture": card.architecture,
            "predictor": card.predictor,
            "predict_file": "zoo.climate.enso.predict:predict_file",
            "config": dict(card.config),
            "predictor_config": dict(card.predictor_config),
            "track": card.track,
            "transforms": self.state.arrays() | {"spread_factor": np.float64(self._factor)},
        }
