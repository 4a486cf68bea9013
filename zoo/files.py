"""Finding one file and proving that it is the right one.

Order: the repository's own folder -> each directory in `ZOO_MIRROR` -> the cache
(`ZOO_HOME`) -> the card's URLs in turn. Whatever is found is hashed (SHA-256) before it is
used. `ZOO_OFFLINE=1` forbids the last step. A mirror directory is what `wget -x` makes: the
file of `https://host/path` lies at `<mirror>/host/path`.

Why not pooch: it refuses folders (`file://`) and starts an interrupted download from the
beginning; what is left to do without it is one ranged request, below.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.client
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from zoo.cards import DatasetCard, DownloadCard, FileCard

CHUNK = 1 << 20
Progress = Callable[[str, int, int], None]
"""Called with (file name, bytes so far, bytes in all)."""


class FileMissing(FileNotFoundError):
    """A file could be found nowhere that we may look; the message says how to get it,
    `reason` why it could not be had."""

    def __init__(self, message: str, *, reason: str = ""):
        super().__init__(message)
        self.reason = reason or message


class FileAltered(ValueError):
    """A file was found, but its bytes are not the card's."""


@functools.cache
def share() -> Path:
    """The folder that holds `datasets/`, `benchmarks/` and `leaderboard/`: a checkout's
    root, or `_share` inside a wheel."""
    package = Path(__file__).resolve().parent
    if (package / "_share").is_dir():
        return package / "_share"
    if (package.parent / "datasets").is_dir():
        return package.parent
    raise FileMissing(
        f"neither {package / '_share'} nor {package.parent / 'datasets'} exists: reinstall with "
        "`pip install scizoo`"
    )


def home() -> Path:
    """The cache folder: `ZOO_HOME`, else the platform's. Not created here."""
    if os.environ.get("ZOO_HOME"):
        return Path(os.environ["ZOO_HOME"]).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("scizoo")


def mirrors() -> list[Path]:
    """The directories of `ZOO_MIRROR` (separated as in PATH)."""
    return [
        Path(part).expanduser()
        for part in os.environ.get("ZOO_MIRROR", "").split(os.pathsep)
        if part
    ]


def offline() -> bool:
    """Whether `ZOO_OFFLINE` forbids the network."""
    return os.environ.get("ZOO_OFFLINE", "") not in ("", "0")


def sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def under_host(url: str) -> str:
    """`host/path` of a URL, as `wget -x` names it (with `?query`): where it lies in a
    mirror and in the cache."""
    parts = urlsplit(url)
    path = unquote(parts.path).lstrip("/") + (f"?{parts.query}" if parts.query else "")
    if (
        not parts.hostname
        or "\\" in path
        or any(part in ("", ".", "..") for part in [*parts.hostname.split("/"), *path.split("/")])
    ):
        raise ValueError(
            f"{url!r} has no place in a mirror: it must be host/path without '..', '//' or '\\'"
        )
    return f"{parts.hostname}/{path}"


def places(file: FileCard, *, folder: Path | None) -> Iterator[Path]:
    """Where the file may already lie, in the order of trust."""
    if file.path is not None and folder is not None:
        yield folder / file.path
    for url in file.urls:
        for mirror in mirrors():
            yield mirror / under_host(url)
    for url in file.urls:
        yield home() / "files" / under_host(url)


def find(file: FileCard, *, folder: Path | None = None) -> Path | None:
    """The verified local path of a file, or None where it is in none of the local places.
    Never uses the network.

    Raises:
        FileAltered: a copy was found whose bytes are not the card's.
    """
    for path in places(file, folder=folder):
        if path.is_file():
            verify(path, file)
            return path
    return None


def verify(path: Path, file: FileCard) -> None:
    """Compares size and SHA-256 with the card.

    Raises:
        FileAltered: naming the file, what was expected, what was found, and what to do.
    """
    size = path.stat().st_size
    if size != file.bytes:
        kind = "truncated" if size < file.bytes else "too long"
        raise FileAltered(
            f"{path} is {kind}: {size} bytes, the card says {file.bytes}; delete it and run the "
            "command again"
        )
    found = sha256(path)
    if found != file.sha256:
        raise FileAltered(
            f"{path} was altered: SHA-256 {found}, the card says {file.sha256}; delete it and run "
            "the command again"
        )


def verify_downloads(folder: str | os.PathLike[str], card: DatasetCard) -> list[Path]:
    """Paths of the card's downloads and files that lie in a folder or below it; all of them
    have the card's bytes.

    Raises:
        FileAltered: one has other bytes; names the file, both hashes, and what to do.
    """
    found = []
    wanted: list[DownloadCard | FileCard] = [*card.download, *card.file]
    for each in wanted:
        for path in sorted(Path(folder).rglob(each.name)):
            if isinstance(each, DownloadCard):
                kind = "sha256" if each.sha256 is not None else "md5"
                with open(path, "rb") as file:
                    digest, stated = (
                        hashlib.file_digest(file, kind).hexdigest(),
                        getattr(each, kind),
                    )
                if digest != stated:
                    raise FileAltered(
                        f"{path} was altered or is incomplete: {kind.upper()} {digest}, the card "
                        f"of {card.id} says {stated}; delete it and fetch it again from "
                        f"{each.urls[0]}"
                    )
            else:
                verify(path, each)
            found.append(path)
    return found


