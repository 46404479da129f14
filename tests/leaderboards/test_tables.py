"""Tables and their forms: golden tables written by hand, and rows of strangers in every format."""

import csv
import io
import json
import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from vismark.leaderboards.boards import Board
from vismark.leaderboards.forms import printed, render
from vismark.leaderboards.rows import Cell, Row
from vismark.leaderboards.scored import result_row
from vismark.leaderboards.tables import Leaderboard, pages
from vismark.leaderboards.tracks import tracks
from vismark.problems import Problems
from vismark.results import Part, Result


def leaderboard(board: Board, rows: list[Row]) -> Leaderboard:
    return Leaderboard(board, tracks(board, rows), Problems())


@pytest.fixture
def papers(board: Board) -> Leaderboard:
    """Two papers, one of which prints SQ as well."""
    rows = [
        Row("Net", "R50", "reported", "A & B, Table 1", "", "val", {"PQ": Cell(0.5, "50.00")}),
        Row("Net_2", "", "reported", "C", "re-run", "val", {"PQ": Cell(0.601, "60.1"), "SQ": Cell(0.8, "80")}),
    ]
    return leaderboard(board, rows)


@pytest.fixture
def scored(board: Board, result: Callable[..., Result]) -> Leaderboard:
    rows = [
        result_row(board, result("a", 0.55, interval=(0.54, 0.56)), "a.json", Problems()),
        result_row(board, result("b", 0.545, interval=(0.53, 0.55)), "b.json", Problems()),
        result_row(board, result("c", 0.9, partial=Part(done=1, total=9)), "c.json", Problems()),
    ]
    rows.append(Row("b", "", "reported", "paper", "", "val", {"PQ": Cell(0.547, "54.7")}))
    return leaderboard(board, rows)


MARKDOWN = """\
### Toy, val

| Rank | Model | PQ | SQ | State | Source |
| ---: | :--- | ---: | ---: | :--- | :--- |
| 1 | Net\\_2 | **60.1** | 80 | reported | \\[1\\] |
| 2 | Net (R50) | <ins>50.00</ins> |  | reported | \\[2\\] |

- No rank ranges: no ranked row has a 95 % interval.
- \\[1\\] C: re-run
- \\[2\\] A &amp; B, Table 1
"""

LATEX = r"""\begin{table}% needs \usepackage{booktabs}
\centering
\caption{Toy, val}
\begin{tabular}{rlrrll}
\toprule
Rank & Model & PQ & SQ & State & Source \\
\midrule
1 & Net\_2 & \textbf{60.1} & 80 & reported & {[}1{]} \\
2 & Net (R50) & \underline{50.00} &  & reported & {[}2{]} \\
\bottomrule
\end{tabular}
\par\smallskip\footnotesize
No rank ranges: no ranked row has a 95 \% interval.\par
{[}1{]} C: re-run\par
{[}2{]} A \& B, Table 1\par
\end{table}
"""

CSV = """\
Table,Rank,Model,Variant,PQ,SQ,State,Source,Note\r
"Toy, val",1,Net_2,,60.1,80,reported,C,re-run\r
"Toy, val",2,Net,R50,50.00,,reported,"A & B, Table 1",\r
"""


def test_golden_forms(papers: Leaderboard) -> None:
    assert render(papers, "markdown") == MARKDOWN
    assert render(papers, "latex") == LATEX
    assert render(papers, "csv") == CSV


def test_everything_a_result_can_add(scored: Leaderboard) -> None:
    (table,) = pages(scored)
    assert table.headings == ("Rank", "Rank range", "Model", "PQ", "95 %", "Δ", "State", "Source")
    assert [tuple(item.text for item in row) for row in table.body] == [
        ("1", "1–3", "a", "55.0", "54.0–56.0", "", "scored here", "[1]"),
        ("2", "", "b", "54.7", "", "", "reported", "[2]"),
        ("3", "1–3", "b", "54.5", "53.0–55.0", "-0.2", "scored here", "[3]"),
        ("–", "", "c", "90.0", "", "", "scored here, PARTIAL 1/9", "[4]"),
    ]
    assert [row[3].mark for row in table.body] == ["best", "second", "", ""]
    assert table.ranked == 3
    assert "Rank ranges: from 95 % intervals; 1 of 3 rows have none and count as exact." in table.notes
    assert "-0.2" in render(scored, "csv") and "$-$0.2" in render(scored, "latex")
    assert render(scored, "latex").count(r"\midrule") == 2


