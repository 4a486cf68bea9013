"""Numbers, dates and typed prose as the board prints them: the same in the tables, the
pages and the charts."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from markupsafe import Markup

    from zoo.cards import MetricSpec

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
DIRECTIONS = {
    "higher": "higher is better",
    "lower": "lower is better",
    "nearer_one": "nearer one is better",
    "nearer_zero": "nearer zero is better",
}
ARROWS = {
    "higher": "\N{UPWARDS ARROW}",
    "lower": "\N{DOWNWARDS ARROW}",
    "nearer_one": "\N{RIGHTWARDS ARROW}1",
    "nearer_zero": "\N{RIGHTWARDS ARROW}0",
}
GAPS = {
    "declined": "the predictor declines this metric",
    "absent": "not in the entry: the predictor does not give it",
}
LINK = re.compile(r"https://[^\s<>\"'`{}|\\^]+")
INLINE = re.compile(
    r"`([^`\n]+)`|(https://[^\s<>\"'`{}|\\^]+)"
    # older ones hold brackets and more: (2002)015<1609:AIISAS>2.0.CO;2
    r"|\b(doi:)(10\.\d{4,9}/(?:\([^\s()\"'`]*\)|[^\s\"'`,()])+)"
)


STORED = ("solver", "forecast_centre")
"""Kinds whose forecasts are read from files: the time of reading says nothing about what
they cost."""


def utc(moment: datetime) -> datetime:
    """The moment in UTC; one without zone is taken to be UTC already, so that no machine's
    clock decides the order."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def day(moment: datetime) -> str:
    """The date, as 2026-11-20."""
    return utc(moment).date().isoformat()


def number(value: float | None, decimals: int | None = None) -> str:
    """A number with a real minus sign; without `decimals` three significant digits."""
    if value is None:
        return DASH
    text = f"{value:.{significant([value]) if decimals is None else decimals}f}"
    if float(text) == 0:
        text = f"{value:.2e}" if decimals is None and value != 0 else text.removeprefix("-")
    return text.replace("-", MINUS)


