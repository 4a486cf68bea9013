"""A pretrained design without its last layer, and a linear layer for classes of one's own.

What the new layer sees of a sequence: of `SequenceEncoder` the mean and the maximum of its
tokens' features; of `SequenceCNN` its last hidden layer, and the old logit of the letters at
their places where it has one; of `MotifCnn` its last hidden layer. Shorter sequences are padded
at their end; longer ones than the network reads are refused. `zoo.genomics.finetune` trains it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from zoo.genomics.data.sequences import PADDING, one_hot
from zoo.genomics.models.motif_cnn import HIDDEN, MotifCnn, MotifCnnConfig
from zoo.genomics.models.sequence_cnn import SequenceCNN, SequenceCNNConfig
from zoo.genomics.models.sequence_encoder import (
    REDUCTION,
    SequenceEncoder,
    SequenceEncoderConfig,
    pad,
)
from zoo.pretrained.model import as_tuples

__all__ = ["BACKBONES", "SequenceClassifier", "SequenceClassifierConfig", "backbone_config"]

BACKBONES: dict[str, tuple[type, type]] = {
    "encoder": (SequenceEncoder, SequenceEncoderConfig),
    "cnn": (SequenceCNN, SequenceCNNConfig),
    "motif_cnn": (MotifCnn, MotifCnnConfig),
}


@dataclasses.dataclass(frozen=True)
class SequenceClassifierConfig:
    """A pretrained design and the classes that are told apart.

    Attributes:
        backbone: key of `BACKBONES`.
        settings: fields of the backbone's config.
        classes: outputs.
        length: bases of the longest sequence that is read.
    """

    backbone: str
    settings: Mapping[str, Any]
    classes: int
    length: int


def backbone_config(backbone: str, settings: Mapping[str, Any]) -> Any:
    """A backbone's config from a card's settings."""
    return BACKBONES[backbone][1](**{name: as_tuples(value) for name, value in settings.items()})


class Identity(nnx.Module):
    """Stands where a network's last layer stood, and gives what that layer was given,
    `[batch, 1, feature]`."""

    def __call__(self, x: jax.Array) -> jax.Array:
        """The input, with an axis that the network takes away again."""
        return x[:, None]


class SequenceClassifier(nnx.Module):
    """Tokens to logits of the classes: a backbone without its last layer, and a linear one.

    Args:
        config: see `SequenceClassifierConfig`.
        rngs: random streams.
        candidate: the name of the network that the backbone comes from, where a model has several.
    """

    def __init__(self, config: SequenceClassifierConfig, *, rngs: nnx.Rngs, candidate: str = ""):
        self.config, self.candidate = config, candidate
        kind = BACKBONES[config.backbone][0]
        self.backbone = kind(backbone_config(config.backbone, config.settings), rngs=rngs)
        design = self.backbone.config
        placed = config.backbone == "cnn" and design.placed
        # Its own logit a sequence, which the new layer may use as it uses the others.
        self.places = nnx.Param(self.backbone.places[...]) if placed else None
        if config.backbone == "encoder":
            # the way back up to single bases
            del self.backbone.ups, self.backbone.hidden, self.backbone.letters
            width = 2 * design.features
        elif config.backbone == "cnn":
            self.backbone.logit, self.backbone.places, width = (
                Identity(),
                None,
                design.hidden + placed,
            )
        else:
            self.backbone.out, width = Identity(), HIDDEN
        self.head = nnx.Linear(
            width, config.classes, kernel_init=nnx.initializers.zeros_init(), rngs=rngs
        )

    def features(
        self, tokens: Int[Array, "batch position"], *, key: jax.Array | None = None
    ) -> Float[Array, "batch feature"]:
        """What the last layer sees. `key`: of dropout; None: no dropout.

        Raises:
            ValueError: the sequences are longer than `config.length`.
        """
        padded = pad(tokens, self.config.length)
        if self.config.backbone != "encoder":
            x = one_hot(padded, xp=jnp)
            found = self.backbone(x, key=key)
            return (
                found
                if self.places is None
                else jnp.concatenate(
                    [found, jnp.einsum("bpl,pl->b", x, self.places[...])[:, None]], 1
                )
            )
        padded = pad(padded)
        x, _ = self.backbone.encode(self.backbone.inputs(padded), padded != PADDING, key=key)
        there = (padded != PADDING).reshape(len(padded), -1, REDUCTION).any(-1)[..., None]
        return jnp.concatenate(
            [jnp.where(there, x, 0.0).sum(1) / there.sum(1), jnp.where(there, x, -jnp.inf).max(1)],
            -1,
        )

    def __call__(
        self, tokens: Int[Array, "batch position"], *, key: jax.Array | None = None
    ) -> Float[Array, "batch class"]:
        """Logits of sequences of at most `config.length` bases."""
        return self.head(self.features(tokens, key=key))