def get(file: FileCard, *, folder: Path | None = None, progress: Progress | None = None) -> Path:
    """The verified path of a file, fetched into the cache if need be.

    Raises:
        FileMissing: it is nowhere, and the network is forbidden or failed; names file,
            size, URL and three ways out.
        FileAltered: a copy has other bytes than the card says.
    """
    path = find(file, folder=folder)
    if path is not None:
        return path
    if not file.urls:
        raise FileMissing(
            f"{file.name} belongs to the repository (at {file.path}) but is not there; "
            f"run `git checkout -- {file.path}` in {folder or 'its folder'}"
        )
    reasons, altered = [], []
    for url in [] if offline() else file.urls:
        try:
            return fetch(url, file, progress=progress)
        except FileAltered as error:
            altered.append(error)
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            reasons.append((url, str(getattr(error, "reason", error))))
    if altered:  # worse than unreachable: told even where another URL could not be reached
        raise altered[0]
    reason = (
        "ZOO_OFFLINE is set" if offline() else "; ".join(dict.fromkeys(why for _, why in reasons))
    )
    details = "; ".join(f"{url}: {why}" for url, why in reasons)
    raise FileMissing(how_to_get(file, details or reason), reason=reason)


def how_to_get(file: FileCard, reason: str) -> str:
    """The message for a file that could not be had."""
    url = file.urls[0]
    where = under_host(url)
    return (
        f"{file.name} ({file.bytes / 1e6:.2f} MB, licence: {file.licence}) is not on this machine "
        f"({reason}). Three ways to get it:\n"
        f"  1. with a network: the same command without ZOO_OFFLINE fetches it from {url}\n"
        "  2. elsewhere, then copy: on a machine with a network `zoo mirror DIR`, bring DIR "
        "here, set ZOO_MIRROR=DIR\n"
        f"  3. by hand: put the file at {home() / 'files' / where}\n"
        f"  It must have SHA-256 {file.sha256}."
    )


def fetch(
    url: str, file: FileCard, *, progress: Progress | None = None, target: Path | None = None
) -> Path:
    """Downloads one URL into the cache (or to `target`): resumed where an earlier try
    stopped, verified, then renamed into place.

    Raises:
        FileMissing: `ZOO_OFFLINE` forbids the network.
        FileAltered: the server's bytes are not the card's (they are deleted).
        ConnectionError: the connection broke; what came so far is kept and the next call continues.
        OSError: the disk is full or the cache cannot be written; names the folder and `ZOO_HOME`.
    """
    if offline():
        raise FileMissing(how_to_get(file, "ZOO_OFFLINE is set"))
    target = target or home() / "files" / under_host(url)
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if part.exists() and part.stat().st_size >= file.bytes:
            part.unlink()
        _download(url, part, file, progress)
        try:
            verify(part, file)
        except FileAltered as error:
            part.unlink(missing_ok=True)
            raise FileAltered(f"{url} does not deliver the card's file: {error}") from None
        part.replace(target)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        raise
    except OSError as error:
        free = shutil.disk_usage(_existing(target)).free
        raise OSError(
            f"cannot write {target} ({error.strerror or error}; {free / 1e6:.0f} MB free, "
            f"{file.bytes / 1e6:.1f} MB needed); free some space or point ZOO_HOME at a folder "
            "that can be written"
        ) from error
    return target


def _download(url: str, part: Path, file: FileCard, progress: Progress | None) -> None:
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(
        url, headers={"User-Agent": "scizoo"} | ({"Range": f"bytes={done}-"} if done else {})
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        if done and response.status != 206:  # the server knows no ranges: begin again
            done = 0
        promised = done + int(response.headers.get("Content-Length") or file.bytes - done)
        with open(part, "ab" if done else "wb") as output:
            while block := _receive(response):
                output.write(block)
                done += len(block)
                if progress is not None:
                    progress(file.name, done, file.bytes)
                if done > file.bytes:
                    break  # verify() says "too long"; no need to fill the disk
    if done < promised:  # http.client ends such a body without a word
        raise ConnectionError(
            f"the connection ended after {done} of {promised} bytes; the same command continues "
            "there"
        )


def _receive(response: http.client.HTTPResponse) -> bytes:
    """The next bytes; whatever goes wrong on the line is a `ConnectionError`, so that it is
    not taken for a full disk."""
    try:
        return response.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise ConnectionError(
            f"the connection broke ({error}); the same command continues where it stopped"
        ) from error


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


@contextlib.contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A temporary path that becomes `target` when the block ends well and vanishes when it
    fails: a file is whole or not there, after a power cut, too."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        yield part
        with open(part, "rb") as written:  # on the disk before the name is: after a power cut, too
            os.fsync(written.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def copy(source: Path, target: Path) -> None:
    """Copies a file, whole or not at all."""
    with whole(target) as part:
        shutil.copyfile(source, part)


def write_text(target: Path, text: str) -> None:
    """Writes a text file, whole or not at all."""
    with whole(target) as part:
        part.write_text(text, encoding="utf-8")
