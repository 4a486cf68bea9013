"""Axes keep their digits, and bars stand where they should."""

from __future__ import annotations

import re

import numpy as np
import pytest
from board_pictures import histograms

from zoo.leaderboard import pictures


def test_empty_bins_stand_on_the_lower_end_of_a_logarithmic_axis():
    one = {"label": "top", "values": [0, 2, 200]}
    svg = pictures.histograms(histograms(log_y=True, edges=[0, 1, 2, 3], series=[one]), name="log")
    path = re.search(r"<title>top</title>\s*<path d=\"([^\"]*)\"", svg).group(1)
    heights = [float(y) for y in re.findall(r"[ML] \S+ (\S+)", path)]
    assert heights[0] == heights[1] == heights[2] == heights[-1] == max(heights)  # 0 where 1 is
    assert 2 * (heights[0] - heights[3]) / (heights[3] - heights[5]) == pytest.approx(
        np.log10(2), rel=0.01
    )
    assert heights and all(0 <= y < 1000 for y in heights)


def test_tick_labels_keep_their_digits():
    svg = pictures.histograms(
        histograms(series=[{"label": "top", "values": [0.004, 0.0251]}]), name="ticks"
    )
    labels = [float(text) for text in re.findall(r">(0\.0\d+)</text>", svg)]
    assert 0.005 in labels and 0.015 in labels
    assert not re.search(r'd="[^"]*\d\.\d{3}', svg)  # while coordinates are short
