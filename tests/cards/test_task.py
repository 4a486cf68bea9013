"""A task names only metrics that it defines."""

from __future__ import annotations

import tomllib

from valid_cards import ROOT, refused

from zoo.cards import TaskSpec


def test_a_task_may_only_name_metrics_that_it_defines():
    content = tomllib.loads(next((ROOT / "benchmarks").glob("*/*.toml")).read_text())
    refused(
        content | {"headline": "applause"},
        TaskSpec,
        "names metric 'applause', which it does not define; defined: ",
    )


def test_every_shipped_task_asks_only_for_files_that_its_dataset_has():
    from zoo import registry

    assert registry.tasks()
    for spec in registry.tasks().values():
        named = {file.name for file in registry.dataset(spec.dataset).file}
        for wanted in [
            *spec.needs,
            *(need for baseline in spec.baseline for need in baseline.needs),
        ]:
            assert wanted in named, f"{spec.id} needs {wanted}, which {spec.dataset} does not have"
