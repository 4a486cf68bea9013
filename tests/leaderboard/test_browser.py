"""In a real browser, from disk: nothing fails, nothing is fetched, sorting and filtering
work. Skipped where there is no Chromium."""

from __future__ import annotations

import functools
import html
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from chromium import CHROMIUM, FLAGS


def probed(address: str, flags: list[str], folder: Path) -> Any:
    """What the page's probe script wrote, as JSON, into its `<pre id="probe">`; `folder`
    holds the browser's profile."""
    command = [CHROMIUM, *flags, f"--user-data-dir={folder / 'profile'}", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return json.loads(
        html.unescape(re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL).group(1))
    )


PROBE = """
const errors = [];
addEventListener("error", (event) => errors.push(event.message));
addEventListener("load", () => {
  const table = document.querySelector("table.scores");
  const shown = () => [...table.tBodies[0].rows].filter((row) => !row.hidden);
  const names = () => shown().map((row) => row.cells[0].innerText.trim().split("\\n")[0]);
  const header = table.querySelector("th.num");
  const before = names();
  header.querySelector("button").click();
  const reversed = names();
  const order = header.getAttribute("aria-sort");
  header.querySelector("button").click();
  const again = names();
  const form = document.querySelector("form.filter");
  form.elements.kind.value = "forecast_centre";
  form.dispatchEvent(new Event("input"));
  const centres = names();
  const box = document.querySelector(".series-table input:not(:checked)");
  box.click();
  const key = box.closest("th").dataset.series;
  const series = [...document.querySelectorAll(`figure [data-series="${key}"]`)];
  const drawn = series.every((one) => !one.hasAttribute("display"));
  document.getElementById("theme").click();
  const theme = document.documentElement.dataset.theme;
  const said = form.querySelector("output").textContent;
  const result = { errors, before, reversed, again, order, centres, said, drawn, theme };
  const written = document.createElement("pre");
  written.id = "probe";
  written.textContent = JSON.stringify(result);
  document.body.append(written);
});
"""


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_the_task_page_works_in_a_browser(site, tmp_path):
    copy = tmp_path / "site"
    shutil.copytree(site, copy)
    page = copy / "tasks" / "genomics" / "toy_seasons@2" / "index.html"
    (page.parent / "probe.js").write_text(PROBE, encoding="utf-8")
    page.write_text(
        page.read_text(encoding="utf-8").replace(
            "</head>", '<script src="probe.js"></script></head>'
        ),
        encoding="utf-8",
    )
    found = probed(page.as_uri(), FLAGS, tmp_path)
    assert found["errors"] == []
    assert found["order"] == "ascending"
    scored = len(found["before"]) - 1  # one row has no headline score
    assert found["reversed"][:scored] == found["before"][:scored][::-1]
    assert found["reversed"][scored:] == found["before"][scored:]
    assert found["again"] == found["before"]
    assert found["centres"]
    assert all(name.startswith("forecast centre") for name in found["centres"])
    assert found["said"].endswith("rows")
    assert found["drawn"]
    assert found["theme"] == "light"


