"""Count matrices of transcription factors from JASPAR's own formats, through Biopython."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.genomics.data.opening import DataError, open_text


class Motif(NamedTuple):
    """JASPAR's identifier (MA0002.2), the factor's name (RUNX1) and its counts float64
    `[position, 4]`, columns A, C, G, T."""

    id: str
    name: str
    counts: np.ndarray


def read_motifs(path: str | os.PathLike) -> tuple[Motif, ...]:
    """The matrices of a file in JASPAR's bracket format or in TRANSFAC's, plain or `.gz`,
    in the file's order.

    Raises:
        FileNotFoundError: there is no such file.
        DataError: empty, truncated, or in neither format.
    """
    from Bio import motifs

    path = Path(path)
    with open_text(path) as text:
        first = next((line for line in text if line.strip()), "")
    kind = "jaspar" if first.startswith(">") else "transfac"
    with open_text(path) as text:
        try:
            found = motifs.parse(text, kind, **({"strict": False} if kind == "transfac" else {}))
        except (ValueError, AttributeError, IndexError, UnboundLocalError) as error:
            if isinstance(error, DataError | UnicodeDecodeError):
                raise
            raise DataError(
                f"{path} holds no matrices in JASPAR's or TRANSFAC's format ({error})"
            ) from error
        out = []
        for motif in found:
            identifier, name = (
                (motif.matrix_id, motif.name) if kind == "jaspar" else (motif["AC"], motif["ID"])
            )
            out.append(
                Motif(
                    identifier,
                    name,
                    np.array([motif.counts[letter] for letter in "ACGT"], np.float64).T,
                )
            )
    if not out:
        raise DataError(f"{path} holds no matrices in JASPAR's or TRANSFAC's format")
    return tuple(out)
