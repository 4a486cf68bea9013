"""`zoo doctor`: one line per thing that can be wrong on a machine, with what to do about it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from collections.abc import Iterator

from zoo import files, registry


def run() -> Iterator[tuple[bool, str]]:
    """Pairs (is it well, what was found)."""
    version = importlib.metadata.version("scizoo")
    yield (
        True,
        (
            f"Python {platform.python_version()}, scizoo {version}, {platform.system()} "
            f"{platform.machine()}"
        ),
    )
    yield (
        True,
        (
            f"cards: {len(registry.datasets())} datasets, {len(registry.tasks())} tasks, "
            f"{len(registry.models())} pretrained models"
        ),
    )
    yield from _cache()
    for mirror in files.mirrors():
        yield (
            mirror.is_dir(),
            f"ZOO_MIRROR folder {mirror}"
            + ("" if mirror.is_dir() else " does not exist: correct or unset ZOO_MIRROR"),
        )
    allowed = "used for files that are in no local place (ZOO_OFFLINE=1 forbids it)"
    yield True, f"network: {'forbidden by ZOO_OFFLINE' if files.offline() else allowed}"
    yield from _data()
    yield from _weights()
    yield _jax()
    for extra, module, what in (
        ("generate", "dinosaur", "simulate the Held-Suarez truth"),
        ("dev", "pytest", "run the tests"),
    ):
        found = importlib.util.find_spec(module) is not None
        missing = f"not installed (pip install scizoo[{extra}] to {what})"
        yield True, f"extra {extra!r}: {'installed' if found else missing}"


def _cache() -> Iterator[tuple[bool, str]]:
    home = files.home()
    try:
        home.mkdir(parents=True, exist_ok=True)
        writable = os.access(home, os.W_OK)
        free = shutil.disk_usage(home).free / 1e9
        yield (
            writable,
            f"cache {home}: {free:.1f} GB free"
            + ("" if writable else "; not writable, set ZOO_HOME"),
        )
    except OSError as error:
        yield (
            False,
            (
                f"cache {home} cannot be made ({error.strerror}); set ZOO_HOME to a folder that "
                "can be written"
            ),
        )


def _data() -> Iterator[tuple[bool, str]]:
    for name, card in registry.datasets().items():
        here, absent = 0, []
        for file in card.file:
            try:
                if files.find(file, folder=registry.dataset_folder(card)):
                    here += 1
                else:
                    absent.append(file)
            except files.FileAltered as error:
                yield False, str(error)
        size = sum(file.bytes for file in absent) / 1e6
        lacking = f", {len(absent)} absent ({size:.1f} MB; `zoo data get {name}`)" if absent else ""
        yield True, f"dataset {name}: {here} files verified{lacking}"


def _weights() -> Iterator[tuple[bool, str]]:
    from zoo.pretrained.model import model_files

    good, absent = 0, []
    for name, card in registry.models().items():
        for file in model_files(card):
            try:
                if files.find(file, folder=registry.path_of(name, "model").parent):
                    good += 1
                elif file.urls:
                    absent.append(f"{file.path} of {name}")
                else:
                    yield False, f"weights of {name}: {file.path} is missing and has no address"
            except files.FileAltered as error:
                yield False, f"weights of {name}: {error}"
    yield (
        True,
        f"weights: {good} files verified"
        + (f"; not fetched yet: {', '.join(absent)}" if absent else ""),
    )


def _jax() -> tuple[bool, str]:
    try:
        import jax

        return (
            True,
            f"JAX {jax.__version__} on {', '.join(str(device) for device in jax.devices())}",
        )
    except Exception as error:  # a broken accelerator set-up can fail in any way
        return False, f"JAX does not start: {error}"
