"""The file formats of the zoo, as pydantic models: every card, entry and verification is
one of these and nothing else.

An unknown key is an error (`extra="forbid"`), so a typing slip never becomes a silently
ignored setting. The JSON Schemas in `schemas/` are written from these classes by
`python -m zoo.cards schemas` and a test keeps the two equal, so editors and other people's
tools can validate without installing this package.
"""

from __future__ import annotations

import json
import math
import re
import sys
import tomllib
import typing
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import unquote

import pydantic
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

NAME = r"[a-z0-9][a-z0-9_\-]*"
DatasetId = Annotated[str, StringConstraints(pattern=rf"^{NAME}/{NAME}$", max_length=120)]
TaskId = DatasetId
ModelId = Annotated[str, StringConstraints(pattern=rf"^{NAME}/{NAME}(\.{NAME})?$", max_length=160)]
CodePath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
FileName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", max_length=160)
]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
MetricName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)?$")]

ParameterName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Parameters = dict[ParameterName, float | int | str | bool | list[float | int | str | bool]]

Truth = Literal["simulated", "observed", "reanalysis", "mixed"]
Direction = Literal["higher", "lower", "nearer_one", "nearer_zero"]
Kind = Literal["model", "baseline", "solver", "forecast_centre", "published"]


def _https(url: str) -> str:
    address = re.fullmatch(r"https://[A-Za-z0-9][A-Za-z0-9.\-]*(:\d+)?(/[^\s\\]*)", url)
    # Read as a server would: %2e%2e is "..", too. Cards become paths of the cache and of mirrors.
    path = unquote(address[2]) if address else ""
    if not address or "\\" in path or "\0" in path or ".." in re.split(r"[/?#]", path):
        raise ValueError(
            f"{url!r} is not a plain https:// address (no credentials, no '..', no '\\')"
        )
    return url


def _relative(path: str) -> str:
    parts = path.split("/")
    if (
        path.startswith("/")
        or re.search(r"[\\:\0]", path)
        or any(part in ("", ".", "..") for part in parts)
    ):
        raise ValueError(
            f"{path!r} is not a plain relative path (no leading '/', no '..', no '\\', no ':')"
        )
    return path


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number; a missing score is left out, never NaN")
    return value


Https = Annotated[str, AfterValidator(_https)]
RelativePath = Annotated[str, AfterValidator(_relative)]
Finite = Annotated[
    float, Field(allow_inf_nan=True), AfterValidator(_finite)
]  # so that our message is the one that is read


class CardError(ValueError):
    """A card, entry or verification on disk does not follow its schema."""


class Card(BaseModel):
    """Base of every format: frozen, no unknown keys, no number that is not finite (a
    tolerance of `inf` would accept anything)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# ----------------------------------------------------------------------------------------- datasets


class FileCard(Card):
    """One data file: where it may be had, what it must hash to, and under which licence."""

    name: FileName = Field(description="Short name by which code asks for the file.")
    path: RelativePath | None = Field(
        None, description="Where the repository carries it, relative to the card's folder."
    )
    urls: list[Https] = Field(
        default_factory=list, description="Where it can be fetched, in the order to try."
    )
    sha256: Sha256
    bytes: int = Field(gt=0)
    licence: str
    role: str = Field(description="What the file is for: which split, truth or input, one line.")
    redistributable: bool = Field(description="Whether the licence lets us ship the file itself.")
    source: str | None = Field(None, description="Who made it: paper, archive, DOI.")

    @model_validator(mode="after")
    def _can_be_had(self) -> FileCard:
        if self.path is None and not self.urls:
            raise ValueError(f"file {self.name!r} has neither a path in the repository nor a URL")
        return self


class DownloadCard(Card):
    """A large file that its user fetches, not the zoo: it is only checked where it lies.
    Its archive may state an MD5 and no size."""

    name: FileName = Field(description="The file's own name, by which it is found in a folder.")
    urls: list[Https] = Field(min_length=1)
    sha256: Sha256 | None = None
    md5: Md5 | None = Field(
        None,
        description="Where its archive states no SHA-256; against accidents, not against malice.",
    )
    licence: str
    role: str = Field(description="What the file holds: which split, how many examples.")
    source: str | None = Field(None, description="Who made it: paper, archive, DOI.")

    @model_validator(mode="after")
    def _can_be_checked(self) -> DownloadCard:
        if self.sha256 is None and self.md5 is None:
            raise ValueError(
                f"download {self.name!r} has neither sha256 nor md5: nothing could be checked"
            )
        return self


class DatasetCard(Card):
    """A dataset: `datasets/<domain>/<name>/card.toml`."""

    schema_version: Literal[1]
    id: DatasetId
    version: str
    title: str
    truth: Truth = Field(
        description="What the numbers are: simulated, observed, reanalysis, or a mixture."
    )
    summary: str
    loader: CodePath = Field(description="Function that opens it, `module:function`.")
    licence: str
    citation: list[str]
    splits: dict[str, str] = Field(
        description="Split name -> what it holds and how it is kept apart from the others."
    )
    variables: dict[str, str] = Field(
        default_factory=dict, description="Variable -> meaning and unit."
    )
    made_by: str | None = Field(None, description="For our own data: the command that makes it.")
    build: CodePath | None = Field(
        None, description="For our own data: the function behind `zoo data build`."
    )
    caveats: list[str] = Field(default_factory=list)
    file: list[FileCard] = Field(default_factory=list)
    download: list[DownloadCard] = Field(
        default_factory=list,
        description="Large files that the user fetches; checked, never fetched.",
    )

    @model_validator(mode="after")
    def _names_differ(self) -> DatasetCard:
        _require_unique(
            [file.name for file in [*self.file, *self.download]], f"file name in dataset {self.id}"
        )
        return self


# -------------------------------------------------------------------------------------------- tasks


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
        description="False: its record would repeat data that we may not ship; scored, never an entry.",
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
        _require_unique(names, f"metric in task {self.id}")
        _require_unique([baseline.id for baseline in self.baseline], f"baseline in task {self.id}")
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


# ------------------------------------------------------------------------------------------- models


class WeightFile(Card):
    """One file of weights beside the model card (or at a URL): safetensors, or what the
    card's `converter` reads."""

    file: RelativePath
    sha256: Sha256
    bytes: int = Field(gt=0)
    seed: int
    urls: list[Https] = Field(default_factory=list)


