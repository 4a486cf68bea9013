"""Parquet files of jets, as the field's converted sets come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zoo.particle_physics.data.root import JetFileError, missing_branches


def parquet_table(path: str, branches: Sequence[str] | None = None) -> Any:
    """A Parquet file as an Arrow table; needs pyarrow.

    Raises:
        ModuleNotFoundError: pyarrow is not installed; says which extra brings it.
        JetFileError: branches are missing, or the file is damaged.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ModuleNotFoundError(
            f"{path} is Parquet, which needs pyarrow: `pip install 'scizoo[parquet]'`"
        ) from error
    try:
        if branches is not None:
            missing_branches(branches, pyarrow.parquet.read_schema(path).names, path)
        return pyarrow.parquet.read_table(
            path, columns=None if branches is None else list(branches)
        )
    except pyarrow.ArrowException as error:
        raise JetFileError(
            f"{path} cannot be read as Parquet ({error}): damaged or truncated; fetch it again"
        ) from error
