"""Tracks: what is not comparable never stands in one table."""

from collections.abc import Callable

import msgspec
import pytest

from vismark.leaderboards.boards import Board
from vismark.leaderboards.rows import Cell, Row
from vismark.leaderboards.scored import result_row
from vismark.leaderboards.tracks import tracks
from vismark.problems import Problems
from vismark.results import Result


@pytest.fixture
def scored(board: Board, result: Callable[..., Result]) -> Callable[..., Row]:
    return lambda model, **fields: result_row(board, result(model, **fields), f"{model}.json", Problems())


def names(board: Board, rows: list[Row]) -> list[set[str]]:
    return [{place.row.model for place in track.places} for track in tracks(board, rows)]


def test_same_protocol_same_table(board: Board, scored: Callable, row: Callable) -> None:
    rows = [row("paper", 0.4), scored("a"), scored("b")]
    assert names(board, rows) == [{"paper", "a", "b"}]
    (track,) = tracks(board, rows)
    assert not track.alone and track.title == "Toy, val"
    assert track.measured.startswith("toy-official@1 (") and track.measured.endswith("references 11")


def test_other_protocol_other_table(board: Board, scored: Callable, row: Callable) -> None:
    rows = [row("paper", 0.4), scored("a"), scored("b", protocol="repaired")]
    assert names(board, rows) == [{"paper", "a"}, {"b"}]
    assert all(track.alone for track in tracks(board, rows))


def test_published_rows_take_no_side_between_references(board: Board, scored: Callable, row: Callable) -> None:
    rows = [row("paper", 0.4), scored("a"), scored("b", references="sha256:33")]
    assert names(board, rows) == [{"a"}, {"b"}, {"paper"}]


def test_published_rows_do_not_join_another_protocol(board: Board, scored: Callable, row: Callable) -> None:
    assert names(board, [row("paper", 0.4), scored("b", protocol="repaired")]) == [{"b"}, {"paper"}]


def test_splits_come_in_the_order_of_the_card(board: Board, scored: Callable) -> None:
    ordered = msgspec.structs.replace(board, splits={"z": "Last letter", "y": "y"})
    found = tracks(ordered, [scored("a", split="x"), scored("b", split="y"), scored("c", split="z")])
    assert [track.title for track in found] == ["Toy, Last letter", "Toy, y", "Toy, x"]
    assert not any(track.alone for track in found)


def test_the_reported_number_stands_beside_the_score(board: Board, scored: Callable, row: Callable) -> None:
    rows = [row("net", 0.533, variant="R50"), scored("net (R50)", pq=0.531), scored("net", pq=0.1)]
    (track,) = tracks(board, rows)
    cells: dict[str, Cell] = {place.row.label + place.row.state: place.row.cells["PQ"] for place in track.places}
    assert cells["net (R50)scored here"].reported == 0.533
    assert cells["netscored here"].reported is None
    assert cells["net (R50)reported"].reported is None
