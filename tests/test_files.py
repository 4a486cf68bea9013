"""A file is found in the order of trust, proved by its hash, fetched whole or not at all,
and never asked for where that is forbidden."""

from __future__ import annotations

import errno
import hashlib
import http.server
import threading
from pathlib import Path

import pytest

from zoo import files, registry
from zoo.cards import CardError, FileCard

CONTENT = bytes(range(256)) * 40
URL = "https://example.org/data/field.nc"


def card(
    content: bytes = CONTENT, urls: tuple[str, ...] = (URL,), path: str | None = "field.nc"
) -> FileCard:
    """The card of a file; `urls` unchecked, so that a local server without TLS can play the
    archive."""
    checked = FileCard(
        name="field.nc",
        path=path,
        urls=[URL],
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        licence="CC0-1.0",
        role="truth",
        redistributable=True,
    )
    return checked.model_copy(update={"urls": list(urls)})


def put(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


class Server(http.server.ThreadingHTTPServer):
    """Serves `content`; counts the bytes that it sent. `ranges` on or off; `cut` ends a
    body early."""

    def __init__(self, content: bytes, *, ranges: bool = True, cut: int | None = None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.ranges, self.cut, self.sent, self.asked = content, ranges, cut, 0, []
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        self.url = f"http://127.0.0.1:{self.server_port}/data/field.nc"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        start = (
            int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.ranges else 0
        )
        body = self.server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        body = body[: self.server.cut]
        self.server.sent += len(body)
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def serve(isolated_home, monkeypatch):
    monkeypatch.delenv("ZOO_OFFLINE")
    servers = []

    def start(content: bytes = CONTENT, **options) -> Server:
        servers.append(Server(content, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


# ------------------------------------------------------------------------------------------ finding


def test_the_order_is_checkout_mirrors_cache(tmp_path, isolated_home, monkeypatch):
    monkeypatch.setenv("ZOO_MIRROR", f"{tmp_path / 'first'}:{tmp_path / 'second'}")
    expected = [
        put(tmp_path / "checkout/field.nc"),
        put(tmp_path / "first/example.org/data/field.nc"),
        put(tmp_path / "second/example.org/data/field.nc"),
        put(isolated_home / "files/example.org/data/field.nc"),
    ]
    for path in expected:
        assert files.get(card(), folder=tmp_path / "checkout") == path
        path.unlink()
    assert files.find(card(), folder=tmp_path / "checkout") is None


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (CONTENT[:-1], "truncated"),
        (CONTENT + b"x", "too long"),
        (CONTENT[:-1] + b"x", "was altered: SHA-256"),
        (b"", "truncated"),
    ],
)
def test_a_copy_with_other_bytes_is_never_used(tmp_path, isolated_home, content, word):
    path = put(tmp_path / "field.nc", content)
    with pytest.raises(files.FileAltered, match=word) as caught:
        files.get(card(), folder=tmp_path)
    assert str(path) in str(caught.value) and "delete it and run the command again" in str(
        caught.value
    )


def test_offline_the_error_names_the_file_its_size_its_address_and_three_ways(isolated_home):
    with pytest.raises(files.FileMissing) as caught:
        files.get(card(path=None))
    message = str(caught.value)
    for part in (
        "field.nc",
        "0.01 MB",
        URL,
        "ZOO_OFFLINE is set",
        "1. ",
        "2. ",
        "3. ",
        "zoo mirror DIR",
        "CC0-1.0",
        card().sha256,
        str(isolated_home / "files/example.org/data/field.nc"),
    ):
        assert part in message


def test_a_file_that_only_the_repository_has_says_how_to_restore_it(isolated_home, tmp_path):
    with pytest.raises(files.FileMissing, match=r"git checkout -- field.nc"):
        files.get(card(urls=()), folder=tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "https://h/../../etc/passwd",
        "https://h/%2e%2e/x",
        "https://h/a/%2E%2E%2Fx",
        "https://../x",
        "https:///x",
        "https://h/a\\..\\b",
        "https://h/a/..%5c..%5cb",
        "https://h",
        "https://h/a/",
        "https://h//a//b",
    ],
)
def test_no_address_leads_out_of_a_mirror(url):
    with pytest.raises(ValueError, match="has no place in a mirror"):
        files.under_host(url)


def test_addresses_lie_where_wget_puts_them():
    assert files.under_host("https://example.org/a%20b/c.nc") == "example.org/a b/c.nc"
    assert files.under_host("https://example.org/get?file=1&v=2") == "example.org/get?file=1&v=2"


def test_names_that_a_dataset_lacks_are_told(isolated_home):
    from zoo.cards import DatasetCard

    dataset = DatasetCard(
        schema_version=1,
        id="climate/toy",
        version="1",
        title="",
        truth="simulated",
        summary="",
        loader="a:b",
        licence="",
        citation=[],
        splits={},
        file=[card()],
    )
    assert registry.missing(dataset, ["field.nc"]) == [card()]
    with pytest.raises(CardError, match=r"no file 'x'; it has field.nc"):
        registry.missing(dataset, ["x"])


# ----------------------------------------------------------------------------------------- fetching


def test_a_download_lands_in_the_cache_and_reports_progress(serve, isolated_home):
    server, seen = serve(), []
    path = files.get(card(urls=(server.url,), path=None), progress=lambda *now: seen.append(now))
    assert path == isolated_home / "files/127.0.0.1/data/field.nc" and path.read_bytes() == CONTENT
    assert seen[-1] == ("field.nc", len(CONTENT), len(CONTENT))
    assert [item.name for item in path.parent.iterdir()] == ["field.nc"]


def test_an_interrupted_download_continues_where_it_stopped(serve, isolated_home):
    server = serve()
    target = put(isolated_home / "files/127.0.0.1/data/field.nc.part", CONTENT[:7000]).with_suffix(
        ""
    )
    assert files.fetch(server.url, card()) == target
    assert (
        target.read_bytes() == CONTENT
        and server.sent == len(CONTENT) - 7000
        and server.asked == ["bytes=7000-"]
    )


def test_a_server_without_ranges_is_asked_for_everything_again(serve, isolated_home):
    server = serve(ranges=False)
    target = put(isolated_home / "files/127.0.0.1/data/field.nc.part", CONTENT[:7000]).with_suffix(
        ""
    )
    files.fetch(server.url, card())
    assert target.read_bytes() == CONTENT and server.sent == len(CONTENT)


def test_a_broken_connection_is_no_altered_file_and_what_came_is_kept(serve, isolated_home):
    server = serve(cut=3000)
    with pytest.raises(files.FileMissing, match="connection ended after 3000 of 10240 bytes"):
        files.get(card(urls=(server.url,), path=None))
    part = isolated_home / "files/127.0.0.1/data/field.nc.part"
    assert part.read_bytes() == CONTENT[:3000]
    server.cut = None
    assert files.get(card(urls=(server.url,), path=None)).read_bytes() == CONTENT
    assert server.sent == len(CONTENT) and not part.exists()


@pytest.mark.parametrize(
    "content", [CONTENT[::-1], CONTENT[:100], CONTENT * 2], ids=["other", "shorter", "longer"]
)
def test_a_server_with_other_bytes_is_refused_and_nothing_stays(serve, isolated_home, content):
    server = serve(content)
    with pytest.raises(files.FileAltered, match="does not deliver the card's file"):
        files.get(card(urls=(server.url,), path=None))
    assert [item for item in isolated_home.rglob("*") if item.is_file()] == []


def test_the_next_address_is_tried_where_one_fails_or_lies(serve):
    good, liar = serve(), serve(CONTENT[::-1])
    path = files.get(card(urls=("http://127.0.0.1:9/gone", liar.url, good.url), path=None))
    assert path.read_bytes() == CONTENT and liar.sent and good.sent


def test_an_unreachable_address_gives_the_three_ways_with_the_reason(serve):
    with pytest.raises(files.FileMissing, match=r"(?s)127.0.0.1:9/gone: .*refused.*Three ways"):
        files.get(card(urls=("http://127.0.0.1:9/gone",), path=None))


def test_offline_nothing_is_fetched_by_any_door(serve, monkeypatch):
    server = serve()
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    for call in (
        lambda: files.get(card(urls=(server.url,), path=None)),
        lambda: files.fetch(server.url, card()),
    ):
        with pytest.raises(files.FileMissing):
            call()
    assert server.asked == []


# ------------------------------------------------------------------------------------------ writing


def test_a_cache_that_cannot_be_made_is_told_with_the_way_out(serve, tmp_path, monkeypatch):
    put(tmp_path / "file")
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "file/home"))
    with pytest.raises(
        OSError, match=r"cannot write .*MB free.*point ZOO_HOME at a folder that can be written"
    ):
        files.get(card(urls=(serve().url,), path=None))


