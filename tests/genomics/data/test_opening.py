"""Compressed files are read as plain ones; a truncated one never passes for a short one."""

from __future__ import annotations

import gzip

import pytest
from genome_files import TABLE, write

from zoo.genomics.data import DataError, read_table


def test_gzip_is_read_and_a_truncated_one_refused(tmp_path):
    many = "sequence,label\n" + "".join(
        f"{'ACGT' * (1 + i % 7)}{'ACGT'[i % 4]},{i % 2}\n" for i in range(2000)
    )
    packed = gzip.compress(many.encode())
    assert len(read_table(write(tmp_path / "a.csv.gz", packed))) == 2000
    # what it is, not what it is called
    assert len(read_table(write(tmp_path / "b.csv", packed))) == 2000
    for cut in (len(packed) // 2, len(packed) - 3, 12):
        with pytest.raises(DataError, match="truncated or damaged"):
            read_table(write(tmp_path / "c.csv.gz", packed[:cut]))
    with pytest.raises(DataError, match="truncated or damaged"):
        read_table(write(tmp_path / "d.csv.gz", packed[:100] + bytes(40) + packed[140:]))
    with pytest.raises(DataError, match="no gzip file"):
        read_table(write(tmp_path / "e.csv.gz", TABLE))
