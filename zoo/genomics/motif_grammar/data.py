"""Motifs as matrices, and sequences with planted motifs: what `genomics/motif_grammar` is
made from and read back as.

The five core matrices are facts of JASPAR 2016 (Mathelier et al. 2016,
doi:10.1093/nar/gkv1176; CC BY 4.0) and stand here, so that the truth of every positive
sequence needs no other file. The 519 matrices of all vertebrates come by the data card.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoo.scoring import record

CORE_COUNTS: dict[str, tuple[str, tuple[tuple[int, ...], ...]]] = {
    "SP1": (
        "MA0079.3",
        (
            (857, 0, 99, 0, 0, 1359, 0, 0, 0, 1054, 652),
            (1786, 6215, 6703, 8734, 8661, 0, 8734, 8734, 6679, 6357, 4969),
            (4271, 642, 0, 0, 0, 4624, 0, 0, 0, 0, 734),
            (1820, 1877, 1932, 0, 73, 2751, 0, 0, 2055, 1323, 2379),
        ),
    ),
    "Gabpa": (
        "MA0062.2",
        (
            (32, 70, 0, 0, 991, 989, 94, 56, 154, 264, 233),
            (768, 914, 0, 0, 1, 2, 32, 261, 137, 262, 357),
            (188, 4, 990, 991, 1, 0, 866, 37, 603, 415, 224),
            (1, 1, 1, 0, 0, 2, 0, 637, 96, 49, 176),
        ),
    ),
    "CEBPB": (
        "MA0466.2",
        (
            (10585, 33, 17, 10930, 393, 3521, 2527, 22732, 22732, 155),
            (5007, 34, 14, 34, 22732, 555, 22732, 636, 9, 10617),
            (6282, 8, 2276, 11803, 221, 22732, 3, 9, 0, 940),
            (859, 22732, 22732, 2237, 2217, 486, 2135, 0, 9, 12116),
        ),
    ),
    "MAX": (
        "MA0058.3",
        (
            (3307, 1915, 39, 6876, 0, 329, 69, 0, 1341, 1122),
            (1556, 2809, 6876, 0, 6876, 39, 159, 27, 2450, 2225),
            (1295, 1514, 0, 87, 7, 6876, 20, 6876, 1638, 986),
            (719, 637, 0, 38, 229, 19, 6876, 36, 1446, 2543),
        ),
    ),
    "YY1": (
        "MA0095.2",
        (
            (1126, 6975, 6741, 2506, 7171, 0, 11, 13, 812, 867, 899, 1332),
            (4583, 0, 99, 1117, 0, 12, 0, 0, 5637, 1681, 875, 4568),
            (801, 181, 268, 3282, 0, 0, 7160, 7158, 38, 2765, 4655, 391),
            (661, 15, 63, 266, 0, 7159, 0, 0, 684, 1858, 742, 880),
        ),
    ),
}
"""Name -> (JASPAR id, counts by letter A, C, G, T and column)."""
INFORMATIVE = 0.01
"""Bits above which a planted column counts as true, as in Koo & Ploenzke's evaluation."""
SPLITS = {
    "train": slice(0, 14_000),
    "validation": slice(14_000, 16_000),
    "test": slice(16_000, 20_000),
}
MOST_MOTIFS = 7


def core_matrices() -> tuple[list[str], list[np.ndarray]]:
    """Names and probability matrices `[4, width]` of the ten core motifs: each of the five,
    then its reverse complement (`name-`)."""
    names, matrices = [], []
    for name, (_, counts) in CORE_COUNTS.items():
        matrix = probabilities(np.array(counts, float))
        names += [name, f"{name}-"]
        matrices += [matrix, matrix[::-1, ::-1]]
    return names, matrices


def probabilities(counts: np.ndarray) -> np.ndarray:
    """Columns of counts `[4, width]` divided by their sums, without pseudocounts."""
    return counts / counts.sum(axis=0)


def information(matrix: np.ndarray) -> np.ndarray:
    """Bits of each column `[width]`: 2 + sum over letters of p log2(p + 1e-10), as in Koo &
    Ploenzke's evaluation."""
    return 2.0 + (matrix * np.log2(matrix + 1e-10)).sum(axis=0)


def read_matrices(path: Path) -> tuple[list[str], list[np.ndarray]]:
    """Names and probability matrices `[4, width]` of a file of matrices.

    Raises:
        zoo.genomics.data.DataError: the file is in neither of JASPAR's formats.
    """
    from zoo.genomics.data import read_motifs

    found = read_motifs(path)
    return [motif.name for motif in found], [probabilities(motif.counts.T) for motif in found]