def test_a_full_disk_is_told_and_nothing_lies_under_the_final_name(
    serve, isolated_home, monkeypatch
):
    class Full:
        def __init__(self, path, mode):
            self.file = open(path, mode)  # noqa: SIM115

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, block):
            self.file.write(block[:50])
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "open", Full, raising=False)
    with pytest.raises(
        OSError,
        match=r"cannot write .*field.nc \(No space left on device; .* MB free, 0.0 MB needed\)",
    ):
        files.get(card(urls=(serve().url,), path=None))
    assert not (isolated_home / "files/127.0.0.1/data/field.nc").exists()


def test_a_text_or_copy_that_fails_leaves_the_old_file_alone(tmp_path, monkeypatch):
    target = put(tmp_path / "out/entry.json", b"old")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    monkeypatch.setattr("shutil.copyfile", full)
    for attempt in (lambda: files.write_text(target, "new"), lambda: files.copy(tmp_path, target)):
        with pytest.raises(OSError, match="No space"):
            attempt()
    assert target.read_bytes() == b"old" and [item.name for item in target.parent.iterdir()] == [
        "entry.json"
    ]


# ------------------------------------------------------------------------------------------- mirror


def test_a_mirror_that_zoo_writes_serves_a_machine_without_network(
    toy, tmp_path, zoo_command, monkeypatch
):
    import numpy as np

    extra = toy / "datasets/climate/toy/card.toml"
    np.save(tmp_path / "extra.npy", np.arange(3))
    content = (tmp_path / "extra.npy").read_bytes()
    extra.write_text(
        extra.read_text()
        .replace("0" * 64, hashlib.sha256(content).hexdigest())
        .replace("1234567", str(len(content)))
    )
    put(tmp_path / "home/files/example.org/data/extra.npy", content)
    done = zoo_command("mirror", tmp_path / "mirror", "climate/toy")
    assert done.code == 0 and f"export ZOO_MIRROR={tmp_path / 'mirror'}" in done.out
    written = sorted(
        str(path.relative_to(tmp_path / "mirror"))
        for path in (tmp_path / "mirror").rglob("*")
        if path.is_file()
    )
    assert written == ["example.org/data/extra.npy", "example.org/data/series.npy"]
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "another machine"))
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    (toy / "datasets/climate/toy/series.npy").unlink()
    card = registry.dataset("climate/toy")
    for file in card.file:
        assert (
            files.get(file, folder=registry.dataset_folder(card))
            == tmp_path / "mirror/example.org/data" / file.name
        )


def test_a_mirror_is_not_written_from_the_network_where_that_is_forbidden(
    toy, tmp_path, zoo_command
):
    done = zoo_command("mirror", tmp_path / "mirror")
    assert done.code == 3 and "ZOO_OFFLINE is set" in done.err
