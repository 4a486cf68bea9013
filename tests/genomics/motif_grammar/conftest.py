"""What tests of planted motifs share: the two shipped sets."""

from __future__ import annotations

import pytest
from planted_motifs import FOLDER

from zoo.genomics.motif_grammar import data as motifs


@pytest.fixture(scope="module")
def published() -> motifs.PlantedSequences:
    return motifs.read_planted(FOLDER / "motif_grammar.zarr.zip")
