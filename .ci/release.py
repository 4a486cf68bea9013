"""What must hold before a release leaves the house.

    python .ci/release.py tag v0.1.0      the tag, the package and CHANGELOG.md name one version
    python .ci/release.py files dist      the wheel is whole, holds nothing else, and is small

Each prints what is wrong, one line a finding, and ends with 1 if there is any.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WHEEL, ARCHIVE = 80_000_000, 100_000_000
"""Bytes: our own limit for the wheel, and PyPI's for any file."""
SHIPPED = ("zoo/", "datasets/", "benchmarks/", "leaderboard/", "schemas/")
LEFT_OUT = (
    "benchmarks/speed/",
    "benchmarks/migrations/",
    "leaderboard/README.md",
    "leaderboard/board.svg",
)
"""Folders whose tracked files the wheel carries, and what in them is for the repository alone."""


def of_tag(tag: str, root: Path = ROOT) -> list[str]:
    """What keeps `tag` from being a release: a version that differs, a CHANGELOG without it."""
    version = tag.removeprefix("v")
    if not re.fullmatch(r"v\d+\.\d+\.\d+((a|b|rc)\d+)?", tag):
        return [f"tag {tag!r} is no version: v1.2.3 or v1.2.3rc1"]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    package = (root / "zoo/__init__.py").read_text(encoding="utf-8")
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    stated = {
        "pyproject.toml": project["version"],
        "zoo.__version__": _first(r'^__version__ = "(.*)"$', package),
        "CITATION.cff": _first(r"^version: (.*)$", citation),
    }
    found = [
        f"{place} says {value!r}, the tag {version!r}"
        for place, value in stated.items()
        if value != version
    ]
    heading = rf"^## {re.escape(version)}(?![\w.])(.*)$"
    title = _first(heading, (root / "CHANGELOG.md").read_text(encoding="utf-8"))
    if title is None:
        found.append(f"CHANGELOG.md has no section '## {version}'")
    elif "unreleased" in title:
        found.append(f"CHANGELOG.md still calls {version} unreleased: write the date")
    return found


def of_files(folder: Path, tracked: list[str] | None = None) -> list[str]:
    """What is wrong with the wheel and the source archive in `folder`.

    Args:
        tracked: the repository's files by name; None: asks git.
    """
    wheels, archives = sorted(folder.glob("*.whl")), sorted(folder.glob("*.tar.gz"))
    if len(wheels) != 1 or len(archives) != 1:
        there = ", ".join(sorted(path.name for path in folder.glob("*"))) or "nothing"
        return [f"{folder} must hold one wheel and one .tar.gz, it holds {there}"]
    found = [
        f"{path.name} has {path.stat().st_size / 1e6:.1f} MB, at most {limit / 1e6:.0f} are allowed"
        for path, limit in ((wheels[0], WHEEL), (archives[0], ARCHIVE))
        if path.stat().st_size > limit
    ]
    with zipfile.ZipFile(wheels[0]) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    wanted = {_in_wheel(name) for name in tracked or _tracked() if _shipped(name)}
    found += [f"{wheels[0].name} lacks {name}" for name in sorted(wanted - held)]
    return found + [f"{wheels[0].name} should not hold {name}" for name in sorted(held - wanted)]


def _first(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text, re.MULTILINE)
    return match and match[1]


def _tracked() -> list[str]:
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name]


def _shipped(name: str) -> bool:
    return name.startswith(SHIPPED) and not name.startswith(LEFT_OUT)


def _in_wheel(name: str) -> str:
    return name if name.startswith("zoo/") else f"zoo/_share/{name}"


def main(arguments: list[str]) -> None:
    """Runs one of the two checks; ends the process with 0, 1 (findings) or 2 (usage)."""
    if len(arguments) != 2 or arguments[0] not in ("tag", "files"):
        print(__doc__, file=sys.stderr)
        raise SystemExit(2)
    what, value = arguments
    found = of_tag(value) if what == "tag" else of_files(Path(value))
    print("\n".join(found) or f"{what} {value}: nothing is wrong")
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main(sys.argv[1:])
