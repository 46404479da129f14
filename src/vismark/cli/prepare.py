"""`vismark prepare`."""

from __future__ import annotations

from typing import Annotated

import typer

from vismark.cli import options


def prepare(
    dataset: Annotated[str, typer.Argument(help="A data set.", autocompletion=options.card_names)],
    root: options.Root = None,
    split: Annotated[str | None, typer.Option(help="Only this split.")] = None,
) -> None:
    """Make the files of a data set that are derived from downloaded ones; a killed run goes on.

    \b
    Examples:
      vismark prepare coconut --root data --split relabeled-val
    """
    from vismark.cli import show
    from vismark.jobs.derive import derive as job

    problems = job(dataset, root, split=split, tell=show.note)
    show.findings(problems, stderr=True)
    typer.echo(f"{dataset}: what can be made of the downloaded files is here")
