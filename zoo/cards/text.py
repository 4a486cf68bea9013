"""The base of every format, and the texts and numbers that may stand in one: names, hashes,
addresses, paths."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal
from urllib.parse import unquote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

NAME = r"[a-z0-9][a-z0-9_\-]*"
DatasetId = Annotated[str, StringConstraints(pattern=rf"^{NAME}/{NAME}$", max_length=120)]
TaskId = DatasetId
ModelId = Annotated[str, StringConstraints(pattern=rf"^{NAME}/{NAME}(\.{NAME})?$", max_length=160)]
CodePath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
FileName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", max_length=160)
]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
MetricName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)?$")]

ParameterName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Parameters = dict[ParameterName, float | int | str | bool | list[float | int | str | bool]]

Truth = Literal["simulated", "observed", "reanalysis", "mixed"]
Direction = Literal["higher", "lower", "nearer_one", "nearer_zero"]
Kind = Literal["model", "baseline", "solver", "forecast_centre", "published"]


def _https(url: str) -> str:
    address = re.fullmatch(r"https://[A-Za-z0-9][A-Za-z0-9.\-]*(:\d+)?(/[^\s\\]*)", url)
    # Read as a server would: %2e%2e is "..", too. Cards become paths of the cache and of mirrors.
    path = unquote(address[2]) if address else ""
    if not address or "\\" in path or "\0" in path or ".." in re.split(r"[/?#]", path):
        raise ValueError(
            f"{url!r} is not a plain https:// address (no credentials, no '..', no '\\')"
        )
    return url


def _relative(path: str) -> str:
    parts = path.split("/")
    if (
        path.startswith("/")
        or re.search(r"[\\:\0]", path)
        or any(part in ("", ".", "..") for part in parts)
    ):
        raise ValueError(
            f"{path!r} is not a plain relative path (no leading '/', no '..', no '\\', no ':')"
        )
    return path


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number; a missing score is left out, never NaN")
    return value


Https = Annotated[str, AfterValidator(_https)]
RelativePath = Annotated[str, AfterValidator(_relative)]
# so that our message is the one that is read
Finite = Annotated[float, Field(allow_inf_nan=True), AfterValidator(_finite)]


class CardError(ValueError):
    """A card, entry or verification on disk does not follow its schema."""


class Card(BaseModel):
    """Base of every format: frozen, no unknown keys, no number that is not finite (a
    tolerance of `inf` would accept anything)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def require_unique(names: list[str], what: str) -> None:
    """
    Raises:
        ValueError: a name is given twice.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what} given twice: {', '.join(twice)}")
