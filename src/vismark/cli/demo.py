"""`vismark demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for everything the demo makes.")] = Path(
        "demo"
    ),
) -> None:
    """Predict, check, score, report and rank on embedded data, in under a minute and without any download.

    \b
    Examples:
      vismark demo
    """
    from vismark.cli import show
    from vismark.cli.score import print_result
    from vismark.jobs.demo import demo as job

    made = job(output, tell=show.note)
    print_result(made.results[1])
    show.console().print(made.board)
    typer.echo(f"Report: {made.report}")
    show.note("Next: open the report, then `vismark predict my_module:MyModel shapes-panoptic -o runs/mine`")
