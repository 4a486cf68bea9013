"""Published scores of others: `leaderboard/peers/<domain>/<task>@<version>.toml`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from zoo.cards.text import Card, Finite, Https, MetricName, TaskId


class PeerRow(Card):
    """A score that somebody else published, or that we computed once from somebody's
    published forecasts."""

    name: str
    kind: Literal["published", "forecast_centre"] = "published"
    metrics: dict[MetricName, Finite] = Field(min_length=1)
    source: str
    url: Https | None = None
    n_examples: int | None = Field(None, gt=0)
    caveat: str
    track: str | None = None


class PeerTable(Card):
    """`leaderboard/peers/<domain>/<task>@<version>.toml`; shown apart, marked, never mixed
    with re-run rows."""

    schema_version: Literal[1]
    task: TaskId
    task_version: int = Field(ge=1)
    note: str
    row: list[PeerRow]
