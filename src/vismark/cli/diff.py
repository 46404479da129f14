"""`vismark diff`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vismark.cli import options

if TYPE_CHECKING:
    from vismark.jobs.diff import Change


def diff(
    a: Annotated[Path, typer.Argument(help="A result.")],
    b: Annotated[Path, typer.Argument(help="Another result.")],
    samples: Annotated[int, typer.Option(help="How many of the most changed samples to list.", min=0)] = 20,
    as_json: options.Json = False,
) -> None:
    """Show why two results differ: identities, numbers, and the samples that changed most.

    \b
    Examples:
      vismark diff before.json after.json
    """
    from vismark.cli import show
    from vismark.jobs.diff import diff as job

    found = job(a, b, samples=samples)
    if as_json:
        show.json(found)
        return
    if not found.comparable:
        typer.echo("Not comparable: protocol or references differ.")
    out = show.console()
    out.print(_table("What differs", found.identity))
    out.print(_table("Numbers", found.metrics))
    if found.samples:
        out.print(_table(f"Samples that changed most ({found.column})", found.samples))
    if found.only_in_one:
        typer.echo(f"{found.only_in_one} samples are in one of the results only.")


def _table(title: str, changes: list[Change]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for heading in ("", "A", "B", "B − A"):
        table.add_column(heading, justify="left" if not heading else "right")
    for change in changes:
        delta = "" if change.delta is None else f"{change.delta:+.6f}"
        table.add_row(escape(change.name), escape(_brief(change.before)), escape(_brief(change.after)), delta)
    return table


def _brief(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6f}"
    text = "–" if value is None else str(value)
    return text[:19] + "…" if text.startswith("sha256:") else text
