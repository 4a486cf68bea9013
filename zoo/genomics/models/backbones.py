"""The networks of pretrained models that can be trained on: which part of a weight file is a
backbone of `SequenceClassifier`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.genomics.models.low_rank import SequenceEncodersConfig
from zoo.genomics.models.sequence_classifier import backbone_config
from zoo.genomics.models.sequence_cnn import SequenceCNNsConfig
from zoo.genomics.models.sequence_encoder import REDUCTION, SequenceEncoderConfig
from zoo.pretrained.model import as_tuples, parameters

if TYPE_CHECKING:
    from zoo.pretrained.model import PretrainedModel

__all__ = ["ARCHITECTURES", "Backbone", "backbones", "longest_sequence"]

_MODELS = "zoo.genomics.models"
ARCHITECTURES = (
    f"{_MODELS}.sequence_encoder:SequenceEncoder",
    f"{_MODELS}.low_rank:SequenceEncoders",
    f"{_MODELS}.gene_labeller:GeneLabeller",
    f"{_MODELS}.sequence_cnn:SequenceCNNs",
    f"{_MODELS}.motif_cnn:MotifCnn",
    f"{_MODELS}.sequence_classifier:SequenceClassifier",
    "zoo.genomics.finetune:SequenceClassifier",  # as cards written before it moved name it
)
"""What can be adapted."""


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A pretrained network to be adapted.

    Attributes:
        kind: key of `BACKBONES`.
        settings: fields of its config.
        longest: bases of the longest sequence that it can read.
        parameters: by dotted name as `SequenceClassifier` has them (`backbone.…`,
            `places`), without the last layer.
    """

    kind: str
    settings: dict[str, Any]
    longest: int
    parameters: dict[str, np.ndarray]


def backbones(source: PretrainedModel) -> dict[str, Backbone]:
    """The networks of a pretrained model that can be adapted, by name."""
    card, flat = source.card, parameters(source.card, source.weights[0])
    settings, kind = dict(card.config), card.architecture.split(":")[1]
    tuples = {name: as_tuples(value) for name, value in settings.items()}

    def part(prefix: str, without: tuple[str, ...]) -> dict[str, np.ndarray]:
        inside = {
            name.removeprefix(prefix): value
            for name, value in flat.items()
            if name.startswith(prefix)
        }
        return {
            f"backbone.{name}": value
            for name, value in inside.items()
            if not name.startswith(without)
        }

    if kind == "SequenceClassifier":
        own = {name: value for name, value in flat.items() if not name.startswith("head.")}
        longest = longest_sequence(settings["backbone"], settings["settings"])
        return {"": Backbone(settings["backbone"], dict(settings["settings"]), longest, own)}
    if kind == "SequenceCNNs":
        config = SequenceCNNsConfig(**tuples)
        found = {}
        for name in config.subsets:
            design = dataclasses.asdict(config.of(name))
            own = part(f"networks.{name}.", ("logit.", "places"))
            if f"networks.{name}.places" in flat:
                own["places"] = flat[f"networks.{name}.places"]
            found[name] = Backbone("cnn", design, design["length"], own)
        return found
    if kind == "SequenceEncoders":
        encoders = SequenceEncodersConfig(**tuples)
        found = {}
        for name in encoders.subsets:
            design = dataclasses.asdict(encoders.of(name)) | {"tasks": 0}
            found[name] = Backbone(
                "encoder",
                design,
                longest_sequence("encoder", design),
                part(f"networks.{name}.", ("head_",)),
            )
        return found
    if kind == "MotifCnn":
        return {
            "": Backbone(
                "motif_cnn",
                settings | {"frozen": True},
                longest_sequence("motif_cnn", settings),
                part("", ("out.",)),
            )
        }
    names = {field.name for field in dataclasses.fields(SequenceEncoderConfig)}
    settings = {name: value for name, value in settings.items() if name in names} | {"tasks": 0}
    own = part(
        "encoder." if kind == "GeneLabeller" else "", ("ups.", "hidden.", "letters.", "head_")
    )
    return {"": Backbone("encoder", settings, longest_sequence("encoder", settings), own)}


def longest_sequence(kind: str, settings: Mapping[str, Any]) -> int:
    """Bases of the longest sequence that a backbone of that kind reads."""
    config = backbone_config(kind, settings)
    return REDUCTION * config.max_tokens if kind == "encoder" else config.length
