"""The per-example record: the same arrays are the same bytes, and a broken file is never
half read."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from zoo.scoring import record

ARRAYS = {
    "example_id": np.array(["1904-07", "Łódź ☀", ""]),
    "error": np.array([[1.5, np.nan], [0.0, -2.0], [3.0, 4.0]], np.float32),
    "count": np.arange(3),
    "double": np.array([0.1, 0.2, 0.3]),
}


def test_what_was_written_is_read_again_with_names_of_any_script(tmp_path):
    record.write(tmp_path / "r.zarr.zip", ARRAYS)
    read = record.read(tmp_path / "r.zarr.zip")
    assert read.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(read[name], array)
        assert name == "example_id" or read[name].dtype == array.dtype


def test_equal_arrays_are_equal_bytes_in_every_process(tmp_path):
    record.write(tmp_path / "a.zarr.zip", ARRAYS)
    record.write(tmp_path / "b.zarr.zip", dict(reversed(ARRAYS.items())))
    assert (tmp_path / "a.zarr.zip").read_bytes() == (tmp_path / "b.zarr.zip").read_bytes()
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from zoo.scoring import record; "
        "record.write(sys.argv[1], record.read(sys.argv[2]))"
    )
    subprocess.run(
        [sys.executable, "-c", code, tmp_path / "c.zarr.zip", tmp_path / "a.zarr.zip"], check=True
    )
    assert (tmp_path / "a.zarr.zip").read_bytes() == (tmp_path / "c.zarr.zip").read_bytes()


@pytest.mark.parametrize("keep", [0, 10, 500, -1])
def test_a_truncated_record_is_refused(tmp_path, keep):
    path = tmp_path / "r.zarr.zip"
    record.write(path, ARRAYS)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(record.RecordError, match=r"r.zarr.zip is no readable record"):
        record.read(path)


def test_a_flipped_byte_is_noticed(tmp_path):
    path = tmp_path / "r.zarr.zip"
    record.write(path, ARRAYS)
    content = bytearray(path.read_bytes())
    content[content.index(b"double/c/0") + 25] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(record.RecordError):
        record.read(path)


def test_a_file_that_is_not_there_is_a_record_error(tmp_path):
    with pytest.raises(record.RecordError):
        record.read(tmp_path / "none.zarr.zip")


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zipfile.ZipFile.writestr", full)
    with pytest.raises(OSError, match="No space"):
        record.write(tmp_path / "r.zarr.zip", ARRAYS)
    assert list(tmp_path.iterdir()) == []
