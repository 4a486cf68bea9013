"""Runs: the `run.toml` that a training leaves beside its weights."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from zoo.cards.model import ModelDescription
from zoo.cards.text import Card, Sha256, TaskId, require_unique


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
        require_unique([each.id for each in self.model], f"model of one run of {self.recipe}")
        return self
