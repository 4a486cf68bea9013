"""The manifest of a build: an interrupted one goes on, what was changed is refused by name."""

from __future__ import annotations

import pytest

from zoo import files
from zoo.manifest import NAME, Manifest

SETTINGS = {"dataset": "climate/toy", "years": 2}


def begun(folder, names=("a", "b")):
    manifest = Manifest.open(folder, SETTINGS, record={"python": "3.11"})
    for name in names:
        (folder / name).write_text(name * 10)
        manifest.add(name, {"bytes": 10, "seed": 1})
    return manifest


def test_an_interrupted_build_knows_what_it_has(tmp_path):
    begun(tmp_path)
    again = Manifest.open(tmp_path, SETTINGS)
    assert again.has("a", seed=1) and not again.has("c", seed=1)
    assert again.content["python"] == "3.11", "the first machine's record stays"
    (tmp_path / "a").unlink()
    assert not Manifest.open(tmp_path, SETTINGS).has("a"), "a file that is gone is made again"


def test_other_settings_and_changed_files_are_refused_by_name(tmp_path):
    manifest = begun(tmp_path)
    with pytest.raises(ValueError, match=r"other settings \(years: 2\) than asked now \(3\)"):
        Manifest.open(tmp_path, SETTINGS | {"years": 3})
    with pytest.raises(ValueError, match=r"a was made with other settings .*; delete it"):
        manifest.has("a", seed=2)
    (tmp_path / "b").write_text("short")
    with pytest.raises(ValueError, match="b has 5 bytes where the manifest says 10"):
        Manifest.open(tmp_path, SETTINGS)


def test_files_are_noted_once_with_their_hash(tmp_path):
    manifest = Manifest.open(tmp_path, SETTINGS)
    (tmp_path / "part").mkdir()
    chunk = tmp_path / "part" / "chunk"
    chunk.write_text("x")
    manifest.add_files([chunk])
    assert manifest.files == {"part/chunk": {"bytes": 1, "sha256": files.sha256(chunk)}}
    before = (tmp_path / NAME).stat().st_mtime_ns
    manifest.add_files([chunk])
    assert (tmp_path / NAME).stat().st_mtime_ns == before
