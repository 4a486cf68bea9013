"""What an entry may say and what may lie beside it, as far as reading tells: text that is
no markup, numbers that can be, records that are records and nothing else. Nothing here runs
or computes; every problem names its field.
"""

from __future__ import annotations

import json
import math
import re
import stat
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from zoo.cards import Entry

ENTRY_BYTES, CODE_BYTES, RECORD_BYTES = 2_000_000, 200_000, 20_000_000
"""Largest entry, code file and record that the repository takes; a larger record goes to an
address (`record_source`)."""
UNPACKED_BYTES = 4_000_000_000
"""Largest array that a record may unpack to."""
LONGEST = {
    "title": 120,
    "provenance.submitted_by": 80,
    "provenance.command": 500,
    "provenance.note": 1000,
}
LARGEST = 1e30
"""No score or cost of any task comes near it."""
CODECS = {"bytes", "blosc", "zstd", "gzip", "crc32c"}
MARKUP = re.compile(
    r"<\s*[A-Za-z/!?]|\b(?:javascript|vbscript)\s*:|data\s*:\s*text/html|&#|\bon\w+\s*=\s*[\"']",
    re.IGNORECASE,
)
INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
PICKLE = re.compile(rb"\x80[\x02-\x05]|^\(dp|^\(lp|^c[a-z_]+\n", re.DOTALL)
PICKLE_NAMES = re.compile(
    r"\.(pkl|pickle|pt|pth|ckpt|joblib|dill|bin|npy|npz|h5|hdf5|msgpack)$", re.IGNORECASE
)


def entry_problems(entry: Entry) -> list[str]:
    """Text and numbers of an entry that no honest entry has."""
    problems = []
    content = entry.model_dump(mode="json")
    for field, value in walk(content):
        if isinstance(value, str):
            problems += [
                f"{field}: {why}" for why in text_problems(value, limit=LONGEST.get(field, 4000))
            ]
        elif (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and not abs(value) <= LARGEST
        ):
            problems.append(f"{field}: {value:.3g} is larger than any score or cost can be")
    cost, made = entry.cost, entry.provenance.created
    if cost.latency_ms_p95 < cost.latency_ms_p50 * (1 - 1e-9):
        problems.append(
            f"cost.latency_ms_p95: {cost.latency_ms_p95:g} is below the median, "
            f"{cost.latency_ms_p50:g}"
        )
    if (made if made.tzinfo else made.replace(tzinfo=UTC)) > datetime.now(UTC) + timedelta(days=1):
        problems.append(f"provenance.created: {made.isoformat()} lies in the future")
    if entry.code is not None:
        twice = [one.seed for one in entry.code.weights]
        if len(set(twice)) < len(twice):
            problems.append(f"code.weights: seeds {twice} name one twice")
        if entry.code.file is not None:
            problems += [
                (
                    f"code.weights[{index}].urls: {one.file} has no https:// address, and only "
                    "the code itself may lie beside an entry"
                )
                for index, one in enumerate(entry.code.weights)
                if not one.urls
            ]
    return problems


def walk(content: Any, field: str = "") -> Iterator[tuple[str, Any]]:
    """Every (dotted field, value) of plain data, keys included as values of their own."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield (f"{field}.{key}" if field else key), key
            yield from walk(value, f"{field}.{key}" if field else key)
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from walk(value, f"{field}[{index}]")
    else:
        yield field, content


def text_problems(text: str, *, limit: int = 4000) -> list[str]:
    """Why a text may not stand in an entry. The pages escape everything; other readers of
    the same file may not."""
    problems = []
    if found := MARKUP.search(text):
        problems.append(f"{found.group()!r} looks like HTML or a script; write plain text")
    if found := INVISIBLE.search(text):
        problems.append(f"holds the invisible character U+{ord(found.group()):04X}")
    if len(text) > limit:
        problems.append(f"{len(text)} characters, at most {limit} are taken")
    return problems


def file_problems(path: Path, name: str) -> list[str]:
    """Why a file may not lie beside an entry: a link, a pickle, too large, executable."""
    try:
        info = path.lstat()
    except OSError as error:
        return [f"{name}: {error.strerror}"]
    if not stat.S_ISREG(info.st_mode):
        return [f"{name}: is a link or no plain file"]
    limit = {".json": ENTRY_BYTES, ".py": CODE_BYTES}.get(path.suffix, RECORD_BYTES)
    if info.st_size > limit:
        return [
            f"{name}: {info.st_size / 1e6:.1f} MB; at most {limit / 1e6:g} MB lie beside an entry"
        ]
    if info.st_mode & 0o111:
        return [f"{name}: is executable"]
    return [f"{name}: {why}" for why in pickle_problems(path.read_bytes(), name)]


def pickle_problems(content: bytes, name: str) -> list[str]:
    """Why bytes may be a pickle (reading one runs what is in it)."""
    if PICKLE_NAMES.search(name):
        return [
            (
                "a file of this kind may carry a pickle, which runs code when it is read; weights "
                "are safetensors"
            )
        ]
    head = content[:64]
    if PICKLE.match(head) and b"." in content[-2:]:
        return ["is a pickle, which runs code when it is read; weights are safetensors"]
    return []


def record_problems(path: Path) -> list[str]:
    """Why a zip is no record: members with strange names, links, pickles, codecs that
    unpack objects, sizes beyond reason."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            if (
                twice := sorted({name for name in names if names.count(name) > 1})
                if len(names) < 5000
                else names[:1]
            ):
                return [f"record: member {twice[0]!r} occurs twice or there are too many"]
            problems = []
            for member in members:
                problems += [
                    f"record: member {member.filename!r} {why}"
                    for why in _member_problems(archive, member)
                ]
            return problems[:5]
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError) as error:
        return [f"record: {path.name} is no readable zip ({error})"]


def _member_problems(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> list[str]:
    name = member.filename
    if not re.fullmatch(r"([A-Za-z0-9_]+/)*(zarr\.json|c(/\d+)*)", name):
        return [
            (
                "is no part of a Zarr group (zarr.json, c/0/0): a path that leads elsewhere or a "
                "foreign file"
            )
        ]
    if stat.S_ISLNK(member.external_attr >> 16):
        return ["is a link"]
    if member.file_size > max(100 * member.compress_size, 1_000_000_000):
        return [f"unpacks to {member.file_size} bytes"]
    if not name.endswith("zarr.json"):
        with archive.open(member) as file:
            head = file.read(64)
        return (
            ["is a pickle"]
            if PICKLE.match(head) and head[1:2] in b"\x02\x03\x04\x05" and b"c" in head[2:12]
            else []
        )
    try:
        about = json.loads(archive.read(member))
    except (ValueError, RecursionError) as error:
        return [f"is no JSON ({type(error).__name__})"]
    if about.get("node_type") != "array":
        return []
    used = {codec.get("name") for codec in about.get("codecs", [])}
    if unknown := sorted(map(str, used - CODECS)):
        return [f"is packed by {', '.join(unknown)}; allowed: {', '.join(sorted(CODECS))}"]
    kind = str(about.get("data_type"))
    width = re.fullmatch(r"(?:u?int|float|complex)(\d+)|(bool)", kind)
    if width is None:
        return [f"holds {kind}, not numbers"]
    shape = about.get("shape")
    if not isinstance(shape, list) or not all(
        isinstance(size, int) and size >= 0 for size in shape
    ):
        return [f"has the shape {shape!r}"]
    if math.prod(shape) * (int(width[1] or 8) / 8) > UNPACKED_BYTES:
        return [f"unpacks to {math.prod(shape)} numbers"]
    return []
