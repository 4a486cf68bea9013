"""E. coli tasks: the corruption, Markov chains and gene labels against brute force on toy
genomes; the real genome where it is here."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest

from zoo import registry
from zoo.genomics.data import Features
from zoo.genomics.data.sequences import encode, reverse_complement
from zoo.genomics.ecoli import task as ecoli
from zoo.genomics.ecoli.baselines import genes as gene_baselines
from zoo.genomics.ecoli.baselines.markov import Chain, count
from zoo.genomics.ecoli.metrics import genes, language
from zoo.genomics.models import masking
from zoo.interfaces.task import load_task
from zoo.scoring import stats


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def features(*rows: tuple[int, int, int, int, bool]) -> Features:
    """(start, stop, strand, phase, pseudo)"""
    start, stop, strand, phase, pseudo = (np.array(column) for column in zip(*rows, strict=True))
    names = tuple(map(str, range(len(rows))))
    return Features(
        np.zeros(len(rows), int),
        start,
        stop,
        strand.astype(np.int8),
        phase.astype(np.int8),
        pseudo.astype(bool),
        names,
        names,
    )


def toy(
    cls: type, tokens: np.ndarray, label: np.ndarray | None = None, cds: Features | None = None
) -> ecoli.EColi:
    """A task on a made-up genome; the arcs are thirds of it."""
    spec = registry.task(f"genomics/{'ecoli_lm' if cls is ecoli.EColiLanguage else 'ecoli_genes'}")
    task = cls(spec.model_copy(update={"id": "genomics/toy"}), file=None)
    task.__dict__ |= {
        "tokens": tokens,
        "labels": np.zeros(len(tokens), np.uint8) if label is None else label,
        "features": cds,
    }
    return task


@pytest.fixture
def arcs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        ecoli.EColi, "arcs", {"train": (0, 4096), "validation": (4096, 6144), "test": (6144, None)}
    )


# --------------------------------------------------------------------------------------- corruption


def test_the_corruption_is_a_fact_and_follows_the_recipe(rng):
    windows = rng.integers(0, 4, (400, 512)).astype(np.int8)
    shown, places, kinds = masking.corrupt(windows, 77, seed=5)
    again = masking.corrupt(windows, 77, seed=5)
    assert all(np.array_equal(a, b) for a, b in zip((shown, places, kinds), again, strict=True))
    assert not np.array_equal(places, masking.corrupt(windows, 77, seed=6)[1])
    changed = shown != windows
    chosen = np.zeros_like(changed)
    np.put_along_axis(chosen, places, True, 1)
    assert (chosen.sum(1) == 77).all() and not (changed & ~chosen).any()
    share = np.bincount(kinds.ravel(), minlength=3) / kinds.size
    np.testing.assert_allclose(share, [0.8, 0.1, 0.1], atol=0.006)
    at, truth = np.take_along_axis(shown, places, 1), np.take_along_axis(windows, places, 1)
    assert (
        (at[kinds == 0] == masking.MASK).all()
        and (at[kinds == 1] == truth[kinds == 1]).all()
        and (at[kinds == 2] < 4).all()
    )
    assert abs((at[kinds == 2] == truth[kinds == 2]).mean() - 0.25) < 0.02
    assert abs(places.mean() / 255.5 - 1) < 0.02  # no end of the window is preferred


FIRST_DRAWS = ([6, 22, 23, 48, 60], [476, 480, 495], 59)
"""Where the first window is hidden first, the second last, and the sum of all kinds: part
of version 1 of the task."""


def test_the_corruption_does_not_change_with_numpy():
    _, places, kinds = masking.corrupt(
        np.zeros((2, 512), np.int8), 77, seed=registry.task("genomics/ecoli_lm").parameter("seed")
    )
    assert (places[0, :5].tolist(), places[1, -3:].tolist(), int(kinds.sum())) == FIRST_DRAWS


def test_bayes_rule_for_what_is_shown(rng):
    """The odds are those that the corruption makes: counted."""
    windows = rng.integers(0, 4, (600, 512)).astype(np.int8)
    shown, places, kinds = masking.corrupt(windows, 77, seed=1)
    seen, truth = (
        np.take_along_axis(shown, places, 1)[kinds > 0],
        np.take_along_axis(windows, places, 1)[kinds > 0],
    )
    belief = masking.update_belief(np.full((1, 1, 4), 0.25), np.array([[2]]))[0, 0]
    counted = np.bincount(truth[seen == 2], minlength=4) / (seen == 2).sum()
    np.testing.assert_allclose(belief, counted, atol=0.03)
    np.testing.assert_allclose(
        masking.update_belief(np.array([[[0.1, 0.2, 0.3, 0.4]]]), np.array([[masking.MASK]])),
        [[[0.1, 0.2, 0.3, 0.4]]],
    )


def test_reverse_strand_twice_is_the_same(rng):
    tokens = rng.integers(0, 4, (3, 40)).astype(np.int8)
    assert np.array_equal(masking.reverse_strand(tokens), reverse_complement(tokens))
    tokens[:, ::7] = masking.MASK
    assert np.array_equal(masking.reverse_strand(masking.reverse_strand(tokens)), tokens)
    assert (masking.reverse_strand(tokens) == masking.MASK).sum() == (tokens == masking.MASK).sum()


# ------------------------------------------------------------------------------------ Markov chains


def brute_chain(genome: str, order: int, strength: float) -> dict[str, list[float]]:
    """P(letter | context) of every context up to `order`, from substrings of both strands."""
    from Bio.Seq import Seq

    words = [
        s[i : i + order + 1]
        for s in (genome, str(Seq(genome).reverse_complement()))
        for i in range(len(s) - order)
    ]
    table: dict[str, list[float]] = {}
    for j in range(order + 1):
        for letters in itertools.product("ACGT", repeat=j):
            context = "".join(letters)
            n = [sum(word[order - j :] == context + letter for word in words) for letter in "ACGT"]
            shorter = table[context[1:]] if j else None
            total = sum(n)
            table[context] = (
                [(each + 1) / (total + 4) for each in n]
                if shorter is None
                else [
                    (each + strength * p) / (total + strength)
                    for each, p in zip(n, shorter, strict=True)
                ]
            )
    return table


@pytest.mark.parametrize("order", [0, 1, 3])
def test_chain_equals_brute_force(rng, order):
    genome = "".join(rng.choice(list("ACGT"), 120, p=[0.4, 0.3, 0.2, 0.1]))
    chain, table = Chain(encode(genome), order, 5.0), brute_chain(genome, order, 5.0)
    window = rng.integers(0, 4, (2, 30)).astype(np.int8)
    window[0, [4, 11, 12, 20]] = masking.MASK
    left, both = chain.left(window), chain.both_sides(window)
    letters = "ACGTN.?"
    for row, i in itertools.product(range(2), range(30)):
        text = "".join(letters[token] for token in window[row])
        known = text[:i].rpartition("?")[2]
        context = known[max(0, len(known) - order) :]
        np.testing.assert_allclose(left[row, i], table[context], rtol=1e-4)
        # The chain's joint probability of the base and of what follows, for each of the
        # four letters.
        weight = []
        for letter in "ACGT":
            value, so_far = 1.0, known
            ahead = (letter + text[i + 1 :])[: order + 1].partition("?")[0]
            for target in ahead:
                value *= table[so_far[max(0, len(so_far) - order) :]]["ACGT".index(target)]
                so_far += target
            weight.append(value)
        np.testing.assert_allclose(both[row, i], np.array(weight) / sum(weight), rtol=2e-3)


def test_right_context_is_left_context_of_the_other_strand(rng):
    chain = Chain(rng.integers(0, 4, 500).astype(np.int8), 3, 10.0)
    window = rng.integers(0, 4, (4, 50)).astype(np.int8)
    np.testing.assert_allclose(
        chain.right(window), chain.left(reverse_complement(window))[:, ::-1, [3, 2, 1, 0]]
    )


def test_a_chain_is_its_table(rng):
    chain = Chain(rng.integers(0, 4, 900).astype(np.int8), 3, 10.0)
    window = rng.integers(0, 4, (2, 40)).astype(np.int8)
    again = Chain.of_table(chain.table.astype(np.float16), 3)
    np.testing.assert_allclose(again.both_sides(window), chain.both_sides(window), rtol=5e-3)
    with pytest.raises(ValueError, match="order 2"):
        Chain.of_table(chain.table, 2)


def test_counts_are_the_same_for_both_strands(rng):
    tokens = rng.integers(0, 4, 300).astype(np.int8)
    for one, other in zip(count(tokens, 3), count(reverse_complement(tokens), 3), strict=True):
        assert np.array_equal(one, other)
    assert count(tokens, 3)[3].sum() == 2 * 297


def test_chain_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="order=12"):
        Chain(np.zeros(9, np.int8), 12, 1.0)
    with pytest.raises(ValueError, match="strength=0"):
        Chain(np.zeros(9, np.int8), 2, 0)


# -------------------------------------------------------------------------------- the language task


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


def test_a_predictor_that_knows_nothing_costs_two_bits(rng, arcs):
    task = toy(ecoli.EColiLanguage, rng.integers(0, 4, 6144 + 1024).astype(np.int8))
    examples = task.examples()
    values = stats.scores(task, task.record({"probability": np.full((2, 512, 4), 0.25)}, examples))
    assert values["bits"] == pytest.approx(2.0) and values["perplexity"] == pytest.approx(4.0)
    assert language.perplexity(0.0) == 1.0


# -------------------------------------------------------------------------------------------- genes


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


def test_scores_of_genes_equal_scikit_learn(rng, arcs):
    from sklearn import metrics as sklearn

    tokens, label = (
        rng.integers(0, 4, 6144 + 3 * 1024).astype(np.int8),
        rng.choice(4, 6144 + 3 * 1024, p=[0.2, 0.4, 0.3, 0.1]),
    )
    task = toy(ecoli.EColiGenes, tokens, label.astype(np.uint8))
    examples = task.examples()
    guess = np.where(
        rng.random((3, 1024)) < 0.6, examples.targets % 3, rng.integers(0, 3, (3, 1024))
    )
    values = stats.scores(task, task.record({"label": guess}, examples))
    counted = examples.targets < 3
    true, predicted = examples.targets[counted], guess[counted]
    assert values["macro_f1"] == pytest.approx(sklearn.f1_score(true, predicted, average="macro"))
    assert values["mcc"] == pytest.approx(sklearn.matthews_corrcoef(true, predicted))
    assert values["accuracy"] == pytest.approx((true == predicted).mean())
    each = sklearn.f1_score(true, predicted, average=None)
    assert [values[f"f1.{name}"] for name in ecoli.CLASSES] == pytest.approx(each.tolist())
    probability = np.eye(3)[guess]
    assert stats.scores(task, task.record({"probability": probability}, examples)) == values
    assert task.figures(task.record({"label": guess}, examples))[0].values[0][0] <= 1.0


def test_mcc_of_one_class_is_zero():
    table = np.zeros((3, 3))
    table[:, 1] = (5.0, 7.0, 2.0)
    assert genes.matthews(table) == 0.0


def test_genes_task_refuses_bad_labels(rng, arcs):
    task = toy(ecoli.EColiGenes, rng.integers(0, 4, 6144 + 1024).astype(np.int8))
    examples = task.examples()
    with pytest.raises(ValueError, match="must be"):
        task.record({"label": np.full((1, 1024), 3)}, examples)
    with pytest.raises(ValueError, match="need 'label'"):
        task.record({}, examples)
    with pytest.raises(ValueError, match="finite"):
        task.record({"probability": np.full((1, 1024, 3), np.nan)}, examples)


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


# --------------------------------------------------------------------------------------- the genome


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
