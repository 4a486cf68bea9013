"""The formats refuse what would mislead, and say which key it is."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from zoo import cards, files
from zoo.cards import CardError, DatasetCard, Entry, FileCard, ModelCard, PeerTable, TaskSpec, parse

ROOT = files.share()
SHA = "0" * 64

FILE = {
    "name": "a.nc",
    "urls": ["https://example.org/a.nc"],
    "sha256": SHA,
    "bytes": 10,
    "licence": "CC0-1.0",
    "role": "truth",
    "redistributable": True,
}
DATASET = {
    "schema_version": 1,
    "id": "climate/toy",
    "version": "1",
    "title": "Toy",
    "truth": "simulated",
    "summary": "s",
    "loader": "numpy:load",
    "licence": "CC0-1.0",
    "citation": [],
    "splits": {"test": "all"},
    "file": [FILE],
}
ENTRY = {
    "schema_version": 1,
    "id": "climate/toy@1/best",
    "task": "climate/toy",
    "task_version": 1,
    "model": "climate/best",
    "title": "Best",
    "kind": "baseline",
    "n_examples": 3,
    "metrics": {"rmse.day1": {"value": 1.0, "ci95": [0.5, 1.5]}},
    "record": "best.record.zarr.zip",
    "hashes": {"protocol": SHA, "example_ids": SHA, "weights": [], "record": SHA},
    "cost": {
        "n_params": 0,
        "latency_ms_p50": 1.0,
        "latency_ms_p95": 1.0,
        "repeats": 5,
        "peak_memory_bytes": 1,
        "wall_seconds": 1.0,
        "load_average": 0.1,
    },
    "environment": {
        "python": "3.11",
        "packages": {},
        "packages_sha256": SHA,
        "platform": "linux-x86_64",
        "cpu_count": 2,
        "accelerator": "cpu",
        "xla_flags": "",
        "dirty": False,
    },
    "provenance": {
        "command": "zoo bench",
        "submitted_by": "ada",
        "created": "2026-11-20T12:00:00Z",
    },
}


def changed(content: dict, path: str, value: object) -> dict:
    """A deep copy with one value replaced; `path` is "a.b.0"."""
    content = json.loads(json.dumps(content))
    *parents, last = path.split("/")
    place = content
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[last] = value
    return content


def refused(content: dict, kind: type, message: str) -> None:
    with pytest.raises(CardError, match=message):
        parse(content, kind, where="here.toml")


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


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_not_finite_is_refused(value):
    content = json.loads(json.dumps(ENTRY))
    content["metrics"]["rmse.day1"] = {"value": value, "ci95": None}
    refused(content, Entry, "metrics.rmse.day1.value: .*a missing score is left out, never NaN")


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


@pytest.mark.parametrize(
    ("value", "bounds"), [(2.0, [0.5, 1.5]), (0.1, [0.5, 1.5]), (1.0, [1.5, 0.5])]
)
def test_a_value_outside_its_own_interval_is_refused(value, bounds):
    refused(
        changed(ENTRY, "metrics/rmse.day1", {"value": value, "ci95": bounds}),
        Entry,
        "outside its own interval",
    )


def test_scores_of_a_dirty_checkout_are_refused():
    refused(changed(ENTRY, "environment/dirty", True), Entry, "commit first")


def test_an_entry_whose_name_is_another_than_its_content_is_refused():
    refused(changed(ENTRY, "model", "climate/other"), Entry, "make it 'climate/toy@1/other'")
    refused(
        changed(changed(ENTRY, "model", "genomics/best"), "id", "climate/toy@1/best"),
        Entry,
        "another domain",
    )


def test_a_submitter_cannot_bring_a_verification():
    refused(ENTRY | {"verification": {"ok": True}}, Entry, "verification: Extra")


@pytest.mark.parametrize(
    "path", ["../a", "a/../b", "/etc/passwd", "a\\b", "C:/a", "./a", "a//b", "", "a/", "a\0b"]
)
def test_a_path_that_leaves_its_folder_is_refused(path):
    refused(FILE | {"path": path}, FileCard, "path: .*not a plain relative path")


@pytest.mark.parametrize("name", ["../a", "a/b", ".hidden", "", "a b", "a\n"])
def test_a_file_name_is_a_plain_name(name):
    refused(FILE | {"name": name}, FileCard, "name: ")
    refused(changed(ENTRY, "record", name), Entry, "record: ")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a",
        "ftp://example.org/a",
        "file:///etc/passwd",
        "https://ada:secret@example.org/a",
        "https://ada@example.org/a",
        "https://example.org/../a",
        "https://example.org/b/..",
        "https://example.org/%2e%2e/a",
        "https://../a",
        "https://example.org/a\\b",
        "https://example.org/%5c..%5ca",
        "https://example.org",
        "https:///a",
        "https://example.org/a b",
        "https://example.org/%00",
    ],
)
def test_only_plain_https_addresses_are_accepted(url):
    refused(FILE | {"urls": [url]}, FileCard, "urls.0: .*not a plain https:// address")


@pytest.mark.parametrize(
    "name",
    [
        "climate",
        "Climate/toy",
        "climate/toy/x",
        "climate/../x",
        "climate/a b",
        "climate/tøy",
        "climate/toy\n",
        "/toy",
        "a/*",
    ],
)
def test_an_id_with_odd_characters_is_refused(name):
    refused(DATASET | {"id": name}, DatasetCard, "id: ")
    refused(changed(ENTRY, "model", name), Entry, "model: ")


def test_a_file_that_can_be_had_nowhere_is_refused():
    refused(FILE | {"urls": []}, FileCard, "neither a path in the repository nor a URL")


def test_names_given_twice_are_refused():
    refused(
        DATASET | {"file": [FILE, FILE]},
        DatasetCard,
        "file name in dataset climate/toy given twice: a.nc",
    )


def test_a_task_may_only_name_metrics_that_it_defines():
    content = tomllib.loads(next((ROOT / "benchmarks").glob("*/*.toml")).read_text())
    refused(
        content | {"headline": "applause"},
        TaskSpec,
        "names metric 'applause', which it does not define; defined: ",
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


def test_every_shipped_task_asks_only_for_files_that_its_dataset_has():
    from zoo import registry

    assert registry.tasks()
    for spec in registry.tasks().values():
        named = {file.name for file in registry.dataset(spec.dataset).file}
        for wanted in [
            *spec.needs,
            *(need for baseline in spec.baseline for need in baseline.needs),
        ]:
            assert wanted in named, f"{spec.id} needs {wanted}, which {spec.dataset} does not have"
