"""What predicts: the harness, `zoo predict` and a user see nothing of a model but this.

A predictor is called with a task's inputs and gives its predictions. What these are, by domain:

* climate, weather: `ForecastRequest` (an analysis with dims time, level, longitude, latitude; lead
  times) -> `xarray.Dataset` with dims init_time, lead_time, level, longitude, latitude;
* climate, ENSO: `EnsoInputs` (indices up to each issue month) -> `mean`, `std` float64
  `[example, 9]` in K;
* genomics: tokens int8 `[sequence, base]` -> `logit` `[sequence]`, or log-probabilities
  `[base, letter]`;
* particle physics: `Jets` (float32 `[jet, particle, column]` with a mask) -> `probability` float32
  `[jet, class]`, or one score a jet or event.

A plain function will do (`Predictor`). One that states its size and operations is measured when
an entry is written (`CostedPredictor`); the factory that a model card names gives one that can
also prove that its weights were loaded as they were published (`PretrainedPredictor`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Predictor(Protocol):
    """Inputs of a task -> predictions of that task."""

    def __call__(self, inputs: Any, /) -> Any:
        """The predictions for all examples, in their order."""
        ...


@runtime_checkable
class CostedPredictor(Predictor, Protocol):
    """A predictor that knows what one example costs."""

    def flops_per_example(self) -> float | None:
        """Floating-point operations of one example, as XLA counts them; None: not countable."""
        ...


@runtime_checkable
class PretrainedPredictor(CostedPredictor, Protocol):
    """What the factory of a model card gives: `(card, weight_paths) -> PretrainedPredictor`.

    Attributes:
        input_form: what it is called with, one line with shapes and units.
        output_form: what it gives, likewise.
    """

    input_form: str
    output_form: str

    def example_output(self, seed: int) -> np.ndarray:
        """The flattened output for inputs made up from `seed`, `[value]`: a card's `expected`."""
        ...


class FilePrediction(Protocol):
    """The function behind `zoo predict` that a card names as `predict_file`."""

    def __call__(self, model: Any, source: Path, target: Path, **options: Any) -> None:
        """Predicts from the user's file `source` and writes `target`, whole or not at all.

        Args:
            model: the `zoo.pretrained.model.PretrainedModel`.
            source: file, or folder of files, in a format of the field.
            target: file to be written; its ending names the format.
            **options: those that the domain declares for `predict` (`zoo.interfaces.domain`).
        """
        ...
