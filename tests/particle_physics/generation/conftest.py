"""What tests of generation share: the task on made-up jets."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up_clouds import write_products

from zoo import registry
from zoo.particle_physics.generation.task import JetGeneration


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_products(tmp_path_factory.mktemp("generation"))


@pytest.fixture(scope="module")
def task(folder) -> JetGeneration:
    return JetGeneration(
        registry.task("particle_physics/jet_generation"), file=lambda name: folder / name
    )
