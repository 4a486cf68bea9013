"""Niño3.4 forecasts by an ensemble of small networks: a seasonal linear map plus a learned
residual, Gaussian head.

One module holds all members on a leading axis, so a whole ensemble trains and predicts as a
few batched products. Forecast of step k from the last months x of the core indices, m the
calendar month of the last one:

    mean_k = Σ_h F_h(m) W_hk · x  +  MLP_k(x, F(m)),    log sd_k = Σ_h F_h(m) s_hk,
    F = 1, cos, sin of the annual cycle

Transfer learning as in Ham, Kim & Luo (2019), doi:10.1038/s41586-019-1559-7: trained on
CMIP6 models, then on the reanalysis; here on four indices instead of maps. What is
standardised and how stands in `zoo.climate.enso.train`.

Recipe: `zoo train climate/enso enso_mlp.core` (pre-trained), `... enso_mlp.core_scratch`
(ORAS5 alone); cost and score stand in the weights' cards.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

LEADS = 9


@dataclasses.dataclass(frozen=True)
class EnsoMlpConfig:
    """Sizes.

    Attributes:
        lags: for each member of the ensemble, the number of months it sees. Members that
            see one month and members that see two err differently, which is what an
            ensemble wants.
        indices: core indices per month.
        harmonics: overtones of the annual cycle in the linear map and the input.
        hidden: width of the residual's two hidden layers; 0 leaves the linear map alone.
    """

    lags: tuple[int, ...] = (1, 1, 1, 1, 1, 2, 2, 2, 2, 2)
    indices: int = 4
    harmonics: int = 3
    hidden: int = 16

    @property
    def members(self) -> int:
        """Networks in the ensemble."""
        return len(self.lags)

    @property
    def window(self) -> int:
        """Months in the input."""
        return max(self.lags)


Config = EnsoMlpConfig


class EnsoMlp(nnx.Module):
    """The ensemble.

    Args:
        config: sizes.
        rngs: where the residual's weights come from; the linear map starts at zero.
    """

    def __init__(self, config: EnsoMlpConfig, *, rngs: nnx.Rngs):
        self.config = config
        waves, width = 1 + 2 * config.harmonics, config.indices * config.window
        self.linear = nnx.Param(jnp.zeros((config.members, waves, width, LEADS)))
        self.log_std = nnx.Param(jnp.zeros((config.members, waves, LEADS)))
        months = jnp.repeat(jnp.arange(config.window), config.indices)
        self.seen = nnx.Variable(
            (months < jnp.asarray(config.lags)[:, None]).astype(jnp.float32)[:, None, :]
        )
        if config.hidden:
            init = nnx.initializers.variance_scaling(
                1.0, "fan_in", "truncated_normal", in_axis=-2, out_axis=-1, batch_axis=0
            )
            h = config.hidden
            self.enter = nnx.Param(init(rngs.params(), (config.members, width + waves, h)))
            self.inner = nnx.Param(init(rngs.params(), (config.members, h, h)))
            self.inner_bias = nnx.Param(jnp.zeros((config.members, 1, h)))
            self.leave = nnx.Param(0.1 * init(rngs.params(), (config.members, h, LEADS)))

    def __call__(self, x: jax.Array, month: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Standardised forecasts of every member.

        Args:
            x: `[batch, window * indices]` standardised indices, newest month first.
            month: `[batch]` calendar month 0..11 of the newest month.

        Returns:
            Mean and standard deviation, `[member, batch, 9]` each, in units of Nino34's
            standard deviation.
        """
        waves = annual_cycle(month, self.config.harmonics)
        x = x * self.seen[...]
        seasonal = (waves[:, :, None] * x[:, :, None, :]).reshape(*x.shape[:2], -1)
        mean = seasonal @ self.linear[...].reshape(self.config.members, -1, LEADS)
        if self.config.hidden:
            season = jnp.broadcast_to(waves, (*x.shape[:2], waves.shape[-1]))
            h = jax.nn.silu(jnp.concatenate([x, season], axis=-1) @ self.enter[...])
            h = jax.nn.silu(h @ self.inner[...] + self.inner_bias[...])
            mean = mean + h @ self.leave[...]
        return mean, jnp.exp(waves @ self.log_std[...])


def annual_cycle(month: jax.Array, harmonics: int) -> jax.Array:
    """1, cos, sin of the annual cycle and its overtones, `[batch, 1 + 2·harmonics]`."""
    angle = 2.0 * jnp.pi * month.astype(jnp.float32) / 12.0
    waves = [wave(h * angle) for h in range(1, harmonics + 1) for wave in (jnp.cos, jnp.sin)]
    return jnp.stack([jnp.ones_like(angle), *waves], axis=-1)
