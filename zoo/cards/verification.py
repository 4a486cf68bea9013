"""Verifications: `leaderboard/verified/...`, same path as the entry."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from zoo.cards.entry import Environment
from zoo.cards.text import Card, Finite, MetricName, Sha256


class CheckedMetric(Card):
    """Claimed beside obtained."""

    claimed: Finite
    obtained: Finite


class Verification(Card):
    """What a re-run obtained for an entry: `leaderboard/verified/...`, same path as the entry."""

    schema_version: Literal[1]
    entry: str
    entry_sha256: Sha256
    level: Literal["static", "rescored", "rerun"]
    ok: bool
    problems: list[str]
    metrics: dict[MetricName, CheckedMetric]
    largest_relative_difference: Finite
    environment: Environment
    created: datetime
