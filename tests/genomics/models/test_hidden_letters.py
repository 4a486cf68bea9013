"""What training hides is hidden as the task does."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.genomics.models import masking
from zoo.genomics.models.hidden_letters import hide_letters


def test_training_corrupts_as_the_task_does():
    tokens = jnp.zeros((400, 512), jnp.int8) + 2
    shown, chosen = hide_letters(tokens, jax.random.key(1))
    shown, chosen = np.asarray(shown), np.asarray(chosen)
    assert chosen.mean() == pytest.approx(0.15, abs=0.003) and (shown[~chosen] == 2).all()
    assert (shown[chosen] == masking.MASK).mean() == pytest.approx(0.8, abs=0.01)
    assert (shown[chosen] == 2).mean() == pytest.approx(0.125, abs=0.01)
