"""Every baseline of every task: its factory exists, and a file that it names is the shipped one."""

from __future__ import annotations

import pytest

from zoo import files, registry

BASELINES = [
    pytest.param(spec, baseline, id=f"{spec.id}:{baseline.id}")
    for spec in registry.tasks().values()
    for baseline in spec.baseline
]


@pytest.mark.parametrize(("spec", "baseline"), BASELINES)
def test_a_baseline_can_be_made_of_what_is_shipped(spec, baseline):
    assert callable(registry.resolve(baseline.code))
    if "sha256" in baseline.config:
        path = registry.PACKAGE / spec.id.split("/")[0] / "weights" / baseline.config["file"]
        assert files.sha256(path) == baseline.config["sha256"], f"{path.name} was fitted anew"


def test_some_baselines_read_fitted_files():
    fitted = [each for each in BASELINES if "sha256" in each.values[1].config]
    assert len(fitted) >= 10
