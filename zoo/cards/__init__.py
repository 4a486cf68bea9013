"""The file formats of the zoo, as pydantic models: every card, entry and verification is
one of these and nothing else.

An unknown key is an error (`extra="forbid"`), so a typing slip never becomes a silently
ignored setting. The JSON Schemas in `schemas/` are written from these classes by
`python -m zoo.cards schemas` and a test keeps the two equal, so editors and other people's
tools can validate without installing this package.
"""

from zoo.cards.dataset import DatasetCard, DownloadCard, FileCard
from zoo.cards.entry import (
    CodeSource,
    Cost,
    Entry,
    Environment,
    Hashes,
    MetricValue,
    Provenance,
    RecordSource,
    SeedScores,
)
from zoo.cards.model import (
    ExpectedOutput,
    ModelCard,
    ModelDescription,
    SharedFile,
    TrainingRecord,
    WeightFile,
)
from zoo.cards.peers import PeerRow, PeerTable
from zoo.cards.reading import FORMATS, dump, parse, read, schema, write_schemas
from zoo.cards.run import Layout, Run
from zoo.cards.task import BaselineSpec, MetricSpec, ResamplingSpec, TableColumn, TaskSpec
from zoo.cards.text import (
    NAME,
    Card,
    CardError,
    CodePath,
    DatasetId,
    Direction,
    FileName,
    Finite,
    Https,
    Kind,
    Md5,
    MetricName,
    ModelId,
    ParameterName,
    Parameters,
    RelativePath,
    Sha256,
    TaskId,
    Truth,
)
from zoo.cards.verification import CheckedMetric, Verification

__all__ = [
    "FORMATS",
    "NAME",
    "BaselineSpec",
    "Card",
    "CardError",
    "CheckedMetric",
    "CodePath",
    "CodeSource",
    "Cost",
    "DatasetCard",
    "DatasetId",
    "Direction",
    "DownloadCard",
    "Entry",
    "Environment",
    "ExpectedOutput",
    "FileCard",
    "FileName",
    "Finite",
    "Hashes",
    "Https",
    "Kind",
    "Layout",
    "Md5",
    "MetricName",
    "MetricSpec",
    "MetricValue",
    "ModelCard",
    "ModelDescription",
    "ModelId",
    "ParameterName",
    "Parameters",
    "PeerRow",
    "PeerTable",
    "Provenance",
    "RecordSource",
    "RelativePath",
    "ResamplingSpec",
    "Run",
    "SeedScores",
    "Sha256",
    "SharedFile",
    "TableColumn",
    "TaskId",
    "TaskSpec",
    "TrainingRecord",
    "Truth",
    "Verification",
    "WeightFile",
    "dump",
    "parse",
    "read",
    "schema",
    "write_schemas",
]
