"""The protocol hash from both sides, on the cards of every shipped task: what decides scores
changes it, what does not leaves it."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from plain_cards import OTHER, ROOT, TASKS, Plain, alter, first

from zoo import registry
from zoo.cards import Entry, read
from zoo.scoring import protocol

ENTRIES = sorted((ROOT / "leaderboard/entries").rglob("*.json"))
Change = Callable[[Plain], Any]
"""Changes cards in place; StopIteration, KeyError or IndexError: nothing to change there."""


def renamed_file(plain: Plain) -> None:
    plain.file()["name"] = "renamed.bin"
    plain.task["needs"][0] = "renamed.bin"


def one_more_need(plain: Plain) -> None:
    plain.task["needs"].append(
        next(
            each["name"]
            for each in plain.dataset["file"]
            if each["name"] not in plain.task["needs"]
        )
    )


def of_another_dataset(plain: Plain) -> None:
    plain.task["dataset"] = plain.dataset["id"] = "climate/elsewhere"


def more_of_a_kind(plain: Plain, kind: str, **changed: Any) -> None:
    plain.task[kind].append(copy.deepcopy(plain.task[kind][0]) | changed)


def block_bootstrap(plain: Plain) -> None:
    resampling = plain.task["resampling"]
    if resampling["method"] == "bootstrap":
        resampling |= {"method": "stationary_block_bootstrap", "mean_block": 5}
    else:
        resampling |= {"method": "bootstrap"}
        del resampling["mean_block"]


def renamed_headline(plain: Plain) -> None:
    names = [
        column["metric"]
        for column in plain.task["table"]
        if column["metric"] != plain.task["headline"]
    ]
    plain.task["headline"] = names[0]


def turned(plain: Plain, metric: dict[str, Any]) -> None:
    metric["direction"] = "lower" if metric["direction"] == "higher" else "higher"


DECIDES: dict[str, Change] = {
    "task id": lambda p: p.task.update(id="climate/renamed"),
    "version": lambda p: p.task.update(version=p.task["version"] + 1),
    "dataset id": of_another_dataset,
    "split": lambda p: p.task.update(split="validation"),
    "headline": renamed_headline,
    "tolerance": lambda p: p.task.update(tolerance=p.task["tolerance"] * 1.5),
    "a file's hash": lambda p: p.file().update(sha256=OTHER),
    "a file's size": lambda p: p.file().update(bytes=p.file()["bytes"] + 1),
    "a file's name": renamed_file,
    "a need added": one_more_need,
    "a need dropped": lambda p: p.task["needs"].pop(),
    "a download's hash": lambda p: (
        p.task["needs"].pop() if p.task["needs"] else None,
        p.dataset["download"][0].pop("md5", None),
        p.dataset["download"][0].update(sha256=OTHER),
    ),
    "a download added": lambda p: (
        None
        if p.task["needs"]
        else p.dataset["download"].append(p.dataset["download"][0] | {"name": "new.tar"})
    ),
    "resampling seed": lambda p: p.task["resampling"].update(seed=p.task["resampling"]["seed"] + 1),
    "resampling method": block_bootstrap,
    "mean block": lambda p: p.task["resampling"].update(
        mean_block=p.task["resampling"]["mean_block"] * 2
    ),
    "resamples": lambda p: p.task["resampling"].update(
        resamples=p.task["resampling"]["resamples"] + 1
    ),
    "metric added": lambda p: p.task["metric"].append(
        {"name": "new", "label": "", "unit": "1", "direction": "lower", "formula": ""}
    ),
    "metric dropped": lambda p: p.task["metric"].remove(p.free_metric()),
    "metric renamed": lambda p: p.free_metric().update(name="renamed"),
    "metric direction": lambda p: turned(p, p.task["metric"][0]),
    "metric unit": lambda p: p.task["metric"][0].update(unit="furlong"),
    "metric point added": lambda p: (
        (m := p.with_points())["at"].append("new") or m.pop("positions", None)
    ),
    "metric points in another order": lambda p: p.with_points(2)["at"].reverse(),
    "metric position": lambda p: next(m for m in p.task["metric"] if m.get("positions"))[
        "positions"
    ].__setitem__(0, 99.5),
    "metric parameter": lambda p: alter(p.with_parameters()["parameters"]),
    "metric parameter added": lambda p: (
        p.task["metric"][0].setdefault("parameters", {}).update(new=1.5)
    ),
    "metric parameter dropped": lambda p: p.with_parameters().pop("parameters"),
    "protocol parameter": lambda p: alter(p.task["parameters"]),
    "protocol parameter added": lambda p: p.task.setdefault("parameters", {}).update(new="2001-01"),
    "track added": lambda p: p.task.setdefault("tracks", {}).update(new="Rows that know more."),
    "baseline added": lambda p: more_of_a_kind(
        p, "baseline", id=f"{p.task['id'].split('/')[0]}/new"
    ),
    "baseline dropped": lambda p: p.task["baseline"].pop(),
    "baseline id": lambda p: p.task["baseline"][0].update(
        id=f"{p.task['id'].split('/')[0]}/renamed"
    ),
    "baseline kind": lambda p: p.task["baseline"][0].update(kind="forecast_centre"),
    "baseline track": lambda p: p.task["baseline"][0].update(
        track=next(t for t in p.task["tracks"] if t != p.task["baseline"][0]["track"])
    ),
    "baseline config": lambda p: alter(p.configured()["config"]),
    "baseline option added": lambda p: p.task["baseline"][0].setdefault("config", {}).update(new=1),
    "baseline publishable": lambda p: p.task["baseline"][0].update(
        publishable=not p.task["baseline"][0].get("publishable", True)
    ),
    "baseline's own file added": lambda p: (
        p.task["baseline"][0].setdefault("needs", []).append(p.dataset["file"][-1]["name"])
    ),
    "baseline's own file's hash": lambda p: p.file(p.needy()["needs"][0]).update(sha256=OTHER),
}

PROSE = "Another sentence altogether."


def unused_file(plain: Plain) -> dict[str, Any]:
    """A file of the dataset that neither the task nor any baseline reads."""
    read_by = {
        *plain.task["needs"],
        *(name for each in plain.task["baseline"] for name in each.get("needs", [])),
    }
    return next(each for each in plain.dataset["file"] if each["name"] not in read_by)


DOES_NOT: dict[str, Change] = {
    "title": lambda p: p.task.update(title=PROSE),
    "truth label": lambda p: p.task.update(
        truth="mixed" if p.task["truth"] != "mixed" else "observed"
    ),
    "summary": lambda p: p.task.update(summary=PROSE),
    "protocol text": lambda p: p.task.update(protocol=PROSE),
    "audit": lambda p: p.task.update(audit=[PROSE]),
    "how to beat": lambda p: p.task.update(how_to_beat=PROSE),
    "by name only": lambda p: p.task.update(by_name_only=not p.task.get("by_name_only", False)),
    "code of the task": lambda p: p.task.update(code="zoo.elsewhere.task:Renamed"),
    "recipe": lambda p: p.task.update(train="zoo.elsewhere.train:recipe"),
    "table column's label": lambda p: p.task["table"][0].update(label=PROSE, decimals=7),
    "table column dropped": lambda p: p.task["table"].pop(),
    "metric label": lambda p: p.task["metric"][0].update(label=PROSE),
    "metric formula text": lambda p: p.task["metric"][0].update(formula=PROSE),
    "metric axis": lambda p: p.with_points().update(axis=PROSE),
    "order of metrics": lambda p: p.task["metric"].reverse() if len(p.task["metric"]) > 1 else None,
    "what is resampled, in words": lambda p: p.task["resampling"].update(unit=PROSE),
    "track's text": lambda p: p.task["tracks"].update({first(p.task["tracks"]): PROSE}),
    "order of needs": lambda p: p.task["needs"].reverse(),
    "baseline title": lambda p: p.task["baseline"][0].update(title=PROSE),
    "baseline note": lambda p: p.task["baseline"][0].update(note=PROSE),
    "baseline code": lambda p: p.task["baseline"][0].update(code="zoo.elsewhere.baselines:renamed"),
    "order of baselines": lambda p: p.task["baseline"].reverse(),
    "dataset title": lambda p: p.dataset.update(title=PROSE),
    "dataset version": lambda p: p.dataset.update(version="later"),
    "dataset summary": lambda p: p.dataset.update(summary=PROSE),
    "dataset licence": lambda p: p.dataset.update(licence="CC0-1.0"),
    "dataset citation": lambda p: p.dataset["citation"].append(PROSE),
    "dataset splits in words": lambda p: p.dataset["splits"].update(
        {first(p.dataset["splits"]): PROSE}
    ),
    "dataset variables": lambda p: p.dataset.setdefault("variables", {}).update(new=PROSE),
    "dataset caveats": lambda p: p.dataset.setdefault("caveats", []).append(PROSE),
    "dataset code": lambda p: p.dataset.update(
        loader="zoo.elsewhere:load", build="zoo.elsewhere:build", made_by=PROSE
    ),
    "where a file lies": lambda p: p.file().update(path="elsewhere.bin"),
    "where a file is fetched": lambda p: p.file().update(
        urls=["https://example.org/a.bin", "https://example.org/b.bin"]
    ),
    "a file's licence, role and source": lambda p: p.file().update(
        licence="CC0-1.0", role=PROSE, source=PROSE, redistributable=False
    ),
    "a new file that nobody reads": lambda p: p.dataset.setdefault("file", []).append(
        {
            "name": "new.bin",
            "path": "new.bin",
            "sha256": OTHER,
            "bytes": 1,
            "licence": "",
            "role": "",
            "redistributable": True,
        }
    ),
    "the hash of a file that nobody reads": lambda p: unused_file(p).update(sha256=OTHER),
    "a download's address": lambda p: p.dataset["download"][0].update(
        urls=["https://example.org/a.tar"], role=PROSE, licence=PROSE
    ),
}


def applied(name: str, change: Change) -> Plain | None:
    """The task's cards with the change; None where there is nothing to change."""
    plain = Plain.of(name)
    before = copy.deepcopy(plain)
    try:
        change(plain)
    except (StopIteration, KeyError, IndexError):
        return None
    return None if plain == before else plain


