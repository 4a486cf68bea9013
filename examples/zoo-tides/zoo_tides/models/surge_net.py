"""A linear map of the last hours beside a small network: `past [batch, window]` in standard
units -> the next 24 hours.

Recipe: `zoo train tides/harbour surge_net.harbour --seed 0`, 3,000 steps of 256, half a
minute on one core. Expected on the test hours: RMSE .10 m one hour ahead and .27 m a day
ahead (the tide table: .27).
"""

from __future__ import annotations

import dataclasses

import jax
from flax import nnx


@dataclasses.dataclass(frozen=True)
class SurgeNetConfig:
    """Sizes.

    Attributes:
        window: hours that it sees.
        hidden: units of the network beside the linear map.
        leads: hours that it forecasts.
    """

    window: int = 72
    hidden: int = 32
    leads: int = 24


class SurgeNet(nnx.Module):
    """Standardised levels `[batch, window]` -> `[batch, lead]`."""

    def __init__(self, config: SurgeNetConfig = SurgeNetConfig(), *, rngs: nnx.Rngs):
        self.config = config
        self.linear = nnx.Linear(config.window, config.leads, rngs=rngs)
        self.enter = nnx.Linear(config.window, config.hidden, rngs=rngs)
        self.leave = nnx.Linear(config.hidden, config.leads, rngs=rngs)

    def __call__(self, past: jax.Array) -> jax.Array:
        return self.linear(past) + self.leave(jax.nn.tanh(self.enter(past)))
