"""Weights on disk: one safetensors file holds an NNX module's parameters and the transforms
that its inputs need.

Parameter names are the module's own attribute paths joined by dots
(`blocks.0.dense.kernel`); the arrays of the transforms (means, scales, ...) are stored
beside them under `transforms.`, so that weights can never be separated from the
normalisation they were trained with. Nothing is pickled.

Two things keep files of many seeds or networks small; `load` undoes both:

* What several files have in common is stored once, in a file beside them. The header of each
  names it (`shared`) with its SHA-256 (`shared_sha256`), so that the hash of a seed's file
  binds all of its parameters.
* Tensors of one shape that differ in one part of their names, given by `stacked` in the
  header, stand in one tensor, along its first axis; `*` takes the part's place in its name.
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
SHARED, SHARED_SHA256, STACKED = "shared", "shared_sha256", "stacked"
"""Keys of a header: the file beside it and its hash; names of what is stacked."""

Tensors = dict[str, np.ndarray]


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
    shared: Path | None = None,
    stacked: str | None = None,
) -> None:
    """Writes parameters and transforms; to a temporary name first, so that an interrupted
    write leaves no broken file.

    Args:
        path: the `.safetensors` file.
        model: an NNX module, or its parameters as `flatten` gives them.
        transforms: arrays that belong to the weights, kept in their own precision.
        metadata: small facts, stored as JSON strings in the file's header.
        dtype: storage type of the parameters, e.g. "bfloat16"; by default their own.
        shared: a file in the same folder, written before; what it holds is not stored again.
        stacked: the beginning of names (`networks.`) whose next part tells networks of one
            design apart.

    Raises:
        WeightsError: the shared file lies elsewhere, or holds something that is not here.
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
    if shared is not None:
        tensors = _without_shared(tensors, shared, Path(path))
        header |= {SHARED: shared.name, SHARED_SHA256: files.sha256(shared)}
    if stacked is not None:
        tensors, parts = _stack(tensors, stacked)
        header |= {STACKED: json.dumps(parts)}
    with files.whole(Path(path)) as temporary:
        temporary.write_bytes(_in_order(to_bytes(tensors, metadata=header or None)))


def _without_shared(tensors: Tensors, shared: Path, path: Path) -> Tensors:
    """What the shared file does not hold."""
    if shared.parent.resolve() != path.parent.resolve():
        raise WeightsError(f"{shared} must lie beside {path}, which would name it")
    common = _read(shared)[0]
    for name, value in common.items():
        own = tensors.get(name)
        if own is None or own.dtype != value.dtype or not _same_bytes(own, value):
            raise WeightsError(
                f"{name} of {shared.name} is {'not in' if own is None else 'another in'} "
                f"{path.name}: only what all files have in common can be shared"
            )
    return {name: value for name, value in tensors.items() if name not in common}


def _same_bytes(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and one.tobytes() == other.tobytes()


def _stack(tensors: Tensors, beginning: str) -> tuple[Tensors, list[str]]:
    """Tensors with those of one shape in one, and the parts of names that were told apart."""
    inside = [name.removeprefix(beginning) for name in tensors if name.startswith(beginning)]
    parts = sorted({name.partition(".")[0] for name in inside})
    found = dict(tensors)
    for rest in sorted({name.partition(".")[2] for name in inside}):
        names = [f"{beginning}{part}.{rest}" for part in parts]
        same = {(tensors[name].shape, tensors[name].dtype) for name in names if name in tensors}
        if len(same) == 1 and all(name in tensors for name in names):
            found[f"{beginning}*.{rest}"] = np.stack([found.pop(name) for name in names])
    return dict(sorted(found.items())), parts


def _unstack(tensors: Tensors, parts: list[str]) -> Tensors:
    """Tensors as they were before `_stack`."""
    found = {}
    for name, value in tensors.items():
        if "*" not in name:
            found[name] = value
            continue
        for part, own in zip(parts, value, strict=True):
            found[name.replace("*", part)] = own
    return found


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


def load(path: str | os.PathLike[str]) -> tuple[Tensors, Tensors, dict[str, str]]:
    """Parameters (float32 where stored narrower), transforms, and the header's metadata of
    one weights file; with what it shares with others, and with each tensor by its own name.

    Raises:
        WeightsError: the file is truncated or not safetensors, or the file that it shares with
            others does not lie beside it or is another.
    """
    tensors, metadata = _read(Path(path))
    name, sha256 = metadata.pop(SHARED, None), metadata.pop(SHARED_SHA256, None)
    if (parts := metadata.pop(STACKED, None)) is not None:
        tensors = _unstack(tensors, json.loads(parts))
    if name is not None:
        tensors |= _read_shared(Path(path), name, sha256)
    parameters, transforms = {}, {}
    for name, value in tensors.items():
        if name.startswith(TRANSFORMS):
            transforms[name.removeprefix(TRANSFORMS)] = value
        else:
            parameters[name] = value.astype(np.float32) if value.dtype.itemsize < 4 else value
    return parameters, transforms, metadata


def shared_file(path: str | os.PathLike[str]) -> Path | None:
    """Where the file lies that a weights file shares with others; None: it shares nothing."""
    name = _read(Path(path))[1].get(SHARED)
    return None if name is None else Path(path).with_name(name)


def _read_shared(path: Path, name: str, sha256: str | None) -> Tensors:
    """The tensors of the file that the header of `path` names."""
    if not name or Path(name).name != name or "\\" in name:
        raise WeightsError(f"{path} names {name!r}, which is no file beside it")
    beside = path.with_name(name)
    if not beside.is_file():
        raise WeightsError(
            f"{path} shares parameters with other files, stored in {name}, which does not lie "
            f"beside it: copy {name} into {path.parent} as well"
        )
    if (found := files.sha256(beside)) != sha256:
        raise WeightsError(
            f"{beside} has SHA-256 {found}, {path.name} needs {sha256}: take both from one place "
            "(`zoo doctor` names altered files)"
        )
    return _read(beside)[0]


def _read(path: Path) -> tuple[Tensors, dict[str, str]]:
    """Tensors and metadata as they are stored."""
    import ml_dtypes  # noqa: F401
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, dict(file.metadata() or {})
    except SafetensorError as error:
        raise WeightsError(
            f"{path} is not a readable safetensors file ({error}); delete it and run `zoo doctor` "
            "to fetch it again"
        ) from error


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
