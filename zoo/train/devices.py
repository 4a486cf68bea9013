"""Where training runs: a data-parallel mesh over all devices, and the opt-in start of many
hosts."""

from __future__ import annotations

import os
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

__all__ = ["data_mesh", "place", "replicate", "start_hosts"]


def data_mesh() -> Mesh:
    """A one-dimensional mesh, axis `data`, over every device of every host."""
    return Mesh(np.asarray(jax.devices()), ("data",))


def start_hosts() -> bool:
    """Joins the hosts of one job, when the environment asks for it; True when it did.

    `ZOO_DISTRIBUTED=auto` lets JAX read Slurm, Open MPI, Kubernetes or the cloud's
    metadata; otherwise `ZOO_DISTRIBUTED=host:port,processes,index` names the coordinator,
    the number of processes and this one's index. Call it before anything else touches JAX.
    """
    asked = os.environ.get("ZOO_DISTRIBUTED", "")
    if not asked:
        return False
    if asked == "auto":
        jax.distributed.initialize()
        return True
    try:
        address, processes, index = asked.split(",")
        count, place_in_job = int(processes), int(index)
    except ValueError as error:
        raise ValueError(
            f"ZOO_DISTRIBUTED={asked!r} must be 'auto' or 'host:port,processes,index', e.g. "
            "'10.0.0.1:1234,2,0'"
        ) from error
    jax.distributed.initialize(address, num_processes=count, process_id=place_in_job)
    return True


def place(tree: Any, mesh: Mesh, spec: PartitionSpec) -> Any:
    """Puts arrays that every host holds whole onto the mesh, split as `spec` says."""
    sharding = NamedSharding(mesh, spec)

    def put(leaf: Any) -> jax.Array:
        if jax.process_count() == 1:
            return jax.device_put(leaf, sharding)
        if hasattr(leaf, "dtype") and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            data = put(jax.random.key_data(leaf))
            return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
        whole = np.asarray(leaf)
        return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])

    return jax.tree.map(put, tree)


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Puts a copy of every array on every device of the mesh."""
    return place(tree, mesh, PartitionSpec())
