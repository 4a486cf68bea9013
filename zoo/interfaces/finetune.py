"""What a domain answers to `zoo train --from`: labelled examples with a network that tells
them apart (`Labelled`), or whatever else can be learned and scored (`Problem`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Scores on the validation part.

    Attributes:
        scores: by name; the headline first.
        each: `[example]` what the headline is the mean of, so that two networks can be
            compared example by example.
        blocks: `[example]` integers: examples of one block are not independent and are
            resampled together.
    """

    scores: dict[str, float]
    each: np.ndarray
    blocks: np.ndarray


class Problem(Protocol):
    """What is learned, on which data, and how it is scored.

    Attributes:
        higher_is_better: of the headline.
        data: training examples as `zoo.train.loop.fit` takes them.
        examples: how many there are.
        batch_size, epochs: of training.
        rates: peak learning rates of a pretrained and of a random network.
        notes: remarks on the data for the user.
        held_out: what the validation part is, in words.
    """

    higher_is_better: bool
    data: Any
    examples: int
    batch_size: int
    epochs: float
    rates: tuple[float, float]
    notes: Sequence[str]
    held_out: str

    def references(self) -> dict[str, Evaluation]:
        """Scores without any training on these data, by name."""
        ...

    def linear_probe(self) -> Any:
        """The pretrained network with a last layer that is fitted on its frozen features."""
        ...

    def start(self) -> Any:
        """Where training of the whole network begins."""
        ...

    def scratch(self, seed: int) -> Any:
        """The same network with random weights."""
        ...

    def loss(self, model: Any, batch: Any, key: Any) -> Any:
        """As `zoo.train.loop.fit` wants it."""
        ...

    def scratch_loss(self, model: Any, batch: Any, key: Any) -> Any:
        """The loss of random weights; most often the same."""
        ...

    def evaluate(self, model: Any) -> Evaluation:
        """Scores of a network on the validation part."""
        ...

    def content(self, model: Any) -> dict[str, Any]:
        """The card's `architecture`, `config`, `predictor`, `predictor_config`,
        `predict_file`; and `transforms`, arrays by name."""
        ...


class Labelled(Protocol):
    """Examples of classes, and a pretrained network whose features tell them apart:
    `zoo.commands.finetune.classification` makes a `Problem` of them.

    Attributes:
        noun: what an example is called in messages, in the plural.
        inputs: arrays by name with one leading length.
        label: int `[example]`, indices into `classes`.
        classes: names.
        groups: int `[example]`: those of one group are never on both sides of a split.
        validation: bool `[example]` where the user gave a validation file; else None.
        candidates: names of the networks to choose from, where the model has several; else
            one name.
    """

    noun: str
    inputs: Mapping[str, np.ndarray]
    label: np.ndarray
    classes: tuple[str, ...]
    groups: np.ndarray
    validation: np.ndarray | None
    candidates: tuple[str, ...]
    batch_size: int
    epochs: float
    rates: tuple[float, float]
    notes: Sequence[str]

    def network(self, candidate: str, *, seed: int, pretrained: bool) -> Any:
        """A network with a new last layer `head` (`nnx.Linear`), pretrained or random but
        for that."""
        ...

    def logits(self, model: Any, batch: Mapping[str, Any], key: Any) -> Any:
        """`[example, class]`, inside jit; `key` is None in prediction."""
        ...

    def features(self, model: Any, batch: Mapping[str, Any]) -> Any:
        """What `head` is given, `[example, feature]`, inside jit."""
        ...

    def content(self, model: Any) -> dict[str, Any]:
        """As `Problem.content`."""
        ...
