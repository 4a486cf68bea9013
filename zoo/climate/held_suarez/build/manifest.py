"""`manifest.json` of a build folder: what it was built with, and the size and SHA-256 of
every finished file."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zoo import files

_PACKAGES = ("dinosaur-dycore", "jax", "jaxlib", "numpy", "xarray", "zarr", "numcodecs")


class Manifest:
    """The manifest of a new or an interrupted build."""

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self.path, self.content = path, content

    @property
    def files(self) -> dict[str, dict[str, Any]]:
        """Path relative to the folder -> {"bytes", "sha256"}."""
        return self.content["files"]

    @classmethod
    def open(cls, folder: Path, settings: Mapping[str, Any], *, xla: Mapping[str, str]) -> Manifest:
        """Reads the folder's manifest, or begins one; an error if the folder was built with
        other settings.

        Args:
            folder: the build folder.
            settings: what the bytes depend on; kept as top-level keys and compared.
            xla: environment of the worker processes; kept for the record.
        """
        path = folder / "manifest.json"
        if not path.exists():
            versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
            machine = {
                "python": platform.python_version(),
                "machine": platform.machine(),
                "system": platform.system(),
            }
            content = {
                "dataset": "climate/held_suarez",
                "format": 1,
                **settings,
                "versions": versions | machine,
            }
            return cls(path, content | {"xla": dict(xla), "files": {}})
        manifest = cls(path, json.loads(path.read_text()))
        for key, wanted in settings.items():
            if manifest.content.get(key) != wanted:
                raise ValueError(
                    f"{folder} was built with other settings ({key}: {manifest.content.get(key)}) "
                    f"than asked now ({wanted}). Give the same settings to continue, or another "
                    "folder to start anew."
                )
        for name, entry in list(manifest.files.items()):
            file = folder / name
            if not file.exists():
                del manifest.files[name]
            elif file.stat().st_size != entry["bytes"]:
                raise ValueError(
                    f"{file} has {file.stat().st_size} bytes where the manifest says "
                    f"{entry['bytes']}: it was changed or damaged. Delete it and run the same "
                    "command again."
                )
        return manifest

    def add(self, paths: Iterable[Path]) -> None:
        """Hashes those files that are not listed yet and writes the manifest if there were any."""
        names = {p.relative_to(self.path.parent).as_posix(): p for p in paths}
        new = {name: p for name, p in names.items() if name not in self.files}
        if not new and self.path.exists():
            return
        for name, path in new.items():
            self.files[name] = {"bytes": path.stat().st_size, "sha256": files.sha256(path)}
        self.content["files"] = dict(sorted(self.files.items()))
        files.write_text(self.path, json.dumps(self.content, indent=1) + "\n")
