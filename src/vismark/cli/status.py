"""`vismark status`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vismark.cli import options


def status(
    folder: Annotated[Path, typer.Argument(help="A folder that `vismark predict` works or worked in.")],
    as_json: options.Json = False,
) -> None:
    """Tell how far a submission is and which predictions are missing.

    \b
    Examples:
      vismark status runs/mine
    """
    from vismark.cli import show
    from vismark.jobs.submission import status as job

    progress = job(folder)
    if as_json:
        show.json(progress)
        return
    typer.echo(f"{progress.predictor} on {progress.benchmark}: {progress.done} of {progress.total} predictions")
    for shard, missing in progress.missing.items():
        names = ", ".join(missing[:10]) + (" …" if len(missing) > 10 else "")
        typer.echo(f"  shard {shard}: " + (f"{len(missing)} missing: {names}" if missing else "complete"))
    typer.echo("finished" if progress.finished else "not finished: run the same `vismark predict` again")
