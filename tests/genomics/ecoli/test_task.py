"""E. coli tasks: the corruption, Markov chains and gene labels against brute force on toy
genomes; the real genome where it is here."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_genome import features, toy

from zoo.genomics.ecoli import task as ecoli
from zoo.genomics.ecoli.baselines import genes as gene_baselines
from zoo.genomics.ecoli.baselines.markov import Chain
from zoo.genomics.models import masking
from zoo.interfaces.task import load_task
from zoo.scoring import stats


def test_language_task_refuses_bad_predictions(rng, arcs):
    task = toy(ecoli.EColiLanguage, rng.integers(0, 4, 6144 + 1024).astype(np.int8))
    examples = task.examples()
    even = np.full((2, 512, 4), 0.25)
    with pytest.raises(ValueError, match="need 'log_probability'"):
        task.record({"logits": even}, examples)
    with pytest.raises(ValueError, match="shape"):
        task.record({"probability": even[:1]}, examples)
    with pytest.raises(ValueError, match="no probabilities"):
        task.record({"probability": even * 2}, examples)
    with pytest.raises(ValueError, match="no probabilities"):
        task.record({"log_probability": np.full((2, 512, 4), np.nan)}, examples)
    one_hot = np.zeros((2, 512, 4))
    one_hot[..., 0] = 1.0
    with pytest.raises(ValueError, match="probability zero"):
        task.record({"probability": one_hot}, examples)
    with pytest.raises(ValueError, match="no arc 'dev'"):
        task.examples("dev")


def test_labels_and_their_overlaps():
    cds = features(
        (0, 10, 1, 0, False),
        (8, 20, -1, 0, False),
        (30, 40, 1, 0, True),
        (50, 60, -1, 0, False),
        (55, 65, -1, 1, False),
    )
    pseudogenes = features((58, 75, 1, 0, False))
    label = ecoli.base_labels(80, cds, pseudogenes)
    expected = np.zeros(80, int)
    (
        expected[0:8],
        expected[8:10],
        expected[10:20],
        expected[30:40],
        expected[50:65],
        expected[65:75],
    ) = 1, 3, 2, 3, 2, 3
    assert label.tolist() == expected.tolist()


def test_genes_task_refuses_bad_labels(rng, arcs):
    task = toy(ecoli.EColiGenes, rng.integers(0, 4, 6144 + 1024).astype(np.int8))
    examples = task.examples()
    with pytest.raises(ValueError, match="must be"):
        task.record({"label": np.full((1, 1024), 3)}, examples)
    with pytest.raises(ValueError, match="need 'label'"):
        task.record({}, examples)
    with pytest.raises(ValueError, match="finite"):
        task.record({"probability": np.full((1, 1024, 3), np.nan)}, examples)


def test_the_genome_and_its_arcs(mirror_file):
    for name in (ecoli.GENOME, ecoli.ANNOTATION):
        mirror_file("genomics/ecoli_k12", name)
    task = load_task("genomics/ecoli_genes")
    assert (
        len(task.tokens) == 4_641_652
        and len(task.features) == 4_337
        and task.features.pseudo.sum() == 36
    )
    assert [len(task.arc(split)) for split in task.arcs] == [3_400_000, 500_000, 741_652]
    assert np.bincount(task.arc("test", task.labels)).tolist() == [
        106_714,
        300_334,
        318_364,
        16_240,
    ]
    examples = task.examples()
    assert examples.inputs.shape == (724, 1024)
    values = stats.scores(
        task, task.record(gene_baselines.majority(task)(examples.inputs), examples)
    )
    assert values["mcc"] == 0.0 and values["macro_f1"] < 0.25
    language_task = load_task("genomics/ecoli_lm")
    assert language_task.examples().inputs.shape == (1448, 512)
    chain = Chain(language_task.arc("train"), 2, 400.0)
    shown = language_task.examples()
    record = language_task.record(
        {"probability": masking.update_belief(chain.left(shown.inputs), shown.inputs)}, shown
    )
    assert 1.96 < stats.scores(language_task, record)["bits_masked"] < 1.98
