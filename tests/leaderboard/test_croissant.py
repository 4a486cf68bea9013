"""Cards as Croissant say what the card says."""

from __future__ import annotations

import json
import re

import pytest

from zoo.leaderboard import croissant


def test_croissant_says_what_the_card_says(site):
    path = site / "data/climate/toy_planet.croissant.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    assert (
        about["@type"] == "sc:Dataset"
        and about["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    )
    for file in about["distribution"]:
        assert (
            re.fullmatch(r"[0-9a-f]{64}", file["sha256"])
            and file["contentUrl"]
            and file["contentSize"].endswith(" B")
        )


@pytest.mark.optional
def test_shipped_cards_are_valid_croissant(tmp_path):
    mlcroissant = pytest.importorskip("mlcroissant")
    from zoo import registry

    assert registry.datasets()
    for card in registry.datasets().values():
        path = tmp_path / "croissant.json"
        path.write_text(croissant.text(card), encoding="utf-8")
        dataset = mlcroissant.Dataset(jsonld=path)
        assert len(dataset.metadata.distribution) == len(card.file)
        assert {file.sha256 for file in dataset.metadata.distribution} == {
            file.sha256 for file in card.file
        }
