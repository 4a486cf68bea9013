"""The build gives the shipped bytes."""

from __future__ import annotations

from planted_motifs import FOLDER

from zoo import files
from zoo.genomics.motif_grammar import build


def test_the_build_gives_the_shipped_bytes(mirror_file, tmp_path):
    mirror_file("genomics/motif_grammar", "pfm_vertebrates.txt")
    built = build.build(tmp_path)
    assert len(built) == 2
    for path in built:
        assert files.sha256(path) == files.sha256(FOLDER / path.name)
