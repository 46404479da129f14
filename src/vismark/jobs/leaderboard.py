"""Show a leaderboard: published rows and results, in tables of comparable numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vismark.leaderboards.boards import board as board_called
from vismark.leaderboards.rows import published_rows
from vismark.leaderboards.scored import result_rows
from vismark.leaderboards.tables import Leaderboard
from vismark.leaderboards.tracks import tracks
from vismark.problems import Missing, Problems, Refused


def show(board: str, results: Sequence[Path] = (), published: bool = True) -> Leaderboard:
    """The leaderboard `board`; `leaderboards.forms` brings it into a form to look at.

    Args:
        results: result files, or folders that are searched for them.
        published: show published rows too.

    Raises:
        Usage: there is no such board, or a path does not exist.
        Missing: nothing is published and no result was named; the message says what to type.
        Refused: nothing is published and no named file holds a result of the board's benchmark.
    """
    chosen = board_called(board)
    problems = Problems()
    file = chosen.published_file if published else None
    rows = published_rows(chosen, file, problems) if file else []
    rows += result_rows(chosen, results, problems)
    if rows:
        return Leaderboard(chosen, tracks(chosen, rows), problems)
    if not results:
        raise Missing(
            f"The leaderboard {board} has {'no published rows' if published else 'no rows without published ones'}: "
            f"`vismark score {chosen.benchmark} SUBMISSION -o result.json`, "
            f"then `vismark leaderboard show {board} result.json`.{' ' if chosen.note else ''}{chosen.note}"
        )
    problems.add(
        "BOARD_EMPTY",
        f"none of the named files holds a result of {chosen.benchmark}",
        fix=f"`vismark score {chosen.benchmark} SUBMISSION -o result.json` writes one.",
    )
    raise Refused(problems)
