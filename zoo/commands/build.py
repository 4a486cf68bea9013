"""`zoo data build`: a dataset of ours, made anew by the code that its card names."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from zoo import files, registry
from zoo.interfaces.domain import domain_of


def builder_of(name: str, given: Mapping[str, Any]) -> Callable[..., Any]:
    """The function `(folder, *, progress)` that makes a dataset, with the user's options bound.

    Args:
        name: of the dataset.
        given: options by name, as typed; legal is what the domain declares for `data build` and
            this dataset's builder takes.

    Raises:
        zoo.registry.UnknownName: no such dataset.
        ValueError: it is not made by this project, or an option means nothing to it.
    """
    card = registry.dataset(name)
    if card.build is None:
        raise ValueError(f"{name} is not made by this project; `zoo data get {name}` fetches it")
    builder = registry.resolve(card.build)
    takes = [each for each in inspect.signature(builder).parameters if each != "progress"]
    for key in given:
        if key not in takes:
            raise ValueError(
                f"--{key} means nothing to {name}; its builder takes {', '.join(takes)}"
            )
    options = domain_of(name).options_of("data build", given)
    return functools.partial(builder, **{key: options[key] for key in options if key in takes})


def default_folder(name: str) -> Path:
    """Where a dataset is built unless the user says otherwise: in the cache."""
    return files.home() / "build" / name
