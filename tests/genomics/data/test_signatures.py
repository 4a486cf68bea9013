"""Numbers of sequences are equal exactly where the sequences are, on one strand or either."""

from __future__ import annotations

import numpy as np
import pytest
from audited_tables import other_strand, random_texts
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.genomics.data import sequences as dna
from zoo.genomics.data import signatures

few = st.lists(st.text("ACN", min_size=1, max_size=6), min_size=1, max_size=12)


@settings(deadline=None)
@given(few, few)
def test_numbers_are_equal_exactly_where_sequences_are(first, second):
    texts = first + second
    tables = (dna.encode_all(first), dna.encode_all(second, length=9))

    def pairs_of(say):
        return [[say(a) == say(b) for b in texts] for a in texts]

    def composition(text):
        return tuple(sorted(text[i : i + 2] for i in range(len(text) - 1))), text[0], text[-1]

    for numbers, say in (
        (signatures.exact(*tables), lambda text: text),
        (signatures.either_strand(*tables), lambda text: min(text, other_strand(text))),
        (signatures.dinucleotides(*tables), composition),
    ):
        joined = np.concatenate(numbers)
        assert (joined[:, None] == joined).tolist() == pairs_of(say)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.text("ACGTN", min_size=1, max_size=14), min_size=1, max_size=6),
    st.lists(st.text("ACGT", min_size=3, max_size=9), min_size=1, max_size=6),
    st.integers(1, 4),
)
def test_shared_words_are_those_of_a_plain_loop(first, second, k):
    def words_of(text):
        found = {text[i : i + k] for i in range(len(text) - k + 1)}
        return {min(word, other_strand(word)) for word in found if "N" not in word}

    known = set().union(*map(words_of, second))
    tokens, others = dna.encode_all(first), dna.encode_all(second)
    assert signatures.shares_words(tokens, signatures.all_words(others, k), k).tolist() == [
        bool(words_of(text) & known) for text in first
    ]
    assert len(signatures.all_words(others, k)) == len(known)
    strands = {min(text, other_strand(text)) for text in second}
    expected = [
        not (words_of(text) & known) and min(text, other_strand(text)) not in strands
        for text in first
    ]
    assert signatures.clean(tokens, others, k).tolist() == expected


def test_thirty_one_letters_fit_and_thirty_two_do_not(monkeypatch):
    texts = random_texts(40, 70)
    tokens = dna.encode_all(texts)
    monkeypatch.setattr(signatures, "WORDS_AT_ONCE", 500)  # several pieces
    known = signatures.all_words(tokens)
    assert len(known) == len(
        {min(text[i : i + 31], other_strand(text[i : i + 31])) for text in texts for i in range(40)}
    )
    with pytest.raises(ValueError, match="1 to 31"):
        signatures.words(tokens, 32)