def significant(values: Iterable[float], *, digits: int = 3) -> int:
    """How many decimals give the median of the values `digits` significant digits (at most six)."""
    sizes = sorted(abs(value) for value in values if value)
    if not sizes:
        return 2
    return min(6, max(0, digits - 1 - math.floor(math.log10(sizes[len(sizes) // 2]))))


def interval(bounds: tuple[float, float] | None, places: int | None = None) -> str:
    """An interval in brackets, or nothing where there is none."""
    return (
        f"[{number(bounds[0], places)}, {number(bounds[1], places)}]" if bounds is not None else ""
    )


def signed(value: float, places: int | None = None) -> str:
    """A difference, always with its sign, unless it is printed as zero."""
    text = number(value, places)
    return text if text.startswith(MINUS) or not text.strip("0.") else f"+{text}"


def count(value: float | None) -> str:
    """A large count in words of thousands: 950, 12.3 k, 1.06 M, 3.1 G."""
    if value is None:
        return DASH
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size * 0.9995:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"


def size(value: int) -> str:
    """Bytes in decimal units."""
    for unit, letter in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= unit:
            return f"{value / unit:.3g} {letter}"
    return f"{value} B"


def groups(letters: str) -> str:
    """Group letters for a reader: runs of four and more neighbours as "a–f"."""
    found = re.findall(r"[a-z]\d*", letters)
    if len(found) < 4:
        return letters
    order = [(ord(one[0]) - 97) + 26 * int(one[1:] or 0) for one in found]
    parts, begin = [], 0
    for position in range(1, len(found) + 1):
        if position == len(found) or order[position] != order[position - 1] + 1:
            run = found[begin:position]
            parts.append(f"{run[0]}{DASH}{run[-1]}" if len(run) > 3 else "".join(run))
            begin = position
    return " ".join(parts)


def milliseconds(value: float) -> str:
    """A latency, three significant digits, in the unit that fits."""
    if value >= 1000:
        return f"{value / 1000:.3g} s"
    return f"{value:.3g} ms" if value >= 0.01 else f"{value * 1000:.2g} µs"


def duration(seconds: float) -> str:
    """A wall time: 12 s, 4.5 min, 2.1 h."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def unit(metric: MetricSpec) -> str:
    """The unit in brackets, with real exponents; nothing for a pure number."""
    if metric.unit in ("", "1", "-"):
        return ""
    raised = str.maketrans(
        "0123456789-", "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b"
    )
    if power := re.fullmatch(r"1e(-?\d+)", metric.unit):
        return f"(×10{power.group(1).translate(raised)})"
    text = re.sub(
        r"(?<=[A-Za-z])(-?\d)(?!\d)", lambda match: match.group(1).translate(raised), metric.unit
    )
    return f"({text})"


def titled(name: str, metric: MetricSpec) -> str:
    """A name with the metric's unit behind it, if it has one."""
    return f"{name} {unit(metric)}".rstrip()


def along(metric: MetricSpec) -> str:
    """What the points of a metric count, in short: "lead time (days)" is "lead time"."""
    return re.split(r"[:(]", metric.axis or "point")[0].strip()


def point(metric: MetricSpec, name: str) -> str:
    """The last part of a metric's full name as a reader expects it: `day5` is "day 5",
    `fpr_1e2` is "FPR 1e−2"."""
    _, _, at = name.partition(".")
    # a rate is below one, and a name holds no sign
    at = re.sub(r"\bfpr_(\d)e(\d)", rf"FPR \1E{MINUS}\2", at)
    return re.sub(r"(?<=[a-z])(?=\d)", " ", at).replace("_", " ").replace(f"E{MINUS}", f"e{MINUS}")


def label(metric: MetricSpec, name: str) -> str:
    """The label of one metric value: family and point."""
    at = point(metric, name)
    return f"{metric.label}, {at}" if at else metric.label


def https(address: str | None) -> str | None:
    """The address if it is a plain https:// one, else None: nothing else becomes a link."""
    return address if address and LINK.fullmatch(address) else None


def prose(text: str) -> Markup:
    """Typed text as paragraphs and lists, escaped; `code`, https:// addresses and doi:...
    are marked up, nothing else."""
    from markupsafe import Markup

    blocks = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in block.splitlines()]
        items: list[str] = []
        for line in lines:
            if line.startswith(("- ", "* ")):
                items.append(line[2:])
            elif items:
                items[-1] += f" {line}"
            else:
                break
        if items and lines[0].startswith(("- ", "* ")):
            blocks.append(
                Markup("<ul>{}</ul>").format(
                    Markup("").join(Markup("<li>{}</li>").format(inline(item)) for item in items)
                )
            )
        elif block.strip():
            blocks.append(Markup("<p>{}</p>").format(inline(" ".join(lines))))
    return Markup("\n").join(blocks)


def inline(text: str) -> Markup:
    """One line of typed text, escaped, with `code`, https:// addresses and doi:... marked up."""
    from markupsafe import Markup, escape

    parts, last = [], 0
    for match in INLINE.finditer(text):
        parts.append(escape(text[last : match.start()]))
        code, link, _, doi = match.groups()
        if code is not None:
            parts.append(Markup("<code>{}</code>").format(code))
        else:
            shown = link.rstrip(".,;:)") if link else doi.rstrip(".,;:")
            address = shown if link else f"https://doi.org/{quote(shown, safe='/;:().')}"
            parts.append(
                Markup('<a href="{}" rel="noreferrer">{}</a>').format(
                    address, shown if link else f"doi:{shown}"
                )
            )
            parts.append(escape((link or doi)[len(shown) :]))
        last = match.end()
    parts.append(escape(text[last:]))
    return Markup("").join(parts)
