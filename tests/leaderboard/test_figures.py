"""Pictures on the pages: made from records and from `figures.json` alone, the same bytes
every time, nothing typed becomes markup."""

from __future__ import annotations

import html
import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import synthetic_board as synthetic
import synthetic_cards
from board_pictures import EVIL, curve, grid, histograms, images, sequences

from zoo.leaderboard import build


class PicturedWeather(synthetic_cards.ToyWeather):
    """Skill as a curve that depends on the record, and a grid."""

    def figures(self, record):
        return [curve(float(record["z500"].mean()) ** -0.5), grid()]


class BrokenPictures(synthetic_cards.ToyWeather):
    def figures(self, record):
        raise ZeroDivisionError("no such luck")


def board(root: Path, code: str, rows: int = 9) -> str:
    """The task page of a board whose task offers pictures."""
    spec = synthetic.weather_spec(code=f"{__name__}:{code}")
    synthetic.write_specs(root, spec)
    task = synthetic.ToyWeather(spec, file=Path)
    for i in range(rows):
        synthetic.add_entry(
            root, spec, task, f"net_{i}", synthetic.weather_record(skill=0.2 + 0.1 * i, seed=i)
        )
    build(root=root)
    return (root / "leaderboard" / "_site" / "tasks" / f"{spec.key}" / "index.html").read_text(
        encoding="utf-8"
    )


def chart(page: str, title: str) -> str:
    return next(
        svg
        for svg in re.findall(r'<svg class="chart".*?</svg>', page, re.DOTALL)
        if f">{title}</title>" in svg
    )


def test_the_best_rows_lines_are_one_picture_and_other_kinds_are_the_best_rows(small):
    page = board(small, "PicturedWeather")
    svg = chart(page, "ROC")
    assert [f"<title>net {i}</title>" in svg for i in range(9)] == [True] * 6 + [False] * 3
    assert svg.count("21 of 2000 left") == 2 * 6  # each mark's tooltip, and the description
    assert "21 left" in svg  # written beside the best row's mark
    assert '<h3 id="figure-confusion">Confusion: net 0</h3>' in page
    assert '<td class="num" style="--v:0.750">0.75</td>' in page
    # a thousandth is no number worth reading
    assert '<td class="num" style="--v:0.001"></td>' in page
    ElementTree.fromstring(svg)
    assert "<script>alert" not in page and html.escape(EVIL) in page


def test_the_same_bytes_again(small):
    assert board(small, "PicturedWeather") == board(small, "PicturedWeather")


def test_colours_follow_the_theme(small):
    svg = chart(board(small, "PicturedWeather", rows=2), "ROC")
    assert "var(--s0, #0b62a8)" in svg
    assert not re.search(r"(?<!, )#(?:0b62a8|1b1f24)", svg)


def test_a_task_without_pictures_has_no_such_section(site):
    page = (site / "tasks" / "climate" / "toy_weather@1" / "index.html").read_text(encoding="utf-8")
    assert 'id="pictures"' not in page


def test_pictures_that_fail_do_not_stop_the_board_and_are_named(small):
    page = board(small, "BrokenPictures", rows=2)
    assert "net 0" in page and 'id="pictures"' not in page
    first = (small / "leaderboard" / "_site" / "index.html").read_text(encoding="utf-8")
    assert "no pictures of its record (ZeroDivisionError: no such luck)" in first


def write_figures(root: Path, **changes) -> None:
    card = synthetic_cards.toy_planet()
    folder = root / "datasets" / card.id
    synthetic.write_toml(folder / "card.toml", card.model_dump(mode="json", exclude_none=True))
    figures = [figure.model_dump() for figure in (images(), histograms())]
    made_from = {"test.zarr.zip": synthetic_cards.SHA}
    content = {
        "schema_version": 1,
        "dataset": card.id,
        "made_from": made_from,
        "figure": figures,
    } | changes
    (folder / "figures.json").write_text(json.dumps(content), encoding="utf-8")


def dataset_page(root: Path) -> tuple[str, str]:
    build(root=root)
    site = root / "leaderboard" / "_site"
    return (site / "datasets/climate/toy_planet.html").read_text(encoding="utf-8"), (
        site / "index.html"
    ).read_text(encoding="utf-8")