class TrainingRecord(Card):
    """How the weights came to be."""

    command: str
    data: list[str] = Field(
        description="Datasets and splits seen, e.g. 'climate/held_suarez:train'."
    )
    chosen_on: str = Field(
        description="What every choice (epoch, architecture, threshold) was made on; never test data."
    )
    hardware: str
    wall_seconds: float | None = Field(
        None, gt=0, description="None: not known, for weights that others trained."
    )
    steps: int | None = Field(
        None, gt=0, description="Optimiser steps; None: not known, for weights that others trained."
    )
    validation: dict[str, Finite] = Field(
        default_factory=dict, description="Scores on the validation split."
    )


class ExpectedOutput(Card):
    """What the predictor's `example_output(input_seed)` must give, so that a broken load is
    noticed without a benchmark."""

    input_seed: int
    shape: list[int]
    values: list[Finite] = Field(
        min_length=4,
        description="Every n-th value of the flattened output, n = size // number of values.",
    )
    tolerance: float = Field(1e-4, description="Largest absolute difference.")


class ModelDescription(Card):
    """What a recipe says of the model that it trains: a card without what is measured."""

    id: ModelId
    title: str
    summary: str
    architecture: CodePath = Field(
        description=(
            "The NNX module; its module also holds the config dataclass `<Name>Config` or `Config`."
        )
    )
    predictor: CodePath = Field(
        description="Factory `(card, weight_paths) -> zoo.interfaces.predictor.PretrainedPredictor`."
    )
    converter: CodePath | None = Field(
        None,
        description=(
            "For files in a form of their own, be it that others published them or that they hold "
            "shared parts once: function `(path) -> parameters by dotted name`."
        ),
    )
    predict_file: CodePath | None = Field(
        None, description="The `zoo.interfaces.predictor.FilePrediction` behind `zoo predict`."
    )
    config: dict[str, Any] = Field(default_factory=dict)
    predictor_config: dict[str, Any] = Field(default_factory=dict)
    tasks: list[TaskId]
    track: str | None = None
    licence: str
    paper: Https
    ensemble: bool = Field(
        False,
        description=(
            "Whether all weight files are averaged; otherwise the first is the model and the "
            "others are its seeds."
        ),
    )
    pretrained_on: list[str] = Field(default_factory=list)
    truth: Truth
    training: TrainingRecord
    caveats: list[str] = Field(default_factory=list)


class ModelCard(ModelDescription):
    """A pretrained model: `zoo/<domain>/weights/<architecture>.<tag>.toml`, id
    `<domain>/<architecture>.<tag>`."""

    schema_version: Literal[1]
    n_params: int = Field(gt=0)
    weights: list[WeightFile] = Field(min_length=1)
    expected: ExpectedOutput | None = None

    @model_validator(mode="after")
    def _cost_known(self) -> ModelCard:
        if self.converter is None and None in (self.training.wall_seconds, self.training.steps):
            raise ValueError(
                "training.wall_seconds and training.steps may be left out only for weights that "
                "others trained (`converter`)"
            )
        return self


