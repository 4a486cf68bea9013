"""Windows of a genome are the same from memory, from a file and from a store."""

from __future__ import annotations

import pytest
from Bio.Seq import Seq
from genome_files import as_fasta, made_up, write

from zoo.genomics.data import DataError, Genome, to_zarr, windows
from zoo.genomics.data import sequences as dna


def expected_windows(
    genome: Genome, length: int, stride: int, both: bool, tail: bool
) -> list[tuple[int, int, int, str]]:
    found = []
    for record, tokens in enumerate(genome.tokens):
        text = dna.decode(tokens)
        starts = list(range(0, len(text) - length + 1, stride))
        if tail and (not starts or starts[-1] + stride < len(text)):
            starts.append(starts[-1] + stride if starts else 0)
        for start in starts:
            window = text[start : start + length]
            found.append((record, start, 1, window))
            if both:
                found.append((record, start, -1, str(Seq(window).reverse_complement())))
    return found


@pytest.mark.parametrize("source", ["memory", "g.fna", "g.fna.gz", "g.zarr"])
@pytest.mark.parametrize(
    ("length", "stride", "batch"),
    [(50, 50, 7), (50, 13, 1000), (30, 77, 4), (200, 1, 64), (401, 900, 1)],
)
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("tail", [False, True])
def test_windows_are_the_same_from_everywhere(
    tmp_path, monkeypatch, source, length, stride, batch, both, tail
):
    from zoo.genomics.data import store, streaming

    monkeypatch.setattr(store, "BASES", 97)
    monkeypatch.setattr(streaming, "PIECE", 130)
    genome = made_up()
    path = genome
    if source.endswith("zarr"):
        path = to_zarr(genome, tmp_path / source)
    elif source != "memory":
        path = as_fasta(genome, tmp_path / source)
    batches = list(windows(path, length, stride, both, batch_size=batch, tail=tail))
    assert batches and all(len(each.tokens) == batch for each in batches[:-1])
    found = [
        (int(record), int(start), int(strand), dna.decode(tokens))
        for each in batches
        for tokens, record, start, strand in zip(*each, strict=True)
    ]
    assert found == expected_windows(genome, length, stride, both, tail)


def test_windows_of_a_zarr_store_are_read_piece_by_piece(tmp_path, monkeypatch):
    import zarr

    from zoo.genomics.data import store

    monkeypatch.setattr(store, "BASES", 100)
    path = to_zarr(made_up(sizes=(5000,)), tmp_path / "g.zarr")
    read = []
    original = zarr.Array.__getitem__
    monkeypatch.setattr(
        zarr.Array, "__getitem__", lambda array, part: read.append(part) or original(array, part)
    )
    next(windows(path, 10, batch_size=5))
    assert read == [slice(0, 100)]


def test_windows_of_nothing_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        windows(made_up(), 0)
    with pytest.raises(DataError, match="no FASTA file"):
        list(windows(write(tmp_path / "g.fna", "ACGT\n"), 2))
