"""The planted sets, the networks on them, and how explanations are scored."""

from __future__ import annotations

import itertools
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx
from random_modules import drawn

from zoo import attribution, files
from zoo.genomics.data.sequences import one_hot
from zoo.genomics.models.motif_cnn import ACTIVATIONS, KINDS, MotifCnn, MotifCnnConfig, freeze
from zoo.genomics.motif_grammar import build, metrics, simulate
from zoo.genomics.motif_grammar import data as motifs
from zoo.genomics.motif_grammar.mutagenesis import substitution_gains
from zoo.interfaces.task import load_task

FOLDER = files.share() / "datasets" / "genomics" / "motif_grammar"
TASKS = ("genomics/motif_grammar", "genomics/motif_grammar_hard")


@pytest.fixture(scope="module")
def published() -> motifs.PlantedSequences:
    return motifs.read_planted(FOLDER / "motif_grammar.zarr.zip")


@pytest.fixture(scope="module")
def hard() -> motifs.PlantedSequences:
    return motifs.read_planted(FOLDER / "motif_grammar_hard.zarr.zip")


# --------------------------------------------------------------------------------------------- data


def test_the_shipped_sequences_are_the_published_ones(published):
    assert simulate.one_hot_digest(published.tokens) == simulate.DIGEST
    assert simulate.DIGEST.startswith("c0cc507ef499de6f")


def test_the_published_recipe_gives_them_again(mirror_file, published):
    made, order = simulate.motif_grammar(
        mirror_file("genomics/motif_grammar", "pfm_vertebrates.txt")
    )
    assert simulate.one_hot_digest(made.tokens) == simulate.DIGEST
    for name in ("tokens", "label", "motif", "start", "counts", "informative", "width"):
        np.testing.assert_array_equal(getattr(made, name), getattr(published, name))
    test = motifs.read_planted(FOLDER / "motif_grammar.zarr.zip", "test")
    np.testing.assert_array_equal(made.tokens[order[16_000:]], test.tokens)


def test_the_build_gives_the_shipped_bytes(mirror_file, tmp_path):
    mirror_file("genomics/motif_grammar", "pfm_vertebrates.txt")
    built = build.build(tmp_path)
    assert len(built) == 2
    for path in built:
        assert files.sha256(path) == files.sha256(FOLDER / path.name)


def test_the_pool_is_the_authors_expression():
    random = np.random.RandomState(22)
    chosen = set(random.permutation(519)[:65]) - {4, 5, 12, 15, 17, 18, 20, 36, 42, 60}
    assert tuple(map(int, list(chosen)[:50])) == simulate.POOL


def test_the_core_matrices_are_those_of_the_file(mirror_file):
    names, every = motifs.read_matrices(
        mirror_file("genomics/motif_grammar", "pfm_vertebrates.txt")
    )
    assert len(every) == 519
    for name, matrix in zip(*motifs.core_matrices(), strict=True):
        stored = every[names.index(name.removesuffix("-"))]
        np.testing.assert_allclose(matrix, stored[::-1, ::-1] if name.endswith("-") else stored)


def test_bases_survive_packing():
    tokens = np.random.default_rng(0).integers(0, 4, (3, 8)).astype(np.int8)
    np.testing.assert_array_equal(motifs.unpack_bases(motifs.pack_bases(tokens)), tokens)


def test_planted_positions_are_columns_that_tell_something(published):
    _, matrices = motifs.core_matrices()
    some = published[:200]
    expected = np.zeros(some.tokens.shape, bool)
    for row, (chosen, starts) in enumerate(zip(some.motif, some.start, strict=True)):
        for motif, start in zip(chosen, starts, strict=True):
            if motif >= 0:
                for column, p in enumerate(matrices[motif].T):
                    entropy = -sum(float(each) * np.log2(each) for each in p if each > 0)
                    expected[row, start + column] = 2.0 - entropy > 0.01
    np.testing.assert_array_equal(some.planted(), expected)
    assert 0.15 < some.planted().mean() < 0.25


