"""The interval of a gain is paired."""

from __future__ import annotations

import numpy as np

from zoo.commands.finetune import report


def test_the_paired_interval_covers_a_known_gain():
    rng = np.random.default_rng(0)
    second = rng.normal(size=400)
    low, high = report.paired_interval(
        second + 0.3 + 0.1 * rng.normal(size=400), second, np.arange(400)
    )
    assert low < 0.3 < high and high - low < 0.05
    assert report.paired_interval(second, second, np.zeros(400)) is None
