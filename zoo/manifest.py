"""`manifest.json` of a build folder: what it is built with, and every finished file.

A build that was interrupted opens the manifest again, makes what is missing and notes it. A folder
that was built with other settings, or a file that was changed since, is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zoo import files

NAME = "manifest.json"


class Manifest:
    """The manifest of a new or an interrupted build.

    Args:
        path: of the file.
        content: settings and records as top-level keys, and `files`.
    """

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self.path, self.content = path, content

    @property
    def files(self) -> dict[str, dict[str, Any]]:
        """Path relative to the folder -> its facts, `bytes` among them."""
        found: dict[str, dict[str, Any]] = self.content["files"]
        return found

    @classmethod
    def open(
        cls, folder: Path, settings: Mapping[str, Any], *, record: Mapping[str, Any] | None = None
    ) -> Manifest:
        """Reads the folder's manifest, or begins one.

        Args:
            folder: the build folder.
            settings: what the bytes depend on; compared with those of an earlier build.
            record: what is kept of the machine and not compared (versions, environment).

        Raises:
            ValueError: the folder was built with other settings, or a file in it has another
                size than when it was made.
        """
        path = folder / NAME
        if not path.exists():
            return cls(path, {"format": 1, **settings, **(record or {}), "files": {}})
        manifest = cls(path, json.loads(path.read_text(encoding="utf-8")))
        for key, wanted in settings.items():
            if manifest.content.get(key) != wanted:
                raise ValueError(
                    f"{folder} was built with other settings ({key}: {manifest.content.get(key)}) "
                    f"than asked now ({wanted}). Give the same settings to continue, or another "
                    "folder to start anew."
                )
        for name, facts in list(manifest.files.items()):
            file = folder / name
            if not file.exists():
                del manifest.files[name]
            elif file.stat().st_size != facts["bytes"]:
                raise ValueError(
                    f"{file} has {file.stat().st_size} bytes where the manifest says "
                    f"{facts['bytes']}: it was changed or damaged. Delete it and run the same "
                    "command again."
                )
        return manifest

    def has(self, name: str, **facts: Any) -> bool:
        """Whether a file is finished, made with these facts.

        Raises:
            ValueError: it is there and was made otherwise.
        """
        known = self.files.get(name)
        if known is None:
            return False
        if any(known[key] != value for key, value in facts.items()):
            raise ValueError(
                f"{self.path.parent / name} was made with other settings ({known}); delete it, or "
                "build in another folder"
            )
        return True

    def add(self, name: str, facts: Mapping[str, Any]) -> None:
        """Notes a finished file; `facts` hold its `bytes`."""
        self.content["files"] = dict(sorted((self.files | {name: dict(facts)}).items()))
        files.write_text(self.path, json.dumps(self.content, indent=1) + "\n")

    def add_files(self, paths: Iterable[Path]) -> None:
        """Notes those files below the folder that are not noted yet, with size and SHA-256."""
        for path in paths:
            name = path.relative_to(self.path.parent).as_posix()
            if name not in self.files or not self.path.exists():
                self.add(name, {"bytes": path.stat().st_size, "sha256": files.sha256(path)})
