"""Entries that cannot be true are refused."""

from __future__ import annotations

import json

import pytest
from valid_cards import ENTRY, changed, refused

from zoo.cards import Entry


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_not_finite_is_refused(value):
    content = json.loads(json.dumps(ENTRY))
    content["metrics"]["rmse.day1"] = {"value": value, "ci95": None}
    refused(content, Entry, "metrics.rmse.day1.value: .*a missing score is left out, never NaN")


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
