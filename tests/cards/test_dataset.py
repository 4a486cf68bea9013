"""Cards of data sets name every file safely and once."""

from __future__ import annotations

import pytest
from valid_cards import DATASET, ENTRY, FILE, changed, refused

from zoo.cards import DatasetCard, Entry, FileCard


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
