"""Runs: the `run.toml` that a training leaves beside its weights."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from zoo.cards.model import ModelDescription
from zoo.cards.text import Card, FileName, Sha256, TaskId, require_unique


class Layout(Card):
    """How `zoo publish` lays the tensors of a run's seeds into files, where one file a seed with
    a header entry a tensor would be wasteful. Readers (`zoo.pretrained.weights.load`) see no
    difference."""

    shared: list[str] = Field(
        default_factory=list,
        description=(
            "Beginnings of the names of tensors that are equal in all seeds, to be stored once; "
            "names of transforms begin with 'transforms.'."
        ),
    )
    shared_file: FileName | None = Field(
        None,
        description=(
            "Where to; default '<name>.shared.safetensors'. Models that name the same file share "
            "it, and it is never replaced by another content."
        ),
    )
    stacked: str | None = Field(
        None,
        description=(
            "Beginning of names, e.g. 'networks.', whose next part tells networks of one design "
            "apart: their tensors of one shape are stored as one."
        ),
    )

    @model_validator(mode="after")
    def _lays_something(self) -> Layout:
        if "" in self.shared or self.stacked == "":
            raise ValueError("an empty beginning would be that of every name")
        if self.shared_file is not None and not self.shared:
            raise ValueError("layout.shared_file needs layout.shared: names of what is in it")
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
    layout: Layout | None = Field(
        None, description="How the seeds are laid into files where they are published."
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
        require_unique([each.id for each in self.model], f"model of one run of {self.recipe}")
        return self
