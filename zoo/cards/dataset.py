"""Datasets: `datasets/<domain>/<name>/card.toml`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from zoo.cards.text import (
    Card,
    CodePath,
    DatasetId,
    FileName,
    Https,
    Md5,
    RelativePath,
    Sha256,
    Truth,
    require_unique,
)


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
        names = [file.name for file in self.file] + [each.name for each in self.download]
        require_unique(names, f"file name in dataset {self.id}")
        return self
