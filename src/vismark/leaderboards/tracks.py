"""Tracks: only numbers that are comparable stand in one table, so rows are sorted into tables before they rank.

Results share a table when benchmark, split, protocol digest and references are equal. Published rows join the results
of the board's official protocol, as long as those are of one kind; else they have a table of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from vismark.leaderboards.boards import Board
from vismark.leaderboards.ranking import Place, places
from vismark.leaderboards.rows import Cell, Row

_Key = tuple[str, str]  # protocol digest, references digest; ("", "") is that of published rows
_PUBLISHED: _Key = ("", "")


@dataclass(frozen=True)
class Track:
    """One table: rows that may be compared, ranked.

    Attributes:
        title: board and split.
        measured: protocol and references of the results in it, or "" when all rows are published ones.
        alone: other tables of the same split exist, with which it cannot be compared.
    """

    title: str
    split: str
    measured: str
    alone: bool
    places: tuple[Place, ...]


def tracks(board: Board, rows: Sequence[Row]) -> tuple[Track, ...]:
    """The tables of a board, split by split in the order of the card, results before published rows."""
    found: list[Track] = []
    for split in sorted({row.split for row in rows}, key=lambda name: (_position(board, name), name)):
        groups = _groups(board, [row for row in rows if row.split == split])
        for group in groups:
            title = f"{board.title}, {board.splits.get(split, split)}"
            ranked = places(_with_reported(group), board.ranking)
            found.append(Track(title, split, _measured(group), len(groups) > 1, ranked))
    return tuple(found)


def _position(board: Board, split: str) -> int:
    return list(board.splits).index(split) if split in board.splits else len(board.splits)


def _groups(board: Board, rows: Iterable[Row]) -> list[list[Row]]:
    """The rows of one split in comparable groups."""
    groups: dict[_Key, list[Row]] = {}
    for row in rows:
        key = (row.protocol.digest, row.references) if row.protocol else _PUBLISHED
        groups.setdefault(key, []).append(row)
    published = groups.pop(_PUBLISHED, [])
    official = [group for group in groups.values() if group[0].protocol and group[0].protocol.name == board.protocol]
    if len(official) == 1:
        official[0].extend(published)
    elif published:
        groups[_PUBLISHED] = published
    return list(groups.values())


def _measured(group: Sequence[Row]) -> str:
    row = next((row for row in group if row.protocol), None)
    if row is None or row.protocol is None:
        return ""
    return f"{row.protocol} ({_short(row.protocol.digest)}), references {_short(row.references)}"


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:8]


def _with_reported(group: Sequence[Row]) -> list[Row]:
    """The group, with the published numbers of the same label beside those of its results."""
    published: dict[str, Row] = {}
    for row in group:
        if row.state == "reported":
            published.setdefault(row.label, row)
    return [_beside(row, published[row.label]) if row.protocol and row.label in published else row for row in group]


def _beside(row: Row, published: Row) -> Row:
    cells: dict[str, Cell] = {}
    for metric, cell in row.cells.items():
        other = published.cells.get(metric)
        cells[metric] = replace(cell, reported=other.value) if other else cell
    return replace(row, cells=cells)
