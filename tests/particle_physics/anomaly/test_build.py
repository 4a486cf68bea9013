"""The test file is the same bytes again."""

from __future__ import annotations

import anomaly_toys as toys
import numpy as np

from zoo.particle_physics.anomaly import build
from zoo.particle_physics.anomaly import data as dijets
from zoo.particle_physics.anomaly.task import examples_of


def test_the_test_file_is_the_same_bytes_again_and_gives_the_events_back(tmp_path):
    folder = toys.write_chunks(tmp_path / "chunks", qcd=400, signal=300)
    events = build.write_test(folder, tmp_path / "a.zarr.zip", qcd=250, signal=50)
    build.write_test(folder, tmp_path / "b.zarr.zip", qcd=250, signal=50)
    assert (tmp_path / "a.zarr.zip").read_bytes() == (tmp_path / "b.zarr.zip").read_bytes()
    back = dijets.read_test(tmp_path / "a.zarr.zip")
    assert (
        np.bincount(back.process).tolist() == [250, 50, 50]
        and back.in_signal_region[back.process > 0].all()
    )
    assert np.array_equal(back.mjj, events.mjj)
    assert np.allclose(back.pairs.values, events.pairs.values, rtol=2.0**-11)
    assert np.array_equal(back.pairs.column("nparticles"), events.pairs.column("nparticles"))
    assert len(set(examples_of(back).ids)) == 350
