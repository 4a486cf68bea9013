"""A finding is a number or nothing."""

from __future__ import annotations

import pytest

from zoo.interfaces.findings import Finding


def test_a_finding_is_a_number_or_nothing():
    with pytest.raises(ValueError, match="None"):
        Finding("a", "b", float("nan"), "ok")
    with pytest.raises(ValueError, match="ok, note, leak"):
        Finding("a", "b", 1, "bad")
