"""Rows of results: what was scored here, reproduced, or is claimed by the results of others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from vismark.leaderboards.boards import Board, board_of
from vismark.leaderboards.rows import CONTROL, Cell, Row, State, out_of_range, without_headline
from vismark.problems import Problems, Refused, Usage
from vismark.results import Basis, Result, read_result
from vismark.runtime.digests import digest_of

_STATES: dict[str, State] = {
    "scored": "scored here",
    "control": "scored here",
    "reproduced": "reproduced",
    "claimed": "claimed",
}

# A result with a thousand categories is below one MiB; what is much larger in a folder is a submission.
LARGEST_RESULT = 32 * 2**20


def result_rows(board: Board, paths: Sequence[Path], problems: Problems) -> list[Row]:
    """One row for each result of the board in `paths`; folders are searched for ``*.json`` in depth.

    Args:
        problems: takes files that hold no result (warnings) and results of other boards or seen twice (notes).

    Raises:
        Usage: a path does not exist.
    """
    rows = []
    seen: dict[str, str] = {}
    for name, path in _files(paths, problems):
        result = _read(path, name, problems)
        if result is None:
            continue
        if result.protocol.benchmark != board.benchmark:
            problems.add("BOARD_OTHER", f"is a result of {result.protocol.benchmark}", severity="note", file=name)
            continue
        home = board_of(board.benchmark, result.protocol.name)
        if home is not None and home.protocol == result.protocol.name != board.protocol:
            fix = f"`vismark leaderboard show {home.name}` shows it."
            message = f"is a result of the protocol {result.protocol.name}"
            problems.add("BOARD_OTHER", message, severity="note", file=name, fix=fix)
            continue
        first = seen.setdefault(digest_of(result), name)
        if first != name:
            problems.add("BOARD_TWICE", f"is the same result as {first}", severity="note", file=name)
            continue
        rows.append(result_row(board, result, name, problems))
    return rows


def result_row(board: Board, result: Result, name: str, problems: Problems) -> Row:
    """`result` as a row; `name` is the file that it was read from."""
    cells = {}
    for column in board.columns:
        value = result.metrics.get(column.metric)
        if value is None:
            continue
        if not column.holds(value):
            out_of_range(column, value, name, "", problems)
            continue
        basis = result.basis.get(column.metric)
        cells[column.metric] = Cell(value, interval=_interval(basis, value))
    unranked, why = _standing(board, result, cells)
    return Row(
        model=result.model,
        variant="",
        state=_STATES[result.kind],
        source=f"{name}, vismark {result.made.vismark}",
        note=why,
        split=result.protocol.split,
        cells=cells,
        protocol=result.protocol,
        references=result.references,
        unranked=unranked,
    )


def _standing(board: Board, result: Result, cells: Mapping[str, Cell]) -> tuple[str, str]:
    """(why `result` has no rank, or "", what to say about it)."""
    deviating = [result.basis[metric] for metric in cells if metric in result.basis]
    why = next((basis.why or "not the official number" for basis in deviating if basis.kind == "deviates"), "")
    if result.partial is not None:
        return str(result.partial), why
    if why:
        return "deviates", why
    if result.kind == "control":
        return CONTROL, ""
    return without_headline(board, cells), ""


def _interval(basis: Basis | None, value: float) -> tuple[float, float] | None:
    """The stated interval, widened to hold the value itself; None when it is not finite."""
    if basis is None or basis.interval is None or not all(map(math.isfinite, basis.interval)):
        return None
    return min(*basis.interval, value), max(*basis.interval, value)


def _files(paths: Iterable[Path], problems: Problems) -> Iterator[tuple[str, Path]]:
    """(name to show, path) of every file to read, each once; names are relative to what the user named."""
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise Usage(f"There is no file or folder {path}.")
        for file in sorted(path.rglob("*.json")) if path.is_dir() else [path]:
            name = file.relative_to(path).as_posix() if path.is_dir() else file.name
            if file.resolve() in seen or not file.is_file():
                continue
            seen.add(file.resolve())
            if file.stat().st_size > LARGEST_RESULT:
                problems.add("RESULT_FORMAT", "is too large for a result", severity="note", file=name)
            else:
                yield name, file


def _read(path: Path, name: str, problems: Problems) -> Result | None:
    """The result in `path`, or None: what is wrong is only a warning, for the other rows still stand."""
    try:
        return read_result(path)
    except Refused as refused:
        for problem in refused.problems:
            problems.add(problem.code, problem.message, severity="warning", file=name, fix=problem.fix)
        return None
