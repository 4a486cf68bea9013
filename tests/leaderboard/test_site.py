"""The pages: same bytes, no network, nothing typed becomes markup, and the same numbers as
the entries."""

from __future__ import annotations

import csv
import html.parser
import json
import re
import shutil
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.parse import unquote

import pytest
import synthetic_board as synthetic

from zoo.leaderboard import build, text
from zoo.leaderboard.board import BoardError

EVIL = (
    "</title></td><script>alert(1)</script><img src=x onerror=alert(2)> \"'`{{7*7}}` $x^2$ "
    "[l](javascript:alert(3)) |"
)


class Page(html.parser.HTMLParser):
    """What a page loads, links to and names."""

    def __init__(self, content: str):
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            elif name.startswith("on"):
                self.handlers.append(name)
            elif name == "href" and tag == "a":
                self.links.append(value)
            elif name in ("src", "href", "srcset", "data", "poster", "action", "xlink:href"):
                self.loads.append(value)


def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_rebuild_gives_the_same_bytes_wherever_the_root_lies(root, site, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(root, moved, ignore=shutil.ignore_patterns("_site", "README.md"))
    readme, index = build(root=moved)
    assert readme.read_bytes() == (root / "leaderboard" / "README.md").read_bytes()
    assert content(index.parent) == content(site)


def test_every_link_leads_somewhere(site):
    found = pages(site)
    assert sum(len(page.links) for page in found.values()) > 100
    for path, page in found.items():
        for link in page.links:
            if link.startswith("https://"):
                continue
            name, _, anchor = link.partition("#")
            target = (path.parent / unquote(name)).resolve() if name else path
            assert target.is_file(), f"{path.relative_to(site)} links to {link}"
            assert target.is_relative_to(site.resolve()) or target == path
            if anchor.startswith("reference="):  # a choice on the compare page, by the row's name
                assert (
                    f'"name":"{unquote(anchor).removeprefix("reference=")}"'
                    in target.with_suffix(".js").read_text(encoding="utf-8")
                )
            elif anchor:
                assert (
                    anchor
                    in found[path if not name else site / target.relative_to(site.resolve())].ids
                ), f"{path}: {link}"


def test_nothing_is_loaded_from_outside(site):
    for path, page in pages(site).items():
        for address in page.loads:
            local = address.startswith("#") or (path.parent / address).resolve().is_file()
            assert local, f"{path.relative_to(site)} loads {address}"
        assert "//" not in "".join(page.loads)
    assert "url(" not in (site / "assets" / "site.css").read_text()
    assert "@import" not in (site / "assets" / "site.css").read_text()


def test_pages_have_unique_ids_breadcrumbs_and_a_way_to_rebuild(site):
    found = pages(site)
    assert len(found) > 10
    for path, page in found.items():
        assert len(page.ids) == len(set(page.ids)), path
        text_of = path.read_text(encoding="utf-8")
        assert 'aria-label="Breadcrumb"' in text_of
        assert "zoo leaderboard build" in text_of
        assert page.handlers == []


def test_the_first_page_is_light(site):
    loaded = (site / "index.html").stat().st_size + sum(
        path.stat().st_size for path in (site / "assets").iterdir()
    )
    assert loaded < 150_000


def test_typed_text_never_becomes_markup(small):
    (small / "leaderboard" / "peers" / "genomics").mkdir(parents=True)
    spec = synthetic.weather_spec(
        title=EVIL,
        summary=EVIL,
        protocol=f"{EVIL}\n\n- {EVIL}",
        audit=[EVIL],
        how_to_beat=EVIL,
        tracks={"core": EVIL},
        table=[{"metric": "z500_rmse.day5", "label": EVIL}],
    )
    synthetic.write_specs(small, spec)
    task = synthetic.ToyWeather(spec, file=Path)
    path = synthetic.add_entry(
        small,
        spec,
        task,
        "net",
        synthetic.weather_record(skill=0.3, seed=7),
        title=EVIL,
        track="core",
    )
    entry = json.loads(path.read_text())
    entry["provenance"] |= {"note": EVIL, "submitted_by": EVIL, "command": EVIL}
    path.write_text(json.dumps(entry))
    synthetic.add_entry(
        small,
        spec,
        task,
        "other",
        synthetic.weather_record(skill=0.5, seed=8),
        title=EVIL,
        track=EVIL,
    )
    peers = {
        "schema_version": 1,
        "task": spec.id,
        "task_version": 1,
        "note": EVIL,
        "row": [{"name": EVIL, "metrics": {"z500_rmse.day5": 1.0}, "source": EVIL, "caveat": EVIL}],
    }
    synthetic.write_toml(small / "leaderboard" / "peers" / f"{spec.key}.toml", peers)
    card = synthetic.model_card(
        "climate/net", spec.id, title=EVIL, summary=EVIL, caveats=[EVIL], licence=EVIL
    )
    synthetic.write_toml(
        small / "zoo" / "climate" / "weights" / "net.toml",
        card.model_dump(mode="json", exclude_none=True),
    )
    readme, index = build(root=small)
    found = pages(index.parent)
    assert len(found) > 10
    for path, page in found.items():
        assert page.tags.count("script") == (3 if path.name == "compare.html" else 1), path
        assert page.handlers == [], path
        assert "img" not in page.tags
        assert not any("javascript" in link for link in page.links)
    assert "<" not in (index.parent / "tasks/climate/toy_weather@1/compare.js").read_text()
    assert "<script" not in readme.read_text()
    assert not re.search(r"(?<!\\)\]\(javascript", readme.read_text())
    ElementTree.parse(index.parent / "feed.xml")


def test_gaps_are_dashes_with_a_reason(site):
    page = (site / "tasks" / "genomics" / "toy_seasons@2" / "index.html").read_text(
        encoding="utf-8"
    )
    assert '<span class="gap">–<sup>d</sup></span>' in page
    assert text.GAPS["declined"] in page
    assert "its per-example record is missing" in page
    assert "nan" not in page.lower().replace("finance", "")


def test_published_rows_stand_apart(site):
    page = (site / "tasks" / "genomics" / "toy_seasons@2" / "index.html").read_text(
        encoding="utf-8"
    )
    ours, published = page.split('<h2 id="published">')
    assert "A paper&#39;s CNN" not in ours
    assert "A paper&#39;s CNN" in published
    assert "never ranked or grouped" in published
    assert "to 2017 only; other base period" in published


def test_ties_are_named_on_the_first_page(site):
    page = (site / "index.html").read_text(encoding="utf-8")
    assert "tied: net 1 held out" in page or "tied: net 0 held out" in page


def test_claimed_and_obtained_stand_side_by_side(site):
    page = (site / "entries" / "climate" / "toy_weather@1" / "net_1.held_out.html").read_text(
        encoding="utf-8"
    )
    assert "Does not agree" in page
    assert "Claimed and obtained" in page


def test_json_and_csv_say_what_the_entries_say(root, site):
    listed = {
        item["id"]: item
        for item in json.loads((site / "data" / "entries.json").read_text(encoding="utf-8"))[
            "entries"
        ]
    }
    sources = {
        path: json.loads(path.read_text(encoding="utf-8"))
        for path in (root / "leaderboard" / "entries").rglob("*.json")
    }
    assert {entry["id"] for entry in sources.values()} == listed.keys()
    with open(site / "data" / "entries.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    for entry in sources.values():
        assert listed[entry["id"]]["entry"] == entry
        mine = {line["metric"]: line for line in lines if line["entry"] == entry["id"]}
        assert {metric for metric, line in mine.items() if line["value"]} == entry["metrics"].keys()
        assert {metric for metric, line in mine.items() if line["gap"]} == set(entry["declined"])
        for metric, score in entry["metrics"].items():
            assert float(mine[metric]["value"]) == score["value"]
            assert [float(mine[metric]["low"]), float(mine[metric]["high"])] == score["ci95"]
        assert (site / listed[entry["id"]]["page"]).is_file()
    published = [line for line in lines if line["published"] == "1"]
    assert [line["groups"] for line in published] == [""] * 3


def test_csv_cells_are_no_formulas(small):
    spec = synthetic.weather_spec()
    synthetic.add_entry(
        small,
        spec,
        synthetic.ToyWeather(spec, file=Path),
        "net",
        synthetic.weather_record(skill=0.3, seed=7),
        title='=HYPERLINK("https://example.org")',
    )
    _, index = build(root=small)
    assert ",\"'=HYPERLINK" in (index.parent / "data" / "entries.csv").read_text()


def test_the_feed_has_the_newest_entry_first(root, site):
    atom = "{http://www.w3.org/2005/Atom}"
    feed = ElementTree.parse(site / "feed.xml").getroot()
    dates = [entry.findtext(f"{atom}updated") for entry in feed.iter(f"{atom}entry")]
    assert dates == sorted(dates, reverse=True)
    assert feed.findtext(f"{atom}updated") == dates[0]


def test_a_row_that_went_away_takes_its_pages_with_it(small):
    spec = synthetic.weather_spec()
    task = synthetic.ToyWeather(spec, file=Path)
    arrays = synthetic.weather_record(skill=0.3, seed=7)
    gone = synthetic.add_entry(small, spec, task, "gone", arrays, write_record=False)
    synthetic.add_entry(small, spec, task, "stays", arrays, write_record=False)
    _, index = build(root=small)
    gone.unlink()
    build(root=small)
    assert [path.name for path in (index.parent / "entries").rglob("*.html")] == ["stays.html"]


def test_a_folder_with_other_files_is_left_alone(small, tmp_path):
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    with pytest.raises(BoardError, match=r"thesis\.tex"):
        build(other, root=small)
    assert content(other) == {"thesis.tex": b"years of work"}


def test_an_empty_board_is_a_board(small):
    readme, index = build(root=small)
    assert "No entry yet" in index.read_text()
    assert "No entry yet" in readme.read_text()


def test_three_hundred_entries_build_in_seconds(small):
    spec, seasons = synthetic.weather_spec(), synthetic.seasons_spec()
    toy_weather, toy_seasons = (
        synthetic.ToyWeather(spec, file=Path),
        synthetic.ToySeasons(seasons, file=Path),
    )
    for i in range(150):
        weather = synthetic.weather_record(skill=0.1 + i / 200, seed=i)
        synthetic.add_entry(small, spec, toy_weather, f"net_{i}", weather, write_record=i % 15 == 0)
        season = synthetic.seasons_record(skill=0.9 - i / 200, seed=i)
        synthetic.add_entry(
            small, seasons, toy_seasons, f"net_{i}", season, write_record=i % 15 == 0
        )
    begin = time.process_time()
    _, index = build(root=small)
    assert time.process_time() - begin < 15
    assert len(list((index.parent / "entries").rglob("*.html"))) == 300
    assert index.stat().st_size < 60_000


@pytest.mark.slow
def test_two_thousand_entries_build_in_half_a_minute(small):
    """A thousand rows on each of two tasks, all with records and letters."""
    synthetic.make_board(small, weather=1000, seasons=1000)
    begin = time.process_time()
    _, index = build(root=small)
    assert time.process_time() - begin < 30
    assert len(list((index.parent / "entries").rglob("*.html"))) == 2000
