"""A mesh over all devices, and hosts that are joined only when asked for."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from zoo.train import devices


@pytest.fixture
def joined(monkeypatch) -> list[tuple]:
    """The calls of `jax.distributed.initialize`, which is not run."""
    calls: list[tuple] = []
    monkeypatch.setattr(
        jax.distributed, "initialize", lambda *given, **named: calls.append((given, named))
    )
    return calls


def test_one_host_starts_nothing(joined, monkeypatch):
    monkeypatch.delenv("ZOO_DISTRIBUTED", raising=False)
    assert devices.start_hosts() is False and joined == []


def test_the_coordinator_the_number_and_the_index_are_handed_on(joined, monkeypatch):
    monkeypatch.setenv("ZOO_DISTRIBUTED", "10.0.0.1:1234,4,3")
    assert devices.start_hosts() is True
    assert joined == [(("10.0.0.1:1234",), {"num_processes": 4, "process_id": 3})]
    monkeypatch.setenv("ZOO_DISTRIBUTED", "auto")
    assert devices.start_hosts() is True and joined[1] == ((), {})


@pytest.mark.parametrize("asked", ["10.0.0.1:1234", "10.0.0.1:1234,two,0", "a,1,2,3"])
def test_what_names_no_host_is_refused_with_an_example(joined, monkeypatch, asked):
    monkeypatch.setenv("ZOO_DISTRIBUTED", asked)
    with pytest.raises(ValueError, match=r"'10\.0\.0\.1:1234,2,0'"):
        devices.start_hosts()
    assert joined == []


def test_what_is_placed_keeps_its_values_and_lies_on_every_device():
    mesh = devices.data_mesh()
    assert mesh.axis_names == ("data",) and mesh.size == jax.device_count()
    tree = {"a": np.arange(8.0), "key": jax.random.key(3)}
    for placed in (devices.replicate(tree, mesh), devices.place(tree, mesh, PartitionSpec())):
        np.testing.assert_array_equal(placed["a"], tree["a"])
        assert (jax.random.key_data(placed["key"]) == jax.random.key_data(tree["key"])).all()
        assert placed["a"].sharding.device_set == set(jax.devices())
