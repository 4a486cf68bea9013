"""The sequence encoder with three outputs a base in place of four letters: non-coding, CDS
forward, CDS reverse.

Everything but the last layer is `SequenceEncoder`'s, so that its pre-trained weights fit
(semantic segmentation by fine-tuning, Long et al. 2015, arXiv:1411.4038). Recipe, cost and
scores: `zoo.genomics.ecoli.recipes`.
"""

from __future__ import annotations

import dataclasses

import jax
from flax import nnx
from jaxtyping import Array, Float, Int

from zoo.genomics.models.sequence_encoder import SequenceEncoder, SequenceEncoderConfig

__all__ = ["GeneLabeller", "GeneLabellerConfig"]


@dataclasses.dataclass(frozen=True)
class GeneLabellerConfig(SequenceEncoderConfig):
    """Sizes of the encoder, and how many classes a base has.

    Attributes:
        classes: of a base.
    """

    classes: int = 3


class GeneLabeller(nnx.Module):
    """Logits of the classes of every base."""

    def __init__(self, config: GeneLabellerConfig, *, rngs: nnx.Rngs):
        self.config = config
        names = {field.name for field in dataclasses.fields(SequenceEncoderConfig)}
        sizes = {name: value for name, value in dataclasses.asdict(config).items() if name in names}
        self.encoder = SequenceEncoder(SequenceEncoderConfig(**sizes), rngs=rngs)
        self.encoder.letters = nnx.Linear(2 * config.channels[0], config.classes, rngs=rngs)

    def __call__(
        self, tokens: Int[Array, "batch position"], *, key: jax.Array | None = None
    ) -> Float[Array, "batch position class"]:
        """Logits at every base of sequences of at most `8 * config.max_tokens` bases."""
        return self.encoder(tokens, key=key)
