"""The recurrent model remembers."""

from __future__ import annotations

import jax.numpy as jnp
from small_weather_models import random_state, small


def test_the_recurrent_model_remembers(planet):
    model, x = small("conv_gru"), random_state()
    first, memory = model(x)
    second, _ = model(x, memory)
    assert memory.shape == (1, 32, 16, 32)
    assert float(jnp.abs(first - second).max()) > 1e-3
