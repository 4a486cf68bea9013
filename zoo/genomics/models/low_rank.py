"""Fine-tuning with few parameters: frozen kernels with a low-rank update each (LoRA; Hu et
al. 2021, arXiv:2106.09685).

    kernel = pre-trained kernel + down @ up

with down `[inputs, rank]` and up `[rank, outputs]`, which is zero at first.

The frozen kernels are shared by all networks that start from one encoder; what belongs to
one network is small. `SequenceEncoders` holds several such networks with their kernels
added up, each a plain `SequenceEncoder`; `merge_networks` puts them into one file that holds the
shared kernels once, and `expanded` reads it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.genomics.models.sequence_encoder import SequenceEncoder, SequenceEncoderConfig
from zoo.pretrained import weights as storage
from zoo.pretrained.model import as_tuples

__all__ = [
    "Frozen",
    "LowRank",
    "SequenceEncoders",
    "SequenceEncodersConfig",
    "expanded",
    "freeze",
    "merge_networks",
]

SHARED, NETWORKS = "shared.", "networks."
"""Prefixes in a file: of what its networks share, and of what each has for itself."""


class Frozen(nnx.Variable):
    """An array that a network uses and training leaves as it is."""


class LowRank(nnx.Module):
    """A dense layer or a convolution whose kernel is frozen, with a trained low-rank update
    and a trained bias.

    Args:
        layer: `nnx.Linear`, `nnx.LinearGeneral` or a one-dimensional `nnx.Conv` ("SAME", stride 1).
        rank: of the update.
        rngs: random streams.
    """

    def __init__(self, layer: Any, rank: int, *, rngs: nnx.Rngs):
        kernel, bias = layer.kernel[...], layer.bias[...]
        inputs, outputs = kernel.shape[: kernel.ndim - bias.ndim], bias.shape
        n = int(np.prod(inputs))
        self.convolves, self.n_in, self.rank = isinstance(layer, nnx.Conv), len(inputs), rank
        self.kernel, self.bias = Frozen(kernel), nnx.Param(bias)
        self.down = nnx.Param(jax.random.normal(rngs.params(), (*inputs, rank)) / np.sqrt(n))
        self.up = nnx.Param(jnp.zeros((rank, *outputs)))

    def __call__(self, x: jax.Array, **_: Any) -> jax.Array:
        """What the layer gives with its updated kernel; the two small products cost less
        than the gradient of a whole kernel."""
        small = self._apply(x, self.down[...])
        return (
            self._apply(x, self.kernel[...])
            + jnp.tensordot(small, self.up[...], 1)
            + self.bias[...]
        )

    def _apply(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
        if self.convolves:
            return jax.lax.conv_general_dilated(
                x, kernel, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")
            )
        return jnp.tensordot(x, kernel, self.n_in)


def freeze(model: SequenceEncoder, rank: int, *, rngs: nnx.Rngs) -> SequenceEncoder:
    """Replaces, in place, the layers of the attention blocks and the widest convolution by
    `LowRank` ones; returns the model."""
    blocks: Any = model.blocks
    convolutions: Any = model.convolutions
    for block in blocks:
        for name in ("query", "key", "value", "out"):
            setattr(block.attention, name, LowRank(getattr(block.attention, name), rank, rngs=rngs))
        block.up, block.down = (
            LowRank(block.up, rank, rngs=rngs),
            LowRank(block.down, rank, rngs=rngs),
        )
    convolutions[-1] = LowRank(convolutions[-1], rank, rngs=rngs)
    return model


@dataclasses.dataclass(frozen=True)
class SequenceEncodersConfig:
    """Classifying encoders of one design for several subsets.

    Attributes:
        subsets: name of each subset.
        tokens: that its head sees, each of eight bases.
        encoder: fields of `SequenceEncoderConfig`, the same for all, but `tasks` and `head_tokens`.
    """

    subsets: tuple[str, ...]
    tokens: tuple[int, ...]
    encoder: dict[str, Any]

    def of(self, subset: str) -> SequenceEncoderConfig:
        """The design of one subset's network."""
        settings = {name: as_tuples(value) for name, value in self.encoder.items()}
        return SequenceEncoderConfig(
            **settings | {"tasks": 1, "head_tokens": self.tokens[self.subsets.index(subset)]}
        )


class SequenceEncoders(nnx.Module):
    """One classifying encoder for each subset, `networks[subset]`."""

    def __init__(self, config: SequenceEncodersConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.networks = nnx.Dict(
            {subset: SequenceEncoder(config.of(subset), rngs=rngs) for subset in config.subsets}
        )


def merge_networks(
    start: Mapping[str, np.ndarray],
    networks: Mapping[str, Mapping[str, np.ndarray]],
    tokens: Mapping[str, int],
) -> dict[str, np.ndarray]:
    """What one file holds of several networks: the frozen kernels once, and each network's
    own parameters.

    Args:
        start: parameters of the encoder that all networks began as.
        networks: subset -> trained parameters of a network that `freeze` made.
        tokens: subset -> tokens that its network sees; positions behind them were not
            trained and are not stored.
    """
    found = {f"{SHARED}position": start["position"]}
    for subset, own in networks.items():
        for name, value in own.items():
            found[f"{NETWORKS}{subset}.{name}"] = (
                value[: tokens[subset]] if name == "position" else value
            )
            layer, _, last = name.rpartition(".")
            if last == "down" and f"{layer}.up" in own:
                found[f"{SHARED}{layer}.kernel"] = start[f"{layer}.kernel"]
    return found


def expanded(path: Path) -> dict[str, np.ndarray]:
    """The parameters of `SequenceEncoders` from a file that `merge_networks` made: a card's
    `converter`.

    Raises:
        zoo.pretrained.weights.WeightsError: the file cannot be read.
    """
    stored = storage.load(path)[0]
    shared = {
        name.removeprefix(SHARED): value
        for name, value in stored.items()
        if name.startswith(SHARED)
    }
    found: dict[str, np.ndarray] = {}
    for full, value in stored.items():
        if not full.startswith(NETWORKS):
            continue
        prefix, name = ".".join(full.split(".")[:2]), ".".join(full.split(".")[2:])
        layer, _, last = name.rpartition(".")
        if name == "position":
            found[full] = np.concatenate([value, shared["position"][len(value) :]])
        elif f"{layer}.kernel" not in shared or last == "bias":
            found[full] = value
        elif last == "down":
            found[f"{prefix}.{layer}.kernel"] = shared[f"{layer}.kernel"] + np.tensordot(
                value, stored[f"{prefix}.{layer}.up"], 1
            )
    return found
