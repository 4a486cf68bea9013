"""Simulation: the plan's seeds, digests that do not depend on the batch size, files that
resume, physics that is right."""

from __future__ import annotations

import dataclasses
import json

import pytest
from pythia_files import needs_pythia

from zoo.particle_physics.simulation import simulate
from zoo.particle_physics.simulation.jet_files import join_files
from zoo.particle_physics.simulation.plan import plan


@needs_pythia
def test_a_build_resumes_and_refuses_a_changed_file(pythia, tmp_path, monkeypatch):
    parts = [dataclasses.replace(part, count=4) for part in plan("jet_tagging")[:2]]
    monkeypatch.setattr(simulate, "plan", lambda dataset, size="S": parts)
    seen = []
    simulate.simulate(tmp_path, dataset="jet_tagging", processes=1, first=1)
    simulate.simulate(
        tmp_path,
        dataset="jet_tagging",
        processes=1,
        progress=lambda name, done, total: seen.append((done, total)),
    )
    assert seen == [(4, 8), (8, 8)], "the finished file was not made again"
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert sorted(manifest["files"]) == sorted(part.name for part in parts)
    (tmp_path / parts[0].name).write_bytes(b"short")
    with pytest.raises(ValueError, match=r"damaged\. Delete it and run the same command again"):
        simulate.simulate(tmp_path, dataset="jet_tagging", processes=1)
    digest = join_files(tmp_path, [parts[1].name], tmp_path / "joined.root")
    assert digest == manifest["files"][parts[1].name]["content"]
