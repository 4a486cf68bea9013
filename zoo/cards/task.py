"""Tasks: `benchmarks/<domain>/<task>.toml`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from zoo.cards.text import (
    Card,
    CardError,
    CodePath,
    DatasetId,
    Direction,
    MetricName,
    ModelId,
    Parameters,
    TaskId,
    Truth,
    require_unique,
)


class MetricSpec(Card):
    """One metric family of a task; with `at` it is evaluated at several points and named
    `<name>.<point>`."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
    label: str
    unit: str
    direction: Direction
    at: list[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]] = Field(
        default_factory=list
    )
    axis: str | None = Field(None, description="What `at` counts, for charts: 'lead time (days)'.")
    positions: list[float] = Field(
        default_factory=list, description="Numeric position of each `at` on that axis."
    )
    parameters: Parameters = Field(
        default_factory=dict,
        description=(
            "What the formula needs beyond its points: a threshold, bins, a seed; read by the "
            "task's class."
        ),
    )
    formula: str

    @model_validator(mode="after")
    def _positions_match(self) -> MetricSpec:
        if self.positions and len(self.positions) != len(self.at):
            raise ValueError(
                f"metric {self.name!r} has {len(self.at)} points but {len(self.positions)} "
                "positions"
            )
        return self

    @property
    def names(self) -> list[str]:
        """The full names of the metric's values."""
        return [f"{self.name}.{point}" for point in self.at] or [self.name]


class ResamplingSpec(Card):
    """How intervals are made."""

    unit: str = Field(description="What is resampled: start date, issue month, jet, sequence.")
    method: Literal["stationary_block_bootstrap", "bootstrap"]
    mean_block: float | None = Field(
        None, gt=0, description="Mean block length in examples (stationary bootstrap)."
    )
    resamples: int = Field(ge=200)
    seed: int

    @model_validator(mode="after")
    def _block_given(self) -> ResamplingSpec:
        if (self.method == "stationary_block_bootstrap") != (self.mean_block is not None):
            raise ValueError(
                "mean_block belongs to method = 'stationary_block_bootstrap' and to it alone"
            )
        return self


class BaselineSpec(Card):
    """A predictor with nothing learned by gradient, or forecasts of a system that others run."""

    id: ModelId
    title: str
    kind: Literal["baseline", "solver", "forecast_centre"]
    code: CodePath = Field(description="Factory `(task, **config) -> predictor`.")
    config: dict[str, Any] = Field(default_factory=dict)
    track: str | None = None
    needs: list[str] = Field(
        default_factory=list, description="Names of dataset files that only this row needs."
    )
    publishable: bool = Field(
        True,
        description=(
            "False: its record would repeat data that we may not ship; scored, never an entry."
        ),
    )
    note: str | None = None


class TableColumn(Card):
    """A column of the short table that `zoo bench` prints and the board shows first."""

    metric: MetricName
    label: str
    decimals: int = 2


class TaskSpec(Card):
    """A benchmark: `benchmarks/<domain>/<task>.toml`. A change of anything that changes
    scores raises `version`."""

    schema_version: Literal[1]
    id: TaskId
    version: int = Field(ge=1)
    title: str
    truth: Truth
    summary: str
    dataset: DatasetId
    split: str
    code: CodePath = Field(description="The `zoo.interfaces.task.Task` class.")
    needs: list[str] = Field(
        description="Names of dataset files without which nothing of the task runs."
    )
    headline: MetricName
    tolerance: float = Field(
        gt=0,
        description="Largest relative difference of a re-run score that still counts as the same.",
    )
    protocol: str
    tracks: dict[str, str] = Field(
        default_factory=dict, description="Track -> what its rows may know."
    )
    audit: list[str] = Field(
        default_factory=list,
        description="What was checked about leaks and trivial solutions, with figures.",
    )
    how_to_beat: str = ""
    parameters: Parameters = Field(
        default_factory=dict,
        description=(
            "What the protocol fixes and no data file holds: bounds of splits, sizes, seeds; read "
            "by the task's class."
        ),
    )
    by_name_only: bool = Field(
        False,
        description="Too slow for a run of the whole domain: only where the task itself is named.",
    )
    train: CodePath | None = Field(
        None,
        description=(
            "Generator function `(architecture, *, seed, data, out, steps)` behind `zoo train`, "
            "yielding log lines."
        ),
    )
    resampling: ResamplingSpec
    table: list[TableColumn]
    metric: list[MetricSpec]
    baseline: list[BaselineSpec] = Field(default_factory=list)

    @model_validator(mode="after")
    def _consistent(self) -> TaskSpec:
        names = [name for metric in self.metric for name in metric.names]
        require_unique(names, f"metric in task {self.id}")
        require_unique([baseline.id for baseline in self.baseline], f"baseline in task {self.id}")
        for name in [self.headline, *(column.metric for column in self.table)]:
            if name not in names:
                raise ValueError(
                    f"task {self.id} names metric {name!r}, which it does not define; defined: "
                    f"{', '.join(names)}"
                )
        for baseline in self.baseline:
            if baseline.track is not None and baseline.track not in self.tracks:
                known = ", ".join(self.tracks) or "none"
                raise ValueError(
                    f"baseline {baseline.id} has track {baseline.track!r}; tracks of {self.id}: "
                    f"{known}"
                )
        return self

    @property
    def key(self) -> str:
        """`<domain>/<task>@<version>`."""
        return f"{self.id}@{self.version}"

    def metric_of(self, name: str) -> MetricSpec:
        """The family that a full metric name belongs to."""
        for metric in self.metric:
            if name in metric.names:
                return metric
        raise KeyError(f"task {self.id} defines no metric {name!r}")

    def parameter(self, name: str, *, of: str | None = None) -> Any:
        """A number (text, list) that the protocol fixes: one of `[parameters]`, or of the
        metric family `of`.

        Raises:
            CardError: the card does not give it; names those that it gives.
        """
        given = (
            self.parameters
            if of is None
            else next((metric.parameters for metric in self.metric if metric.name == of), {})
        )
        if name not in given:
            where = "[parameters]" if of is None else f"the metric {of}"
            raise CardError(
                f"task {self.id} needs the parameter {name!r} in {where} of its card; given: "
                f"{', '.join(given) or 'none'}"
            )
        return given[name]
