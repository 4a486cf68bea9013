"""What ran where, as far as a score depends on it. Never the host's name, a user's name or
a path."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path

from zoo import files
from zoo.cards import Environment

REPORTED = ("scizoo", "jax", "jaxlib", "flax", "optax", "numpy", "scipy", "xarray", "zarr")
# What a benchmark run may itself write; anything else that differs from the commit makes
# the checkout dirty.
WRITTEN_BY_RUNS = (
    "leaderboard/entries/",
    "leaderboard/verified/",
    "leaderboard/README.md",
    "leaderboard/board.svg",
)


def capture(*, known: Iterable[Path] = ()) -> Environment:
    """The environment of this process; `known` files, named elsewhere by their hash, do not
    make the checkout dirty."""
    import jax

    device = jax.devices()[0]
    commit, dirty = checkout_state(files.share(), known=known)
    return Environment(
        python=platform.python_version(),
        packages={name: importlib.metadata.version(name) for name in REPORTED},
        packages_sha256=hashlib.sha256("\n".join(installed()).encode()).hexdigest(),
        platform=f"{platform.system().lower()}-{platform.machine()}",
        cpu_count=cpu_count(),
        accelerator="cpu" if device.platform == "cpu" else hardware(),
        xla_flags=" ".join(os.environ.get("XLA_FLAGS", "").split()),
        commit=commit,
        dirty=dirty,
    )


def hardware() -> str:
    """What this process computes on, in words: "2 CPU cores", "1 x NVIDIA H100"."""
    import jax

    device = jax.devices()[0]
    if device.platform == "cpu":
        return f"{cpu_count()} CPU cores"
    return f"{jax.device_count()} x {device.device_kind}"


@functools.cache
def installed() -> tuple[str, ...]:
    """Every installed distribution as `name==version`, sorted; read once, since a process
    keeps what it has imported."""
    return tuple(
        sorted(
            {
                f"{dist.name.lower()}=={dist.version}"
                for dist in importlib.metadata.distributions()
                if dist.name
            }
        )
    )


def cpu_count() -> int:
    """Cores that this process may use (results of a CPU depend on their number in the last
    bits)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def checkout_state(root: Path, *, known: Iterable[Path] = ()) -> tuple[str | None, bool]:
    """(commit, dirty) of a checkout, whatever `known` files are; (None, False) of an
    installed package, whose version names its code."""
    if not (root / ".git").exists():
        return None, False

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
        ).stdout

    try:
        commit = git("rev-parse", "HEAD").strip()
        changed = [
            line[3:].strip('"')
            for line in git("status", "--porcelain", "--untracked-files=all").splitlines()
        ]
    except (subprocess.CalledProcessError, FileNotFoundError):
        return None, True
    aside = {path.resolve() for path in known}
    return commit, any(
        not path.startswith(WRITTEN_BY_RUNS) and (root / path).resolve() not in aside
        for path in changed
    )
