"""Counts of words are those of a loop."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.genomics.data.sequences import encode_all, reverse_complement
from zoo.genomics.gue.baselines import kmers


@given(
    st.lists(st.text("ACGTN", min_size=6, max_size=12), min_size=1, max_size=4), st.integers(2, 4)
)
@settings(max_examples=30, deadline=None)
def test_counts_are_those_of_a_loop(sequences, k):
    tokens = encode_all(sequences)
    counts = kmers.spectrum(tokens, (k,), strands=False).toarray() ** 2
    for row, letters in zip(counts, sequences, strict=True):
        expected = np.zeros(4**k)
        for start in range(len(letters) - k + 1):
            if "N" not in letters[start : start + k]:
                expected[
                    int("".join(str("ACGT".index(c)) for c in letters[start : start + k]), 4)
                ] += 1
        np.testing.assert_allclose(row, expected, atol=1e-5)
    both = kmers.spectrum(tokens, (k,), strands=True)
    np.testing.assert_allclose(
        both.toarray(), kmers.spectrum(reverse_complement(tokens), (k,), strands=True).toarray()
    )
