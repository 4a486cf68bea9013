"""The Held-Suarez room: the planet behaves, the build survives interruption, the files say
what they hold."""

from __future__ import annotations

import builtins
import errno
import hashlib
import io
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from zoo.climate.data import packed
from zoo.climate.data.grid import area_weights
from zoo.climate.held_suarez.build import products, simulate, solver
from zoo.climate.held_suarez.data import VARIABLES, open_test

pytest.importorskip("dinosaur")
pytestmark = pytest.mark.generate

T21 = solver.Solver(truncation=21)
SHORT = dict(
    years=4 / 365, trajectories=1, validation_days=2, test_days=4, spinup_days=2, chunk_days=2
)


@pytest.fixture(scope="module")
def two_days() -> xr.Dataset:
    return simulate.simulate(2, seed=1, spinup_days=1, solver=T21)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    simulate.build(folder, processes=1, solver=T21, **SHORT)
    return folder


def test_fields_have_the_layout_of_weatherbench2(two_days):
    assert dict(two_days.sizes) == {"time": 8, "level": 5, "longitude": 64, "latitude": 32}
    assert set(two_days.data_vars) == set(VARIABLES)
    np.testing.assert_allclose(two_days.longitude, np.arange(0, 360, 5.625))
    assert float(two_days.latitude[0]) == -87.1875
    assert np.all(np.diff(two_days.latitude) > 0)
    assert two_days.level.dtype.kind == "i"


def test_the_young_planet_is_nearly_isothermal_and_hydrostatic(two_days):
    first = two_days.isel(time=0)
    assert 280 < float(first.temperature.mean()) < 296  # starts at 288 K
    thickness = (first.geopotential.sel(level=500) - first.geopotential.sel(level=850)).mean()
    assert float(thickness) == pytest.approx(287.0 * 288 * np.log(850 / 500), rel=0.01)


def test_hemispheres_are_not_mirror_images(two_days):
    field = two_days.v_component_of_wind.isel(time=-1).sel(level=850).values
    assert np.corrcoef(field.ravel(), -field[:, ::-1].ravel())[0, 1] < 0.5


def test_fields_hold_no_scale_beyond_wavenumber_21():
    truth = solver.Solver(truncation=42)
    fields = truth.fields_now(truth.initial_state(0))
    zonal = np.abs(np.fft.rfft(np.asarray(fields["temperature"]), axis=1)).mean((0, 2))
    assert zonal[22:].max() < 1e-4 * zonal[1:22].max()


def test_truncating_a_t42_state_to_t21_leaves_the_fields_alone():
    truth = solver.Solver(truncation=42)
    state = truth.initial_state(3)  # its noise ends at wavenumber 21
    low = T21.state_from_arrays(solver.state_to_arrays(state))
    for name, values in truth.fields_now(state).items():
        scale = {"geopotential": 5.0, "temperature": 0.02}.get(name, 0.01)
        np.testing.assert_allclose(T21.fields_now(low)[name], values, atol=scale)


def test_a_low_truncation_cannot_start_a_high_one():
    with pytest.raises(ValueError, match="higher truncation"):
        solver.Solver(truncation=31).state_from_arrays(solver.state_to_arrays(T21.initial_state(0)))


@pytest.mark.parametrize("wrong", [{"truncation": 43}, {"step_minutes": 50}, {"step_minutes": 0}])
def test_illegal_resolutions_are_named(wrong):
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        solver.Solver(**wrong)


def test_solid_body_rotation_has_the_wind_of_solid_body_rotation():
    """Vorticity 2 u0 sin(latitude) / a gives back u = u0 cos(latitude) in m/s: units and
    signs of the wind."""
    grid, units = T21.grid, solver.import_dinosaur().scales.units
    state = T21.initial_state(0)
    speed = float(T21.constants.nondimensionalize(30 * units.m / units.s))
    vorticity = 2 * speed * grid.nodal_mesh[1]
    modal = np.asarray(
        grid.to_modal(np.broadcast_to(vorticity, (8, *vorticity.shape)).astype(np.float32))
    )
    arrays = solver.state_to_arrays(state) | {"vorticity": modal}
    fields = T21.fields_now(T21.state_from_arrays(arrays))
    expected = 30 * np.cos(np.deg2rad(solver.LATITUDE))
    np.testing.assert_allclose(
        fields["u_component_of_wind"][2], np.broadcast_to(expected, (64, 32)), atol=0.01
    )
    np.testing.assert_allclose(fields["v_component_of_wind"][2], 0, atol=0.01)


def test_packing_rounds_to_half_a_step_and_refuses_what_does_not_fit():
    values = np.linspace(200, 320, 1001)
    scale, offset = packed.PACKING["temperature"]
    unpacked = packed.pack(values, scale, offset) * scale + offset
    assert np.abs(unpacked - values).max() <= scale / 2 + 1e-9
    for bad in (np.nan, 1e4):
        with pytest.raises(FloatingPointError, match="blew up"):
            packed.pack(np.array([250.0, bad]), scale, offset, name="temperature")


