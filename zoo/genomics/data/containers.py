"""What files of DNA hold, in memory: tables of sequences, genomes, annotated stretches of them.

Coordinates are Python's: from 0, the stop excluded, on the forward strand whatever a gene's
strand is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from zoo.genomics.data import sequences as dna
from zoo.genomics.data.opening import DataError


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledSequences:
    """Sequences and what is known of them.

    Attributes:
        tokens: int8 `[sequence, position]`, padded at the end (`zoo.genomics.data.sequences`).
        labels: int64 `[sequence]`, indices into `classes`; None where the table has none.
        ids: one name per sequence, each once; the row numbers from "1" where the table names none.
        classes: names of the classes; empty without labels.
    """

    tokens: np.ndarray
    labels: np.ndarray | None
    ids: tuple[str, ...]
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.tokens) or (
            self.labels is not None and len(self.labels) != len(self.tokens)
        ):
            raise DataError(
                f"{len(self.tokens)} sequences, {len(self.ids)} ids and "
                f"{'no' if self.labels is None else len(self.labels)} labels do not belong together"
            )

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def known_labels(self) -> np.ndarray:
        """The labels of a table that has some.

        Raises:
            DataError: it has none.
        """
        if self.labels is None:
            raise DataError(f"these {len(self)} sequences have no labels, and labels are needed")
        return self.labels

    def __getitem__(self, which: slice | np.ndarray | Sequence[int]) -> LabelledSequences:
        """The chosen sequences; by slice, indices or a boolean mask."""
        rows = np.arange(len(self))[which]
        if rows.ndim != 1:
            raise TypeError(
                "choose with a slice, a list of indices or a mask, so that the result is a table "
                "again"
            )
        labels = None if self.labels is None else self.labels[rows]
        return dataclasses.replace(
            self, tokens=self.tokens[rows], labels=labels, ids=tuple(self.ids[row] for row in rows)
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Genome:
    """Records (chromosomes, plasmids, contigs) of one genome.

    Attributes:
        names: identifier of each record, each once.
        tokens: int8 `[base]` of each record.
    """

    names: tuple[str, ...]
    tokens: tuple[np.ndarray, ...]

    def __getitem__(self, name: str) -> np.ndarray:
        """The tokens of one record. Raises `KeyError` with the names that there are."""
        if name not in self.names:
            raise KeyError(f"no record {name!r}; there are {', '.join(self.names[:10])}")
        return self.tokens[self.names.index(name)]

    @property
    def bases(self) -> int:
        """Bases of all records together."""
        return sum(map(len, self.tokens))


@dataclasses.dataclass(frozen=True, eq=False)
class Features:
    """Annotated stretches of a genome in the file's order; one row per row of the file, so
    a joined gene has several.

    Attributes:
        record: int64 `[feature]`, which record of the genome.
        start, stop: int64 `[feature]`, from 0, stop excluded, start < stop.
        strand: int8 `[feature]`, +1 forward, -1 reverse.
        phase: int8 `[feature]`, bases to leave out at the feature's 5' end before the first
            whole codon (0, 1, 2).
        pseudo: bool `[feature]`, marked as a pseudogene.
        names: protein or locus name of each.
        ids: GFF's ID (rows of one joined gene share it).
    """

    record: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    strand: np.ndarray
    phase: np.ndarray
    pseudo: np.ndarray
    names: tuple[str, ...]
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.start)

    def letters(self, genome: Genome, feature: int) -> np.ndarray:
        """Tokens `[base]` of one feature, read 5' to 3' on its own strand."""
        tokens = genome.tokens[self.record[feature]][self.start[feature] : self.stop[feature]]
        return tokens if self.strand[feature] > 0 else dna.reverse_complement(tokens)

    def covered(self, genome: Genome, *, strand: int = 0) -> tuple[np.ndarray, ...]:
        """Which bases of each record lie in a feature, bool `[base]`; of both strands (0),
        or of one."""
        masks = tuple(np.zeros(len(tokens), bool) for tokens in genome.tokens)
        for record, start, stop, own in zip(
            self.record, self.start, self.stop, self.strand, strict=True
        ):
            if strand in (0, own):
                masks[record][start:stop] = True
        return masks
