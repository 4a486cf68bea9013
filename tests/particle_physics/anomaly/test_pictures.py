"""What a cut does to a mass spectrum is seen in its picture."""

from __future__ import annotations

import anomaly_toys
import numpy as np
import pytest

from zoo import registry
from zoo.particle_physics.anomaly import metrics
from zoo.particle_physics.anomaly import task as anomaly


def task_of(name: str):
    spec = registry.task(f"particle_physics/{name}")
    return registry.resolve(spec.code)(spec, file=lambda wanted: pytest.fail(f"opened {wanted}"))


def test_sculpting_is_seen_and_is_of_the_seed_in_the_middle():
    toys = [
        anomaly_toys.dijets(process, 6000 if process == "qcd" else 200, seed=3)
        for process in ("qcd", "wprime", "zprime")
    ]
    events = anomaly.Dijets(
        anomaly.dijets.JetPairs(np.concatenate([each.pairs.values for each in toys])),
        np.concatenate([each.mjj for each in toys]),
        np.concatenate([each.process for each in toys]),
    )
    task, examples = task_of("anomaly"), anomaly.examples_of(events)
    rng = np.random.default_rng(0)
    mixture = np.stack(
        [rng.random(len(events)), events.mjj + 500 * rng.normal(size=len(events)), events.mjj], -1
    )
    arrays = task.record({"score": mixture}, examples)
    (line,) = task.figures(arrays)
    (hard,) = task.figures(task.record({"score": events.mjj}, examples))
    assert hard.x == [4650.0] and sum(line.y) < 1 and len(line.x) > 1
    qcd = events.process == 0
    before = np.histogram(events.mjj[qcd], task.mass_edges)[0]
    after = np.zeros(len(before))
    for mark in line.marks:
        low = int(mark.text.split("-")[0])
        after[list(task.mass_edges).index(low)] = int(mark.text.split(": ")[1].split()[0])
        assert mark.text.endswith(f"of {before[list(task.mass_edges).index(low)]}")
    from zoo.scoring import stats

    assert metrics.jensen_shannon(before, after) == pytest.approx(
        stats.scores(task, arrays)["sculpting"]
    )
