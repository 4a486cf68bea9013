"""Position frequency matrices of both formats, and JASPAR's."""

from __future__ import annotations

import gzip

import pytest
from genome_files import write

from zoo.genomics.data import DataError, read_motifs


def test_both_motif_formats(tmp_path):
    bracket = write(
        tmp_path / "a.txt", ">MA1.1\tFOX\nA  [ 1 2 ]\nC  [ 3 4 ]\nG  [ 5 6 ]\nT  [ 7 8 ]\n\n"
    )
    transfac = write(
        tmp_path / "b.gz",
        gzip.compress(
            b"AC MA1.1\nXX\nID FOX\nPO\tA\tC\tG\tT\n01\t1\t3\t5\t7\n02\t2\t4\t6\t8\nXX\n//\n"
        ),
    )
    for path in (bracket, transfac):
        (motif,) = read_motifs(path)
        assert (motif.id, motif.name) == ("MA1.1", "FOX") and motif.counts.tolist() == [
            [1, 3, 5, 7],
            [2, 4, 6, 8],
        ]
    with pytest.raises(DataError, match="no matrices"):
        read_motifs(write(tmp_path / "c.txt", "hello\n"))


def test_jaspar_has_519_vertebrate_matrices(mirror_file):
    found = read_motifs(mirror_file("genomics/jaspar", "pfm_vertebrates.txt"))
    assert (
        len(found) == 519
        and (found[0].id, found[0].name) == ("MA0002.2", "RUNX1")
        and found[0].counts.shape == (11, 4)
    )
    assert len(read_motifs(mirror_file("genomics/jaspar", "jaspar2024_core.transfac.gz"))) == 2346
