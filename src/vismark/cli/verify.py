"""`vismark verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vismark.cli import options


def verify(
    result: Annotated[Path, typer.Argument(help="A result that `vismark score -o` wrote.")],
    submission: Annotated[
        Path | None, typer.Argument(help="Its submission; by default where it was scored from.")
    ] = None,
    references: options.ReferencesOption = None,
    root: options.Root = None,
    jobs: options.Jobs = None,
    as_json: options.Json = False,
) -> None:
    """Compute a result again from its submission and references, and compare to the last digit.

    \b
    Examples:
      vismark verify result.json
      vismark verify result.json predictions.json --references panoptic_val2017.json
    """
    from vismark.cli import show
    from vismark.jobs.verify import verify as job

    problems = job(result, submission, references=options.references(references), root=root, jobs=jobs)
    if as_json:
        show.json({"verified": not problems.errors, "problems": problems.items})
    else:
        show.findings(problems)
        typer.echo(
            f"{result.name}: "
            + ("does not come out the same" if problems.errors else "verified, equal to the last digit")
        )
    if problems.errors:
        raise typer.Exit(1)
