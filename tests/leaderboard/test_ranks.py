"""Ranks are groups: paired, by letters, and never over what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import synthetic_board as synthetic
from ranked_boards import weather_rows

from zoo.scoring import stats


def test_rows_come_best_first_and_gaps_last(ranked):
    values = [row.score("z500_rmse.day5").value for row in weather_rows(ranked)]
    assert values == sorted(values)
    seasons = next(task for task in ranked.tasks if task.spec.id == "genomics/toy_seasons")
    scored = [row.score("correlation.k5") for row in seasons.rows]
    assert scored[-1] is None
    assert [score.value for score in scored if score] == sorted(
        (score.value for score in scored if score), reverse=True
    )


def test_equal_skill_shares_a_letter_and_other_skill_does_not(ranked):
    first, second, third = weather_rows(ranked)[:3]
    assert first.groups == second.groups == "a"
    assert third.groups == "b"
    task = next(task for task in ranked.tasks if task.spec.id == "climate/toy_weather")
    assert task.tied(first) == [second]
    verdicts = {difference.other: difference.verdict for difference in first.differences}
    assert verdicts[second.entry.id] == "tied"
    assert verdicts[third.entry.id] == "better"


def test_a_difference_to_the_best_is_paired_and_signed(ranked):
    best, *others = weather_rows(ranked)
    assert best.to_best is None
    worst = others[-1]
    assert worst.to_best.other == best.entry.id
    assert worst.to_best.value == pytest.approx(
        worst.score("z500_rmse.day5").value - best.score("z500_rmse.day5").value
    )
    assert 0 < worst.to_best.low <= worst.to_best.value <= worst.to_best.high
    assert worst.to_best.verdict == "worse"


def test_a_missing_record_costs_the_letter_and_nothing_else(ranked):
    row = next(row for _, row in ranked.rows() if row.name == "model_3")
    assert row.groups == "-"
    assert row.no_group == "its per-example record is missing"
    assert row.score("correlation.k5").ci95 is not None


def test_a_row_with_part_of_the_examples_is_compared_on_the_common_ones_only(ranked):
    row = next(row for _, row in ranked.rows() if row.name == "forecast_centre_4")
    assert row.coverage == 203 - 80
    assert row.groups == "-"
    assert "123 of 203 examples" in row.no_group
    assert row.to_best.examples == 123


def test_examples_that_count_are_found_for_every_step():
    task = synthetic.ToySeasons(synthetic.seasons_spec(), file=Path)
    arrays = synthetic.seasons_record(skill=0.9, seed=3)
    arrays["mean"][10:20, 5] = np.nan
    expected = np.ones(203, bool)
    expected[10:20] = False
    assert (stats.examples_that_count(task, arrays, "correlation.k5") == expected).all()
    assert stats.examples_that_count(task, arrays, "correlation.k2").all()
