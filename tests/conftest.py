"""What every test may ask for: a home of its own, the mirror's files, the command line in
this process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from jaxtyping import install_import_hook

PACKAGE = Path(__file__).resolve().parents[1] / "zoo"
# Every module that writes shapes into its signatures is held to them; a jitted function is
# checked when it is traced, so it costs nothing after that.
SHAPED = [
    ".".join(("zoo", *path.relative_to(PACKAGE).with_suffix("").parts))
    for path in sorted(PACKAGE.rglob("*.py"))
    if "from jaxtyping import" in path.read_text(encoding="utf-8")
]
install_import_hook(SHAPED, "beartype.beartype")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def isolated_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, no mirror and no network."""
    home = tmp_path / "home"
    monkeypatch.setenv("ZOO_HOME", str(home))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.delenv("ZOO_MIRROR", raising=False)
    return home


@pytest.fixture
def mirror_file() -> Callable[[str, str], Path]:
    """Finds one file of a dataset, by the two names, in the checkout, in `ZOO_MIRROR` or in
    the cache; else skips and says why."""
    from zoo import files, registry

    def find(dataset: str, name: str) -> Path:
        cards = registry.datasets()
        if dataset not in cards:
            pytest.skip(f"dataset {dataset} has no card here")
        card = next((file for file in cards[dataset].file if file.name == name), None)
        assert card is not None, f"dataset {dataset} has no file {name}"
        path = files.find(card, folder=registry.dataset_folder(cards[dataset]))
        if path is None:
            mirror = os.environ.get("ZOO_MIRROR")
            pytest.skip(
                f"{name} ({card.bytes / 1e6:.1f} MB) is not here: `zoo data get {dataset}`, or "
                f"set ZOO_MIRROR (now {mirror!r})"
            )
        return path

    return find


class Outcome(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def zoo_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    """Runs `zoo ...` in this process, by its real entry point."""
    import warnings

    from zoo import cli

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["zoo", *map(str, arguments)])
        capsys.readouterr()
        with warnings.catch_warnings():  # `main` shows warnings in its own way
            warnings.simplefilter("default")
            try:
                cli.main()
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(bool(end.code))
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture
def toy(tmp_path: Path, isolated_home: Path, monkeypatch: pytest.MonkeyPatch):
    """The synthetic benchmark in place of the shipped ones: `share` is its root; the
    shipped cards are out of sight."""
    import importlib

    import synthetic_task

    from zoo import files, registry

    share = synthetic_task.build(tmp_path)
    monkeypatch.setattr(files, "share", lambda: share)
    monkeypatch.syspath_prepend(str(tmp_path / "plugins"))
    synthetic_task.calls.clear()
    synthetic_task.broken.clear()
    synthetic_task.forget_cards()
    importlib.invalidate_caches()
    monkeypatch.setattr(registry, "PACKAGE", tmp_path / "nothing")
    yield share
    synthetic_task.forget_cards()
