"""Rows: numbers with a source. Published ones come from a CSV in the package (`scored` reads those of results)."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vismark.leaderboards.boards import Board, Column
from vismark.problems import Problems
from vismark.results import ProtocolId

State = Literal["reported", "claimed", "scored here", "reproduced", "withdrawn"]

# Why a control has no rank beside models.
CONTROL = "control"

_KEY = ("model", "variant", "settings", "source")
_PUBLISHED = (*_KEY, "kind", "note", "benchmark", "split", "track")


@dataclass(frozen=True)
class Cell:
    """One number.

    Attributes:
        value: on the scale of `Result.metrics`.
        printed: as its source prints it, or "" for a number that was scored.
        interval: 95 % confidence interval on the same scale, where there is evidence for one.
        reported: what the model's authors report, on the same scale, where a published row has the same label.
    """

    value: float
    printed: str = ""
    interval: tuple[float, float] | None = None
    reported: float | None = None


@dataclass(frozen=True)
class Row:
    """A model on a split, with where its numbers come from.

    Attributes:
        state: *reported* by a source, *claimed* by a result of others, *scored here* from a submission, *reproduced*
            by running the model, or *withdrawn* (`note` says why).
        split, protocol, references: what it may be compared with; a published row has no protocol of its own.
        cells: metric → number; metrics that were not printed or not defined are absent.
        unranked: why it has no rank, or "".
    """

    model: str
    variant: str
    state: State
    source: str
    note: str
    split: str
    cells: Mapping[str, Cell]
    protocol: ProtocolId | None = None
    references: str = ""
    unranked: str = ""

    @property
    def label(self) -> str:
        """Model and variant in one; a result and a published row of the same label are the same model."""
        return f"{self.model} ({self.variant})" if self.variant else self.model


def published_rows(board: Board, path: Path, problems: Problems) -> list[Row]:
    """The rows of a CSV of published numbers that belong to `board`, in the order of the file.

    Args:
        path: UTF-8 CSV with a header; needs the columns model, variant, settings, source, kind, note, benchmark,
            split, track. Numbers are on the scale of tables; an empty cell means "not printed".
        problems: takes repeated keys, misshapen rows and numbers that are not finite or out of range.
    """
    rows = []
    for line, entry in _entries(path, problems):
        if (entry["benchmark"], entry["track"]) != (board.benchmark, board.track):
            continue
        cells = _printed_cells(board, entry, path.name, line, problems)
        withdrawn = entry["kind"] == "withdrawn"
        row = Row(
            model=entry["model"],
            variant=entry["variant"],
            state="withdrawn" if withdrawn else "reported",
            source=("quoted by " if entry["kind"] == "second-hand" else "") + entry["source"],
            note=entry["note"],
            split=entry["split"],
            cells=cells,
            unranked="withdrawn" if withdrawn else without_headline(board, cells),
        )
        _check_between(row, path.name, line, problems)
        rows.append(row)
    return rows


def without_headline(board: Board, cells: Mapping[str, Cell]) -> str:
    """Why a row with these cells has no rank: it lacks the headline metric; else ""."""
    return "" if board.headline in cells else f"no {board.headline}"


def _entries(path: Path, problems: Problems) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, row) of every row with a cell for each heading and a key that did not occur before."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        absent = [name for name in _PUBLISHED if name not in (reader.fieldnames or ())]
        if absent:
            problems.add("PUBLISHED_SHAPE", f"lacks the columns {', '.join(absent)}", file=path.name)
            return
        keys: set[tuple[str, ...]] = set()
        for entry in reader:
            where = f"line {reader.line_num}"
            if None in entry or None in entry.values():
                problems.add("PUBLISHED_SHAPE", "has more or fewer cells than the header", file=path.name, where=where)
                continue
            key = tuple(entry[name] for name in _KEY)
            if key in keys:
                problems.add(
                    "PUBLISHED_TWICE",
                    "this model, variant, settings and source occur twice",
                    file=path.name,
                    where=where,
                    item=entry["model"],
                )
                continue
            keys.add(key)
            yield reader.line_num, entry


def _printed_cells(board: Board, entry: Mapping[str, str], file: str, line: int, problems: Problems) -> dict[str, Cell]:
    cells = {}
    for column in board.columns:
        text = entry.get(column.published, "").strip()
        if not text:
            continue
        try:
            value = column.parse(text)
        except ValueError:
            value = math.nan
        if column.holds(value):
            cells[column.metric] = Cell(value, printed=text)
        else:
            out_of_range(column, text, file, f"line {line}", problems)
    return cells


def out_of_range(column: Column, value: float | str, file: str, where: str, problems: Problems) -> None:
    """Record a number that is not finite or outside the range of its metric."""
    problems.add(
        "BOARD_NUMBER",
        f"{column.metric} is no number in its range and is left out",
        severity="warning",
        file=file,
        where=where,
        value=value,
        fix="Results hold fractions, tables and published rows percentages." if column.scale == 100 else "",
    )


def _check_between(row: Row, file: str, line: int, problems: Problems) -> None:
    """PQ is a mean over things and stuff, so it lies between PQ_th and PQ_st; some papers print other numbers."""
    values = [row.cells[metric].value for metric in ("PQ_th", "PQ_st", "PQ") if metric in row.cells]
    if len(values) == 3 and not min(values[:2]) <= values[2] <= max(values[:2]):
        problems.add(
            "PUBLISHED_PQ",
            "PQ is not between PQ_th and PQ_st",
            severity="note",
            file=file,
            where=f"line {line}",
            item=row.label,
        )