class Run(Card):
    """What one training left beside its weights: `run.toml` (`zoo.pretrained.run`)."""

    schema_version: Literal[1]
    task: TaskId
    recipe: str = Field(description="As in `zoo train TASK RECIPE`.")
    seed: int
    weights_sha256: Sha256 = Field(description="Of `model.safetensors` beside it.")
    storage: Literal["float16", "bfloat16", "float32"] = Field(
        "float16", description="How parameters are stored where the run is published."
    )
    died: str | None = Field(
        None, description="Why the training failed (constant output, loss at the reference)."
    )
    model: list[ModelDescription] = Field(
        min_length=1,
        description="What the cards say: the model, then its variants on the same weights.",
    )

    @model_validator(mode="after")
    def _names_differ(self) -> Run:
        _require_unique([each.id for each in self.model], f"model of one run of {self.recipe}")
        return self


# ------------------------------------------------------------------------------------------ entries


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
        description="What of the task's and the dataset's cards decides scores: `zoo.scoring.protocol`."
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


# ----------------------------------------------------------------------------------- read and write

FORMATS: dict[str, type[Card]] = {
    "dataset": DatasetCard,
    "task": TaskSpec,
    "model": ModelCard,
    "run": Run,
    "entry": Entry,
    "peers": PeerTable,
    "verification": Verification,
}
CardT = TypeVar("CardT", bound=Card)


def read(path: str | Path, kind: type[CardT]) -> CardT:
    """A card from a TOML or JSON file.

    Raises:
        CardError: naming the file, the key and what is wrong with it.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".toml":
            content = tomllib.loads(text)
        else:
            content = json.loads(
                text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates
            )
    except (
        UnicodeDecodeError,
        ValueError,
    ) as error:  # TOMLDecodeError and JSONDecodeError are ValueErrors
        raise CardError(f"{path}: {error}") from error
    except RecursionError as error:
        raise CardError(f"{path}: brackets nested too deeply for any card") from error
    return parse(content, kind, where=str(path))


def parse(content: Any, kind: type[CardT], *, where: str) -> CardT:
    """A card from plain data; `where` names it in the error."""
    try:
        return kind.model_validate(content)
    except pydantic.ValidationError as error:
        lines = [
            f"  {'.'.join(map(str, item['loc'])) or '(whole)'}: {item['msg']}"
            for item in error.errors()
        ]
        unknown = [item["loc"] for item in error.errors() if item["type"] == "extra_forbidden"]
        hints = [
            f"\nkeys of {place}: {', '.join(known)}"
            for place, known in dict(_keys_at(kind, where) for where in unknown).items()
        ]
        raise CardError(
            f"{where} is no valid {kind.__name__}:\n" + "\n".join(lines) + "".join(hints)
        ) from error


def _keys_at(kind: type[Card], location: tuple[int | str, ...]) -> tuple[str, tuple[str, ...]]:
    """The format in which an unknown key stands, by name, and that format's legal keys."""
    for part in location[:-1]:
        if isinstance(part, str) and part in kind.model_fields:
            inner = [
                each
                for each in _classes(kind.model_fields[part].annotation)
                if issubclass(each, Card)
            ]
            kind = inner[0] if inner else kind
    return kind.__name__, tuple(sorted(kind.model_fields))


def _classes(annotation: Any) -> list[type]:
    """The classes that a type annotation is made of: `list[FileCard] | None` -> list's
    `FileCard`, `NoneType`."""
    arguments = typing.get_args(annotation)
    return (
        [each for argument in arguments for each in _classes(argument)]
        if arguments
        else [annotation] * isinstance(annotation, type)
    )


def dump(card: Card) -> str:
    """A card as JSON text: sorted keys, trailing newline, so that equal cards are equal bytes."""
    return (
        json.dumps(
            card.model_dump(mode="json"),
            indent=1,
            sort_keys=True,
            ensure_ascii=False,
            allow_nan=False,
        )
        + "\n"
    )


def schema(kind: type[Card]) -> str:
    """The JSON Schema of a format, as text."""
    content = kind.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def write_schemas(folder: Path) -> list[Path]:
    """Writes `<format>.schema.json` for every format."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, kind in FORMATS.items():
        paths.append(folder / f"{name}.schema.json")
        paths[-1].write_text(schema(kind), encoding="utf-8")
    return paths


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not allowed: a missing score is left out")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"key {key!r} appears twice")
        content[key] = value
    return content


def _require_unique(names: list[str], what: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what} given twice: {', '.join(twice)}")


if __name__ == "__main__":
    if sys.argv[1:2] != ["schemas"]:
        sys.exit("usage: python -m zoo.cards schemas [FOLDER]")
    for written in write_schemas(Path(sys.argv[2] if len(sys.argv) > 2 else "schemas")):
        print(written)