def test_neighbours_that_overlap_are_marked(board: Board, row: Callable[..., Row]) -> None:
    (table,) = pages(
        leaderboard(board, [row("a", 0.5, (0.4, 0.6)), row("b", 0.45, (0.4, 0.5)), row("c", 0.1, (0.1, 0.2))])
    )
    assert [line[1].text for line in table.body] == ["1–2", "≈ 1–2", "3"]
    assert "≈: the 95 % interval overlaps that of the row above." in table.notes


def test_json_holds_numbers_on_the_scale_of_results(scored: Leaderboard) -> None:
    document = json.loads(render(scored, "json"))
    rows = document["tables"][0]["rows"]
    assert (document["board"], document["headline"]) == ("toy", "PQ")
    assert [row["rank"] for row in rows] == [1, 2, 3, None]
    assert rows[2]["cells"]["PQ"] == {"value": 0.545, "printed": "", "interval": [0.53, 0.55], "reported": 0.547}
    assert rows[3]["unranked"] == "PARTIAL 1/9"


@pytest.mark.parametrize("width", [60, 100, 200])
def test_the_terminal_shows_whole_numbers(scored: Leaderboard, width: int) -> None:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(printed(scored))
    shown = console.file.getvalue()
    assert all(len(line) <= width for line in shown.splitlines())
    for text in ("55.0", "54.0–56.0", "-0.2", "PARTIAL 1/9", "reported"):
        assert text in shown


def test_styles_of_the_terminal(papers: Leaderboard) -> None:
    console = Console(width=100, file=io.StringIO(), force_terminal=True, color_system="truecolor", no_color=False)
    console.print(printed(papers))
    assert "\x1b[1m60.1\x1b[0m" in console.file.getvalue()
    assert "\x1b[4m50.00\x1b[0m" in console.file.getvalue()


STRANGERS = st.text(max_size=30) | st.sampled_from(
    [
        "<script>x</script>",
        "a|b",
        "\\|",
        "=cmd|'!A0",
        "[bold]x[/]",
        "[link=javascript:x]y[/link]",
        "\\write18{x}",
        "\u202egnp",
        "\n|",
    ]
)


@pytest.fixture
def strange(board: Board) -> Callable[[list[str]], Leaderboard]:
    def make(texts: list[str]) -> Leaderboard:
        model, variant, source, note, split = texts
        cells = {"PQ": Cell(0.5)}
        rows = [
            Row(model, variant, "claimed", source, note, split, cells),
            Row("x", "v", "claimed", "s", "n", split, cells),
        ]
        return leaderboard(board, rows)

    return make


FIVE = st.lists(STRANGERS, min_size=5, max_size=5)
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


@SHARED
@given(texts=FIVE)
def test_markdown_keeps_its_grid(strange: Callable, texts: list[str]) -> None:
    lines = [line for line in render(strange(texts), "markdown").split("\n") if line.startswith("|")]
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {lines[1].count("|")}


@SHARED
@given(texts=FIVE)
def test_csv_round_trip(strange: Callable, texts: list[str]) -> None:
    from vismark.leaderboards.escape import spreadsheet

    header, *rows = csv.reader(io.StringIO(render(strange(texts), "csv"), newline=""), strict=True)
    assert {len(row) for row in rows} == {len(header)} and len(rows) == 2
    own = [dict(zip(header, row, strict=True)) for row in rows]
    names = ("Model", "Variant", "Source", "Note")
    wanted = tuple(map(spreadsheet, texts[:4]))
    assert wanted in {tuple(row[name] for name in names) for row in own}
    assert not any(
        cell.startswith(("=", "+", "@", "\t")) for row in rows for cell in row if not re.fullmatch(r"\+[\d.]+", cell)
    )


@SHARED
@given(texts=FIVE)
def test_json_and_terminal_hold_no_control_characters(strange: Callable, texts: list[str]) -> None:
    board = strange(texts)
    document = render(board, "json")
    assert json.loads(document)
    console = Console(width=100, file=io.StringIO(), color_system=None)
    console.print(printed(board))
    assert (document + console.file.getvalue()).replace("\n", "").isprintable()


def test_rich_markup_of_a_name_is_text(strange: Callable) -> None:
    console = Console(width=100, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(printed(strange(["[bold red]m[/]", "", "[link=javascript:x]s[/link]", "", "v"])))
    shown = console.file.getvalue()
    assert "[bold red]m[/]" in shown and "[link=javascript:x]s[/link]" in shown
    assert "\x1b]8;" not in shown
