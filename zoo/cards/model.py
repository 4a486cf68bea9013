"""Pretrained models: `zoo/<domain>/weights/<architecture>.<tag>.toml`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from zoo.cards.text import (
    Card,
    CodePath,
    Finite,
    Https,
    ModelId,
    RelativePath,
    Sha256,
    TaskId,
    Truth,
)


class SharedFile(Card):
    """One file of parameters that several weight files have in common: it lies beside them, and
    the header of each names it with its SHA-256 (`zoo.pretrained.weights`)."""

    file: RelativePath
    sha256: Sha256
    bytes: int = Field(gt=0)
    urls: list[Https] = Field(default_factory=list)


class WeightFile(SharedFile):
    """One file of weights beside the model card (or at a URL): safetensors, or what the
    card's `converter` reads."""

    seed: int


class TrainingRecord(Card):
    """How the weights came to be."""

    command: str
    data: list[str] = Field(
        description="Datasets and splits seen, e.g. 'climate/held_suarez:train'."
    )
    chosen_on: str = Field(
        description=(
            "What every choice (epoch, architecture, threshold) was made on; never test data."
        )
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
        description=(
            "Factory `(card, weight_paths) -> zoo.interfaces.predictor.PretrainedPredictor`."
        )
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
    shared: list[SharedFile] = Field(
        default_factory=list,
        description="Files that the weight files name in their headers, stored once for all seeds.",
    )
    expected: ExpectedOutput | None = None

    @model_validator(mode="after")
    def _cost_known(self) -> ModelCard:
        if self.converter is None and None in (self.training.wall_seconds, self.training.steps):
            raise ValueError(
                "training.wall_seconds and training.steps may be left out only for weights that "
                "others trained (`converter`)"
            )
        return self
