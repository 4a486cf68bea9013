"""Order-k Markov chains of DNA as masked-language models: left context alone, or both sides.

Counts are of the train arc and of its reverse complement, so that both strands give the
same answer. Orders are interpolated (in the form of MacKay & Peto 1995,
doi:10.1017/S1351324900000218): with n(c) the count of context c and c' the context without
its farthest base,

    P_j(x | c) = (n(c, x) + strength * P_{j-1}(x | c')) / (n(c) + strength)

Every row sees what the network sees, the corrupted windows. A context reaches back to the
nearest hidden base (or the window's end) and no farther; bases that the corruption replaced
are taken as they stand, since nothing marks them. Both rows end with Bayes' rule for what
the scored position itself shows (`zoo.genomics.models.masking.update_belief`), which is all that
the protocol tells about it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from zoo.genomics.data.sequences import kmer_index, reverse_complement
from zoo.genomics.models.masking import reverse_strand, update_belief

if TYPE_CHECKING:
    from zoo.genomics.ecoli.task import EColiLanguage

Predictor = Callable[[np.ndarray], dict[str, np.ndarray]]
WINDOWS = 256
"""Windows handled at once: the arrays of one call stay in the processor's cache."""


def left(task: EColiLanguage, *, order: int, strength: float) -> Predictor:
    """P(base | the `order` bases before it).

    Args:
        task: gives the train arc.
        order: bases of context, 0 to 11.
        strength: pseudocounts that the shorter context is worth; chosen on the validation arc.
    """
    chain = Chain(task.arc("train"), order, strength)

    def predict(tokens: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "probability": _in_parts(lambda part: update_belief(chain.left(part), part), tokens)
        }

    return predict


def both_sides(task: EColiLanguage, *, order: int, strength: float) -> Predictor:
    """P(base | both sides) of the same chain: the product of the conditional probabilities
    of the base and of the `order` bases after it.

    This is the chain's exact conditional where nothing near is hidden; a hidden base ends
    the product and shortens contexts.
    """
    chain = Chain(task.arc("train"), order, strength)

    def predict(tokens: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "probability": _in_parts(
                lambda part: update_belief(chain.both_sides(part), part), tokens
            )
        }

    return predict


def naive_bayes(task: EColiLanguage, *, order: int, strength: float) -> Predictor:
    """P(x | left) P(x | right) / P(x), normalised: both contexts as if they were
    independent given the base."""
    chain = Chain(task.arc("train"), order, strength)

    def combined(tokens: np.ndarray) -> np.ndarray:
        return update_belief(chain.left(tokens) * chain.right(tokens) / chain.table[0], tokens)

    return lambda tokens: {"probability": _in_parts(combined, tokens)}


