"""Text of cards: JSON and TOML without numbers that are none and without a key given twice."""

from __future__ import annotations

import json

import pytest
from valid_cards import ENTRY, ROOT

from zoo import cards
from zoo.cards import CardError, Entry, TaskSpec


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_json_with_a_number_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "entry.json"
    path.write_text(json.dumps(ENTRY).replace('"value": 1.0', f'"value": {text}'))
    with pytest.raises(CardError, match="a missing score is left out"):
        cards.read(path, Entry)


@pytest.mark.parametrize("text", ["inf", "nan", "-1.0", "0.0"])
def test_a_tolerance_that_would_accept_anything_is_refused(tmp_path, text):
    path = tmp_path / "task.toml"
    path.write_text(next((ROOT / "benchmarks").glob("*/*.toml")).read_text())
    lines = [
        f"tolerance = {text}" if line.startswith("tolerance") else line
        for line in path.read_text().splitlines()
    ]
    path.write_text("\n".join(lines))
    with pytest.raises(CardError, match="tolerance: "):
        cards.read(path, TaskSpec)


def test_a_key_given_twice_is_refused(tmp_path):
    path = tmp_path / "entry.json"
    path.write_text(json.dumps(ENTRY)[:-1] + ', "kind": "model"}')
    with pytest.raises(CardError, match="key 'kind' appears twice"):
        cards.read(path, Entry)


def test_a_file_that_is_no_json_or_toml_is_refused_by_name(tmp_path):
    for name, content in (("a.json", b"{"), ("a.toml", b"= 1"), ("b.json", b"\xff\xfe")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CardError, match=name):
            cards.read(tmp_path / name, Entry)
