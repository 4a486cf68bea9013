"""What must hold before a release leaves the house (`.ci/release.py`)."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest

import zoo

ROOT = Path(__file__).resolve().parent.parent
_SPEC = importlib.util.spec_from_file_location("release", ROOT / ".ci/release.py")
release = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(release)
TRACKED = [
    "README.md",
    "tests/test_cli.py",
    "zoo/__init__.py",
    "zoo/py.typed",
    "datasets/climate/enso/card.toml",
    "benchmarks/climate/enso.toml",
    "benchmarks/speed/train_step.py",
    "leaderboard/README.md",
    "leaderboard/entries/climate/enso@1/best.json",
    "schemas/entry.schema.json",
]
WHOLE = [
    "zoo/__init__.py",
    "zoo/py.typed",
    "zoo/_share/datasets/climate/enso/card.toml",
    "zoo/_share/benchmarks/climate/enso.toml",
    "zoo/_share/leaderboard/entries/climate/enso@1/best.json",
    "zoo/_share/schemas/entry.schema.json",
    "scizoo-1.2.3.dist-info/METADATA",
]


@pytest.fixture
def checkout(tmp_path):
    """The files that state a version, all with 1.2.3."""
    for name in ("pyproject.toml", "zoo/__init__.py", "CITATION.cff", "CHANGELOG.md"):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, target)
        text = target.read_text(encoding="utf-8").replace(zoo.__version__, "1.2.3")
        text = re.sub(r"^## .*$", "## 1.2.3 (2026-12-01)", text, count=1, flags=re.MULTILINE)
        target.write_text(text, encoding="utf-8")
    return tmp_path


def wheel(folder: Path, names: list[str]) -> Path:
    with zipfile.ZipFile(folder / "scizoo-1.2.3-py3-none-any.whl", "w") as file:
        for name in names:
            file.writestr(name, "x")
    (folder / "scizoo-1.2.3.tar.gz").write_bytes(b"x")
    return folder


def test_a_tag_that_all_files_agree_with_is_a_release(checkout):
    assert release.of_tag("v1.2.3", checkout) == []


@pytest.mark.parametrize("name", ["pyproject.toml", "zoo/__init__.py", "CITATION.cff"])
def test_a_file_with_another_version_is_named(checkout, name):
    path = checkout / name
    path.write_text(path.read_text(encoding="utf-8").replace("1.2.3", "1.2.4"), encoding="utf-8")
    (found,) = release.of_tag("v1.2.3", checkout)
    assert "says '1.2.4', the tag '1.2.3'" in found


@pytest.mark.parametrize(
    ("heading", "said"),
    [
        ("## 1.2.30 (2026-12-01)", "no section '## 1.2.3'"),
        ("## 1.2.3rc1 (2026-12-01)", "no section '## 1.2.3'"),
        ("## 1.2.3 (unreleased)", "still calls 1.2.3 unreleased"),
    ],
)
def test_the_changelog_must_have_a_section_with_a_date(checkout, heading, said):
    (checkout / "CHANGELOG.md").write_text(f"# Changelog\n\n{heading}\n", encoding="utf-8")
    (found,) = release.of_tag("v1.2.3", checkout)
    assert said in found


@pytest.mark.parametrize("tag", ["1.2.3", "v1.2", "v1.2.3-1", "vnext"])
def test_a_tag_that_is_no_version_is_refused(tag):
    (found,) = release.of_tag(tag)
    assert "is no version" in found


def test_a_whole_wheel_passes(tmp_path):
    assert release.of_files(wheel(tmp_path, WHOLE), TRACKED) == []


@pytest.mark.parametrize("name", [name for name in WHOLE if "dist-info" not in name])
def test_a_file_that_the_wheel_lacks_is_named(tmp_path, name):
    (found,) = release.of_files(wheel(tmp_path, [one for one in WHOLE if one != name]), TRACKED)
    assert found.endswith(f"lacks {name}")


@pytest.mark.parametrize("name", ["tests/test_cli.py", "zoo/stray.npz", "zoo/_share/README.md"])
def test_a_file_that_does_not_belong_in_the_wheel_is_named(tmp_path, name):
    (found,) = release.of_files(wheel(tmp_path, [*WHOLE, name]), TRACKED)
    assert found.endswith(f"should not hold {name}")


def test_a_large_wheel_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(release, "WHEEL", 1000)
    (found,) = release.of_files(wheel(tmp_path, WHOLE), TRACKED)
    assert "MB, at most" in found


def test_what_is_tracked_fits_into_a_wheel():
    """Data files count as they are, since they are packed already; all others as zlib packs
    them in haste, which is a little more than a wheel takes."""
    size = 0
    for name in filter(release._shipped, release._tracked()):
        content = (ROOT / name).read_bytes()
        packed = name.startswith("datasets/") and name.endswith((".root", ".zarr.zip"))
        size += len(content) if packed else len(zlib.compress(content, 1))
    assert size < release.WHEEL, f"{size} bytes"


def test_two_wheels_are_one_too_many(tmp_path):
    wheel(tmp_path, WHOLE)
    (tmp_path / "scizoo-1.2.2-py3-none-any.whl").write_bytes(b"x")
    (found,) = release.of_files(tmp_path, TRACKED)
    assert "must hold one wheel" in found


def test_the_wheels_rules_and_what_is_force_included_agree():
    """Every folder that `pyproject.toml` puts into the wheel is one that the check expects."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for source, target in included.items():
        assert release._in_wheel(source) == target and release._shipped(f"{source}/x")
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    shipped = [name for name in release._tracked() if release._shipped(name)]
    outside = [
        name
        for name in shipped
        if not name.startswith("zoo/") and not name.startswith(tuple(f"{one}/" for one in included))
    ]
    assert outside == []


def test_the_blame_ignores_only_commits_that_exist():
    listed = (ROOT / ".git-blame-ignore-revs").read_text(encoding="utf-8").splitlines()
    commits = [line for line in listed if line and not line.startswith("#")]
    assert commits and all(re.fullmatch("[0-9a-f]{40}", commit) for commit in commits)
    shallow = ["git", "-C", str(ROOT), "rev-parse", "--is-shallow-repository"]
    done = subprocess.run(shallow, capture_output=True, text=True)
    if done.stdout.strip() != "false":
        pytest.skip("no git checkout with its history")
    for commit in commits:
        command = ["git", "-C", str(ROOT), "merge-base", "--is-ancestor", commit, "HEAD"]
        assert subprocess.run(command).returncode == 0, commit