class Chain:
    """An interpolated Markov chain of both strands of a sequence.

    A context's number has its farthest base as the highest digit. The tables of all orders
    lie in one array, so that contexts of different lengths are looked up at once.

    Attributes:
        table: P float32 `[context, letter]`, the 4^j contexts of order j from row (4^j - 1) / 3 on.
    """

    def __init__(self, tokens: np.ndarray, order: int, strength: float):
        if not 0 <= order <= 11:
            raise ValueError(f"order={order}: chains of order 0 to 11 are counted")
        if strength <= 0:
            raise ValueError(
                f"strength={strength} must be positive, or an unseen context would have no "
                "probabilities"
            )
        self.order = order
        below = np.full((1, 4), 0.25, np.float32)
        tables: list[np.ndarray] = []
        for counts in count(tokens, order):
            n = counts.astype(np.float32)
            if tables:
                below = np.tile(below, (4, 1)) * np.float32(strength)
                below = (n + below) / (n.sum(-1, keepdims=True) + np.float32(strength))
            else:
                below = (n + 1) / (n.sum() + 4)
            tables.append(below)
        self.table = np.concatenate(tables)

    @classmethod
    def of_table(cls, table: np.ndarray, order: int) -> Chain:
        """A chain whose table is known; in half precision it takes half the room and costs
        less than 1e-4 nats."""
        if table.shape != (_first(order + 1), 4):
            raise ValueError(
                f"the table of a chain of order {order} has shape {(_first(order + 1), 4)}, this "
                f"one {table.shape}"
            )
        chain = cls.__new__(cls)
        chain.order, chain.table = order, np.asarray(table, np.float32)
        return chain

    def left(self, tokens: np.ndarray) -> np.ndarray:
        """P(base | bases before it) float32 `[window, position, letter]`, of the longest
        context without a hidden base."""
        run, before = self._before(tokens)
        return self.table[_first(run) + (before & ((1 << (2 * run)) - 1))]

    def right(self, tokens: np.ndarray) -> np.ndarray:
        """P(base | bases after it), as `left` on the other strand."""
        return self.left(reverse_strand(tokens))[:, ::-1, ::-1]

    def both_sides(self, tokens: np.ndarray) -> np.ndarray:
        """P(base | both sides) float32 `[window, position, letter]`."""
        run, before = self._before(tokens)
        seen, letters = tokens < 4, np.where(tokens < 4, tokens, 0).astype(np.int64)
        log = np.zeros((*tokens.shape, 4), np.float32)
        alive = np.ones(tokens.shape, bool)
        # the bases after the position and before the one that is predicted
        between = np.zeros(tokens.shape, np.int64)
        for ahead in range(self.order + 1):
            alive &= _back(seen, -ahead) if ahead else True
            # bases before the position that the context still holds
            reach = np.minimum(run, self.order - ahead)[alive]
            near, far = between[alive], (before[alive] & ((1 << (2 * reach)) - 1)) << (2 * ahead)
            predicted = _back(letters, -ahead)[alive]
            for letter in range(4):
                own = letter << (2 * (ahead - 1)) if ahead else 0
                context = _first(reach + ahead) + near + own + far
                log[alive, letter] += self._logs[context, predicted if ahead else letter]
            if ahead:
                between = (between << 2) + _back(letters, -ahead)
        value = np.exp(log - log.max(-1, keepdims=True))
        return value / value.sum(-1, keepdims=True)

    @functools.cached_property
    def _logs(self) -> np.ndarray:
        return np.log(self.table)

    def _before(self, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How many bases in a row are seen just before each position (up to the order), and
        the number of the context of all of them."""
        seen, letters = tokens < 4, np.where(tokens < 4, tokens, 0).astype(np.int64)
        run, number, whole = (
            np.zeros(tokens.shape, np.int64),
            np.zeros(tokens.shape, np.int64),
            np.ones(tokens.shape, bool),
        )
        for j in range(1, self.order + 1):
            whole &= _back(seen, j)
            run += whole
            number += _back(letters, j) << (2 * (j - 1))
        return run, number


def count(tokens: np.ndarray, order: int) -> list[np.ndarray]:
    """Counts int64 `[4^j, letter]` of each context of j = 0 .. `order` bases and the base
    after it, on both strands.

    Shorter contexts' counts are sums over the farthest base, so the few words at the
    sequence's ends are missing from them.
    """
    words = np.zeros(4 ** (order + 1), np.int64)
    for strand in (tokens, reverse_complement(tokens)):
        index = kmer_index(strand, order + 1)
        words += np.bincount(index[index >= 0], minlength=len(words))
    tables = [words.reshape(-1, 4)]
    for j in range(order, 0, -1):
        tables.append(tables[-1].reshape(4, 4 ** (j - 1), 4).sum(0))
    return tables[::-1]


def _first(order: np.ndarray | int) -> np.ndarray | int:
    """The first row of an order's contexts: 1 + 4 + ... + 4^(order - 1)."""
    return ((1 << (2 * order)) - 1) // 3


def _back(values: np.ndarray, places: int) -> np.ndarray:
    """`values` `[window, position]` of the position `places` before each (after it where
    negative); zero beyond the window."""
    out = np.zeros_like(values)
    if places > 0:
        out[:, places:] = values[:, :-places]
    elif places < 0:
        out[:, :places] = values[:, -places:]
    else:
        out[:] = values
    return out


def _in_parts(predict: Callable[[np.ndarray], np.ndarray], tokens: np.ndarray) -> np.ndarray:
    return np.concatenate(
        [predict(tokens[begin : begin + WINDOWS]) for begin in range(0, len(tokens), WINDOWS)]
    )
