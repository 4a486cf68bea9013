"""The code that an entry brings: the factory in the file beside it, or in an installed package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from zoo import registry
from zoo.cards import CodeSource


def factory_of(path: Path, code: CodeSource) -> Any:
    """The factory of an entry's code: from the file beside the entry, or from the installed
    package.

    Raises:
        ImportError: the module cannot be imported or has no such function.
    """
    if code.file is not None:
        return load_file(path.with_name(code.file), code)
    if code.factory is None:
        raise ImportError(f"the code of {path} names no factory")
    return registry.resolve(code.factory)


def load_file(path: Path, code: CodeSource) -> Any:
    """The factory in a Python file, which is executed now.

    Raises:
        ImportError: it has no such function.
    """
    name = f"zoo_entry_{code.sha256[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up there
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # nothing beside the file
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = writes
    function = (code.factory or "").partition(":")[2]
    if not hasattr(module, function):
        raise ImportError(f"{path.name} has no {function!r}")
    return getattr(module, function)
