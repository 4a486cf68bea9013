"""Impossible settings are refused."""

from __future__ import annotations

import numpy as np
import pytest
from regression_runs import train

from zoo.train.loop import LoopConfig


def test_impossible_settings_are_refused():
    with pytest.raises(
        ValueError, match="checkpoint_every=5 must be a positive multiple of steps_per_call=2"
    ):
        LoopConfig(10, 4, steps_per_call=2, checkpoint_every=5, log_every=2)
    with pytest.raises(ValueError, match="one leading length"):
        train(LoopConfig(4, 4, log_every=4), data={"x": np.zeros((4, 3)), "y": np.zeros(5)})
    for size in (0, 3, 16):
        with pytest.raises(ValueError, match=f"microbatch_size={size} must divide batch_size=8"):
            LoopConfig(10, 8, log_every=2, microbatch_size=size)
