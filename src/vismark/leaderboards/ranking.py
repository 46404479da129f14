"""Ranking: places by the headline metric, ties, and the ranks that 95 % intervals leave open."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vismark.leaderboards.boards import Column
from vismark.leaderboards.rows import CONTROL, Row

Mark = Literal["", "best", "second"]


@dataclass(frozen=True)
class Place:
    """A row and where it stands.

    Attributes:
        rank: 1 for the best; None for a row that does not rank.
        shared: another row has the same rank.
        span: first and last rank that the 95 % intervals leave open; None without an interval.
        tied: its interval overlaps that of the row above.
    """

    row: Row
    rank: int | None = None
    shared: bool = False
    span: tuple[int, int] | None = None
    tied: bool = False


def places(rows: Sequence[Row], column: Column) -> tuple[Place, ...]:
    """All rows, the ranked ones from the best down, then the others, from the best down too.

    Where there is nothing else, controls are ranked among themselves.

    Numbers that look the same in a table share a rank. The span of a row is [1 + the number of rows whose interval
    lies wholly above its own, n − the number of those wholly below]; a row without an interval has no span, and
    counts as a point in those of the others.
    """
    reason = "" if any(not row.unranked for row in rows) else CONTROL
    every = sorted(rows, key=lambda row: (-_order(row, column), row.label))
    ranked = [row for row in every if row.unranked == reason and column.metric in row.cells]
    others = [row for row in every if row not in ranked]
    orders = sorted(_order(row, column) for row in ranked)
    bounds = [_bounds(row, column) for row in ranked]
    lows, highs = sorted(low for low, _ in bounds), sorted(high for _, high in bounds)

    found = []
    for number, (row, (low, high)) in enumerate(zip(ranked, bounds, strict=True)):
        order = _order(row, column)
        better = len(orders) - bisect_right(orders, order)
        same = bisect_right(orders, order) - bisect_left(orders, order)
        sure = row.cells[column.metric].interval is not None
        above, below = len(lows) - bisect_right(lows, high), bisect_left(highs, low)
        # Rounding may give two rows one rank although their intervals are apart: a span always holds the rank.
        span = (min(1 + above, better + 1), max(len(ranked) - below, better + 1)) if sure else None
        tied = number > 0 and sure and _overlap(ranked[number - 1], row, column)
        found.append(Place(row, better + 1, same > 1, span, tied))
    return (*found, *map(Place, others))


def marks(rows: Sequence[Row], column: Column) -> dict[float, Mark]:
    """`column.order(value)` → mark of the best and second-best numbers among `rows`; none for a single number."""
    values = [row.cells[column.metric].value for row in rows if column.metric in row.cells]
    first = sorted({column.order(value) for value in values}, reverse=True)[:2]
    names: tuple[Mark, Mark] = ("best", "second")
    return dict(zip(first, names, strict=False)) if len(values) > 1 else {}


def _order(row: Row, column: Column) -> float:
    return column.order(row.cells[column.metric].value) if column.metric in row.cells else float("-inf")


def _bounds(row: Row, column: Column) -> tuple[float, float]:
    """The interval of a ranked row, or its number twice, turned so that larger is better."""
    cell = row.cells[column.metric]
    low, high = cell.interval or (cell.value, cell.value)
    return (low, high) if column.better == "higher" else (-high, -low)


def _overlap(above: Row, row: Row, column: Column) -> bool:
    if above.cells[column.metric].interval is None:
        return False
    (low, high), (other_low, other_high) = _bounds(row, column), _bounds(above, column)
    return low <= other_high and other_low <= high
