"""Records laid out as we write them are read without zarr, to the same arrays; any other
layout goes through zarr."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
import zarr
from zarr.storage import ZipStore

from zoo.scoring import record


def by_zarr(path) -> dict[str, np.ndarray]:
    with ZipStore(path, mode="r") as store:
        return {
            name: np.asarray(array[...])
            for name, array in zarr.open_group(store, mode="r").arrays()
        }


ARRAYS = {
    "example_id": np.array(["a", "bcä", ""]),
    "one": np.array([1.5, np.nan, -3]),
    "flag": np.array([True, False, True]),
    "small": np.arange(12, dtype=np.int8).reshape(3, 4) + 1,
    "half": np.array([[1], [2], [3]], np.float16),
    "big": np.full((3, 70), 2**40),
}


def test_the_quick_way_gives_what_zarr_gives(tmp_path):
    path = tmp_path / "r.zarr.zip"
    record.write(path, ARRAYS)
    with zipfile.ZipFile(path) as archive:
        quick = record._as_written(archive)
    assert quick is not None
    slow = by_zarr(path)
    assert quick.keys() == slow.keys() == ARRAYS.keys()
    for name, value in ARRAYS.items():
        assert quick[name].dtype.kind == value.dtype.kind
        np.testing.assert_array_equal(quick[name], value)
        if name != "example_id":
            assert quick[name].dtype == slow[name].dtype
            np.testing.assert_array_equal(quick[name], slow[name])


@pytest.mark.parametrize("zero", [np.zeros(3), np.zeros((3, 2), np.int32)])
def test_an_array_of_fill_values_alone_is_read_by_zarr(tmp_path, zero):
    path = tmp_path / "r.zarr.zip"
    record.write(path, {"x": zero, "y": np.ones(3)})
    np.testing.assert_array_equal(record.read(path)["x"], zero)


def test_another_layout_is_read_by_zarr(tmp_path):
    path = tmp_path / "r.zarr.zip"
    with ZipStore(path, mode="w") as store:
        group = zarr.create_group(store)
        group.create_array("x", data=np.arange(10.0), chunks=(3,))
    with zipfile.ZipFile(path) as archive:
        assert record._as_written(archive) is None
    np.testing.assert_array_equal(record.read(path)["x"], np.arange(10.0))


def test_a_chunk_that_is_no_blosc_frame_is_no_crash(tmp_path):
    path, bent = tmp_path / "r.zarr.zip", tmp_path / "b.zarr.zip"
    record.write(path, {"x": np.arange(3.0) + 1})
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(bent, "w") as other:
        for name in archive.namelist():
            other.writestr(
                name, b"nonsense of some length" if name.endswith("c/0") else archive.read(name)
            )
    with pytest.raises(record.RecordError):
        record.read(bent)
