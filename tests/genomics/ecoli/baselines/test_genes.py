"""Gene finders know codons and frames, and treat both strands alike."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from made_up_genome import features, toy

from zoo.genomics.data import Features
from zoo.genomics.data.sequences import reverse_complement
from zoo.genomics.ecoli import task as ecoli
from zoo.genomics.ecoli.baselines import genes as gene_baselines
from zoo.scoring import stats


def made_up_genome(rng: np.random.Generator, length: int) -> tuple[np.ndarray, Features]:
    """Genes of 300 bases on either strand, of codons that begin with G and end in C,
    between gaps of even letters."""
    tokens, rows = rng.integers(0, 4, length).astype(np.int8), []
    for start in range(60, length - 400, 420):
        gene = rng.integers(0, 4, 300)
        gene[0::3], gene[2::3] = (
            np.where(rng.random(100) < 0.8, 2, gene[0::3]),
            np.where(rng.random(100) < 0.6, 1, gene[2::3]),
        )
        strand = int(rng.choice([1, -1]))
        tokens[start : start + 300] = (
            gene if strand > 0 else reverse_complement(gene.astype(np.int8))
        )
        rows.append((start, start + 300, strand, 0, False))
    return tokens, features(*rows)


@pytest.fixture
def genes_task(rng, monkeypatch) -> ecoli.EColiGenes:
    monkeypatch.setattr(
        ecoli.EColi,
        "arcs",
        {"train": (0, 40_960), "validation": (40_960, 45_056), "test": (45_056, None)},
    )
    tokens, cds = made_up_genome(rng, 45_056 + 8192)
    return toy(
        ecoli.EColiGenes,
        tokens,
        ecoli.base_labels(len(tokens), cds, features((0, 1, 1, 0, False))),
        cds,
    )


@pytest.mark.parametrize(
    ("make", "least"),
    [
        (lambda task: gene_baselines.hexamer(task, window=96, threshold=0.0), 0.75),
        (lambda task: gene_baselines.periodic_markov(task, order=2, strength=5.0, switch=1.0), 0.9),
    ],
)
def test_baselines_find_genes_and_treat_strands_alike(genes_task, make, least):
    examples, predict = genes_task.examples(), make(genes_task)
    record = genes_task.record(predict(examples.inputs), examples)
    assert stats.scores(genes_task, record)["macro_f1"] > least
    arc = examples.inputs.reshape(-1)
    other = genes_task.record(
        predict(reverse_complement(arc).reshape(examples.inputs.shape)), examples
    )["predicted"].reshape(-1)
    same = np.array([0, 2, 1])[other[::-1]] == record["predicted"].reshape(-1)
    assert same.mean() > 0.97  # left contexts read one strand, so that the edges of genes may move


def test_majority_is_the_train_arcs(genes_task):
    label = gene_baselines.majority(genes_task)(genes_task.examples().inputs)["label"]
    assert np.unique(label).tolist() == [
        np.bincount(genes_task.arc("train", genes_task.labels))[:3].argmax()
    ]


def test_codon_phase_follows_strand_and_phase():
    cds = features((2, 11, 1, 0, False), (14, 22, -1, 2, False), (25, 30, 1, 1, False))
    phase = gene_baselines.codon_phase(SimpleNamespace(tokens=np.zeros(32), features=cds))
    assert phase[2:11].tolist() == [0, 1, 2] * 3
    # two bases belong to the codon before
    assert phase[14:22][::-1].tolist() == [1, 2, 0, 1, 2, 0, 1, 2]
    assert phase[25:30].tolist() == [2, 0, 1, 2, 0] and phase[0] == -1


def test_frame_states_do_not_change_along_a_gene():
    chain = np.r_[0, 1 + np.arange(30) % 3, 0, 4 + np.arange(30)[::-1] % 3, -1]
    state = gene_baselines.frame_state(chain)
    assert (
        len(set(state[1:31])) == 1
        and state[1] in (1, 2, 3)
        and len(set(state[32:62])) == 1
        and state[32] in (4, 5, 6)
    )
    assert state[0] == 0 and state[-1] == -1


def test_frame_score_is_the_best_mean_of_a_window(rng):
    arc, odds = rng.integers(0, 4, 90).astype(np.int8), rng.normal(size=4096)
    found = gene_baselines.frame_score(arc, odds, 24)
    for i in (0, 5, 40, 88):
        means = []
        for frame in range(3):
            values = [
                odds[int("".join(map(str, arc[j : j + 6])), 4)] if j + 6 <= 90 else 0.0
                for j in range(max(0, i - 12), min(90, i + 12))
                if j % 3 == frame
            ]
            means.append(np.mean(values))
        assert found[i] == pytest.approx(max(means))


def test_posterior_equals_brute_force_over_all_paths(rng):
    """Forward-backward in pieces against the sum over every path of states of a short sequence."""
    step = rng.random((7, 7)) + 0.2
    step /= step.sum(1, keepdims=True)
    tables = rng.random((7, 1, 4)) + 0.1
    model = gene_baselines.PeriodicMarkov(np.log(tables / tables.sum(-1, keepdims=True)), step, 0)
    arc = rng.integers(0, 4, 5).astype(np.int8)
    emission = np.exp(model.emissions(arc).astype(np.float64))
    flat = np.linalg.matrix_power(step, 1000)[0]  # the margins let the chain forget where it began
    total = np.zeros((5, 3))
    for path in itertools.product(range(7), repeat=5):
        weight = flat[path[0]] * np.prod([emission[i, s] for i, s in enumerate(path)])
        weight *= np.prod([step[a, b] for a, b in itertools.pairwise(path)])
        for i, state in enumerate(path):
            total[i, (state + 2) // 3] += weight
    np.testing.assert_allclose(model.posterior(arc), total / total.sum(1, keepdims=True), atol=2e-4)


def test_emissions_read_the_codon_position(rng):
    tables = np.log(rng.dirichlet(np.ones(4), (7, 1)))
    model = gene_baselines.PeriodicMarkov(tables, np.eye(7), 0)
    chain = 1 + (np.arange(9) + 1) % 3  # a forward gene whose first base has codon position 1
    arc = rng.integers(0, 4, 9).astype(np.int8)
    state = gene_baselines.frame_state(chain)
    np.testing.assert_allclose(
        model.emissions(arc)[np.arange(9), state], tables[chain, 0, arc], rtol=1e-6
    )
    chain = 4 + (1 - np.arange(9)) % 3
    state = gene_baselines.frame_state(chain)
    np.testing.assert_allclose(
        model.emissions(arc)[np.arange(9), state], tables[chain, 0, arc], rtol=1e-6
    )
