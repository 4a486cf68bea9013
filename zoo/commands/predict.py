"""`zoo predict`: a pretrained model on a user's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo import registry
from zoo.interfaces.domain import domain_of
from zoo.pretrained.model import load_model


def predict(model: str, source: Path, target: Path, **given: Any) -> None:
    """Applies a model to a file and writes what it says.

    Args:
        model: its name, or the path of its card or of that card's folder.
        source: what it reads; by its ending and content as the model's domain says.
        target: where to; the ending says the format.
        **given: options that the model's domain declares for `predict`, as typed or as values.

    Raises:
        zoo.registry.UnknownName: no such model.
        ValueError: it does not predict from files; names those that do. Or an option that means
            nothing in its domain.
    """
    loaded = load_model(model)
    if not loaded.card.predict_file:
        able = [name for name, other in registry.models().items() if other.predict_file]
        raise ValueError(
            f"{model} does not predict from files; these do: {', '.join(able) or 'none'}"
        )
    options = domain_of(loaded.card.id).options_of("predict", given)
    registry.resolve(loaded.card.predict_file)(loaded, source, target, **options)
