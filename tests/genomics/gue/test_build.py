"""The k-mer regressions are fitted on train, chosen on dev, and read as they were written."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from zoo.genomics.data import LabelledSequences
from zoo.genomics.gue import build
from zoo.genomics.gue.baselines.kmers import KmerRegression
from zoo.genomics.gue.metrics import class_scores

KINDS = {"spectrum": {"kind": "spectrum", "ks": [2]}, "placed": {"kind": "placed", "ks": [2]}}


def table(subset: str, split: str) -> LabelledSequences:
    """Sequences of which the positive ones are rich in G and C."""
    assert split in ("train", "dev"), "the test labels are not asked for"
    rng = np.random.default_rng(len(subset) + len(split))
    labels = rng.integers(0, 2, 80)
    p = np.where(labels[:, None], [0.15, 0.35, 0.35, 0.15], [0.3, 0.2, 0.2, 0.3]).cumsum(1)
    tokens = (rng.random((80, 30))[..., None] > p[:, None]).sum(-1).clip(max=3).astype(np.int8)
    return LabelledSequences(tokens, labels, tuple(map(str, range(80))), ("0", "1"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_reads_as_it_was_written(kind, tmp_path, monkeypatch):
    task = SimpleNamespace(subsets=["tf_0", "prom_core_tata"], visible=table)
    monkeypatch.setattr(build, "load_task", lambda name: task)
    monkeypatch.setattr(build, "KINDS", KINDS)
    done = []
    (path,) = build.build(
        tmp_path, step=f"kmers.{kind}.gue", progress=lambda *each: done.append(each)
    )
    assert path.name == f"kmers.{kind}.gue.safetensors" and done[-1][1:] == (2, 2)
    fits = KmerRegression.read(path)
    assert set(fits.settings) == {"tf_0", "prom_core_tata"}
    dev = table("tf_0", "dev")
    assert class_scores(fits.logits(dev.tokens, "tf_0"), dev.labels)["auroc"] > 0.8
    assert fits.example_output(0).shape == (6,) and fits.flops_per_example() is None


def test_an_unknown_step_is_named_with_those_there_are(tmp_path):
    with pytest.raises(ValueError, match=r"no step 'kmers'.*kmers\.placed\.gue"):
        build.build(tmp_path, step="kmers")
