"""What tests of taggers share: made-up jets."""

from __future__ import annotations

import pytest

from zoo.particle_physics.data.jets import Jets
from zoo.particle_physics.models.features import COLUMNS
from zoo.particle_physics.tagging.predict import made_up_jets


@pytest.fixture(scope="module")
def jets() -> Jets:
    return made_up_jets(21, 40, seed=1, columns=COLUMNS["full"])
