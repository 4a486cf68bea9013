"""A stream gives every jet once a pass, in an order that the seed alone decides."""

from __future__ import annotations

import threading
import time

import jet_files
import numpy as np
import pytest

from zoo.particle_physics.data import read as data
from zoo.particle_physics.data.read import read_jets
from zoo.particle_physics.data.root import JetFileError
from zoo.particle_physics.data.stream import stream_batches

JETS = 3 * 210 + 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("stream")
    for index, jets in enumerate((210, 211, 210)):
        content = jet_files.make(jets, seed=index, most=12)
        # tells the jets apart
        content["jet_pt"] = (np.arange(jets) + sum((210, 211)[:index])).astype(np.float32)
        jet_files.write(place / f"part_{index}.root", content, basket=30)
    return place


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch):
    monkeypatch.setattr(data, "JETS_AT_ONCE", 30)
    monkeypatch.setattr("zoo.particle_physics.data.stream.JETS_AT_ONCE", 30)


def stream(folder, **options):
    return stream_batches(
        folder,
        **({"batch_size": 64, "max_particles": 6, "shuffle_buffer": 150, "seed": 1} | options),
    )


def ids(batches) -> np.ndarray:
    return np.concatenate([batch.scalars["jet_pt"] for batch in batches]).astype(int)


@pytest.mark.parametrize("buffer", [0, 1, 150, 631, 10_000])
@pytest.mark.parametrize("prefetch", [0, 2])
def test_every_jet_comes_once_whole_and_the_last_one_too(folder, buffer, prefetch):
    batches = list(stream(folder, shuffle_buffer=buffer, prefetch=prefetch))
    assert [len(batch) for batch in batches] == [64] * 9 + [JETS - 9 * 64]
    assert {batch.particles.shape[1:] for batch in batches} == {(6, 16)}
    order = ids(batches)
    assert np.array_equal(np.sort(order), np.arange(JETS)) and (
        np.array_equal(order, np.arange(JETS)) == (buffer == 0)
    )
    whole = read_jets(folder, max_particles=6)
    assert np.array_equal(
        np.concatenate([batch.particles for batch in batches]), whole.particles[order]
    )
    assert np.array_equal(np.concatenate([batch.mask for batch in batches]), whole.mask[order])
    assert np.array_equal(np.concatenate([batch.label for batch in batches]), whole.label[order])


def test_the_seed_decides_and_nothing_else(folder):
    first = ids(stream(folder))
    assert np.array_equal(first, ids(stream(folder, prefetch=0, threads=3)))
    assert not np.array_equal(first, ids(stream(folder, seed=2)))
    two = ids(stream(folder, epochs=2))
    assert (
        np.array_equal(two[:JETS], first)
        and not np.array_equal(two[JETS:], first)
        and set(two[JETS:]) == set(range(JETS))
    )


def test_a_shuffled_batch_mixes_files(folder):
    first = ids([next(iter(stream(folder, shuffle_buffer=400)))])
    assert len(set(first // 211)) == 3 and np.abs(np.diff(np.sort(first))).max() < 200


def test_what_becomes_of_the_last_batch_is_said_by_name(folder):
    dropped = list(stream(folder, last="drop"))
    assert [len(batch) for batch in dropped] == [64] * 9
    padded = list(stream(folder, last="pad"))
    rest = JETS - 9 * 64
    assert {len(batch) for batch in padded} == {64} and np.array_equal(
        ids(padded[:9]), ids(dropped)
    )
    assert (
        (padded[-1].label[rest:] == -1).all()
        and not padded[-1].mask[rest:].any()
        and (padded[-1].scalars["jet_pt"][rest:] == 1).all()
    )
    with pytest.raises(ValueError, match="last='lose'; choose from keep, pad, drop"):
        stream(folder, last="lose")


def test_without_end_means_until_the_caller_stops_and_then_the_thread_stops_too(folder):
    before = threading.active_count()
    endless = stream(folder, epochs=None, threads=2)
    assert len([next(endless) for _ in range(40)]) == 40
    endless.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("prefetch", [0, 2])
def test_files_are_closed_after_the_last_thread_has_read_from_them(folder, prefetch, monkeypatch):
    """Reading the mapped memory of a closed file kills the process."""
    late = []

    def slowly(tree, *arguments, **options):
        time.sleep(0.02)
        late.append(tree._file.closed)
        return data.read_range(tree, *arguments, **options)

    monkeypatch.setattr("zoo.particle_physics.data.stream.read_range", slowly)
    endless = stream(folder, epochs=None, threads=3, prefetch=prefetch)
    next(endless)
    endless.close()
    done = len(late)
    time.sleep(0.1)
    assert not any(late) and len(late) == done


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_error_in_the_thread_reaches_the_caller(folder, prefetch):
    with pytest.raises(JetFileError, match="lacks 1 of the branches: part_colour"):
        next(stream(folder, columns=["part_colour"], prefetch=prefetch))
    with pytest.raises(ValueError, match="batch_size=0"):
        stream(folder, batch_size=0)