NETWORK_PROBE = """
addEventListener("load", () => {
  const canary = new Image();  // shows that a request elsewhere is seen, even one that fails
  canary.addEventListener("error", () => setTimeout(() => {
    const written = document.createElement("pre");
    written.id = "probe";
    const requests = performance.getEntriesByType("resource");
    written.textContent = JSON.stringify(requests.map((one) => one.name));
    document.body.append(written);
  }, 50));
  canary.src = "https://example.org/canary.png";
});
"""


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_no_page_asks_anything_of_another_host(site, tmp_path):
    """Without a network, from a server of our own: Chromium lists what it asked for, which
    it does not do for pages on disk."""
    copy = tmp_path / "site"
    shutil.copytree(site, copy)
    (copy / "probe.js").write_text(NETWORK_PROBE, encoding="utf-8")
    folders = {path.parent for path in copy.rglob("*.html")}
    handler = functools.partial(Quiet, directory=str(copy))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}/"
        for page in [
            *sorted(min(folder.glob("*.html")) for folder in folders),
            copy / "index.html",
        ]:
            name = page.relative_to(copy).as_posix()
            script = f'<script src="{"../" * name.count("/")}probe.js"></script></head>'
            page.write_text(
                page.read_text(encoding="utf-8").replace("</head>", script), encoding="utf-8"
            )
            asked = probed(here + name, FLAGS, tmp_path)
            assert {here + "assets/site.css", here + "assets/site.js"} <= set(asked), name
            assert [one for one in asked if not one.startswith(here)] == [
                "https://example.org/canary.png"
            ], name
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, without a log."""

    def log_message(self, *arguments: object) -> None:
        pass


LONG_PROBE = """
addEventListener("load", () => {
  const table = document.querySelector("table.scores");
  const rows = [...table.tBodies[0].rows];
  const shown = () => [...table.tBodies[0].rows].filter((row) => !row.hidden);
  const rest = table.closest(".scroll").nextElementSibling;
  const first = shown().length, said = rest.textContent;
  const times = [...table.tHead.querySelectorAll("th button")].map((button) => {
    const begin = performance.now();
    button.click();
    document.body.getBoundingClientRect();  // waits for style and layout
    return performance.now() - begin;
  });
  table.tHead.querySelector("th.num button").click();
  const value = (row) => Number(row.querySelector("td.num").dataset.v);
  const values = shown().map(value);
  const lowest = rows.map(value).sort((a, b) => a - b).slice(0, first);
  const form = document.querySelector("form.filter");
  form.elements.text.value = "number 1999 ";
  form.dispatchEvent(new Event("input"));
  const found = shown().map((row) => row.cells[0].textContent);
  form.elements.text.value = "";
  form.dispatchEvent(new Event("input"));
  const again = shown().length;
  rest.querySelector("button").click();
  const written = document.createElement("pre");
  written.id = "probe";
  const all = shown().length, gone = rest.hidden;
  const result = { first, said, times, values, lowest, found, again, all, gone };
  written.textContent = JSON.stringify(result);
  document.body.append(written);
});
"""


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_two_thousand_rows_sort_within_two_seconds(site, tmp_path):
    """Script, style and layout of each click in real time; the first rows in the chosen
    order are shown, the rest on demand."""
    copy = tmp_path / "site"
    shutil.copytree(site, copy)
    page = copy / "tasks" / "climate" / "toy_weather@1" / "index.html"
    (page.parent / "probe.js").write_text(LONG_PROBE, encoding="utf-8")
    text = page.read_text(encoding="utf-8").replace(
        "</head>", '<script src="probe.js"></script></head>'
    )
    head, table, tail = re.fullmatch(
        r"(.*?<table class=\"sortable scores\".*?<tbody>)(.*?)(</tbody>.*)", text, re.DOTALL
    ).groups()
    row = re.search(r"<tr .*?</tr>", table, re.DOTALL).group()
    rows = [
        re.sub(r'data-v="[^"]*"', f'data-v="{(i * 7919) % 2003}"', row).replace(
            "</a>", f" number {i} </a>", 1
        )
        for i in range(2000)
    ]
    page.write_text(head + "\n".join(rows) + tail, encoding="utf-8")
    # in virtual time nothing takes any
    flags = [flag for flag in FLAGS if not flag.startswith("--virtual-time")]
    found = probed(page.as_uri(), [*flags, "--timeout=60000"], tmp_path)
    assert max(found["times"]) < 2000
    assert found["said"].startswith(f"The first {found['first']} of 2000 rows")
    assert found["values"] == found["lowest"] and len(set(found["values"])) == found["first"] < 2000
    assert len(found["found"]) == 1 and "number 1999 " in found["found"][0]
    assert found["again"] == found["first"]
    assert found["all"] == 2000 and found["gone"]


AXE = os.environ.get("AXE_JS", "")
AXE_PROBE = """
document.documentElement.dataset.theme = "THEME";
addEventListener("load", () => axe.run({ resultTypes: ["violations"] }).then((found) => {
  const wide = document.documentElement.scrollWidth - innerWidth;
  const dark = getComputedStyle(document.body).backgroundColor === "rgb(20, 23, 27)";
  const violations = found.violations.map((one) => [one.impact, one.id, one.nodes[0].html]);
  parent.postMessage(JSON.stringify({ wide, dark, width: innerWidth, found: violations }), "*");
}));
"""
FRAME = """<!doctype html><html lang="en">
<title>a page in a frame: a window of Chromium is never narrower than 500 pixels</title>
<script>addEventListener("message", (event) => {
  const written = document.createElement("pre");
  written.id = "probe";
  written.textContent = event.data;
  document.body.append(written);
});</script>
<body><iframe style="border: 0" width="WIDTH" height="900" src="PAGE"></iframe></body></html>"""


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.skipif(
    not Path(AXE).is_file(), reason="needs axe-core: npm install axe-core; AXE_JS=.../axe.min.js"
)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_no_page_has_a_serious_accessibility_finding(site, tmp_path, width, theme):
    copy = tmp_path / "site"
    shutil.copytree(site, copy)
    shutil.copy(AXE, copy / "axe.js")
    (copy / "probe.js").write_text(AXE_PROBE.replace("THEME", theme), encoding="utf-8")
    chosen = [
        copy / name
        for name in (
            "index.html",
            "history.html",
            "methods.html",
            "models/index.html",
            "datasets/index.html",
        )
    ]
    chosen += [
        next((copy / folder).rglob(f"{name}.html"))
        for folder, name in (
            ("tasks", "index"),
            ("tasks", "compare"),
            ("tasks", "metrics"),
            ("entries", "*"),
            ("models/climate", "*"),
            ("datasets/climate", "*"),
        )
    ]
    for page in chosen:
        root = "../" * (len(page.relative_to(copy).parts) - 1)
        scripts = (
            f'<script src="{root}axe.js"></script><script src="{root}probe.js"></script></head>'
        )
        page.write_text(
            page.read_text(encoding="utf-8").replace("</head>", scripts), encoding="utf-8"
        )
        frame = copy / "frame.html"
        frame.write_text(
            FRAME.replace("WIDTH", str(width)).replace("PAGE", page.relative_to(copy).as_posix()),
            encoding="utf-8",
        )
        said = probed(
            frame.as_uri(),
            [*FLAGS, "--virtual-time-budget=20000", "--window-size=1400,1000"],
            tmp_path,
        )
        assert (said["width"], said["dark"]) == (width, theme == "dark")
        serious = [one for one in said["found"] if one[0] in ("serious", "critical")]
        assert serious == [] and said["wide"] <= 0, (
            f"{page.relative_to(copy)}: {serious}, {said['wide']} px too wide"
        )
