"""What the ENSO networks are trained to make small: the CRPS of their forecasts, with a pull
back to where the training began."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.scipy.stats import norm

from zoo.climate.models.enso_mlp import EnsoMlp
from zoo.climate.models.seasonal_inverse import SeasonalInverse

if TYPE_CHECKING:
    from zoo.climate.enso.recipes import EnsoRecipe


def crps(mean: jax.Array, std: jax.Array, observed: jax.Array) -> jax.Array:
    """The normal CRPS of `zoo.climate.enso.metrics.gaussian_crps`, differentiable."""
    z = (observed - mean) / std
    return std * (z * (2.0 * norm.cdf(z) - 1.0) + 2.0 * norm.pdf(z) - 1.0 / np.sqrt(np.pi))


def make_loss(recipe: EnsoRecipe, noise: float, origin: Any = None) -> Callable[..., Any]:
    """Mean CRPS of the members' forecasts; for the seasonal inverse model the state's first
    three months too; the anchor."""

    def loss(
        model: EnsoMlp | SeasonalInverse, batch: Mapping[str, jax.Array], key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        x = batch["x"] + noise * jax.random.normal(key, batch["x"].shape)
        state_error: jax.Array | float = 0.0
        if isinstance(model, SeasonalInverse):
            rollout = model.rollout(x, batch["month"])
            mean, std = model.seasons(rollout), model.spread(batch["month"])
            squared = ((rollout - batch["states"]) ** 2).mean(-1)[:, :, :3]
            state_error = (squared * batch["known"][:, :3]).mean(0).sum() / batch["known"][
                :, :3
            ].sum()
        else:
            mean, std = model(x, batch["month"])
        score = (crps(mean, std, batch["y"]) * batch["w"]).mean(0).sum() / batch["w"].sum()
        total = score + recipe.one_step * state_error
        if origin is not None and recipe.anchor:
            # Per member, so that the strength does not depend on the size of the ensemble;
            # the spread is left free.
            distance = jax.tree.map(lambda a, b: jnp.sum((a - b) ** 2), weights_only(model), origin)
            total = total + recipe.anchor * sum(jax.tree.leaves(distance)) / model.config.members
        return total, {"crps": score}

    return loss


def weights_only(model: nnx.Module) -> dict[str, jax.Array]:
    """Parameters by name, without those of the spread."""
    flat = nnx.to_flat_state(nnx.state(model, nnx.Param))
    return {".".join(map(str, path)): leaf[...] for path, leaf in flat if "log_std" not in path}
