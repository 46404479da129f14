"""`vismark report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vismark.cli import options
from vismark.problems import Usage


def report(
    result: Annotated[Path, typer.Argument(help="A result that `vismark score -o` wrote.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="HTML page to write.")] = None,
    figure: Annotated[Path | None, typer.Option(help="PDF of the worst images to write, for an appendix.")] = None,
    worst: Annotated[int, typer.Option(help="How many of the worst images to show.", min=0)] = 20,
    submission: Annotated[
        Path | None, typer.Option(help="The submission; by default where it was scored from.")
    ] = None,
    references: options.ReferencesOption = None,
    root: options.Root = None,
    fetch_images: Annotated[
        bool, typer.Option("--fetch-images", help="Fetch the pictures that are shown by their address.")
    ] = False,
) -> None:
    """Write one self-contained HTML page about a result, or a figure of its worst images.

    \b
    Examples:
      vismark report result.json -o report.html
      vismark report result.json --figure failures.pdf --worst 12
    """
    from vismark.jobs.report import report as job

    if output is None and figure is None:
        raise Usage("Name the page to write with -o report.html, or --figure failures.pdf.")
    for path in job(
        result,
        output=output,
        figure=figure,
        worst=worst,
        submission=submission,
        references=options.references(references),
        root=root,
        fetch_images=fetch_images,
    ):
        typer.echo(str(path))