def test_manifest_lists_every_file_with_its_hash(finished):
    manifest = json.loads((finished / "manifest.json").read_text())
    on_disk = {
        str(p.relative_to(finished).as_posix()) for p in finished.rglob("*") if p.is_file()
    } - {"manifest.json"}
    assert set(manifest["files"]) == on_disk
    for name, entry in manifest["files"].items():
        assert hashlib.sha256((finished / name).read_bytes()).hexdigest() == entry["sha256"]
    seeds = [t["seed"] for t in manifest["trajectories"].values()]
    assert len(set(seeds)) == len(seeds)


def test_chunks_join_without_gap_and_starts_are_the_truth(finished):
    chunks = simulate.finished_chunks(finished, "test")
    truth = xr.concat([simulate.open_chunk(p) for p in chunks], "time")
    assert np.unique(np.diff(truth.time.values)) == np.timedelta64(6, "h")
    starts = packed.load_npz(finished / "test" / "starts-0001.npz")  # day 2
    fields = T21.fields_now(
        T21.state_from_arrays({name: values[0] for name, values in starts.items()})
    )
    now = truth.isel(time=8).temperature.values
    np.testing.assert_allclose(np.asarray(fields["temperature"]), now, atol=0.0026)


def test_an_interrupted_build_continues_bit_identically(finished, tmp_path, monkeypatch):
    class PowerCutError(Exception):
        pass

    def cut(name: str, done: int, total: int) -> None:
        if (name, done) == ("test", 5):  # in the second chunk
            raise PowerCutError

    with pytest.raises(PowerCutError):
        simulate.build(tmp_path, processes=1, solver=T21, progress=cut, **SHORT)
    assert len(simulate.finished_chunks(tmp_path, "test")) == 1
    (tmp_path / "test" / "chunk-0001.zarr.zip.99.part").write_bytes(b"half")  # what kill -9 leaves
    (tmp_path / "manifest.json.99.part").write_bytes(b"half")
    simulate.build(tmp_path, processes=1, solver=T21, **SHORT)
    assert not list(tmp_path.rglob("*.part"))
    one, two = (
        json.loads((folder / "manifest.json").read_text()) for folder in (finished, tmp_path)
    )
    assert one == two


def test_a_finished_build_has_nothing_left_to_do(finished, monkeypatch):
    monkeypatch.setattr(solver.Solver, "day", property(lambda self: pytest.fail("simulated again")))
    before = (finished / "manifest.json").read_bytes()
    simulate.build(finished, processes=1, solver=T21, **SHORT)
    assert (finished / "manifest.json").read_bytes() == before


def test_other_settings_need_another_folder(finished):
    with pytest.raises(ValueError, match="another folder"):
        simulate.build(finished, processes=1, solver=solver.Solver(21, step_minutes=30), **SHORT)


def test_a_damaged_chunk_is_named(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "copy")
    damaged = tmp_path / "copy" / "test" / "chunk-0000.zarr.zip"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"chunk-0000\.zarr\.zip .* Delete it"):
        simulate.build(tmp_path / "copy", processes=1, solver=T21, **SHORT)


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "taken").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="taken"):
        simulate.build(tmp_path / "taken", processes=1, solver=T21, **SHORT)


def test_a_full_disk_is_named_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    real = io.open

    def full(file, mode="r", *args, **kwargs):
        if "chunk-0000" in str(file) and "w" in mode:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, mode, *args, **kwargs)

    monkeypatch.setattr(io, "open", full)
    with pytest.raises(OSError, match="run the same command again"):
        simulate.build(tmp_path, processes=1, solver=T21, **SHORT)
    assert not list(tmp_path.rglob("*.part"))
    assert not list(tmp_path.rglob("chunk-*"))