def test_hard_positives_hold_one_right_pair_and_negatives_none(hard):
    rules = {(first, second): gap for first, second, gap in simulate.RULES}
    for row in (*range(0, 10_000, 211), *range(10_000, 20_000, 211)):
        placed = hard.instances(row)
        right = [
            (a, b)
            for a, b in itertools.permutations(placed, 2)
            if (a[0], b[0]) in rules and abs(b[1] - a[2] - rules[a[0], b[0]]) < simulate.OFF
        ]
        assert len(right) == hard.label[row]
        assert all(b[1] - a[2] == rules[a[0], b[0]] for a, b in right)
        assert all(
            b[1] - a[2] >= simulate.APART
            for a, b in itertools.pairwise(sorted(placed, key=lambda each: each[1]))
        )
        true = np.zeros(200, bool)
        for a, b in right:
            true[a[1] : a[2]] = true[b[1] : b[2]] = True
        np.testing.assert_array_equal(
            hard.planted()[row] if row < 500 else hard[row : row + 1].planted()[0], true
        )


def test_both_classes_of_the_hard_set_hold_the_same_motifs(hard):
    share = [
        np.bincount(hard.motif[hard.label == each].ravel() + 1, minlength=6) / 10_000
        for each in (0, 1)
    ]
    np.testing.assert_allclose(share[0], share[1], atol=0.03)


# ------------------------------------------------------------------------------------------ metrics


def test_attribution_scores_equal_scikit_learn():
    from sklearn import metrics as sklearn

    rng = np.random.default_rng(0)
    # rounded: with ties
    score, truth = np.round(rng.normal(size=(20, 50)), 1), rng.random((20, 50)) < 0.3
    found = metrics.auroc(score, truth), metrics.aupr(score, truth)
    for row in range(20):
        assert found[0][row] == pytest.approx(sklearn.roc_auc_score(truth[row], score[row]))
        precision, recall, _ = sklearn.precision_recall_curve(truth[row], score[row])
        assert found[1][row] == pytest.approx(sklearn.auc(recall, precision))


def test_a_sequence_without_truth_has_no_score():
    assert np.isnan(metrics.auroc(np.zeros((1, 5)), np.zeros((1, 5), bool))).all()
    assert np.isnan(metrics.aupr(np.zeros((1, 5)), np.zeros((1, 5), bool))).all()


# ----------------------------------------------------------------------------------------- networks


@pytest.mark.parametrize("kind", KINDS)
def test_a_frozen_network_is_the_same_function(kind):
    model = drawn(lambda: MotifCnn(MotifCnnConfig(kind, "relu"), rngs=nnx.Rngs(0)))
    x = one_hot(np.random.default_rng(0).integers(0, 4, (8, 200)).astype(np.int8))
    nnx.jit(lambda model, x: model(x, key=jax.random.key(0)))(model, x)
    running = jax.tree.leaves(nnx.state(model, nnx.Not(nnx.Param)))
    assert running and all(np.ptp(each) > 0 for each in running)  # they have moved
    frozen, own = (nnx.jit(lambda model, x: model(x))(each, x) for each in (freeze(model), model))
    np.testing.assert_allclose(frozen, own, atol=1e-5)


@pytest.mark.parametrize(("kind", "activation"), [("dist", "exponential"), ("local", "softplus")])
def test_fast_mutagenesis_equals_running_every_mutant(kind, activation):
    model = freeze(drawn(lambda: MotifCnn(MotifCnnConfig(kind, activation), rngs=nnx.Rngs(1))))
    x = one_hot(np.random.default_rng(1).integers(0, 4, (3, 200)).astype(np.int8))
    graph, state = nnx.split(model)
    whole = attribution.in_silico_mutagenesis(lambda inputs: nnx.merge(graph, state)(inputs), x)
    found = substitution_gains(model, x, batch=2)
    np.testing.assert_allclose(found, whole, atol=2e-5 * max(1.0, np.abs(whole).max()))
    assert np.abs(whole).max() > 1e-3
    with pytest.raises(ValueError, match="no letter"):
        substitution_gains(model, np.zeros((1, 200, 4)))


def test_unknown_settings_are_named():
    with pytest.raises(ValueError, match=", ".join(ACTIVATIONS)):
        MotifCnnConfig("dist", "tanh")


