"""The protocol's one spelling, what of every card goes into it, how two of them are told apart."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from plain_cards import OTHER, TASKS, Plain

from zoo import cards, registry
from zoo.cards import (
    BaselineSpec,
    CardError,
    DatasetCard,
    DownloadCard,
    FileCard,
    MetricSpec,
    ResamplingSpec,
    TaskSpec,
    read,
)
from zoo.scoring import protocol


def reordered(content: Any) -> Any:
    """The same data with keys in the opposite order."""
    if isinstance(content, dict):
        return {key: reordered(content[key]) for key in reversed(content)}
    return [reordered(each) for each in content] if isinstance(content, list) else content


@pytest.mark.parametrize("task", TASKS)
def test_order_of_keys_white_space_and_comments_leave_the_hash(task: str, tmp_path: Path):
    spec = registry.task(task)
    for number, (name, kind) in enumerate(((task, "task"), (spec.dataset, "dataset"))):
        text = registry.path_of(name, kind).read_text()
        spelt = f"# A comment.\n\n{tomli_w.dumps(reordered(tomllib.loads(text)))}\n# The end.\n"
        assert spelt != text
        (tmp_path / f"{number}.toml").write_text(spelt)
    again = read(tmp_path / "0.toml", TaskSpec), read(tmp_path / "1.toml", DatasetCard)
    for row in (None, spec.baseline[0].id):
        assert protocol.protocol_sha256(*again, row) == protocol.protocol_sha256(
            spec, registry.dataset(spec.dataset), row
        )


def test_canonical_json_has_one_spelling():
    content = {"b": [1, 1.5, 1e-5, True, None], "a": {"é": "Niño", "c": 0.1}}
    assert (
        protocol.canonical(content)
        == r'{"a":{"c":0.1,"\u00e9":"Ni\u00f1o"},"b":[1,1.5,1e-05,true,null]}'
    )
    assert protocol.canonical(reordered(content)) == protocol.canonical(content)
    assert protocol.canonical({"x": 400}) != protocol.canonical({"x": 400.0})


@pytest.mark.parametrize("value", ["nan", "inf", "2001-01-01", "12:00:00"])
def test_a_config_that_has_no_one_spelling_is_refused(value: str):
    plain = Plain.of("climate/enso")
    plain.configured()["config"] = tomllib.loads(f"x = {value}")
    with pytest.raises(CardError, match="a protocol holds text, finite numbers"):
        plain.sha256()


def test_the_canonical_form_of_a_task_is_known_to_the_letter():
    spec = cards.parse(
        {
            "schema_version": 1,
            "id": "climate/t",
            "version": 2,
            "title": "T",
            "truth": "simulated",
            "summary": "S",
            "dataset": "climate/d",
            "split": "test",
            "code": "a:b",
            "needs": ["x.nc"],
            "headline": "rmse.k1",
            "tolerance": 1e-3,
            "protocol": "P",
            "parameters": {"first": "2004-01"},
            "tracks": {"t": "text"},
            "resampling": {"unit": "month", "method": "bootstrap", "resamples": 200, "seed": 1},
            "table": [],
            "metric": [
                {
                    "name": "rmse",
                    "label": "L",
                    "unit": "K",
                    "direction": "lower",
                    "at": ["k1"],
                    "positions": [1],
                    "formula": "F",
                    "parameters": {"bins": 15},
                }
            ],
            "baseline": [
                {
                    "id": "climate/b",
                    "title": "B",
                    "kind": "baseline",
                    "code": "a:b",
                    "config": {"w": 0.5},
                    "needs": ["y.nc"],
                }
            ],
        },
        TaskSpec,
        where="task",
    )
    files = [
        {
            "name": name,
            "path": name,
            "sha256": digit * 64,
            "bytes": 3,
            "licence": "",
            "role": "",
            "redistributable": True,
        }
        for name, digit in (("x.nc", "a"), ("y.nc", "b"), ("z.nc", "c"))
    ]
    card = {
        "schema_version": 1,
        "id": "climate/d",
        "version": "1",
        "title": "D",
        "truth": "simulated",
        "summary": "S",
        "loader": "a:b",
        "licence": "",
        "citation": [],
        "splits": {},
        "file": files,
    }
    dataset = cards.parse(card, DatasetCard, where="dataset")
    known = {
        "protocol_schema": 1,
        "task": "climate/t",
        "version": 2,
        "dataset": "climate/d",
        "split": "test",
        "parameters": {"first": "2004-01"},
        "files": {"x.nc": {"sha256": "a" * 64, "bytes": 3}},
        "tracks": ["t"],
        "resampling": {"method": "bootstrap", "mean_block": None, "resamples": 200, "seed": 1},
        "metrics": {
            "rmse": {
                "direction": "lower",
                "unit": "K",
                "at": ["k1"],
                "positions": [1.0],
                "parameters": {"bins": 15},
            }
        },
        "headline": "rmse.k1",
        "tolerance": 0.001,
        "baselines": {
            "climate/b": {
                "kind": "baseline",
                "track": None,
                "config": {"w": 0.5},
                "publishable": True,
                "files": {"y.nc": {"sha256": "b" * 64, "bytes": 3}},
            }
        },
    }
    assert protocol.protocol(spec, dataset) == known
    assert protocol.canonical(known) == json.dumps(known, sort_keys=True, separators=(",", ":"))
    # Raise PROTOCOL_SCHEMA and bind every entry anew if this must ever change.
    assert (
        protocol.protocol_sha256(spec, dataset)
        == "9fcfb11718b07d8d105ae0fdba7354f7affc3ac29849c0d15b796328b9cf8390"
    )


# --------------------------------------------------------------------------- the cards themselves

DECIDED = {
    TaskSpec: {
        True: {
            "id",
            "version",
            "dataset",
            "split",
            "needs",
            "headline",
            "tolerance",
            "parameters",
            "tracks",
            "resampling",
            "metric",
            "baseline",
        },
        False: {
            "schema_version",
            "title",
            "truth",
            "summary",
            "code",
            "protocol",
            "audit",
            "how_to_beat",
            "by_name_only",
            "train",
            "table",
        },
    },
    MetricSpec: {
        True: {"name", "unit", "direction", "at", "positions", "parameters"},
        False: {"label", "axis", "formula"},
    },
    ResamplingSpec: {True: {"method", "mean_block", "resamples", "seed"}, False: {"unit"}},
    BaselineSpec: {
        True: {"id", "kind", "config", "track", "needs", "publishable"},
        False: {"title", "code", "note"},
    },
    FileCard: {
        True: {"name", "sha256", "bytes"},
        False: {"path", "urls", "licence", "role", "redistributable", "source"},
    },
    DownloadCard: {True: {"name", "sha256", "md5"}, False: {"urls", "licence", "role", "source"}},
    DatasetCard: {
        True: {"id", "file", "download"},
        False: {
            "schema_version",
            "version",
            "title",
            "truth",
            "summary",
            "loader",
            "licence",
            "citation",
            "splits",
            "variables",
            "made_by",
            "build",
            "caveats",
        },
    },
}


@pytest.mark.parametrize("kind", DECIDED, ids=lambda kind: kind.__name__)
def test_of_every_field_of_a_card_it_is_known_whether_it_decides(kind):
    """A field that is added later fails here: if it decides scores, put it into the protocol."""
    assert not DECIDED[kind][True] & DECIDED[kind][False]
    assert DECIDED[kind][True] | DECIDED[kind][False] == kind.model_fields.keys()


def test_a_task_and_a_dataset_that_do_not_belong_together_are_refused():
    with pytest.raises(
        CardError, match="task climate/enso is of dataset climate/enso, not of climate/held_suarez"
    ):
        protocol.protocol(registry.task("climate/enso"), registry.dataset("climate/held_suarez"))


def test_a_file_that_the_dataset_does_not_have_is_named():
    plain = Plain.of("climate/held_suarez")
    plain.task["needs"].append("lost.nc")
    with pytest.raises(
        CardError,
        match=r"climate/held_suarez needs lost\.nc; dataset climate/held_suarez has test\.zarr",
    ):
        plain.sha256()


def test_differences_are_named_by_place():
    plain = Plain.of("climate/enso")
    before = protocol.protocol(*plain.parsed())
    digest = before["files"]["oisst_nino34.nc"]["sha256"]
    plain.task["resampling"]["seed"] = 7
    plain.task["parameters"]["last_season"] = "2021-11"
    del plain.task["baseline"][0]
    plain.file().update(sha256=OTHER)
    assert protocol.differences(before, protocol.protocol(*plain.parsed())) == [
        "baselines.climate/climatology: removed",
        f"files.oisst_nino34.nc.sha256: {digest[:12]}... -> ffffffffffff...",
        "parameters.last_season: 2020-11 -> 2021-11",
        "resampling.seed: 20261120 -> 7",
    ]
    assert protocol.differences(before, before) == []
