"""Cards are read strictly, written whole, and follow their published schemas."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest
from valid_cards import DATASET, ENTRY, ROOT, SHA, changed, refused

from zoo import cards
from zoo.cards import DatasetCard, Entry, ModelCard, PeerTable, TaskSpec, parse


def test_the_examples_of_this_file_are_valid():
    parse(DATASET, DatasetCard, where="dataset")
    parse(ENTRY, Entry, where="entry")


def test_an_unknown_key_is_refused_with_its_name_and_the_legal_keys():
    message = (
        r"(?s)here.toml is no valid DatasetCard:.*licens: Extra.*keys of DatasetCard: .*licence"
    )
    refused(DATASET | {"licens": "MIT"}, DatasetCard, message)


def test_an_unknown_key_deep_inside_is_answered_with_the_keys_of_its_own_place():
    refused(
        changed(DATASET, "file/0/sha265", SHA),
        DatasetCard,
        r"(?s)file.0.sha265: Extra.*keys of FileCard: .*sha256",
    )


def test_a_card_survives_being_written_and_read(tmp_path):
    for content, kind in ((DATASET, DatasetCard), (ENTRY, Entry)):
        card = parse(content, kind, where="here")
        path = tmp_path / "card.json"
        path.write_text(cards.dump(card), encoding="utf-8")
        assert cards.read(path, kind) == card
        assert cards.dump(cards.read(path, kind)) == cards.dump(card)


@pytest.mark.parametrize("name", cards.FORMATS)
def test_the_published_schemas_are_those_of_the_code(name):
    path = ROOT / "schemas" / f"{name}.schema.json"
    assert path.read_text(encoding="utf-8") == cards.schema(cards.FORMATS[name]), (
        "run `python -m zoo.cards schemas`"
    )


SHIPPED = [
    *((path, DatasetCard, "dataset") for path in sorted((ROOT / "datasets").glob("*/*/card.toml"))),
    *((path, TaskSpec, "task") for path in sorted((ROOT / "benchmarks").glob("*/*.toml"))),
    *((path, ModelCard, "model") for path in sorted((ROOT / "zoo").glob("*/weights/*.toml"))),
    *((path, Entry, "entry") for path in sorted((ROOT / "leaderboard/entries").glob("*/*/*.json"))),
    *((path, PeerTable, "peers") for path in sorted((ROOT / "leaderboard/peers").glob("*/*.toml"))),
    *(
        (path, cards.Verification, "verification")
        for path in sorted((ROOT / "leaderboard/verified").glob("*/*/*.json"))
    ),
]


@pytest.mark.parametrize(
    ("path", "kind", "name"), SHIPPED, ids=[str(path.relative_to(ROOT)) for path, _, _ in SHIPPED]
)
def test_a_shipped_card_follows_the_code_and_the_json_schema(path: Path, kind: type, name: str):
    cards.read(path, kind)
    content = (
        tomllib.loads(path.read_text("utf-8"))
        if path.suffix == ".toml"
        else json.loads(path.read_text("utf-8"))
    )
    schema = json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(content)
