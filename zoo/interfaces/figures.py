"""Pictures as plain data: what a task or a data set shows, without a word on how it is drawn.

A task's `figures(record)` says what one row's record shows, its `sample_figures()` what its
data look like. The leaderboard draws them into its pages, `zoo figures` into files. `Lines`
of one name from several rows become one picture with a line a row.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from zoo.cards import Card, DatasetId, Finite, Sha256

FigureName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=120)]
FILE = "figures.json"
"""Name of the file beside a data set's card that holds its pictures as data."""


class _Figure(Card):
    """What all have: `name` is unique within a task or data set; `caption` says what is
    seen and how it was made."""

    name: FigureName
    title: Label
    caption: str


class Tick(Card):
    """A place on an axis with its name."""

    at: Finite
    label: Annotated[str, StringConstraints(min_length=1, max_length=12)]


class Mark(Card):
    """A point of a line about which something is said: in short beside it, in full where
    the reader points at it."""

    x: Finite
    y: Finite
    short: str
    text: str


class Lines(_Figure):
    """One row's line `y(x)`, with its 95 % band where `low` and `high` are given;
    `reference` is the same for every row."""

    kind: Literal["lines"] = "lines"
    x_label: Label
    y_label: Label
    log_y: bool = False
    x_ticks: list[Tick] = Field(default_factory=list, description="Default: round numbers.")
    x: list[Finite] = Field(min_length=1)
    y: list[Finite]
    low: list[Finite] = Field(default_factory=list)
    high: list[Finite] = Field(default_factory=list)
    marks: list[Mark] = Field(default_factory=list)
    reference_label: str = ""
    reference_x: list[Finite] = Field(default_factory=list)
    reference_y: list[Finite] = Field(default_factory=list)

    @model_validator(mode="after")
    def _lengths(self) -> Lines:
        if (
            len(self.x) != len(self.y)
            or len(self.low) != len(self.high)
            or len(self.low) not in (0, len(self.x))
        ):
            lengths = ", ".join(str(len(each)) for each in (self.x, self.y, self.low, self.high))
            raise ValueError(
                f"lines {self.name!r}: x, y, low and high must be equally long, they have "
                f"{lengths} values"
            )
        if len(self.reference_x) != len(self.reference_y):
            raise ValueError(
                f"lines {self.name!r}: the reference has {len(self.reference_x)} x and "
                f"{len(self.reference_y)} y"
            )
        every = [
            *self.y,
            *self.low,
            *self.high,
            *self.reference_y,
            *(mark.y for mark in self.marks),
        ]
        if self.log_y and min(every) <= 0:
            raise ValueError(
                f"lines {self.name!r} are drawn on a logarithmic axis and hold {min(every)}"
            )
        return self


class Grid(_Figure):
    """A table of shares 0..1, drawn as shaded cells."""

    kind: Literal["grid"] = "grid"
    row_label: Label
    column_label: Label
    rows: list[Label] = Field(min_length=1)
    columns: list[Label] = Field(min_length=1)
    values: list[list[Annotated[float, Field(ge=0, le=1)]]]

    @model_validator(mode="after")
    def _shape(self) -> Grid:
        if [len(line) for line in self.values] != [len(self.columns)] * len(self.rows):
            raise ValueError(
                f"grid {self.name!r} needs {len(self.rows)} rows of {len(self.columns)} values"
            )
        return self


class Histogram(Card):
    """One histogram: the height of every bin."""

    label: Label
    values: list[Finite]


class Histograms(_Figure):
    """Several histograms over the same bins; on a logarithmic axis an empty bin stands on
    its lower end."""

    kind: Literal["histograms"] = "histograms"
    x_label: Label
    y_label: Label
    log_y: bool = False
    edges: list[Finite] = Field(min_length=2)
    series: list[Histogram] = Field(min_length=1)

    @model_validator(mode="after")
    def _bins(self) -> Histograms:
        if (
            any(len(one.values) != len(self.edges) - 1 for one in self.series)
            or sorted(set(self.edges)) != self.edges
        ):
            raise ValueError(
                f"histograms {self.name!r}: {len(self.edges)} rising edges need "
                f"{len(self.edges) - 1} values a series"
            )
        every = [value for one in self.series for value in one.values]
        if self.log_y and (min(every) < 0 or max(every) <= 0):
            raise ValueError(
                f"histograms {self.name!r} are drawn on a logarithmic axis and reach from "
                f"{min(every)} to {max(every)}"
            )
        return self


