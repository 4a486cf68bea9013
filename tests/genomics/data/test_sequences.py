"""Tokens of DNA: round trips, both strands, k-mers, against Biopython and plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from Bio.Seq import Seq
from Bio.SeqUtils import gc_fraction
from hypothesis import given
from hypothesis import strategies as st

from zoo.genomics.data import sequences as dna

letters = st.text("ACGTN", min_size=1, max_size=60)
rows = st.lists(letters, min_size=1, max_size=8)


@given(letters)
def test_letters_survive_tokens(text):
    assert dna.decode(dna.encode(text)) == text


@given(rows)
def test_rows_survive_padding(texts):
    tokens = dna.encode_all(texts)
    assert tokens.dtype == np.int8 and [dna.decode(row) for row in tokens] == texts
    assert dna.lengths(tokens).tolist() == [len(text) for text in texts]


@given(rows, st.integers(0, 5))
def test_reverse_complement_is_biopythons_and_twice_is_identity(texts, more):
    tokens = dna.encode_all(texts, length=max(map(len, texts)) + more)
    other = dna.reverse_complement(tokens)
    assert [dna.decode(row) for row in other] == [
        str(Seq(text).reverse_complement()) for text in texts
    ]
    np.testing.assert_array_equal(dna.lengths(other), dna.lengths(tokens))
    np.testing.assert_array_equal(dna.reverse_complement(other), tokens)
    for row in other:  # padding stays at the end
        assert (row[len(row[row != dna.PADDING]) :] == dna.PADDING).all()


def test_lower_case_u_and_ambiguous_letters_are_read():
    assert dna.decode(dna.encode("acgu")) == "ACGT"
    assert dna.decode(dna.encode("ARYSWKMBDHVNr")) == "A" + "N" * 12


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "empty"),
        ("ACXGT", "'X' at position 3"),
        ("AC GT", "' ' at position 3"),
        ("AC-T", "'-'"),
    ],
)
def test_no_dna_is_refused(text, what):
    with pytest.raises(dna.SequenceError, match=what):
        dna.encode(text, name="mine")


def test_longer_than_asked_is_refused_by_row():
    with pytest.raises(dna.SequenceError, match="row 2 has 5 bases, more than the 4"):
        dna.encode_all(["ACGT", "ACGTA"], length=4)
    with pytest.raises(dna.SequenceError, match="no sequence"):
        dna.encode_all([])


@given(rows)
def test_one_hot_has_zero_rows_for_unknown_and_padding(texts):
    tokens = dna.encode_all(texts, length=61)
    hot = dna.one_hot(tokens)
    assert hot.shape == (len(texts), 61, 4)
    for row, text in zip(hot, texts, strict=True):
        expected = np.array(
            [[float(letter == each) for each in "ACGT"] for letter in text + "-" * (61 - len(text))]
        )
        np.testing.assert_array_equal(row, expected)


@given(letters)
def test_gc_content_is_biopythons(text):
    assert dna.gc_content(dna.encode(text)) == pytest.approx(gc_fraction(text, ambiguous="remove"))


@given(letters, st.integers(1, 6), st.booleans())
def test_kmer_index_is_the_letters_read_in_base_four(text, k, canonical):
    def number(word: str) -> int:
        return int("".join(str("ACGT".index(letter)) for letter in word), 4)

    expected = []
    for place in range(len(text) - k + 1):
        word = text[place : place + k]
        if "N" in word:
            expected.append(-1)
        else:
            expected.append(
                min(number(word), number(str(Seq(word).reverse_complement())))
                if canonical
                else number(word)
            )
    assert dna.kmer_index(dna.encode(text), k, canonical=canonical).tolist() == expected


def test_kmers_never_run_into_padding():
    tokens = dna.encode_all(["ACGT", "ACGTACGT"])
    assert dna.kmer_index(tokens, 3)[0].tolist() == [6, 27, -1, -1, -1, -1]


@pytest.mark.parametrize("k", [0, 16])
def test_a_kmer_has_one_to_fifteen_bases(k):
    with pytest.raises(ValueError, match="1 to 15"):
        dna.kmer_index(dna.encode("ACGT"), k)
