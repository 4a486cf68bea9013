"""Small networks that tell two samples of dijet events apart, many side by side: for CWoLa
and for the supervised bound.

One module holds all members (signals x folds) on a leading axis, so that they train on the
same batches as a few batched products; what a member may see is decided by its weights of
the examples. Two hidden layers, as in CWoLa hunting (Collins, Howe & Nachman,
arXiv:1902.02634) but narrower.

Recipe: `zoo train particle_physics/anomaly event_classifier.cwola`;
cost and score stand in the cards.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx


@dataclasses.dataclass(frozen=True)
class EventClassifierConfig:
    """Sizes.

    Attributes:
        features: per event, `zoo.particle_physics.anomaly.data.EVENT_FEATURES`.
        hidden: width of the two hidden layers.
        signals: classifiers per fold: one for each signal that is looked for apart.
        folds: of cross-validation; each member leaves one out.
    """

    features: int = 8
    hidden: int = 32
    signals: int = 2
    folds: int = 5

    @property
    def members(self) -> int:
        """Networks side by side."""
        return self.signals * self.folds


class EventClassifier(nnx.Module):
    """The networks.

    Args:
        config: sizes.
        rngs: where the weights come from.
    """

    def __init__(self, config: EventClassifierConfig, *, rngs: nnx.Rngs):
        self.config = config
        m, h = config.members, config.hidden
        init = nnx.initializers.variance_scaling(
            2.0, "fan_in", "truncated_normal", in_axis=-2, out_axis=-1, batch_axis=0
        )
        self.enter = nnx.Param(init(rngs.params(), (m, config.features, h)))
        self.enter_bias = nnx.Param(jnp.zeros((m, 1, h)))
        self.inner = nnx.Param(init(rngs.params(), (m, h, h)))
        self.inner_bias = nnx.Param(jnp.zeros((m, 1, h)))
        # Zero: before it has learned anything a member says nothing.
        self.leave = nnx.Param(jnp.zeros((m, h, 1)))
        self.leave_bias = nnx.Param(jnp.zeros((m, 1, 1)))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Log-odds `[member, event]` of the second sample against the first, from
        standardised features `[event, feature]`."""
        h = jax.nn.silu(x @ self.enter[...] + self.enter_bias[...])
        h = jax.nn.silu(h @ self.inner[...] + self.inner_bias[...])
        return (h @ self.leave[...] + self.leave_bias[...])[..., 0]
