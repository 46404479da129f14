"""Rows of results: files and folders, states, and why a result does not rank."""

from collections.abc import Callable
from pathlib import Path

import pytest

from vismark.leaderboards import scored
from vismark.leaderboards.boards import Board
from vismark.problems import Problems, Usage
from vismark.results import Part, Result, write_result

Make = Callable[..., Result]


def rows_of(board: Board, *paths: Path) -> tuple[list, Problems]:
    problems = Problems()
    return scored.result_rows(board, paths, problems), problems


@pytest.mark.parametrize(
    ("kind", "state", "unranked"),
    [
        ("scored", "scored here", ""),
        ("control", "scored here", "control"),
        ("reproduced", "reproduced", ""),
        ("claimed", "claimed", ""),
    ],
)
def test_states(board: Board, result: Make, kind: str, state: str, unranked: str) -> None:
    row = scored.result_row(board, result(kind=kind), "r.json", Problems())
    assert (row.state, row.unranked, row.source) == (state, unranked, "r.json, vismark 0.1.0")


@pytest.mark.parametrize(
    ("fields", "unranked"),
    [
        ({"partial": Part(done=3, total=9)}, "PARTIAL 3/9"),
        ({"why": "void counts"}, "deviates"),
        ({"pq": None}, "no PQ"),
        ({"pq": 53.3}, "no PQ"),
    ],
)
def test_what_does_not_rank(board: Board, result: Make, fields: dict, unranked: str) -> None:
    problems = Problems()
    row = scored.result_row(board, result(**fields), "r.json", problems)
    assert row.unranked == unranked
    assert row.note == fields.get("why", "")
    assert ("BOARD_NUMBER" in problems) == (fields.get("pq") == 53.3)


def test_an_interval_always_holds_the_number(board: Board, result: Make) -> None:
    made = result(pq=0.5, interval=(0.6, 0.7))
    assert scored.result_row(board, made, "r.json", Problems()).cells["PQ"].interval == (0.5, 0.7)


def test_folders_are_searched_and_nothing_is_silent(board: Board, result: Make, tmp_path: Path, monkeypatch) -> None:
    write_result(tmp_path / "a.json", result("a"))
    write_result(tmp_path / "deep" / "er" / "b.json", result("b"))
    write_result(tmp_path / "copy.json", result("a"))
    write_result(tmp_path / "other.json", result("c", benchmark="elsewhere"))
    (tmp_path / "package.json").write_text('{"name": "x"}')
    (tmp_path / "broken.json").write_bytes(b"[" * 5000 + b"\xff")
    (tmp_path / "notes.txt").write_text("no result")
    (tmp_path / "huge.json").write_text(" " * 10_000)
    monkeypatch.setattr(scored, "LARGEST_RESULT", 9_000)
    rows, problems = rows_of(board, tmp_path)
    assert [(row.model, row.source.split(",")[0]) for row in rows] == [("a", "a.json"), ("b", "deep/er/b.json")]
    assert {problem.file: problem.code for problem in problems} == {
        "copy.json": "BOARD_TWICE",
        "other.json": "BOARD_OTHER",
        "package.json": "RESULT_FORMAT",
        "broken.json": "RESULT_FORMAT",
        "huge.json": "RESULT_FORMAT",
    }
    assert problems.errors == 0


def test_a_file_named_twice_is_read_once(board: Board, result: Make, tmp_path: Path) -> None:
    write_result(tmp_path / "a.json", result("a"))
    (tmp_path / "b.json").symlink_to(tmp_path / "a.json")
    rows, problems = rows_of(board, tmp_path / "a.json", tmp_path)
    assert len(rows) == 1 and not len(problems)


def test_a_result_whose_protocol_was_edited_does_not_count(board: Board, result: Make, tmp_path: Path) -> None:
    write_result(tmp_path / "a.json", result("a"))
    (tmp_path / "a.json").write_text((tmp_path / "a.json").read_text().replace('"name": "official"', '"name": "other"'))
    rows, problems = rows_of(board, tmp_path)
    assert not rows and "RESULT_DIGEST" in problems


def test_a_path_that_is_not_there_is_a_wrong_call(board: Board, tmp_path: Path) -> None:
    with pytest.raises(Usage, match=r"nothing\.json"):
        rows_of(board, tmp_path / "nothing.json")
