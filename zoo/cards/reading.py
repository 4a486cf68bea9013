"""Cards from files and text, and back; the JSON Schemas."""

from __future__ import annotations

import json
import tomllib
import typing
from pathlib import Path
from typing import Any, TypeVar

import pydantic

from zoo.cards.dataset import DatasetCard
from zoo.cards.entry import Entry
from zoo.cards.model import ModelCard
from zoo.cards.peers import PeerTable
from zoo.cards.run import Run
from zoo.cards.task import TaskSpec
from zoo.cards.text import Card, CardError
from zoo.cards.verification import Verification

FORMATS: dict[str, type[Card]] = {
    "dataset": DatasetCard,
    "task": TaskSpec,
    "model": ModelCard,
    "run": Run,
    "entry": Entry,
    "peers": PeerTable,
    "verification": Verification,
}
CardT = TypeVar("CardT", bound=Card)


def read(path: str | Path, kind: type[CardT]) -> CardT:
    """A card from a TOML or JSON file.

    Raises:
        CardError: naming the file, the key and what is wrong with it.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".toml":
            content = tomllib.loads(text)
        else:
            content = json.loads(
                text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates
            )
    except (UnicodeDecodeError, ValueError) as error:
        # TOMLDecodeError and JSONDecodeError are ValueErrors
        raise CardError(f"{path}: {error}") from error
    except RecursionError as error:
        raise CardError(f"{path}: brackets nested too deeply for any card") from error
    return parse(content, kind, where=str(path))


def parse(content: Any, kind: type[CardT], *, where: str) -> CardT:
    """A card from plain data; `where` names it in the error."""
    try:
        return kind.model_validate(content)
    except pydantic.ValidationError as error:
        lines = [
            f"  {'.'.join(map(str, item['loc'])) or '(whole)'}: {item['msg']}"
            for item in error.errors()
        ]
        unknown = [item["loc"] for item in error.errors() if item["type"] == "extra_forbidden"]
        hints = [
            f"\nkeys of {place}: {', '.join(known)}"
            for place, known in dict(_keys_at(kind, where) for where in unknown).items()
        ]
        raise CardError(
            f"{where} is no valid {kind.__name__}:\n" + "\n".join(lines) + "".join(hints)
        ) from error


def _keys_at(kind: type[Card], location: tuple[int | str, ...]) -> tuple[str, tuple[str, ...]]:
    """The format in which an unknown key stands, by name, and that format's legal keys."""
    for part in location[:-1]:
        if isinstance(part, str) and part in kind.model_fields:
            inner = [
                each
                for each in _classes(kind.model_fields[part].annotation)
                if issubclass(each, Card)
            ]
            kind = inner[0] if inner else kind
    return kind.__name__, tuple(sorted(kind.model_fields))


def _classes(annotation: Any) -> list[type]:
    """The classes that a type annotation is made of: `list[FileCard] | None` -> list's
    `FileCard`, `NoneType`."""
    arguments = typing.get_args(annotation)
    return (
        [each for argument in arguments for each in _classes(argument)]
        if arguments
        else [annotation] * isinstance(annotation, type)
    )


def dump(card: Card) -> str:
    """A card as JSON text: sorted keys, trailing newline, so that equal cards are equal bytes."""
    return (
        json.dumps(
            card.model_dump(mode="json"),
            indent=1,
            sort_keys=True,
            ensure_ascii=False,
            allow_nan=False,
        )
        + "\n"
    )


def schema(kind: type[Card]) -> str:
    """The JSON Schema of a format, as text."""
    content = kind.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def write_schemas(folder: Path) -> list[Path]:
    """Writes `<format>.schema.json` for every format."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, kind in FORMATS.items():
        paths.append(folder / f"{name}.schema.json")
        paths[-1].write_text(schema(kind), encoding="utf-8")
    return paths


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not allowed: a missing score is left out")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"key {key!r} appears twice")
        content[key] = value
    return content
