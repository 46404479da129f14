"""Boards: which benchmark is ranked, by which columns, beside which published rows. One TOML file a board."""

from __future__ import annotations

import difflib
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from vismark.problems import Usage

_HERE = Path(__file__).parent


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A metric as a column; the one place where a number changes between its scale and that of tables.

    Attributes:
        metric: its name in `Result.metrics`.
        heading: what stands above the column.
        better: which direction is better.
        scale: number in a table = number in a result × `scale` (100 shows a fraction as percent).
        digits: decimals in a table.
        low, high: range on the result's scale; None is unbounded.
        published: the column of the published CSV that holds it, on the scale of tables; "" when there is none.
    """

    metric: str
    heading: str
    better: Literal["higher", "lower"]
    scale: float = 1.0
    digits: int = 3
    low: float | None = None
    high: float | None = None
    published: str = ""

    def parse(self, text: str) -> float:
        """The number on the result's scale that a table prints as `text`: the float nearest to it.

        Raises:
            ValueError: `text` is no number.
        """
        try:
            return float(Decimal(text) / Decimal(self.scale))
        except ArithmeticError as error:
            raise ValueError(f"{text!r} is no number") from error

    def show(self, value: float) -> str:
        """`value` (on the result's scale) as a table prints it."""
        return f"{value * self.scale:.{self.digits}f}"

    def order(self, value: float) -> float:
        """A key by which larger is better. Numbers that look the same in a table have the same key."""
        shown = round(value * self.scale, self.digits)
        return shown if self.better == "higher" else -shown

    def holds(self, value: float) -> bool:
        """Whether `value` is in the range of the metric. Never true of NaN."""
        low = float("-inf") if self.low is None else self.low
        high = float("inf") if self.high is None else self.high
        return low <= value <= high and abs(value) != float("inf")


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """A leaderboard.

    Attributes:
        benchmark: the benchmark whose results it takes.
        track: the task of its published rows (their column `track`).
        protocol: name of the protocol that its published rows follow. A benchmark with several has a board for each,
            or its other results stand in tables of their own.
        headline: the metric that it ranks by; names a column.
        splits: split → title, in the order of the tables; results on other splits follow.
        published: CSV file in `published/`, or "" when nothing is published.
        note: a sentence that belongs below its tables, or "".
    """

    name: str
    title: str
    benchmark: str
    track: str
    headline: str
    columns: tuple[Column, ...]
    protocol: str = "official"
    splits: dict[str, str] = {}
    published: str = ""
    note: str = ""

    @property
    def ranking(self) -> Column:
        """The column of the headline metric."""
        return next(column for column in self.columns if column.metric == self.headline)

    @property
    def published_file(self) -> Path | None:
        """The published rows, or None."""
        return _HERE / "published" / self.published if self.published else None


@cache
def boards() -> dict[str, Board]:
    """All boards by name, in alphabetical order."""
    found = {}
    for path in sorted((_HERE / "boards").glob("*.toml")):
        try:
            found[path.stem] = msgspec.toml.decode(path.read_bytes(), type=Board)
        except msgspec.DecodeError as error:
            raise ValueError(f"{path.name}: {error}") from error
    return found


def board(name: str) -> Board:
    """The board called `name`.

    Raises:
        Usage: there is none; the message names the nearest ones.
    """
    if name not in boards():
        near = difflib.get_close_matches(name, boards(), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(boards())}."
        raise Usage(f"There is no leaderboard called {name!r}: {hint}")
    return boards()[name]


def board_of(benchmark: str, protocol: str) -> Board | None:
    """The board on which results of a protocol of a benchmark stand; None: there is none."""
    each = (one for one in boards().values() if (one.benchmark, one.protocol) == (benchmark, protocol))
    return next(each, boards().get(benchmark))
