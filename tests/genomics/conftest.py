"""What tests of several rooms of genomics share."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="module")
def genome() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4, 5120).astype(np.int8)
