"""Packed bases, core matrices and planted positions come out as they went in."""

from __future__ import annotations

import numpy as np

from zoo.genomics.motif_grammar import data as motifs


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
