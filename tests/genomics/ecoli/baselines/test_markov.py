"""Markov chains of both strands are their counts and agree with brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from zoo.genomics.data.sequences import encode, reverse_complement
from zoo.genomics.ecoli.baselines.markov import Chain, count
from zoo.genomics.models import masking


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
