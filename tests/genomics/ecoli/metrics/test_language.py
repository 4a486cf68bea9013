"""Cross-entropy in bits: who knows nothing pays two a base."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_up_genome import toy

from zoo.genomics.ecoli import task as ecoli
from zoo.genomics.ecoli.metrics import language
from zoo.scoring import stats


def test_cross_entropy_is_the_mean_over_chosen_positions(rng, arcs):
    tokens = rng.integers(0, 4, 6144 + 5 * 512 + 9).astype(np.int8)
    label = rng.integers(0, 4, len(tokens)).astype(np.uint8)
    task = toy(ecoli.EColiLanguage, tokens, label)
    examples = task.examples()
    assert examples.inputs.shape == (5, 512) and examples.ids[1] == str(6144 + 512 + 1)
    raw = rng.random((5, 512, 4)) + 0.1
    probability = raw / raw.sum(-1, keepdims=True)
    record = task.record({"probability": probability}, examples)
    values = stats.scores(task, record)
    nats = {"every": [], 0: [], 1: [], 2: [], "coding": [], "non_coding": []}
    hits = []
    for row in range(5):
        for place, kind in zip(
            examples.targets["place"][row], examples.targets["kind"][row], strict=True
        ):
            base = 6144 + row * 512 + place
            each = -math.log(probability[row, place, tokens[base]])
            nats["every"].append(each)
            nats[int(kind)].append(each)
            if kind == 0:
                hits.append(probability[row, place].argmax() == tokens[base])
                if label[base] < 3:
                    nats["coding" if label[base] else "non_coding"].append(each)
    assert len(nats["every"]) == 5 * 77
    assert values["cross_entropy"] == pytest.approx(np.mean(nats["every"]))
    assert values["perplexity"] == pytest.approx(np.exp(np.mean(nats["every"])))
    assert values["bits"] == pytest.approx(np.mean(nats["every"]) / np.log(2))
    assert values["cross_entropy_masked"] == pytest.approx(np.mean(nats[0]))
    assert values["cross_entropy_visible"] == pytest.approx(np.mean(nats[1] + nats[2]))
    assert values["accuracy_masked"] == pytest.approx(np.mean(hits))
    for region in ("coding", "non_coding"):
        assert values[f"bits_by_region.{region}"] == pytest.approx(
            np.mean(nats[region]) / np.log(2)
        )
    assert values == pytest.approx(
        stats.scores(task, task.record({"log_probability": np.log(probability)}, examples))
    )


def test_a_predictor_that_knows_nothing_costs_two_bits(rng, arcs):
    task = toy(ecoli.EColiLanguage, rng.integers(0, 4, 6144 + 1024).astype(np.int8))
    examples = task.examples()
    values = stats.scores(task, task.record({"probability": np.full((2, 512, 4), 0.25)}, examples))
    assert values["bits"] == pytest.approx(2.0) and values["perplexity"] == pytest.approx(4.0)
    assert language.perplexity(0.0) == 1.0
