"""Installs a plug-in package of `examples/` into a folder as pip would, without a build: the package, and what it says of itself."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path


def install(project: Path, target: Path) -> None:
    """Copies the package and writes its metadata from its `pyproject.toml`."""
    about = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, version = about["name"], about["version"]
    (package,) = [path for path in project.iterdir() if (path / "__init__.py").is_file()]
    shutil.copytree(package, target / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    info = target / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = about.get("entry-points", {})
    lines = [f"[{group}]\n" + "\n".join(f"{key} = {value}" for key, value in points.items()) for group, points in groups.items()]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