def changed(change: Change) -> Iterator[tuple[str, Plain]]:
    """Every task that has what is changed, with the change."""
    for task in TASKS:
        plain = applied(task, change)
        if plain is not None:
            assert plain.parsed() != Plain.of(task).parsed(), f"{task}: nothing was changed"
            yield task, plain


@functools.cache
def unchanged(task: str, row: str | None = None) -> str:
    """The hash of the shipped cards."""
    return Plain.of(task).sha256(row)


@pytest.mark.parametrize("change", DECIDES)
def test_what_decides_scores_changes_the_hash(change: str):
    tried = 0
    for task, plain in changed(DECIDES[change]):
        assert plain.sha256() != unchanged(task), task
        tried += 1
    assert tried


@pytest.mark.parametrize("change", DOES_NOT)
def test_what_does_not_decide_scores_leaves_the_hash(change: str):
    tried = 0
    for task, plain in changed(DOES_NOT[change]):
        for row in (None, plain.task["baseline"][0]["id"], "anyone/model.tag"):
            assert plain.sha256(row) == unchanged(task, row), task
        tried += 1
    assert tried


@pytest.mark.parametrize("changes", [DECIDES, DOES_NOT], ids=["decides", "does not"])
def test_every_change_was_tried_and_most_of_them_in_every_domain(changes):
    tried: dict[str, set[str]] = {name: set() for name in changes}
    for name, change in changes.items():
        tried[name] = {task.split("/")[0] for task in TASKS if applied(task, change) is not None}
    assert all(tried.values()), [name for name, domains in tried.items() if not domains]
    everywhere = [name for name, domains in tried.items() if len(domains) == 3]
    assert len(everywhere) >= 18, everywhere