# --------------------------------------------------------------------------------------------- task


@pytest.mark.parametrize("name", TASKS)
def test_a_perfect_explanation_scores_one_and_noise_one_half(name):
    from zoo.scoring.stats import bootstrap_weights, resample, scores

    task = load_task(name)
    examples = task.examples()
    assert len(examples) == 4000
    assert len(examples.inputs.explained) == task.spec.parameter("explained") == 500
    assert (examples.targets.label[examples.inputs.explained] == 1).all()
    truth = examples.targets.planted()[examples.inputs.explained]
    noise = np.random.default_rng(0).random(truth.shape)
    given = {
        "score": examples.targets.label.astype(float),
        "threshold": 0.5,
        "declared": "ism",
        "attribution": {"ism": truth, "saliency": noise},
    }
    record = task.record(given, examples)
    values = scores(task, record)
    for metric in (
        "attribution_auroc",
        "attribution_aupr",
        "auroc",
        "accuracy",
        "auroc_by_method.ism",
    ):
        assert values[metric] == pytest.approx(1.0)
    assert values["auroc_by_method.saliency"] == pytest.approx(0.5, abs=0.02)
    assert set(values) <= {metric for family in task.spec.metric for metric in family.names}
    resampled = resample(task, record, bootstrap_weights(len(examples), task.spec.resampling)[:20])
    assert resampled["auroc_by_method.saliency"].std() > 0
    assert [figure.name for figure in task.figures(record)] == ["attribution_auroc"]


def test_predictions_that_cannot_be_scored_are_refused():
    task = load_task(TASKS[0])
    examples = task.examples()
    good = {
        "score": np.zeros(4000),
        "attribution": {"ism": np.zeros((500, 200))},
        "declared": "ism",
    }
    for change, said in (
        ({"score": np.zeros(3)}, "shape"),
        ({"score": np.full(4000, np.nan)}, "not finite"),
        ({"declared": "lime"}, "lime"),
        ({"attribution": {"ism": np.zeros((500, 199))}}, "shape"),
    ):
        with pytest.raises(ValueError, match=said):
            task.record(good | change, examples)


def test_words_nearly_solve_the_published_set_and_not_the_hard_one():
    from zoo.scoring.stats import scores

    found = {}
    for name in TASKS:
        task = load_task(name)
        baseline = next(each for each in task.spec.baseline if each.id == "genomics/words")
        examples = task.examples()
        found[name] = scores(task, task.record(task.baseline(baseline)(examples.inputs), examples))[
            "auroc"
        ]
    assert found[TASKS[0]] > 0.95
    assert abs(found[TASKS[1]] - 0.5) < 0.05


def test_altered_word_weights_are_refused(monkeypatch, tmp_path):
    from zoo.genomics.motif_grammar import baselines

    monkeypatch.setattr(baselines, "FOLDER", tmp_path)
    with pytest.raises(files.FileMissing, match=r"--step words\.motif_grammar "):
        baselines.words(None, file="words.motif_grammar.safetensors", sha256="0" * 64)
    (tmp_path / "words.motif_grammar.safetensors").write_bytes(b"x")
    with pytest.raises(files.FileAltered, match="SHA-256"):
        baselines.words(None, file="words.motif_grammar.safetensors", sha256="0" * 64)


def test_a_table_of_sequences_is_scored(tmp_path):
    from zoo.genomics.motif_grammar.predict import predict_file
    from zoo.pretrained.model import load_model

    source, target = tmp_path / "in.fa", tmp_path / "out.csv"
    source.write_text(">one\n" + "ACGT" * 50 + "\n>two\n" + "GGGC" * 50 + "\n")
    predict_file(load_model("genomics/cnn_dist.exponential"), source, target)
    lines = target.read_text().splitlines()
    assert lines[0] == "id,logit,probability"
    assert [line.split(",")[0] for line in lines[1:]] == ["one", "two"]
    with pytest.raises(ValueError, match=r"\.csv"):
        predict_file(load_model("genomics/cnn_dist.exponential"), source, Path("out.txt"))
