"""CNN-local and CNN-dist: two small networks that differ in how soon they pool, with a
choice of the first layer's activation.

Koo & Ploenzke 2021, "Improving representations of genomic sequence motifs in convolutional
networks with exponential activations", doi:10.1038/s42256-020-00291-x: an exponential after
the first convolution lets noise die and motifs stand out, and what the network found can be
read off its gradients better. Layer sizes, normalisation and dropout are the authors'.

    zoo train genomics/motif_grammar cnn_dist.exponential --seed 0      a minute of one core
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from zoo.genomics.models.fold import FoldedConv

__all__ = ["ACTIVATIONS", "KINDS", "MotifCnn", "MotifCnnConfig", "freeze"]

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "relu": jax.nn.relu,
    "exponential": jnp.exp,
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "shift_scale_sigmoid": lambda x: 4000.0 * jax.nn.sigmoid(x - 8.0),
}
"""Of the first layer; the others are rectified."""

KINDS: dict[str, tuple[tuple[int, int, str, int, float], ...]] = {
    "dist": (
        (24, 19, "SAME", 1, 0.1),
        (32, 7, "SAME", 4, 0.2),
        (48, 7, "VALID", 4, 0.3),
        (64, 3, "VALID", 3, 0.4),
    ),
    "local": ((24, 19, "SAME", 50, 0.1), (48, 3, "SAME", 2, 0.2)),
}
"""Layers of each kind: channels, width, padding, pooling, dropout. "dist" lets deeper
layers see how motifs lie to each other; "local" keeps the strongest match of each filter in
50 bases."""
HIDDEN, HIDDEN_DROPOUT = 96, 0.5


@dataclasses.dataclass(frozen=True)
class MotifCnnConfig:
    """Settings of `MotifCnn`.

    Attributes:
        kind: "dist" or "local".
        activation: of the first layer, a key of `ACTIVATIONS`.
        length: bases of a sequence.
        frozen: whether normalisation is one scale and shift a channel (`freeze`) or that of
            batches, for training.
    """

    kind: str = "dist"
    activation: str = "exponential"
    length: int = 200
    frozen: bool = False

    def __post_init__(self) -> None:
        for name, legal in (("kind", KINDS), ("activation", ACTIVATIONS)):
            if getattr(self, name) not in legal:
                raise ValueError(f"{name} {getattr(self, name)!r} is none of {', '.join(legal)}")


class ChannelNorm(nnx.Module):
    """Batch normalisation (Ioffe & Szegedy 2015, arXiv:1502.03167) over all axes but the
    last; frozen: a scale and a shift.

    Why frozen: a published network must not depend on running statistics, and one
    multiplication a channel is all that is left of them.
    """

    def __init__(
        self, channels: int, *, frozen: bool, momentum: float = 0.99, epsilon: float = 1e-3
    ):
        self.frozen, self.momentum, self.epsilon = frozen, momentum, epsilon
        self.scale, self.bias = nnx.Param(jnp.ones(channels)), nnx.Param(jnp.zeros(channels))
        if not frozen:
            self.mean, self.variance = (
                nnx.BatchStat(jnp.zeros(channels)),
                nnx.BatchStat(jnp.ones(channels)),
            )

    def __call__(
        self, x: Float[Array, "... channels"], *, training: bool = False
    ) -> Float[Array, "... channels"]:
        """Normalised values; in training by the batch's moments, which also move the
        running ones."""
        if self.frozen:
            return x * self.scale[...] + self.bias[...]
        if training:
            axes = tuple(range(x.ndim - 1))
            mean = x.mean(axes)
            variance = jnp.square(x - mean).mean(axes)
            for running, now in ((self.mean, mean), (self.variance, variance)):
                running[...] = self.momentum * running[...] + (
                    1.0 - self.momentum
                ) * jax.lax.stop_gradient(now)
        else:
            mean, variance = self.mean[...], self.variance[...]
        return (x - mean) * (self.scale[...] * jax.lax.rsqrt(variance + self.epsilon)) + self.bias[
            ...
        ]

    def as_frozen(self) -> tuple[jax.Array, jax.Array]:
        """Scale and shift `[channels]` that give what the running statistics give."""
        scale = self.scale[...] * jax.lax.rsqrt(self.variance[...] + self.epsilon)
        return scale, self.bias[...] - self.mean[...] * scale


class Layer(nnx.Module):
    """Convolution without bias, normalisation, activation, dropout, and the maximum of each
    `pool` positions."""

    def __init__(
        self,
        inputs: int | None,
        channels: int,
        width: int,
        padding: str,
        pool: int,
        dropout: float,
        *,
        frozen: bool,
        rngs: nnx.Rngs,
    ):
        self.pool, self.dropout = pool, dropout
        self.conv: FoldedConv | nnx.Conv
        if inputs is None:
            self.conv = FoldedConv(width, channels, padding=padding, use_bias=False, rngs=rngs)
        else:
            start = nnx.initializers.he_normal()
            self.conv = nnx.Conv(
                inputs,
                channels,
                (width,),
                padding=padding,
                use_bias=False,
                kernel_init=start,
                rngs=rngs,
            )
        self.norm = ChannelNorm(channels, frozen=frozen)

    def __call__(self, x: jax.Array, activation: Callable, key: jax.Array | None) -> jax.Array:
        """`[batch, position, channels]` to `[batch, position / pool, channels]`; `key`:
        drop and normalise as in training."""
        x = _drop(activation(self.norm(self.conv(x), training=key is not None)), self.dropout, key)
        if self.pool == 1:
            return x
        batch, length, channels = x.shape
        # A maximum over its own axis: the gradient of `reduce_window` is many times slower on CPU.
        return x[:, : length - length % self.pool].reshape(batch, -1, self.pool, channels).max(2)


class MotifCnn(nnx.Module):
    """One-hot DNA to the logit of "positive".

    Args:
        config: see `MotifCnnConfig`.
        rngs: random streams.
    """

    def __init__(self, config: MotifCnnConfig, *, rngs: nnx.Rngs):
        self.config = config
        inputs, length, layers = 0, config.length, []
        for channels, width, padding, pool, dropout in KINDS[config.kind]:
            layers.append(
                Layer(
                    inputs or None,
                    channels,
                    width,
                    padding,
                    pool,
                    dropout,
                    frozen=config.frozen,
                    rngs=rngs,
                )
            )
            inputs, length = channels, (length if padding == "SAME" else length - width + 1) // pool
        if length < 1:
            raise ValueError(
                f"length={config.length} is too short for cnn-{config.kind}: nothing is left "
                "after pooling"
            )
        self.layers = nnx.List(layers)
        start = nnx.initializers.he_normal()
        self.hidden = nnx.Linear(
            length * inputs, HIDDEN, use_bias=False, kernel_init=start, rngs=rngs
        )
        self.norm = ChannelNorm(HIDDEN, frozen=config.frozen)
        self.out = nnx.Linear(HIDDEN, 1, rngs=rngs)

    def __call__(
        self, x: Float[Array, "batch position 4"], *, key: jax.Array | None = None
    ) -> Float[Array, batch * feature]:
        """Logits `[batch]`; features, where fine-tuning took the last layer away. `key`: drop
        out and normalise by the batch, as in training."""
        keys = (
            [None] * (len(self.layers) + 1)
            if key is None
            else list(jax.random.split(key, len(self.layers) + 1))
        )
        for number, layer in enumerate(self.layers):
            x = layer(
                x, ACTIVATIONS[self.config.activation] if number == 0 else jax.nn.relu, keys[number]
            )
        x = self.hidden(x.reshape(len(x), -1))
        x = _drop(jax.nn.relu(self.norm(x, training=key is not None)), HIDDEN_DROPOUT, keys[-1])
        return self.out(x)[:, 0]


def _drop(x: jax.Array, rate: float, key: jax.Array | None) -> jax.Array:
    """Dropout (Srivastava et al. 2014) at the nearest multiple of 1/256; nothing without a key.

    Why bytes of words: on CPU a random number for each value would cost half as much as the
    whole step (measured: 3.5 ms against 0.9 a layer).
    """
    if key is None:
        return x
    level = round(256 * rate)
    words = jax.random.bits(key, (*x.shape[:-1], x.shape[-1] // 4), jnp.uint32)
    drawn = jax.lax.bitcast_convert_type(words, jnp.uint8).reshape(x.shape)
    return jnp.where(drawn >= level, x / (1.0 - level / 256), 0.0)


def freeze(model: MotifCnn) -> MotifCnn:
    """The same function of a sequence with running statistics turned into one scale and
    shift a channel: what is published."""
    if model.config.frozen:
        return model
    frozen = MotifCnn(dataclasses.replace(model.config, frozen=True), rngs=nnx.Rngs(0))
    norms = [(model.norm, frozen.norm)]
    for old, new in zip(model.layers, frozen.layers, strict=True):
        new.conv.kernel[...] = old.conv.kernel[...]
        norms.append((old.norm, new.norm))
    for before, after in norms:
        after.scale[...], after.bias[...] = before.as_frozen()
    frozen.hidden.kernel[...] = model.hidden.kernel[...]
    nnx.update(frozen.out, nnx.state(model.out))
    return frozen
