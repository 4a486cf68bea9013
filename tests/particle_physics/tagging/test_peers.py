"""The public sets: published rows stand at the real tasks only, and a folder that is not
the data set says what it lacks."""

from __future__ import annotations

import tomllib

from public_tasks import PUBLIC

from zoo import files, registry
from zoo.cards import PeerTable, read

OURS = ("jet_tagging", "top_tagging", "quark_gluon")


PEERS = files.share() / "leaderboard" / "peers" / "particle_physics"


def test_published_rows_name_their_source_and_only_metrics_that_their_task_defines():
    tables = [read(path, PeerTable) for path in sorted(PEERS.glob("*.toml"))]
    assert {"particle_physics/jetclass", "particle_physics/top_landscape"} <= {
        table.task for table in tables
    }
    for table in tables:
        assert table.row
        spec = registry.task(table.task)
        defined = {name for metric in spec.metric for name in metric.names}
        for row in table.row:
            assert row.metrics.keys() <= defined, row.name
            assert "Not re-run" in row.caveat and row.url, row.name
            assert row.track is None or row.track in spec.tracks
            assert all(
                0.5 < row.metrics[name] < 1 for name in ("auc", "accuracy") if name in row.metrics
            ), row.name


def test_no_published_number_stands_beside_our_own_simulation():
    assert not [path.name for path in PEERS.glob("*.toml") if path.name.split("@")[0] in OURS]
    for name in OURS:
        text = registry.path_of(f"particle_physics/{name}", "task").read_text()
        protocol = " ".join(tomllib.loads(text)["protocol"].split())
        assert "SIMULATED" in protocol and "NO DETECTOR" in protocol and "compare" in protocol


def test_public_sets_run_only_when_named_and_are_marked_as_simulated():
    for name in PUBLIC:
        spec = registry.task(f"particle_physics/{name}")
        assert (
            spec.by_name_only
            and spec.truth == "simulated"
            and registry.resolve(spec.code).reads_folder
        )
        assert not any(baseline.publishable for baseline in spec.baseline)
