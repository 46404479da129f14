"""Forms of a leaderboard: terminal, Markdown, CSV, LaTeX, JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from vismark.leaderboards import escape
from vismark.leaderboards.ranking import Place
from vismark.leaderboards.tables import Leaderboard, Table, pages, sheets

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.table import Table as RichTable

Format = Literal["markdown", "csv", "latex", "json"]

_ENDLESS = 10_000


def render(leaderboard: Leaderboard, form: Format) -> str:
    """The leaderboard as a document; everything that strangers wrote in it is escaped.

    CSV and JSON name the source in full in each row, Markdown and LaTeX number the sources below the table. JSON holds
    numbers on the scale of results, the others on that of tables.
    """
    if form == "json":
        return _json(leaderboard)
    if form == "csv":
        return _csv(sheets(leaderboard))
    write = _markdown if form == "markdown" else _latex
    return "\n".join(map(write, pages(leaderboard)))


def printed(leaderboard: Leaderboard) -> RenderableType:
    """The leaderboard for a terminal: a rich renderable (best number bold, second underlined)."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    blocks: list[RenderableType] = []
    for table in pages(leaderboard):
        blocks += [Text(escape.clean(table.title), style="bold"), _Fitted(table)]
        blocks += [Padding(Text(escape.clean(note), style="dim"), (0, 0, 0, 2), expand=False) for note in table.notes]
        blocks.append(Text())
    return Group(*blocks[:-1])


class _Fitted:
    """A table that moves its columns together where the terminal is narrow."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        roomy = _rich(self.table, 1)
        wanted = console.measure(roomy, options=options.update(max_width=_ENDLESS)).maximum
        yield roomy if wanted <= options.max_width else _rich(self.table, 0)


def _rich(table: Table, gap: int) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, gap, 0, 0))
    for heading, right in zip(table.headings, table.right, strict=True):
        title = Text(heading.replace("Rank range", "Rank\nrange"))
        # Only names are folded: a folded number reads as two.
        drawn.add_column(title, justify="right" if right else "left", no_wrap=heading != "Model", overflow="fold")
    styles = {"best": "bold", "second": "underline", "": ""}
    state = table.headings.index("State")
    for number, row in enumerate(table.body, 1):
        texts = [escape.clean(item.text) for item in row]
        texts[state] = texts[state].replace(", ", "\n")
        cells = [Text.assemble((text, styles[item.mark])) for text, item in zip(texts, row, strict=True)]
        drawn.add_row(*cells, style="" if number <= table.ranked else "dim", end_section=number == table.ranked)
    return drawn


def _markdown(table: Table) -> str:
    wraps = {"best": "**{}**", "second": "<ins>{}</ins>", "": "{}"}
    lines = [[escape.markdown(heading) for heading in table.headings]]
    lines.append(["---:" if right else ":---" for right in table.right])
    lines += [[wraps[item.mark].format(escape.markdown(item.text)) for item in row] for row in table.body]
    grid = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    notes = "\n".join(f"- {escape.markdown(note)}" for note in table.notes)
    return f"### {escape.markdown(table.title)}\n\n{grid}\n\n{notes}\n"


def _latex(table: Table) -> str:
    wraps = {"best": r"\textbf{%s}", "second": r"\underline{%s}", "": "%s"}
    rows = [" & ".join(wraps[item.mark] % _latex_text(item.text) for item in row) + r" \\" for row in table.body]
    if 0 < table.ranked < len(rows):
        rows.insert(table.ranked, r"\midrule")
    return "\n".join(
        [
            r"\begin{table}% needs \usepackage{booktabs}",
            r"\centering",
            rf"\caption{{{escape.latex(table.title)}}}",
            rf"\begin{{tabular}}{{{''.join('r' if right else 'l' for right in table.right)}}}",
            r"\toprule",
            " & ".join(map(escape.latex, table.headings)) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\par\smallskip\footnotesize",
            *(escape.latex(note) + r"\par" for note in table.notes),
            r"\end{table}",
            "",
        ]
    )


def _latex_text(text: str) -> str:
    # A hyphen is no minus sign.
    return f"$-${text[1:]}" if text.startswith("-") and text[1:2].isdigit() else escape.latex(text)


def _csv(made: Sequence[Table]) -> str:
    """All tables as one, the title of its table at the start of each row; lines end with CR LF (RFC 4180)."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["Table", *made[0].headings])
    for table in made:
        for row in table.body:
            writer.writerow([escape.spreadsheet(text) for text in (table.title, *(item.text for item in row))])
    return file.getvalue()


def _json(leaderboard: Leaderboard) -> str:
    board = leaderboard.board
    document = {
        "board": board.name,
        "title": board.title,
        "headline": board.headline,
        "tables": [
            {
                "title": escape.clean(track.title),
                "split": escape.clean(track.split),
                "measured": escape.clean(track.measured),
                "rows": [_record(place) for place in track.places],
            }
            for track in leaderboard.tracks
        ],
        "problems": list(leaderboard.problems),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"


def _record(place: Place) -> dict[str, Any]:
    row = place.row
    texts = {name: escape.clean(getattr(row, name)) for name in ("model", "variant", "state", "source", "note")}
    return {
        "rank": place.rank,
        "rank_range": place.span,
        "tied_with_above": place.tied,
        **texts,
        "unranked": escape.clean(row.unranked),
        "cells": row.cells,
    }
