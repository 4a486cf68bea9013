"""Series of a user's files are read, or refused by name."""

from __future__ import annotations

import pytest
import xarray as xr
from red_noise import DAYS

from zoo.climate.data.series import SeriesError, of_dataset, read_series


def test_files_that_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("time,x\nyesterday,1\n")
    with pytest.raises(SeriesError, match="no ISO dates"):
        read_series(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("when,x\n2001-01,1\n")
    with pytest.raises(SeriesError, match="columns are when, x: say which, by --time"):
        read_series(tmp_path / "b.csv")
    assert len(read_series(tmp_path / "b.csv", time="when")) == 1
    (tmp_path / "c.csv").write_text("time,x\n2001-01,a\n")
    with pytest.raises(SeriesError, match="no column of numbers"):
        read_series(tmp_path / "c.csv")
    (tmp_path / "d.csv").write_text("time,x\n2001-01,1,2\n")
    with pytest.raises(SeriesError, match="row 2 has 3 fields"):
        read_series(tmp_path / "d.csv")
    (tmp_path / "e.csv").write_text("time,x\n")
    with pytest.raises(SeriesError, match="no row"):
        read_series(tmp_path / "e.csv")
    (tmp_path / "f.nc").write_bytes(b"CDF")
    with pytest.raises(SeriesError, match="cannot be read"):
        read_series(tmp_path / "f.nc")
    with pytest.raises(FileNotFoundError, match=r"g\.nc"):
        read_series(tmp_path / "g.nc")
    with pytest.raises(SeriesError, match="no time coordinate"):
        of_dataset(xr.Dataset({"x": ("y", [1.0])}))
    with pytest.raises(SeriesError, match="no numeric variable along 'time'"):
        of_dataset(xr.Dataset({"x": ("y", [1.0])}, {"time": DAYS[:3].astype("datetime64[ns]")}))
