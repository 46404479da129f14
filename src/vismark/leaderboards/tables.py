"""Tables: a leaderboard as text, before it takes a form (`forms`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vismark.leaderboards.boards import Board, Column
from vismark.leaderboards.ranking import Mark, Place, marks
from vismark.leaderboards.rows import CONTROL, Cell
from vismark.leaderboards.tracks import Track
from vismark.problems import Problems

# Headings that stay, even above nothing.
_ALWAYS = {"Rank", "Model", "State", "Source"}


@dataclass(frozen=True)
class Leaderboard:
    """A board with its tables, and what was noticed while its rows were read."""

    board: Board
    tracks: tuple[Track, ...]
    problems: Problems


@dataclass(frozen=True)
class Item:
    """The text of a cell and whether it is the best or second-best number of its column."""

    text: str
    mark: Mark = ""


@dataclass(frozen=True)
class Table:
    """A track as text, not yet escaped.

    Attributes:
        right: for each heading, whether its column is flush right.
        ranked: how many rows of `body` rank; a rule stands below them.
        notes: sentences that belong below the table.
    """

    title: str
    headings: tuple[str, ...]
    right: tuple[bool, ...]
    body: tuple[tuple[Item, ...], ...]
    ranked: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Field:
    heading: str
    text: Callable[[Place], str]
    right: bool = False
    column: Column | None = None


def sheets(leaderboard: Leaderboard) -> tuple[Table, ...]:
    """One table a track for machines: all with the same headings, every source and note in full in its row."""
    head = [_Field("Model", lambda place: place.row.model), _Field("Variant", lambda place: place.row.variant)]
    tail = [_Field("Source", lambda place: place.row.source), _Field("Note", lambda place: place.row.note)]
    fields = _filled(_fields(leaderboard.board, head, tail), [p for track in leaderboard.tracks for p in track.places])
    return tuple(_table(track, fields, ()) for track in leaderboard.tracks)


def pages(leaderboard: Leaderboard) -> tuple[Table, ...]:
    """One table a track for readers: only columns that hold something, sources and notes numbered below the table."""
    return tuple(_page(leaderboard.board, track) for track in leaderboard.tracks)


def _page(board: Board, track: Track) -> Table:
    texts = dict.fromkeys(map(_source, track.places))
    numbers = {text: number for number, text in enumerate(texts, 1)}
    head = [_Field("Model", lambda place: place.row.label)]
    tail = [_Field("Source", lambda place: f"[{numbers[_source(place)]}]")]
    fields = _filled(_fields(board, head, tail), track.places)
    said = [board.note] if board.note else []
    return _table(track, fields, [*said, *(f"[{number}] {text}" for text, number in numbers.items())])


def _source(place: Place) -> str:
    return ": ".join(filter(None, (place.row.source, place.row.note)))


def _filled(fields: Sequence[_Field], places: Sequence[Place]) -> list[_Field]:
    return [field for field in fields if field.heading in _ALWAYS or any(map(field.text, places))]


def _fields(board: Board, head: Sequence[_Field], tail: Sequence[_Field]) -> list[_Field]:
    main = board.ranking
    numbers = [_Field(column.heading, _number(column), True, column) for column in board.columns]
    at = board.columns.index(main) + 1
    return [
        _Field("Rank", _rank, True),
        _Field("Rank range", _span, True),
        *head,
        *numbers[:at],
        _Field("95 %", lambda place: _interval(place.row.cells.get(main.metric), main), True),
        _Field("Δ", lambda place: _difference(place.row.cells.get(main.metric), main), True),
        *numbers[at:],
        _Field("State", _state),
        *tail,
    ]


def _table(track: Track, fields: Sequence[_Field], sources: Sequence[str]) -> Table:
    rows = [place.row for place in track.places if place.rank is not None]
    marked = {field.heading: marks(rows, field.column) for field in fields if field.column}

    def item(field: _Field, place: Place) -> Item:
        text = field.text(place)
        if field.column is None or place.rank is None or not text:
            return Item(text)
        order = field.column.order(place.row.cells[field.column.metric].value)
        return Item(text, marked[field.heading].get(order, ""))

    return Table(
        track.title,
        tuple(field.heading for field in fields),
        tuple(field.right for field in fields),
        tuple(tuple(item(field, place) for field in fields) for place in track.places),
        sum(place.rank is not None for place in track.places),
        (*_notes(track), *sources),
    )


def _notes(track: Track) -> list[str]:
    ranked = [place for place in track.places if place.rank is not None]
    unsure = sum(place.span is None for place in ranked)
    notes = [f"Scored by {track.measured}."] if track.measured else []
    if track.alone:
        notes.append("Not comparable with the other tables of this split: other protocol or other references.")
    if unsure == len(ranked) > 1:
        notes.append("No rank ranges: no ranked row has a 95 % interval.")
    elif 0 < unsure < len(ranked):
        notes.append(f"Rank ranges: from 95 % intervals; {unsure} of {len(ranked)} rows have none and count as exact.")
    elif len(ranked) > 1:
        notes.append("Rank ranges: from 95 % intervals.")
    if any(place.tied for place in ranked):
        notes.append("≈: the 95 % interval overlaps that of the row above.")
    controls = [place for place in track.places if place.row.unranked == CONTROL]
    if controls:
        among = (
            "they are ranked among themselves" if controls[0].rank is not None else "they have no rank beside models"
        )
        notes.append(f"Controls are made from the truth, or from nothing: {among}.")
    if any(cell.reported is not None for place in track.places for cell in place.row.cells.values()):
        notes.append("Δ: difference to the number that a published row of the same name reports.")
    return notes


def _rank(place: Place) -> str:
    return "–" if place.rank is None else f"{place.rank}=" if place.shared else str(place.rank)


def _span(place: Place) -> str:
    if place.span is None:
        return ""
    first, last = place.span
    return ("≈ " if place.tied else "") + (f"{first}–{last}" if first < last else str(first))


def _state(place: Place) -> str:
    row = place.row
    if row.unranked == CONTROL:
        return CONTROL
    return f"{row.state}, {row.unranked}" if row.unranked and row.unranked != row.state else row.state


def _number(column: Column) -> Callable[[Place], str]:
    def text(place: Place) -> str:
        cell = place.row.cells.get(column.metric)
        return "" if cell is None else cell.printed or column.show(cell.value)

    return text


def _interval(cell: Cell | None, column: Column) -> str:
    return f"{column.show(cell.interval[0])}–{column.show(cell.interval[1])}" if cell and cell.interval else ""


def _difference(cell: Cell | None, column: Column) -> str:
    if cell is None or cell.reported is None:
        return ""
    text = column.show(cell.value - cell.reported)
    return text if text.startswith("-") else "+" + text
