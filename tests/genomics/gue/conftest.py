"""What tests of GUE share: the task on made-up sequences."""

from __future__ import annotations

import pytest
from gue_toys import table

from zoo import registry
from zoo.genomics.data.sequences import decode, encode_all, reverse_complement
from zoo.genomics.gue.task import Gue


@pytest.fixture
def task(tmp_path):
    """The task over two small subsets of our own making; the second's test table begins
    with a copy of a training sequence."""
    spec = registry.task("genomics/gue")
    families = [
        metric if not metric.at else metric.model_copy(update={"at": ["tf_0", "prom_core_tata"]})
        for metric in spec.metric
    ]
    spec = spec.model_copy(update={"metric": families})
    for subset, length in (("tf_0", 101), ("prom_core_tata", 70)):
        train = table(tmp_path / f"{subset}.train.csv", 80, length, seed=1)
        table(tmp_path / f"{subset}.dev.csv", 30, length, seed=2)
        copied = decode(reverse_complement(encode_all([train[0][0]]))[0])
        table(
            tmp_path / f"{subset}.test.csv",
            60,
            length,
            seed=3,
            first=[(copied, train[0][1])] if subset == "prom_core_tata" else None,
        )
    return Gue(spec, file=lambda name: tmp_path / name)
