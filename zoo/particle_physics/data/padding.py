"""Ragged constituents -> padded float32 arrays, straight from the bytes of a file.

A ROOT basket is big-endian and may have a header before each entry's numbers
(`std::vector`: ten bytes). The usual road goes through an array of the right byte order, a
jagged array, `pad_none`, `fill_none` and a stack of the columns: five copies. Here the
bytes are swapped and put at their padded place in one pass. Each column is written as one
block (`[column, jet, particle]` in memory), so that both sides of the pass are contiguous;
`Jets.particles` is the view of it with the columns last.

Two engines with equal results, bit for bit: "numba" (extra `fast`) and "numpy". "auto"
takes numba where it is installed and there are enough jets to pay for its import.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

ENGINES = ("auto", "numba", "numpy")

SORT_TOLERANCE = np.float32(1.002)
"""Ratio of squared pT up to which neighbours count as ordered: momenta rounded to 10 or
more bits of mantissa swap near-ties."""

WORTH_COMPILING = 50_000
"""Jets from which on "auto" imports numba (0.4 s); below, NumPy is done sooner."""


@dataclasses.dataclass(frozen=True)
class Ragged:
    """One branch of several jets, as the file has it.

    Attributes:
        raw: uint8 `[byte]`.
        edges: integer `[jet + 1]`: where each jet's bytes begin, its header first, and the
            last ones end.
        header: bytes before the first number of each jet.
        dtype: of a number, with its byte order.
    """

    raw: np.ndarray
    edges: np.ndarray
    header: int
    dtype: np.dtype

    def __len__(self) -> int:
        return len(self.edges) - 1

    @property
    def counts(self) -> np.ndarray:
        """Numbers of each jet, `[jet]`."""
        return (np.diff(self.edges) - self.header) // self.dtype.itemsize

    def is_sound(self) -> bool:
        """Whether the edges rise within the bytes by whole numbers: a damaged file must not
        make a compiled loop leave its array."""
        sizes = np.diff(self.edges) - self.header
        if self.edges[0] < 0 or self.edges[-1] > len(self.raw) or (sizes < 0).any():
            return False
        return self.dtype.itemsize == 1 or not (sizes % self.dtype.itemsize).any()

    def values(self) -> np.ndarray:
        """All numbers, jet after jet, as native float32 `[particle of any jet]`."""
        first, last = int(self.edges[0]), int(self.edges[-1])
        raw = self.raw[first:last]
        if self.header and len(raw):
            kept = np.ones(len(raw), bool)
            kept[(self.edges[:-1] - first)[:, None] + np.arange(self.header)] = False
            raw = raw[kept]
        return raw.view(self.dtype).astype(np.float32)

    def words(self, *, engine: str) -> tuple[np.ndarray, np.ndarray, bool]:
        """Numbers of four bytes as uint32 `[word]`, each jet's edges in them `[jet + 1]`,
        and whether their bytes must be swapped."""
        if self.dtype.kind != "f" or self.dtype.itemsize != 4:
            return from_values(self.values(), self.counts).words(engine=engine)
        swap = self.dtype.newbyteorder("=") != self.dtype
        raw, edges = self.raw, self.edges
        if self.header:
            edges = np.zeros(len(self) + 1, np.int64)
            np.cumsum(self.counts * 4, out=edges[1:])
            raw = np.empty(edges[-1], np.uint8)
            _kernels().strip(self.raw, self.edges, self.header, raw)
        # not aligned where a basket begins at an odd place; numba knows
        return raw[: len(raw) // 4 * 4].view(np.uint32), edges, swap


def from_values(values: np.ndarray, counts: np.ndarray) -> Ragged:
    """A branch from native numbers `[particle of any jet]` and how many each jet has, `[jet]`."""
    values = np.ascontiguousarray(values, np.float32)
    edges = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(np.asarray(counts, np.int64) * values.itemsize, out=edges[1:])
    return Ragged(values.view(np.uint8), edges, 0, values.dtype)


def chosen_engine(engine: str, jets: int) -> str:
    """Which engine to use, "numba" or "numpy".

    Raises:
        ValueError: there is no such engine.
        ModuleNotFoundError: "numba" was asked for and is not installed.
    """
    if engine not in ENGINES:
        raise ValueError(f"there is no engine {engine!r}; choose from {', '.join(ENGINES)}")
    installed = importlib.util.find_spec("numba") is not None
    if engine == "numba" and not installed:
        raise ModuleNotFoundError(
            "engine 'numba' needs the package numba: `pip install 'scizoo[fast]'`, or take "
            "engine='numpy'"
        )
    if engine != "auto":
        return engine
    return "numba" if installed and ("numba" in sys.modules or jets >= WORTH_COMPILING) else "numpy"


def pad(columns: Sequence[Ragged], out: np.ndarray, *, engine: str) -> tuple[int, int] | None:
    """Writes the first particles of each jet to `out` float32 `[column, jet, particle]`,
    and zeros behind them.

    Args:
        columns: branches with equally many numbers in each jet.
        out: each column contiguous.
        engine: "numba" or "numpy".

    Returns:
        (column, jet) of a number that is not finite, the first such jet of the first such
        column; None: there is none.
    """
    if (
        not len(columns)
        or not out.shape[1]
        or (_fill_compiled if engine == "numba" else _fill_with_numpy)(columns, out)
    ):
        return None
    bad = ~np.isfinite(out).all(axis=2)
    column = int(np.flatnonzero(bad.any(axis=1))[0])
    return column, int(np.flatnonzero(bad[column])[0])


def _fill_with_numpy(columns: Sequence[Ragged], out: np.ndarray) -> bool:
    _, jets, particles = out.shape
    counts = columns[0].counts
    kept = np.minimum(counts, particles)
    # All kept particles, jet after jet; their places within the jet are 0 .. kept-1.
    within = np.arange(kept.sum()) - np.repeat(np.cumsum(kept) - kept, kept)
    source = np.repeat(np.cumsum(counts) - counts, kept) + within
    target = np.repeat(np.arange(jets) * particles, kept) + within
    finite = True
    for column, branch in zip(out, columns, strict=True):
        values = branch.values()[source]
        finite &= bool(np.isfinite(values).all())
        column[:] = 0
        column.reshape(-1)[target] = values
    return finite


def _fill_compiled(columns: Sequence[Ragged], out: np.ndarray) -> bool:
    scatter, finite = _kernels().scatter, True
    for column, branch in zip(out.view(np.uint32), columns, strict=True):
        finite &= scatter(*branch.words(engine="numba"), column)
    return finite


def all_sorted(px: Ragged, py: Ragged, *, engine: str) -> bool:
    """Whether every jet's particles, those behind the padding's end too, are in falling pT
    (but for `SORT_TOLERANCE`)."""
    if engine == "numba":
        return bool(
            _kernels().is_sorted(*px.words(engine=engine), *py.words(engine=engine), SORT_TOLERANCE)
        )
    square = _square(px, py)
    rising = square[1:] > square[:-1] * SORT_TOLERANCE
    starts = np.cumsum(px.counts)[:-1]
    rising[starts[(starts > 0) & (starts < len(square))] - 1] = False  # from one jet to the next
    return not rising.any()


def hardest_first(columns: Sequence[Ragged], px: Ragged, py: Ragged) -> list[Ragged]:
    """The same branches with each jet's particles in falling pT; equal ones keep their order."""
    counts = px.counts
    order = np.lexsort((-_square(px, py), np.repeat(np.arange(len(counts)), counts)))
    return [from_values(column.values()[order], counts) for column in columns]


def _square(px: Ragged, py: Ragged) -> np.ndarray:
    x, y = px.values(), py.values()
    return x * x + y * y


def _kernels() -> Any:
    """The compiled passes; importing them imports numba."""
    from zoo.particle_physics.data import compiled

    return compiled
