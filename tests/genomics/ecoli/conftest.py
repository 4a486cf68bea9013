"""What the tests of the tasks on E. coli share: a small genome in place of the real one."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.genomics.ecoli import task as ecoli


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture
def arcs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        ecoli.EColi, "arcs", {"train": (0, 4096), "validation": (4096, 6144), "test": (6144, None)}
    )
