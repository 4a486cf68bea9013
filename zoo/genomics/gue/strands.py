"""Which questions look alike on both strands, and answers averaged over them.

A bound site reads the same from either strand; a promoter has a direction. Averaging is
done after training, to any predictor.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zoo.genomics.data.sequences import reverse_complement

STRAND_SYMMETRIC_SUBSETS = ("tf_", "mouse_")
"""Beginnings of the names of GUE's subsets whose question does not depend on the strand."""


def both_strands(predict: Callable[[np.ndarray], np.ndarray], tokens: np.ndarray) -> np.ndarray:
    """The mean of the predictions `[sequence, ...]` for `tokens` and for their reverse
    complements: f(x) = f(rc x) up to rounding."""
    return (predict(tokens) + predict(reverse_complement(tokens))) / 2
