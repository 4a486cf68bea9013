"""Sequences and genomes survive a Zarr store, which is whole or not there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from genome_files import letters, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.genomics.data import DataError, Genome, LabelledSequences, from_zarr, read_table, to_zarr
from zoo.genomics.data import sequences as dna


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.text("ACGTN", min_size=1, max_size=20), min_size=2, max_size=9), st.booleans())
def test_a_table_survives_zarr(tmp_path, texts, labelled):
    labels = np.arange(len(texts)) % 2 if labelled else None
    table = LabelledSequences(
        dna.encode_all(texts),
        labels,
        tuple(f"ü{i}" for i in range(len(texts))),
        ("a", "b") if labelled else (),
    )
    again = from_zarr(to_zarr(table, tmp_path / "t.zarr", overwrite=True))
    np.testing.assert_array_equal(again.tokens, table.tokens)
    assert (
        again.tokens.dtype == np.int8 and again.ids == table.ids and again.classes == table.classes
    )
    assert (again.labels is None) if labels is None else (again.labels.tolist() == labels.tolist())
    assert letters(read_table(tmp_path / "t.zarr", length=25)) == texts


def test_the_store_is_zarr_3_and_whole_or_not_there(tmp_path, monkeypatch):
    table = LabelledSequences(dna.encode_all(["ACGT"]), None, ("a",))
    path = to_zarr(table, tmp_path / "t.zarr")
    meta = json.loads((path / "tokens" / "zarr.json").read_text())
    assert meta["zarr_format"] == 3 and meta["data_type"] == "int8"
    with pytest.raises(FileExistsError, match="overwrite=True"):
        to_zarr(table, path)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        to_zarr(table, tmp_path / "u.zarr")
    assert [each.name for each in tmp_path.iterdir()] == ["t.zarr"]


def test_another_zarr_is_refused(tmp_path):
    import zarr

    zarr.create_group(tmp_path / "x.zarr")
    with pytest.raises(DataError, match="without `format`"):
        from_zarr(tmp_path / "x.zarr")
    write(tmp_path / "y.zarr", "no")
    with pytest.raises(DataError, match="no Zarr store"):
        from_zarr(tmp_path / "y.zarr")
    to_zarr(Genome(("a",), (dna.encode("ACGT"),)), tmp_path / "g.zarr")
    with pytest.raises(DataError, match="genome 1, not 'scizoo sequences 1'"):
        from_zarr(tmp_path / "g.zarr")
