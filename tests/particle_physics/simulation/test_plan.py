"""No two files share a seed."""

from __future__ import annotations

import pytest

from zoo.particle_physics.simulation.plan import plan


def test_no_two_files_share_a_seed():
    parts = [
        part
        for name in ("jet_tagging", "quark_gluon", "jet_generation", "anomaly")
        for part in plan(name, "M")
    ]
    used = [part.seed + variant for part in parts for variant in (0, 1)]
    assert len(used) == len(set(used))
    assert max(used) <= 900_000_000


def test_the_small_plan_is_part_of_the_large_one():
    for name in ("jet_tagging", "quark_gluon", "jet_generation", "anomaly"):
        small, large = plan(name, "S"), plan(name, "M")
        assert set(small) < set(large)
    assert (
        sum(part.count for part in plan("jet_tagging", "S") if part.name.startswith("train"))
        == 10 * 20_000
    )


@pytest.mark.parametrize(("dataset", "size"), [("jets", "S"), ("jet_tagging", "XL")])
def test_an_unknown_plan_is_refused_with_the_known_ones(dataset, size):
    with pytest.raises(ValueError, match=r"there are jet_tagging|sizes: S, M"):
        plan(dataset, size)
