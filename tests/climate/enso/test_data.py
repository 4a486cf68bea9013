"""An example is a season, and what was known when it was forecast."""

from __future__ import annotations

import numpy as np
import pytest
from enso_fakes import FakeEnso, changed_after, fake_observations
from enso_predictors import PREDICTORS

from zoo.climate.enso import data

CUT = "2010-06"


@pytest.mark.parametrize("name", PREDICTORS)
def test_no_datum_after_its_cut_off_changes_a_forecast(name: str) -> None:
    original = fake_observations()
    altered = changed_after(original, CUT)
    first, second = (
        PREDICTORS[name](FakeEnso(o))(FakeEnso(o).examples().inputs)["mean"]
        for o in (original, altered)
    )
    centres = FakeEnso(original).examples().inputs.centres
    issue = centres[:, None] - 1 - np.arange(data.LEADS)
    unaffected = issue <= np.datetime64(CUT, "M") + 1  # issued in M from data to the end of M-1
    np.testing.assert_array_equal(first[unaffected], second[unaffected])
    if name != "climatology":
        assert not np.allclose(first[~unaffected], second[~unaffected])


def test_example_is_a_season_and_step_k_was_issued_k_plus_one_months_before_it() -> None:
    inputs = FakeEnso(fake_observations()).examples().inputs
    assert len(inputs.centres) == 203
    assert len(inputs.issues) == 211
    by_issue = np.repeat(inputs.issues.astype(np.int64)[:, None], data.LEADS, 1)
    assert (
        (inputs.centres.astype(np.int64)[:, None] - inputs.by_centre(by_issue))
        == 1 + np.arange(data.LEADS)
    ).all()
    assert inputs.before(inputs.issues[0]).months[-1] == inputs.issues[0] - 1