class Image(Card):
    """One image as text: a line per row of cells, the topmost first, a digit per cell: how
    many of the levels it reaches."""

    label: Label
    rows: list[Annotated[str, StringConstraints(pattern=r"^[0-9]+$")]] = Field(min_length=1)


class Images(_Figure):
    """Images side by side, on the same levels (rising, at most nine) and the same square
    `-reach..reach` or rectangle `extent`."""

    kind: Literal["images"] = "images"
    x_label: Label
    y_label: Label
    level_label: Label
    levels: list[Finite] = Field(min_length=1, max_length=9)
    reach: float | None = Field(None, gt=0)
    extent: tuple[Finite, Finite, Finite, Finite] | None = Field(
        None, description="Left, right, bottom and top: for what is no square."
    )
    x_ticks: list[Tick] = Field(default_factory=list)
    y_ticks: list[Tick] = Field(default_factory=list)
    panels: list[Image] = Field(min_length=1)

    @property
    def borders(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top."""
        if self.extent is not None:
            return self.extent
        assert self.reach is not None, "one of the two is given"
        return (-self.reach, self.reach, -self.reach, self.reach)

    @model_validator(mode="after")
    def _borders(self) -> Images:
        if (self.reach is None) == (self.extent is None):
            raise ValueError(f"images {self.name!r} need either `reach` or `extent`")
        left, right, bottom, top = self.borders
        if not (left < right and bottom < top):
            raise ValueError(
                f"images {self.name!r}: the extent is left, right, bottom, top and rises, it is "
                f"{self.extent}"
            )
        outside = [tick.label for tick in self.x_ticks if not left <= tick.at <= right]
        outside += [tick.label for tick in self.y_ticks if not bottom <= tick.at <= top]
        if outside:
            raise ValueError(
                f"images {self.name!r}: ticks outside the picture: {', '.join(outside)}"
            )
        return self

    @model_validator(mode="after")
    def _cells(self) -> Images:
        if sorted(set(self.levels)) != self.levels:
            raise ValueError(f"images {self.name!r}: levels must rise, they are {self.levels}")
        for panel in self.panels:
            if any(len(row) != len(panel.rows[0]) for row in panel.rows) or max(
                map(max, panel.rows)
            ) > str(len(self.levels)):
                raise ValueError(
                    f"images {self.name!r}: {panel.label!r} has rows of unequal length or a digit "
                    f"above {len(self.levels)}"
                )
        return self


class Span(Card):
    """A stretch of a sequence, `start` to before `stop` from 0, with its name; a `weak` one
    is there but does not count."""

    start: int = Field(ge=0)
    stop: int
    name: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    weak: bool = False


class Letters(Card):
    """One sequence of letters with its stretches, in order and apart."""

    label: Label
    letters: Annotated[str, StringConstraints(pattern=r"^[A-Z]+$", max_length=2000)]
    spans: list[Span] = Field(default_factory=list)

    @model_validator(mode="after")
    def _apart(self) -> Letters:
        ends = [end for span in self.spans for end in (span.start, span.stop)]
        if (
            any(span.start >= span.stop for span in self.spans)
            or sorted(ends) != ends
            or max(ends, default=0) > len(self.letters)
        ):
            raise ValueError(
                f"sequence {self.label!r}: spans must rise, lie apart and within its "
                f"{len(self.letters)} letters: {ends}"
            )
        return self


class Sequences(_Figure):
    """Sequences letter by letter, with what lies in them."""

    kind: Literal["sequences"] = "sequences"
    rows: list[Letters] = Field(min_length=1)


Figure = Annotated[Lines | Grid | Histograms | Images | Sequences, Field(discriminator="kind")]


class FigureFile(Card):
    """Pictures of a data set as it lies beside its card (`figures.json`): the board draws
    them without opening the data."""

    schema_version: Literal[1]
    dataset: DatasetId
    made_from: dict[str, Sha256] = Field(
        description="Data file -> SHA-256; pictures of other files than the card's are not shown."
    )
    figure: list[Figure] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> FigureFile:
        names = [figure.name for figure in self.figure]
        if len(set(names)) != len(names):
            raise ValueError(
                f"two figures of {self.dataset} have the same name: {', '.join(names)}"
            )
        return self