def test_a_data_sets_pictures_come_from_the_file_beside_its_card(small):
    write_figures(small)
    page, _ = dataset_page(small)
    (image,) = re.findall(r'<svg class="jet".*?</svg>', page)
    assert '<path fill-opacity="0.5" d="M2 0h1v1h-1zM1 1h1v1h-1z"/>' in image
    assert '<path fill-opacity="1.0" d="M3 0h1v1h-1zM2 1h1v1h-1z"/>' in image
    assert html.escape(EVIL) in image and "<script>" not in image
    assert "top most in 10 to 25" in chart(page, "Mass")


def test_a_map_has_its_axes_and_a_sequence_the_names_of_its_stretches(small):
    ticks = {"x_ticks": [{"at": 90, "label": "90°E"}], "y_ticks": [{"at": 0, "label": EVIL[:12]}]}
    figures = [
        images(reach=None, extent=(0, 180, -45, 45), **ticks).model_dump(),
        sequences().model_dump(),
    ]
    write_figures(small, figure=figures)
    page, _ = dataset_page(small)
    (drawn,) = re.findall(r'<svg class="map".*?</svg>', page)
    ElementTree.fromstring(drawn)
    # the middle of four columns
    assert '<path d="M2.0 2v.6"/><text x="2.0"' in drawn and ">90°E</text>" in drawn
    assert '<path d="M0 1.0h-.6"/>' in drawn and "<script>" not in drawn
    (letters,) = re.findall(r'<p class="bases">(.*?)</p>', page)
    assert re.sub(r"<rp>.*?</rp>|<rt>.*?</rt>|<[^>]*>", "", letters) == "ACGTACGT"
    assert (
        letters.startswith('AC<ruby class="site">GTA<')
        and '<ruby class="site weak">C<rp> (</rp><rt>b-</rt>' in letters
    )
    assert html.escape(EVIL) in letters and "<script>" not in page


def test_a_data_set_without_pictures_says_why(small):
    card = synthetic_cards.toy_planet()
    fetched = [
        {**file, "path": None, "urls": ["https://example.org/a"]}
        for file in card.model_dump(mode="json")["file"]
    ]
    for content, said in (
        (
            {"file": fetched},
            "ships none of this data set's files (they are fetched from their sources)",
        ),
        ({"file": []}, "read from a folder of the user's own"),
        ({}, "There is no picture of it yet."),
    ):
        written = card.model_dump(mode="json", exclude_none=True) | {
            name: [
                {key: value for key, value in file.items() if value is not None} for file in value
            ]
            for name, value in content.items()
        }
        synthetic.write_toml(small / "datasets" / card.id / "card.toml", written)
        page, _ = dataset_page(small)
        assert said in html.unescape(page) and 'id="pictures"' not in page


def test_archives_that_the_user_fetches_are_listed_with_their_hashes(small):
    card = synthetic_cards.toy_planet().model_dump(mode="json", exclude_none=True)
    archive = {
        "name": "big.tar",
        "urls": ["https://example.org/big.tar"],
        "md5": "0" * 32,
        "licence": "CC-BY-4.0",
        "role": "ten million",
    }
    synthetic.write_toml(
        small / "datasets" / card["id"] / "card.toml", card | {"file": [], "download": [archive]}
    )
    page, _ = dataset_page(small)
    assert (
        "<code>big.tar</code>" in page
        and "0" * 32 in page
        and "https://example.org/big.tar" in page
    )
    assert "No files of its own" not in page and "zoo data get" not in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"made_from": {"test.zarr.zip": "0" * 64}},
            "made from another test.zarr.zip than the card",
        ),
        ({"made_from": {"other.zip": synthetic_cards.SHA}}, "made from another other.zip"),
        ({"dataset": "climate/other"}, "its pictures are of climate/other"),
        ({"figure": [{"kind": "pie"}]}, "is no valid FigureFile"),
    ],
)
def test_pictures_of_other_data_are_left_out_and_named(small, changes, said):
    write_figures(small, **changes)
    page, first = dataset_page(small)
    assert 'id="pictures"' not in page
    assert said in html.unescape(first)