def test_too_little_space_is_said_before_the_start(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(simulate.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match="MB free"):
        simulate.build(tmp_path, processes=1, solver=T21, **SHORT)


def test_zarr_zip_bytes_depend_on_the_data_alone(two_days, tmp_path):
    encoded = two_days.drop_encoding()
    for name in ("one", "two"):
        packed.write_zarr_zip(tmp_path / name, {"a": encoded})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_test_set_holds_each_day_once_and_gives_them_all(published, finished):
    path = published / "test.zarr.zip"
    stored = packed.open_zarr_zip(path, group="verification")
    analysis, daily = open_test(path)
    assert set(stored.time.values).isdisjoint(analysis.time.values)
    assert np.diff(daily.time.values).tolist() == [86400 * 10**9] * 2 and stored.sizes["time"] == 2
    truth = xr.concat(
        [simulate.open_chunk(each) for each in simulate.finished_chunks(finished, "test")], "time"
    )
    for name, (variable, level) in products.VERIFIED.items():
        assert daily[name].dims == ("time", "longitude", "latitude")
        assert daily[name].attrs["level"] == level
        np.testing.assert_allclose(
            daily[name], truth[variable].sel(level=level)[::4][:3], atol=2.6, rtol=0
        )


@pytest.fixture(scope="module")
def published(finished, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("products")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "STARTS", 1)
        patch.setattr(products, "LEADS", (1, 2))
        patch.setattr(products, "CLIMATOLOGY_FROM", ("train-0",))
        patch.setattr(products, "CLIMATOLOGY_DAYS", 4)
        patch.setattr(products, "DRIFT_STARTS", (0,))
        patch.setattr(products, "DRIFT_DAYS", (2, 3))
        products.write_test(finished, out)
        products.write_climatology(finished, out)
        products.write_solver(finished, out, truncation=21)
    return out


def test_the_same_solver_repeats_the_truth(published):
    """A T21 'truth' is forecast by the T21 solver without error, so starts, leads and
    levels line up."""
    _, truth = open_test(published / "test.zarr.zip")
    forecast = packed.open_zarr_zip(published / "solver_t21.zarr.zip")
    assert forecast.lead_time.dtype.kind == "m"
    for name in products.VERIFIED:
        tolerance = {"geopotential_500": 5.1, "temperature_850": 0.031}.get(name, 0.051)
        for lead, day in enumerate((1, 2)):
            np.testing.assert_allclose(forecast[name][0, lead], truth[name][day], atol=tolerance)


def test_climatology_is_symmetric_and_counts_every_training_time(published, finished):
    climate = packed.open_zarr_zip(published / "climatology.zarr.zip")
    np.testing.assert_allclose(climate.temperature, climate.temperature[:, ::-1], atol=1e-4)
    np.testing.assert_allclose(
        climate.v_component_of_wind, -climate.v_component_of_wind[:, ::-1], atol=1e-4
    )
    train = xr.concat(
        [simulate.open_chunk(p) for p in simulate.finished_chunks(finished, "train-0")], "time"
    )
    field, weights = train.temperature.values, area_weights(solver.LATITUDE)
    mean = (field * weights).mean((0, 2, 3))
    np.testing.assert_allclose(climate.temperature_mean, mean, rtol=1e-6)
    expected = np.sqrt((field**2 * weights).mean((0, 2, 3)) - mean**2)
    np.testing.assert_allclose(climate.temperature_std, expected, rtol=1e-3)
    for steps, name in ((1, "temperature_increment_std_6h"), (4, "temperature_increment_std_24h")):
        difference = field[steps:] - field[:-steps]
        np.testing.assert_allclose(
            climate[name], np.sqrt((difference**2 * weights).mean((0, 2, 3))), rtol=1e-5
        )


def test_an_unfinished_build_cannot_be_published(tmp_path):
    with pytest.raises(FileNotFoundError, match="zoo data build climate/held_suarez"):
        products.write_test(tmp_path, tmp_path)
    with pytest.raises(FileNotFoundError, match="zoo data build climate/held_suarez"):
        products.write_climatology(tmp_path, tmp_path)


def test_missing_dinosaur_says_how_to_install_it(monkeypatch):
    real = builtins.__import__

    def absent(name, *args, **kwargs):
        if name.startswith("dinosaur"):
            raise ImportError("No module named 'dinosaur'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ImportError, match=r"scizoo\[generate\]"):
        solver.import_dinosaur()


_BUILD = """
import sys
from zoo.climate.held_suarez.build import simulate, solver
lengths = dict(
    years=4 / 365, trajectories=1, validation_days=2, test_days=6, spinup_days=1, chunk_days=2
)
simulate.build(sys.argv[1], processes=2, solver=solver.Solver(21), **lengths)
"""


@pytest.mark.slow
def test_kill_9_loses_only_the_running_chunk(tmp_path):
    """Two processes, killed without warning after the first chunk: the restarted build ends
    with the same bytes."""
    command = [sys.executable, "-c", _BUILD]
    subprocess.run([*command, str(tmp_path / "whole")], check=True, timeout=600)
    killed = subprocess.Popen([*command, str(tmp_path / "killed")])
    first = tmp_path / "killed" / "test" / "chunk-0000.zarr.zip"
    deadline = time.monotonic() + 600
    while not first.exists() and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    assert first.exists()
    subprocess.run([*command, str(tmp_path / "killed")], check=True, timeout=600)
    whole, again = (
        (tmp_path / name / "manifest.json").read_bytes() for name in ("whole", "killed")
    )
    assert whole == again
    assert not list((tmp_path / "killed").rglob("*.part"))
