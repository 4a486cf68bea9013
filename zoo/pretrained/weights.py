"""Weights on disk: one safetensors file holds an NNX module's parameters and the transforms
that its inputs need.

Parameter names are the module's own attribute paths joined by dots
(`blocks.0.dense.kernel`); the arrays of the transforms (means, scales, ...) are stored
beside them under `transforms.`, so that weights can never be separated from the
normalisation they were trained with. Nothing is pickled.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo import files

if TYPE_CHECKING:
    from flax import nnx

TRANSFORMS = "transforms."


class WeightsError(ValueError):
    """A weights file does not fit the module it is loaded into, or is no safetensors file."""


def flatten(model: nnx.Module) -> dict[str, np.ndarray]:
    """The module's parameters by dotted path, as NumPy arrays. Random streams and caches
    are not parameters."""
    from flax import nnx

    flat = nnx.to_flat_state(nnx.state(model, nnx.Param))
    return {".".join(map(str, path)): np.asarray(leaf[...]) for path, leaf in flat}


def save(
    path: str | os.PathLike[str],
    model: nnx.Module | Mapping[str, np.ndarray],
    *,
    transforms: Mapping[str, np.ndarray] | None = None,
    metadata: Mapping[str, object] | None = None,
    dtype: str | None = None,
) -> None:
    """Writes parameters and transforms; to a temporary name first, so that an interrupted
    write leaves no broken file.

    Args:
        path: the `.safetensors` file.
        model: an NNX module, or its parameters as `flatten` gives them.
        transforms: arrays that belong to the weights, kept in their own precision.
        metadata: small facts, stored as JSON strings in the file's header.
        dtype: storage type of the parameters, e.g. "bfloat16"; by default their own.
    """
    import ml_dtypes  # noqa: F401  (registers bfloat16 with NumPy)
    from safetensors.numpy import save as to_bytes

    parameters = dict(model) if isinstance(model, Mapping) else flatten(model)
    if dtype is not None:
        parameters = {name: value.astype(np.dtype(dtype)) for name, value in parameters.items()}
    tensors = parameters | {
        TRANSFORMS + name: np.asarray(value) for name, value in (transforms or {}).items()
    }
    tensors = {name: np.ascontiguousarray(value) for name, value in sorted(tensors.items())}
    header = {
        name: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        for name, value in (metadata or {}).items()
    }
    with files.whole(Path(path)) as temporary:
        temporary.write_bytes(_in_order(to_bytes(tensors, metadata=header or None)))


def _in_order(data: bytes) -> bytes:
    """The same safetensors file with its metadata in order: the library shuffles them, and
    cards pin the file's hash."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", None)
    if metadata is not None:
        header = {"__metadata__": dict(sorted(metadata.items()))} | header
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def load(
    path: str | os.PathLike[str],
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, str]]:
    """Parameters (float32 where stored narrower), transforms, and the header's metadata of
    one weights file.

    Raises:
        WeightsError: the file is truncated or not safetensors.
    """
    import ml_dtypes  # noqa: F401
    from safetensors import SafetensorError, safe_open

    parameters, transforms = {}, {}
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            for name in file.keys():  # noqa: SIM118  (safe_open is no mapping)
                value = file.get_tensor(name)
                if name.startswith(TRANSFORMS):
                    transforms[name.removeprefix(TRANSFORMS)] = value
                else:
                    parameters[name] = (
                        value.astype(np.float32) if value.dtype.itemsize < 4 else value
                    )
    except SafetensorError as error:
        raise WeightsError(
            f"{path} is not a readable safetensors file ({error}); delete it and run `zoo doctor` "
            "to fetch it again"
        ) from error
    return parameters, transforms, metadata


def restore(model: nnx.Module, parameters: Mapping[str, np.ndarray]) -> nnx.Module:
    """Puts parameters into a module in place and returns it; every name and shape must
    agree. The module may be `zoo.pretrained.model.blank`, with shapes in place of values.

    Raises:
        WeightsError: naming the first parameters that are missing, unexpected or of another shape.
    """
    import jax.numpy as jnp
    from flax import nnx

    expected = {
        ".".join(map(str, path)): (path, leaf)
        for path, leaf in nnx.to_flat_state(nnx.state(model, nnx.Param))
    }
    missing, extra = (
        sorted(expected.keys() - parameters.keys()),
        sorted(parameters.keys() - expected.keys()),
    )
    if missing or extra:
        raise WeightsError(
            f"weights do not fit {type(model).__name__}: {len(missing)} parameters missing (first "
            f"{missing[:3]}), {len(extra)} unexpected (first {extra[:3]}); the card's [config] "
            "must be the one the weights were trained with"
        )
    for name, (_, leaf) in expected.items():
        if leaf.shape != parameters[name].shape:
            raise WeightsError(
                f"parameter {name} of {type(model).__name__} has shape {leaf.shape}, the file has "
                f"{parameters[name].shape}"
            )
        leaf.set_value(jnp.asarray(parameters[name], dtype=leaf.dtype))
    nnx.update(model, nnx.from_flat_state([(path, leaf) for path, leaf in expected.values()]))
    return model