@dataclasses.dataclass(frozen=True)
class PlantedSequences:
    """Sequences and what was planted in them.

    Attributes:
        tokens: int8 `[sequence, position]`, A 0, C 1, G 2, T 3.
        label: int8 `[sequence]`.
        motif: int16 `[sequence, MOST_MOTIFS]`, index into `names`; -1: none.
        start: int16 `[sequence, MOST_MOTIFS]`, first position of that motif.
        counts: bool `[sequence, MOST_MOTIFS]`: whether that motif makes its sequence what
            it is (False for decoys).
        kind: int8 `[sequence]`, how a negative of `motif_grammar_hard` was made; 0 elsewhere.
        names: of all motifs that may be planted; a name that ends in `-` is a reverse complement.
        informative: bool `[motif, widest]`: which columns have more than `INFORMATIVE`
            bits; False beyond a motif's width.
        width: int16 `[motif]`.
    """

    tokens: np.ndarray
    label: np.ndarray
    motif: np.ndarray
    start: np.ndarray
    counts: np.ndarray
    kind: np.ndarray
    names: tuple[str, ...]
    informative: np.ndarray
    width: np.ndarray

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, rows: slice | np.ndarray) -> PlantedSequences:
        """Some of the sequences; rows as NumPy indexes them."""
        per_sequence = ("tokens", "label", "motif", "start", "counts", "kind")
        return dataclasses.replace(
            self, **{name: getattr(self, name)[rows] for name in per_sequence}
        )

    def planted(self) -> np.ndarray:
        """Bool `[sequence, position]`: where a planted column of a motif that counts has
        more than `INFORMATIVE` bits."""
        truth = np.zeros(self.tokens.shape, bool)
        row, place = np.nonzero(self.counts & (self.motif >= 0))
        for offset in range(self.informative.shape[1]):
            informs = self.informative[self.motif[row, place], offset]
            truth[row[informs], self.start[row, place][informs] + offset] = True
        return truth

    def instances(self, row: int) -> list[tuple[str, int, int]]:
        """(name, first position, position after the last) of each motif planted in one sequence."""
        return [
            (self.names[motif], int(start), int(start + self.width[motif]))
            for motif, start in zip(self.motif[row], self.start[row], strict=True)
            if motif >= 0
        ]


def pack_bases(tokens: np.ndarray) -> np.ndarray:
    """Four bases a byte: uint8 `[..., position / 4]`, the first base in the highest bits;
    only A, C, G, T."""
    quads = tokens.reshape(*tokens.shape[:-1], -1, 4).astype(np.uint8)
    return (quads << np.array([6, 4, 2, 0], np.uint8)).sum(-1, dtype=np.uint8)


def unpack_bases(packed: np.ndarray) -> np.ndarray:
    """Tokens int8 `[..., 4 * byte]` of `pack_bases`."""
    bases = (packed[..., None] >> np.array([6, 4, 2, 0], np.uint8)) & 3
    return bases.reshape(*packed.shape[:-1], -1).astype(np.int8)


def write_planted(path: Path, sequences: PlantedSequences, order: np.ndarray) -> None:
    """Writes sequences in the order in which they were made, with the permutation that
    splits them."""
    record.write(
        path,
        {
            "bases": pack_bases(sequences.tokens),
            "label": sequences.label.astype(np.int8),
            "motif": sequences.motif.astype(np.int16),
            "start": sequences.start.astype(np.int16),
            "counts": sequences.counts,
            "kind": sequences.kind.astype(np.int8),
            "names": np.array(sequences.names),
            "informative": sequences.informative,
            "width": sequences.width.astype(np.int16),
            "order": order.astype(np.int32),
        },
    )


def read_planted(path: Path, split: str | None = None) -> PlantedSequences:
    """The sequences of one split, or all in the order in which they were made.

    Raises:
        ValueError: no such split.
        zoo.scoring.record.RecordError: the file cannot be read.
    """
    if split is not None and split not in SPLITS:
        raise ValueError(f"split {split!r} is none of {', '.join(SPLITS)}")
    arrays = record.read(path)
    whole = PlantedSequences(
        unpack_bases(arrays["bases"]),
        arrays["label"],
        arrays["motif"],
        arrays["start"],
        arrays["counts"].astype(bool),
        arrays["kind"],
        tuple(map(str, arrays["names"])),
        arrays["informative"].astype(bool),
        arrays["width"],
    )
    return whole if split is None else whole[arrays["order"][SPLITS[split]]]


def load(name: str = "motif_grammar", *, split: str = "train") -> PlantedSequences:
    """One split (`train`, `validation`, `test`) of `motif_grammar` or `motif_grammar_hard`,
    found by the data card."""
    from zoo import files, registry

    card = registry.dataset("genomics/motif_grammar")
    wanted = f"{name}.zarr.zip"
    by_name = {file.name: file for file in card.file}
    if wanted not in by_name:
        sets = [each.removesuffix(".zarr.zip") for each in by_name if each.endswith(".zarr.zip")]
        raise ValueError(f"no set {name!r} in {card.id}; there are {', '.join(sets)}")
    return read_planted(files.get(by_name[wanted], folder=registry.dataset_folder(card)), split)


def log_odds(matrix: np.ndarray, *, pseudo: float = 1e-3) -> np.ndarray:
    """Log2 of (p + pseudo) / (1 + 4 pseudo) against 1/4, `[4, width]`."""
    return np.log2((matrix + pseudo) / (1 + 4 * pseudo) / 0.25)


def scan(tokens: np.ndarray, matrices: Sequence[np.ndarray]) -> np.ndarray:
    """Log-odds of every matrix at every start, float32 `[motif, sequence, position]`; -inf
    where it does not fit in."""
    padded = np.asarray(tokens)
    out = np.full((len(matrices), *padded.shape), -np.inf, np.float32)
    for number, matrix in enumerate(matrices):
        score, n = log_odds(matrix).astype(np.float32), padded.shape[-1] - matrix.shape[1] + 1
        out[number, :, :n] = sum(
            score[padded[:, offset : offset + n], offset] for offset in range(matrix.shape[1])
        )
    return out
