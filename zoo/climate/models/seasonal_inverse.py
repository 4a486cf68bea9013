"""Niño3.4 forecasts by a seasonal linear inverse model with a learned residual, trained
through its own rollouts.

The state x (ENSO and the climate modes that talk to it, standardised) steps month by month,

    x(t+1) = x(t) + Σ_h F_h(m) L_h x(t) + N(x(t), F(m)),    F = 1, cos, sin of the annual cycle,

with an operator L_h per harmonic (the linear part of XRO: Zhao et al. 2024,
doi:10.1038/s41586-024-07534-6; without season a LIM: Penland & Sardeshmukh 1995,
doi:10.1175/1520-0442(1995)008<1999:TOGOTS>2.0.CO;2) and a small network N for what is not
linear (warm events grow and end otherwise than cold ones). A forecast is the iterated
state's Nino34, averaged over three months; its spread per k and season is learned beside
it. All ensemble members lie on a leading axis.

Recipe: `zoo train climate/enso seasonal_inverse.modes` (retrospective: indices
detrended over the whole record) and `... seasonal_inverse.modes_causal` (detrended anew for
each issue from its past); cost and score stand in the weights' cards.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from zoo.climate.models.enso_mlp import LEADS, annual_cycle


@dataclasses.dataclass(frozen=True)
class SeasonalInverseConfig:
    """Sizes.

    Attributes:
        members: models in the ensemble.
        indices: size of the state; the first index is Nino34.
        harmonics: overtones of the annual cycle in the operator.
        hidden: width of the residual network; 0 leaves the linear model alone.
    """

    members: int = 10
    indices: int = 10
    harmonics: int = 1
    hidden: int = 16


Config = SeasonalInverseConfig


class SeasonalInverse(nnx.Module):
    """The ensemble.

    Args:
        config: sizes.
        rngs: where the residual's weights come from. The operator starts at zero; training
            starts it at least squares.
    """

    def __init__(self, config: SeasonalInverseConfig, *, rngs: nnx.Rngs):
        self.config = config
        waves, n = 1 + 2 * config.harmonics, config.indices
        self.operator = nnx.Param(jnp.zeros((config.members, waves * n, n)))
        self.log_std = nnx.Param(jnp.full((config.members, waves, LEADS), -0.5).at[:, 1:].set(0.0))
        if config.hidden:
            init = nnx.initializers.variance_scaling(
                1.0, "fan_in", "truncated_normal", in_axis=-2, out_axis=-1, batch_axis=0
            )
            self.enter = nnx.Param(init(rngs.params(), (config.members, n + waves, config.hidden)))
            self.leave = nnx.Param(jnp.zeros((config.members, config.hidden, n)))

    def step(self, x: jax.Array, waves: jax.Array) -> jax.Array:
        """The state a month later: `[member, batch, index]` at `waves`
        `[batch, 1 + 2·harmonics]` of its calendar month."""
        seasonal = (waves[None, :, :, None] * x[:, :, None, :]).reshape(*x.shape[:2], -1)
        tendency = seasonal @ self.operator[...]
        if self.config.hidden:
            season = jnp.broadcast_to(waves, (*x.shape[:2], waves.shape[-1]))
            tendency = (
                tendency
                + jnp.tanh(jnp.concatenate([x, season], -1) @ self.enter[...]) @ self.leave[...]
            )
        return x + tendency

    def rollout(self, x: jax.Array, month: jax.Array) -> jax.Array:
        """The eleven months after the last known one: `[member, batch, 11, index]` from `x`
        `[batch, index]`."""
        state = jnp.broadcast_to(x, (self.config.members, *x.shape))
        months = []
        for ahead in range(LEADS + 2):
            state = self.step(state, annual_cycle((month + ahead) % 12, self.config.harmonics))
            months.append(state)
        return jnp.stack(months, axis=2)

    def __call__(self, x: jax.Array, month: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Standardised forecasts of every member.

        Args:
            x: `[batch, index]` standardised state of the last known month.
            month: `[batch]` its calendar month 0..11.

        Returns:
            Mean and standard deviation, `[member, batch, 9]` each, in units of Nino34's
            standard deviation.
        """
        return self.seasons(self.rollout(x, month)), self.spread(month)

    def seasons(self, rollout: jax.Array) -> jax.Array:
        """Three-month means of Nino34, `[member, batch, 9]`."""
        nino = rollout[..., 0]
        return (nino[..., :-2] + nino[..., 1:-1] + nino[..., 2:]) / 3.0

    def spread(self, month: jax.Array) -> jax.Array:
        """Standard deviations `[member, batch, 9]`."""
        return jnp.exp(annual_cycle(month, self.config.harmonics) @ self.log_std[...])