# ------------------------------------------------------------------------------ rows of one task


@pytest.mark.parametrize("task", TASKS)
def test_an_entry_binds_its_own_row_alone(task: str):
    plain = Plain.of(task)
    domain, own, others = (
        task.split("/")[0],
        plain.task["baseline"][0]["id"],
        [each["id"] for each in plain.task["baseline"][1:]],
    )
    model = f"{domain}/some_model.tag"
    before = {row: plain.sha256(row) for row in (None, own, model, *others)}
    more_of_a_kind(plain, "baseline", id=f"{domain}/new")
    assert {row: plain.sha256(row) for row in (own, model, *others)} == {
        row: before[row] for row in (own, model, *others)
    }
    plain.task["baseline"][0].setdefault("config", {}).update(new=1)
    assert plain.sha256(own) != before[own] and plain.sha256() != before[None]
    assert {row: plain.sha256(row) for row in (model, *others)} == {
        row: before[row] for row in (model, *others)
    }


def test_a_file_of_one_baseline_binds_that_baseline_alone():
    plain = Plain.of("climate/held_suarez")
    row = plain.needy()["id"]
    plain.file(plain.needy()["needs"][0]).update(sha256=OTHER)
    same = Plain.of("climate/held_suarez")
    assert plain.sha256(row) != same.sha256(row)
    assert plain.sha256("climate/persistence") == same.sha256("climate/persistence")
    assert plain.sha256("climate/sfno.held_suarez") == same.sha256("climate/sfno.held_suarez")


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: "/".join(path.parts[-3:]))
def test_every_entry_binds_todays_protocol(path: Path):
    entry = read(path, Entry)
    spec = registry.task(entry.task)
    assert entry.hashes.protocol == protocol.protocol_sha256(
        spec, registry.dataset(spec.dataset), entry.model
    )


def test_there_are_entries():
    assert len(ENTRIES) >= 119
