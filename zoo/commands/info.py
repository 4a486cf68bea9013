"""`zoo info`: the card that a name means, as text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from zoo import registry
from zoo.cards import DatasetCard, ModelCard, TaskSpec

KINDS = ("model", "task", "dataset")
"""Kinds of cards, in the order in which a name is looked for."""


@dataclasses.dataclass(frozen=True)
class NamedCard:
    """What a name means.

    Attributes:
        kind: one of `KINDS`.
        name: of the card.
        card: the card itself.
        also_dataset: whether a dataset has the same name, and no kind was asked for.
    """

    kind: str
    name: str
    card: ModelCard | TaskSpec | DatasetCard
    also_dataset: bool = False


def find(name: str, kind: str | None = None) -> NamedCard:
    """The card of that name.

    Args:
        name: e.g. `climate/enso`.
        kind: "model", "task" or "dataset", where one name means two things; default: the
            first that has the name, in this order.

    Raises:
        zoo.registry.UnknownName: no such kind, or nothing has the name.
    """
    if kind is not None and kind not in KINDS:
        raise registry.UnknownName(f"kind {kind!r} is none of {', '.join(KINDS)}")
    known: list[str] = []
    for each in (kind,) if kind else KINDS:
        cards = _cards(each)
        if name in cards:
            twin = kind is None and each == "task" and name in registry.datasets()
            return NamedCard(each, name, cards[name], twin)
        known += cards
    raise registry.UnknownName(f"nothing is called {name!r}; {registry.did_you_mean(name, known)}")


def _cards(kind: str) -> dict[str, Any]:
    if kind == "model":
        return registry.models()
    return registry.tasks() if kind == "task" else registry.datasets()


def lines(found: NamedCard) -> Iterator[str]:
    """The card as lines to read: one field each, without those that say nothing."""
    name = found.name
    yield f"{found.kind} {name}    ({registry.path_of(name, found.kind).name})"
    yield from _fields(found.card.model_dump(mode="json", exclude_none=True))
    if found.also_dataset:
        yield f"\nThere is a dataset of the same name: `zoo info {name} --kind dataset`."


def _fields(content: dict[str, Any], indent: str = "  ") -> Iterator[str]:
    for key, value in content.items():
        if value in (None, "", [], {}):
            continue
        if isinstance(value, dict):
            yield f"{indent}{key}:"
            yield from _fields(value, indent + "  ")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{indent}{key}:"
            for item in value:
                line = ", ".join(
                    f"{k} {v}"
                    for k, v in item.items()
                    if not isinstance(v, dict | list) and v is not None
                )
                yield f"{indent}  - {line}"
        elif isinstance(value, list):
            yield f"{indent}{key}: {', '.join(map(str, value))}"
        else:
            yield f"{indent}{key}: {str(value).strip().replace(chr(10), chr(10) + indent + '  ')}"
