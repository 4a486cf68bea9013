"""What an audit of a data set finds, as plain data: a check, its value, a verdict and why
it matters."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, Literal

Verdict = Literal["ok", "note", "leak"]
ORDER: tuple[Verdict, ...] = ("ok", "note", "leak")
"""From harmless to worst. A note is worth a sentence beside a score; a leak makes the score
say something else than it seems to."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """One row of an audit.

    Attributes:
        check: stable name, `group.what`, by which code and tests ask for it.
        label: the same in words.
        value: a count, a score, or a few words; None where it could not be computed (the
            explanation says why).
        verdict: "ok", "note" or "leak".
        explanation: what the value means here, in one sentence.
        of: what a count is a share of.
    """

    check: str
    label: str
    value: float | int | str | None
    verdict: Verdict
    explanation: str = ""
    of: int | None = None

    def __post_init__(self) -> None:
        if self.verdict not in ORDER:
            raise ValueError(
                f"finding {self.check}: verdict {self.verdict!r}; there are {', '.join(ORDER)}"
            )
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise ValueError(
                f"finding {self.check} is {self.value}; a value that could not be computed is None"
            )


@dataclasses.dataclass(frozen=True)
class Report:
    """The audit of one data set.

    Attributes:
        name: of the data set, or the files.
        kind: what was audited: "sequences", "time series" or "events".
        sizes: examples by split.
        findings: in the order to read them.
    """

    name: str
    kind: str
    sizes: dict[str, int]
    findings: tuple[Finding, ...]

    def __getitem__(self, check: str) -> Finding:
        """One finding by its check's name. Raises `KeyError` with the names that there are."""
        for finding in self.findings:
            if finding.check == check:
                return finding
        raise KeyError(
            f"the audit of {self.name} has no check {check!r}; it has "
            f"{', '.join(each.check for each in self.findings)}"
        )

    def __contains__(self, check: str) -> bool:
        return any(each.check == check for each in self.findings)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all findings."""
        return max((each.verdict for each in self.findings), key=ORDER.index, default="ok")

    def to_json(self) -> str:
        """The report as JSON text, keys sorted."""
        content: dict[str, Any] = dataclasses.asdict(self) | {"verdict": self.verdict}
        return (
            json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
            + "\n"
        )
