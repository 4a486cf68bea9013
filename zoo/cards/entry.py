"""Entries: `leaderboard/entries/<domain>/<task>@<version>/<model>.json`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from zoo.cards.model import WeightFile
from zoo.cards.text import (
    Card,
    CodePath,
    FileName,
    Finite,
    Https,
    Kind,
    MetricName,
    ModelId,
    Sha256,
    TaskId,
)


class MetricValue(Card):
    """A score with its 95 % interval over the test set."""

    value: Finite
    ci95: tuple[Finite, Finite] | None = Field(
        description="None where the bootstrap cannot say (a constant)."
    )

    @model_validator(mode="after")
    def _inside(self) -> MetricValue:
        if self.ci95 is not None:
            low, high = self.ci95
            slack = 1e-9 * max(abs(low), abs(high), 1e-30)
            if low > high or not low - slack <= self.value <= high + slack:
                raise ValueError(
                    f"value {self.value} lies outside its own interval [{low}, {high}]"
                )
        return self


class SeedScores(Card):
    """The scores of one training seed, by full metric name."""

    seed: int
    metrics: dict[MetricName, Finite]


class Cost(Card):
    """What one prediction costs. FLOPs are XLA's count with every scan's body multiplied by
    its length."""

    n_params: int = Field(ge=0)
    flops_per_example: float | None = Field(None, ge=0)
    latency_ms_p50: float = Field(
        ge=0, description="Wall time per example, whole test set as one call, median of repeats."
    )
    latency_ms_p95: float = Field(ge=0)
    repeats: int = Field(ge=1)
    peak_memory_bytes: int = Field(ge=0, description="Largest resident set of the process so far.")
    wall_seconds: float = Field(ge=0, description="Loading, compilation and prediction.")
    load_average: float = Field(
        ge=0, description="Of the machine during the run: a high one spoils the latencies."
    )


class Environment(Card):
    """What ran where. No host name, user name or path."""

    python: str
    packages: dict[str, str]
    packages_sha256: Sha256 = Field(
        description="Of the sorted list name==version of all installed distributions."
    )
    platform: str
    cpu_count: int
    accelerator: str
    xla_flags: str
    commit: str | None = Field(None, pattern=r"^[0-9a-f]{40}$")
    dirty: bool


class Provenance(Card):
    """Who computed the entry, when, with which command."""

    command: str
    submitted_by: str
    created: datetime
    note: str | None = None


class Hashes(Card):
    """Everything the scores depend on, by SHA-256."""

    protocol: Sha256 = Field(
        description=(
            "What of the task's and the dataset's cards decides scores: `zoo.scoring.protocol`."
        )
    )
    example_ids: Sha256
    weights: list[Sha256]
    record: Sha256


class CodeSource(Card):
    """Code behind an entry that neither this package nor a task's card brings: one file
    beside the entry, or an installed package."""

    factory: CodePath | None = Field(
        None,
        description=(
            "`module:function`, which called with the task gives the predictor; None: a model "
            "card of the package does."
        ),
    )
    file: FileName | None = Field(
        None, description="The factory's module as one Python file beside the entry."
    )
    distribution: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._\-]*$", max_length=100)]
        | None
    ) = Field(None, description="The package, by its name for pip.")
    version: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+!_\-]*$", max_length=60)]
        | None
    ) = None
    url: Https | None = Field(None, description="Where the package can be had, if not from PyPI.")
    sha256: Sha256 = Field(
        description="Of the file; of a package, over the names and bytes of its Python files."
    )
    weights: list[WeightFile] = Field(
        default_factory=list,
        description="Weights that the code reads, in the order of `hashes.weights`.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> CodeSource:
        if (self.file is None) == (self.distribution is None):
            raise ValueError(
                "code is either one `file` beside the entry or a `distribution`, and must be one "
                "of them"
            )
        if self.file is not None and (self.factory is None or not self.file.endswith(".py")):
            raise ValueError(
                "code.file must be a .py file and needs code.factory, `module:function`"
            )
        if (self.distribution is None) != (self.version is None):
            raise ValueError("code.distribution and code.version belong together")
        return self


class RecordSource(Card):
    """Where a per-example record that is too large for the repository can be had; its
    SHA-256 is `hashes.record`."""

    url: Https
    bytes: int = Field(gt=0)


class Entry(Card):
    """One predictor's scores on one task version:
    `leaderboard/entries/<domain>/<task>@<version>/<model>.json`."""

    schema_version: Literal[1]
    id: str = Field(description="`<domain>/<task>@<version>/<model>`.")
    task: TaskId
    task_version: int = Field(ge=1)
    model: ModelId
    title: str
    kind: Kind
    track: str | None = None
    n_examples: int = Field(gt=0)
    metrics: dict[MetricName, MetricValue] = Field(min_length=1)
    declined: list[MetricName] = Field(
        default_factory=list,
        description="Metrics that it does not give; a gap, never averaged over.",
    )
    training_seeds: list[SeedScores] = Field(default_factory=list)
    record: FileName = Field(description="The per-example record: a file beside the entry.")
    record_source: RecordSource | None = Field(
        None, description="Where the record can be had when it does not lie beside the entry."
    )
    code: CodeSource | None = Field(
        None, description="None: this package's own models and the baselines of its tasks."
    )
    hashes: Hashes
    cost: Cost
    environment: Environment
    provenance: Provenance

    @model_validator(mode="after")
    def _consistent(self) -> Entry:
        expected = f"{self.task}@{self.task_version}/{self.model.split('/')[1]}"
        if self.id != expected:
            raise ValueError(f"id is {self.id!r}, but task, version and model make it {expected!r}")
        if self.model.split("/")[0] != self.task.split("/")[0]:
            raise ValueError(f"model {self.model} belongs to another domain than task {self.task}")
        if self.environment.dirty:
            raise ValueError(
                "environment.dirty is true: commit first, then run the benchmark again, so that "
                "the code can be found"
            )
        return self
