"""The pictures beside the data cards: made from the shipped files, with the numbers that
another reading of these files gives."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import zarr
from zarr.storage import ZipStore

from zoo import cards, files, registry
from zoo.commands import figures as gallery
from zoo.interfaces.figures import FILE, Figure, FigureFile
from zoo.leaderboard import pictures as drawing
from zoo.scoring import record

SHIPPED = [
    identifier
    for identifier, card in registry.datasets().items()
    if any(file.path for file in card.file)
]
PICTURED = [*SHIPPED, "climate/enso"]
QUICK = [
    name
    for name in SHIPPED
    if name not in ("particle_physics/jet_tagging", "particle_physics/quark_gluon")
]
"""Those whose files are read within a second."""


def kept(identifier: str) -> FigureFile:
    return cards.read(files.share() / "datasets" / identifier / FILE, FigureFile)


def picture(identifier: str, name: str) -> Figure:
    return next(figure for figure in kept(identifier).figure if figure.name == name)


def raw(identifier: str, name: str) -> zarr.Group:
    """A shipped file, opened by zarr alone."""
    return zarr.open_group(
        ZipStore(files.share() / "datasets" / identifier / name, mode="r"), mode="r"
    )


def cells(name: str) -> np.ndarray:
    """Bands of a map, `[row, column]`."""
    return np.array(
        [
            [int(digit) for digit in row]
            for row in picture("climate/held_suarez", name).panels[0].rows
        ]
    )


@pytest.mark.parametrize("identifier", PICTURED)
def test_every_data_set_with_shipped_files_has_small_pictures_that_say_what_they_are(identifier):
    found, card = kept(identifier), registry.dataset(identifier)
    hashes = {file.name: file.sha256 for file in card.file}
    assert found.made_from and all(
        hashes[name] == digest for name, digest in found.made_from.items()
    )
    pictures = drawing.of_dataset(identifier, found.figure)
    assert pictures
    for drawn in pictures:
        said = "OBSERVED" if identifier == "climate/enso" else "SIMULATED"
        assert re.search(rf"\b{said}\b", drawn.figure.caption), drawn.figure.name
        assert len(drawn.svg or "") + sum(len(panel) for _, panel in drawn.panels) < 40_000


def test_pictures_are_drawn_the_same_twice():
    assert QUICK
    for identifier in QUICK:
        once, again = (drawing.of_dataset(identifier, kept(identifier).figure) for _ in range(2))
        assert once == again


@pytest.mark.parametrize("identifier", QUICK)
def test_the_kept_file_is_what_the_data_give_to_the_byte(identifier, tmp_path):
    (path,), notes = gallery.draw(identifier, tmp_path, form="json")
    assert not notes
    assert path.read_bytes() == (files.share() / "datasets" / identifier / FILE).read_bytes()


@pytest.mark.parametrize(
    ("name", "variable", "level", "per_unit"),
    [("z500", "geopotential", 500, 9.80665), ("t850", "temperature", 850, 1.0)],
)
def test_a_map_shows_the_band_of_every_cell_with_north_on_top(name, variable, level, per_unit):
    group = raw("climate/held_suarez", "test.zarr.zip")["analysis"]
    packed = group[variable]
    place = list(group["level"][:]).index(level)
    values = (
        packed[0, place].astype(float) * packed.attrs["scale_factor"] + packed.attrs["add_offset"]
    ) / per_unit
    drawn = picture("climate/held_suarez", name)
    want = sum((values >= edge).astype(int) for edge in drawn.levels)  # [longitude, latitude]
    assert group["latitude"][0] < group["latitude"][-1]
    # A value on a level's edge may fall to either side: the task reads in single precision.
    near = np.min([np.abs(values - edge) for edge in drawn.levels], axis=0) < 1e-3 * per_unit
    differ = cells(name) != want.T[::-1]
    assert not (differ & ~near.T[::-1]).any() and differ.sum() <= 3
    lowest, highest = map(int, re.search(r": (\d+) to (\d+) ", drawn.panels[0].label).groups())
    assert (lowest, highest) == (round(values.min()), round(values.max()))
    assert drawn.borders == (-2.8125, 357.1875, -90.0, 90.0)


def test_the_tropics_are_warm_and_the_poles_cold():
    for name in ("z500", "t850"):
        rows = cells(name).mean(axis=1)
        assert rows[14:18].min() > rows[[0, 1, -2, -1]].max() + 5


def test_the_dijet_mass_counts_the_events_of_the_file():
    drawn = picture("particle_physics/anomaly", "dijet_mass")
    group = raw("particle_physics/anomaly", "test.zarr.zip")
    mass, process = group["mjj"][:], group["process"][:]
    assert drawn.log_y
    for number, one in enumerate(drawn.series):
        mine = np.sort(mass[process == number])
        want = np.diff(np.searchsorted(mine, np.float32(drawn.edges)))
        assert one.values == want.tolist() and sum(one.values) == len(mine)
        assert f": {len(mine)} events" in one.label
    inside = (np.array(drawn.edges[:-1]) >= 3300) & (np.array(drawn.edges[1:]) <= 3700)
    assert len(drawn.series) > 1 and not inside.all()
    assert not any(np.array(one.values)[~inside].any() for one in drawn.series[1:])


@pytest.mark.parametrize(("name", "column"), [("mass", 1), ("multiplicity", 2)])
def test_jets_are_counted_by_class(name, column):
    drawn = picture("particle_physics/jet_generation", name)
    group = raw("particle_physics/jet_generation", "test.zarr.zip")
    value, label = group["reference_conditions"][:, column], group["reference_label"][:]
    for number, one in enumerate(drawn.series):
        mine = value[label == number]
        want = [
            ((mine >= low) & (mine < high)).mean()
            for low, high in zip(drawn.edges[:-1], drawn.edges[1:], strict=True)
        ]
        want[-1] += (mine == drawn.edges[-1]).mean()  # the last bin holds its upper end
        assert one.values == pytest.approx(want, rel=1e-4)
    beyond = re.search(r"([\d.]+) % of the jets lie beyond the last bin", drawn.caption)
    assert float(beyond.group(1)) == round(100 * (value > drawn.edges[-1]).mean(), 1)


def test_the_average_top_is_wider_than_the_average_quark():
    gluon, quark, top = picture("particle_physics/jet_generation", "average_images").panels
    filled = {
        panel.label: sum(digit != "0" for row in panel.rows for digit in row)
        for panel in (gluon, quark, top)
    }
    assert filled["quark"] < filled["gluon"] < filled["top"]


SETS = [("", "motif_grammar.zarr.zip"), ("_hard", "motif_grammar_hard.zarr.zip")]


@pytest.mark.parametrize(("suffix", "file"), SETS)
def test_sequences_are_the_first_of_their_class_with_their_motifs(suffix, file):
    group = raw("genomics/motif_grammar", file)
    order = group["order"][:][16_000:]
    label = group["label"][:][order]
    names = [bytes(line).rstrip(b"\0").decode() for line in group["names"][:]]
    for value, shown in zip(
        (1, 0), picture("genomics/motif_grammar", f"sequences{suffix}").rows, strict=True
    ):
        row = int(np.flatnonzero(label == value)[0])
        assert shown.label == f"{('negative', 'positive')[value]}, test{row:05d}"
        packed = group["bases"][order[row]]
        assert shown.letters == "".join(
            "ACGT"[(byte >> shift) & 3] for byte in packed.tolist() for shift in (6, 4, 2, 0)
        )
        motif, start, counts = (group[name][order[row]] for name in ("motif", "start", "counts"))
        want = {
            (names[which], int(first), int(first + group["width"][int(which)]), not bool(told))
            for which, first, told in zip(motif, start, counts, strict=True)
            if which >= 0
        }
        assert {(span.name, span.start, span.stop, span.weak) for span in shown.spans} == want


def test_the_harder_positive_has_a_pair_that_counts_and_one_that_does_not():
    positive, negative = picture("genomics/motif_grammar", "sequences_hard").rows
    assert sorted(span.weak for span in positive.spans) == [False, False, True, True]
    assert negative.spans and all(span.weak for span in negative.spans)


@pytest.mark.parametrize(("suffix", "file"), SETS)
def test_positions_count_every_base_of_every_motif(suffix, file):
    group = raw("genomics/motif_grammar", file)
    order, width = group["order"][:][16_000:], group["width"][:]
    label, motif, start = (group[name][:][order] for name in ("label", "motif", "start"))
    for value, one in zip(
        (1, 0), picture("genomics/motif_grammar", f"positions{suffix}").series, strict=True
    ):
        count = np.zeros(200)
        for row in np.flatnonzero(label == value):
            for which, first in zip(motif[row], start[row], strict=True):
                if which >= 0:
                    count[first : first + width[which]] += (
                        1  # motifs lie apart, so nothing counts twice
                    )
        want = count.reshape(20, 10).sum(axis=1) / (10 * (label == value).sum())
        assert one.values == pytest.approx(want, abs=1e-5)


def test_the_observed_index_is_the_one_in_every_stored_record():
    drawn = picture("climate/enso", "nino34")
    paths = sorted(
        (files.share() / "leaderboard" / "entries" / "climate" / "enso@1").glob("*.record.zarr.zip")
    )
    assert paths
    for path in paths:
        told = record.read(path)
        assert drawn.y == pytest.approx(told["observed"], abs=6e-4)
        assert drawn.x == pytest.approx(
            told["centre_year"] + (told["centre_month"] - 0.5) / 12, abs=6e-4
        )
    highest, lowest = drawn.marks
    assert (highest.y, lowest.y) == (max(drawn.y), min(drawn.y))
    assert highest.short.startswith("2015") and highest.text.startswith("highest: +2.")


def test_the_index_is_drawn_again_from_the_file(mirror_file, tmp_path):
    mirror_file("climate/enso", "oisst_nino34.nc")  # or there is nothing to draw from
    (made,), _ = gallery.draw("climate/enso", tmp_path, form="json")
    assert made.read_bytes() == (files.share() / "datasets" / "climate/enso" / FILE).read_bytes()


def test_maps_and_sequences_are_drawn_into_files(tmp_path):
    for task, names in {
        "climate/held_suarez_drift": ("z500", "t850"),
        "genomics/motif_grammar_hard": ("sequences_hard",),
    }.items():
        for folder in ("a", "b"):
            gallery.draw(task, tmp_path / folder, form="svg")
        for name in names:
            once, again = (
                (tmp_path / folder / f"sample_{name}.svg").read_bytes() for folder in "ab"
            )
            assert once == again and b"<svg" in once


def test_a_globe_must_fit_its_axes():
    from zoo.climate.pictures import globe

    longitude, latitude = np.arange(0, 360, 90.0), np.array([45.0, -45.0])
    words = {"name": "x", "title": "x", "caption": "x", "quantity": "x", "unit": "K", "label": "x"}
    field = np.array([[1.0, 4.0]] * 4)
    assert globe(field, longitude, latitude, (2, 3), **words).panels[0].rows == ["0000", "2222"]
    assert globe(field[:, ::-1], longitude, latitude[::-1], (2, 3), **words).panels[0].rows == [
        "0000",
        "2222",
    ]
    with pytest.raises(ValueError, match="none of 4 longitudes and 2 latitudes"):
        globe(field.T, longitude, latitude, (2, 3), **words)
    with pytest.raises(ValueError, match="1 values of x are not finite"):
        globe(
            np.where(np.arange(8).reshape(4, 2) == 3, np.nan, field),
            longitude,
            latitude,
            (2, 3),
            **words,
        )


def test_pictures_keep_the_listing_light():
    """`zoo list` reads cards; nothing that draws or opens data comes with the tasks' modules."""
    import subprocess
    import sys

    code = (
        "import sys; import zoo.climate.held_suarez.task, zoo.climate.pictures, "
        "zoo.genomics.motif_grammar.pictures; "
        "print([m for m in ('jax', 'flax', 'matplotlib', 'xarray', 'zarr') if m in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


def test_this_file_reads_every_shipped_set():
    assert {Path(name).name for name in SHIPPED} == {
        "held_suarez",
        "motif_grammar",
        "anomaly",
        "jet_generation",
        "jet_tagging",
        "quark_gluon",
    }
