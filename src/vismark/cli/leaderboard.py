"""`vismark leaderboard`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vismark.cli import options

app = typer.Typer(help="Rank results beside published numbers.", no_args_is_help=True)


Form = Literal["table", "markdown", "csv", "latex", "json"]


@app.callback()
def _group() -> None:
    """Rank results beside published numbers."""


@app.command()
def show(
    board: Annotated[str, typer.Argument(help="Name of a board.", autocompletion=options.benchmark_names)],
    results: Annotated[list[Path] | None, typer.Argument(help="Result files, or folders that hold some.")] = None,
    form: Annotated[Form, typer.Option("--format", help="How to print it.")] = "table",
    published: Annotated[bool, typer.Option(help="Show published rows too.")] = True,
) -> None:
    """Show a ranked table: published rows and your own results, comparable numbers only.

    \b
    Examples:
      vismark leaderboard show coco-panoptic
      vismark leaderboard show shapes-panoptic results/ --format markdown
    """
    from vismark.cli import show as out
    from vismark.jobs.leaderboard import show as job
    from vismark.leaderboards import forms

    board_ = job(board, results or (), published)
    if form == "table":
        out.console().print(forms.printed(board_))
    else:
        typer.echo(forms.render(board_, form), nl=False)
    out.findings(board_.problems, stderr=True)
