"""Dijets are read within their mass range and order their jets by mass."""

from __future__ import annotations

import anomaly_toys as toys
import numpy as np
import pytest

from zoo.particle_physics.anomaly import data as dijets
from zoo.scoring import record


def test_splits_read_their_own_chunks_within_the_mass_range(tmp_path):
    folder = toys.write_chunks(tmp_path, qcd=400, signal=100)
    train, test = (dijets.read_split(folder, "qcd", split) for split in ("train", "test"))
    assert not set(train.mjj.tolist()) & set(test.mjj.tolist())
    assert ((train.mjj >= 2300.0) & (train.mjj < 5000.0)).all() and len(train) < 400


def test_chunks_that_are_none_say_what_is_wrong(tmp_path):
    good = toys.chunk("qcd", 20, seed=0)
    nan = good["events"].copy()
    nan[7, 1, 3] = np.nan
    for content, message in (
        ({"events": good["events"]}, "no array mjj; it has events"),
        (
            {"events": good["events"][:, :, :5], "mjj": good["mjj"]},
            r"shape \(20, 2, 5\).*expected \(20, 2, 9\)",
        ),
        (
            {"events": nan, "mjj": good["mjj"]},
            "1 of 20 events hold NaN or infinity, the first is number 7",
        ),
        ({"events": good["events"][:0], "mjj": good["mjj"][:0]}, "holds no event"),
    ):
        np.savez(tmp_path / "train-qcd-0.npz", **content)
        with pytest.raises(ValueError, match=message):
            dijets.read_split(tmp_path, "qcd", "train")
    path = tmp_path / "train-qcd-0.npz"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ValueError, match="no readable npz file"):
        dijets.read_split(tmp_path, "qcd", "train")
    with pytest.raises(
        FileNotFoundError, match=r"no train-zprime-<k>.npz; write the events with `zoo data build"
    ):
        dijets.read_split(tmp_path, "zprime", "train")
    with pytest.raises(ValueError, match="no process 'higgs'; there are qcd, wprime, zprime"):
        dijets.read_split(tmp_path, "higgs", "train")
    record.write(tmp_path / "half.zarr.zip", {"mjj": np.zeros(3)})
    with pytest.raises(record.RecordError, match="no array eta, mass"):
        dijets.read_test(tmp_path / "half.zarr.zip")


def test_features_order_the_jets_by_mass_and_know_no_momentum():
    events = toys.dijets("wprime", 200, seed=1)
    features = dijets.event_features(events.pairs)
    assert np.isfinite(features).all() and (features[:, 1] >= 0).all()
    swapped = dijets.JetPairs(events.pairs.values[:, ::-1])
    assert np.allclose(features, dijets.event_features(swapped))
    faster = events.pairs.values.copy()
    faster[..., dijets.COLUMNS.index("pt")] *= 2.0
    faster[..., dijets.COLUMNS.index("eta")] += 1.0
    assert np.array_equal(features, dijets.event_features(dijets.JetPairs(faster)))
