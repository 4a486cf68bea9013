"""`zoo --version`."""

from __future__ import annotations

import importlib.metadata

import zoo


def test_the_version_is_the_packages(zoo_command):
    done = zoo_command("--version")
    assert done.code == 0 and done.out == f"scizoo {zoo.__version__}\n"
    assert zoo.__version__ == importlib.metadata.version("scizoo")
