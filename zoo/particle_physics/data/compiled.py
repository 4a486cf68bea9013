"""The compiled passes of `padding`: the one module that imports numba (extra `fast`);
import it where it is used.

Indices are unsigned so that numba leaves out its check for negative ones: with that check
the loops do not vectorise.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_EXPONENT = np.uint32(0x7F800000)
_U32, _U64 = np.uint32, np.uint64


def _compiled(function: Any) -> Any:
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no folder to cache in: a read-only installation without a home
        return numba.njit(nogil=True)(function)


@_compiled
def _native(word, swap):  # here and below the types are numba's to find
    if swap:
        return _U32(
            (word >> _U32(24))
            | ((word >> _U32(8)) & _U32(0xFF00))
            | ((word << _U32(8)) & _U32(0xFF0000))
            | (word << _U32(24))
        )
    return _U32(word)


@_compiled
def _square(x_word, y_word):
    x_bits, y_bits = _U32(x_word), _U32(y_word)
    x, y = x_bits.view(np.float32), y_bits.view(np.float32)
    return x * x + y * y


@_compiled
def scatter(words, edges, swap, out):
    """Writes numbers `[word]` of jets with byte `edges` to `out` uint32 `[jet, particle]`,
    zeros behind; whether all are finite."""
    particles, largest = out.shape[1], _U32(0)
    for jet in range(len(edges) - 1):
        start = _U64(edges[jet] >> 2)
        count = min(_U64(edges[jet + 1] >> 2) - start, _U64(particles))
        for particle in range(count):
            word = _native(words[start + _U64(particle)], swap)
            largest = max(largest, word & _EXPONENT)
            out[jet, particle] = word
        for particle in range(count, _U64(particles)):
            out[jet, particle] = _U32(0)
    return largest != _EXPONENT


@_compiled
def is_sorted(x_words, x_edges, x_swap, y_words, y_edges, y_swap, tolerance):
    """Whether x*x + y*y falls within each jet, but for a factor `tolerance` between neighbours."""
    rising = False
    for jet in range(len(x_edges) - 1):
        first, start = _U64(x_edges[jet] >> 2), _U64(y_edges[jet] >> 2)
        count = _U64(x_edges[jet + 1] >> 2) - first
        for k in range(_U64(1), count):  # to the end without a way out: this vectorises
            i, j = first + _U64(k), start + _U64(k)
            square = _square(_native(x_words[i], x_swap), _native(y_words[j], y_swap))
            before = _square(
                _native(x_words[i - _U64(1)], x_swap), _native(y_words[j - _U64(1)], y_swap)
            )
            rising |= square > before * tolerance
    return not rising


@_compiled
def strip(raw, edges, header, out):
    """Copies bytes without the `header` of each jet."""
    place = 0
    for jet in range(len(edges) - 1):
        for k in range(edges[jet] + header, edges[jet + 1]):
            out[place] = raw[k]
            place += 1
