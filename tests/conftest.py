"""What every test may ask for: a home of its own, the mirror's files, the command line in
this process.

The session brings its own HOME, caches and git identity, and leaves those of the person who
runs it alone: a run depends on nothing but the checkout and the verified data files that lie
in `ZOO_MIRROR` or in that person's cache, which are only read.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
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


def session_environment(home: Path) -> dict[str, str]:
    """Environment variables that put everything a test may find or leave into `home`."""
    from zoo import files

    git = home / "gitconfig"
    # A checkout that belongs to another user (in a container) is still the one to look at.
    git.write_text("[safe]\n\tdirectory = *\n", encoding="utf-8")
    return {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "share"),
        "XDG_STATE_HOME": str(home / "state"),
        "ZOO_HOME": str(home / "zoo"),
        "ZOO_MIRROR": os.pathsep.join(map(str, [*files.mirrors(), files.home() / "files"])),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(home / "hypothesis"),
        # Compiled once a session, also where several processes or tests need the same function.
        "JAX_COMPILATION_CACHE_DIR": str(home / "xla"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        # Two processes share the cores; waiting threads of OpenMP would burn the other's.
        "OMP_NUM_THREADS": "1",
        "GIT_CONFIG_GLOBAL": str(git),
        "GIT_CONFIG_SYSTEM": os.devnull,
        **{
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"))
        },
    }


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--none-skipped",
        action="store_true",
        help="a test that skips fails: for where all that is optional has been installed",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and item.config.option.none_skipped:
        report.outcome, report.longrepr = "failed", f"skipped: {report.longrepr}"
    return report


def pytest_configure(config: pytest.Config) -> None:
    """Gives the session its environment before any test module is imported; the workers of
    pytest-xdist inherit it."""
    if hasattr(config, "workerinput"):
        return
    home = Path(tempfile.mkdtemp(prefix="zoo-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    os.environ.update(session_environment(home))


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
    the cache; else skips and says why. A file that the checkout ships is there, or the test
    fails."""
    from zoo import files, registry

    def find(dataset: str, name: str) -> Path:
        cards = registry.datasets()
        assert dataset in cards, f"datasets/{dataset}/card.toml is lost"
        card = next((file for file in cards[dataset].file if file.name == name), None)
        assert card is not None, f"dataset {dataset} has no file {name}"
        path = files.find(card, folder=registry.dataset_folder(cards[dataset]))
        assert path is not None or card.path is None, f"{dataset} ships {card.path}, which is lost"
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
