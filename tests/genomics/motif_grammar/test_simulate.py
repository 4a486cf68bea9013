"""The simulation gives the published sequences again, and the harder set as it is described."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from planted_motifs import FOLDER

from zoo.genomics.motif_grammar import data as motifs
from zoo.genomics.motif_grammar import simulate


@pytest.fixture(scope="module")
def hard() -> motifs.PlantedSequences:
    return motifs.read_planted(FOLDER / "motif_grammar_hard.zarr.zip")


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


def test_the_pool_is_the_authors_expression():
    random = np.random.RandomState(22)
    chosen = set(random.permutation(519)[:65]) - {4, 5, 12, 15, 17, 18, 20, 36, 42, 60}
    assert tuple(map(int, list(chosen)[:50])) == simulate.POOL


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
