"""What tests of the weather models share: a made-up planet, its transforms and three analyses."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_planet import drifting_waves

from zoo.climate.held_suarez.data import unstack
from zoo.climate.held_suarez.transforms import fit_transforms
from zoo.climate.models.layers.spherical import Grid


@pytest.fixture(scope="module")
def planet():
    return drifting_waves()


@pytest.fixture(scope="module")
def transforms(planet):
    return fit_transforms(planet)


@pytest.fixture
def analysis(planet):
    fields = planet.fields(np.arange(3))[:, None]
    grid = Grid()
    times = np.array(["2020-01-01", "2020-01-03", "2020-01-05"], "datetime64[ns]")
    data = unstack(
        fields,
        init_time=times,
        lead_time=np.zeros(1, "timedelta64[ns]"),
        longitude=grid.longitude,
        latitude=grid.latitude,
    )
    return data.isel(lead_time=0, drop=True).rename(init_time="time")
