"""`vismark selftest`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vismark.cli import options


def selftest(
    names: Annotated[list[str], typer.Argument(help="Instruments, or benchmarks whose instruments are tested.")],
    weights: options.Weights = None,
    settings: options.Settings = None,
    root: Annotated[Path | None, typer.Option(help="Folder of the weights; else VISMARK_DATA.")] = None,
    device: options.Device = "",
    as_json: options.Json = False,
) -> None:
    """Test whether what this machine's instruments measure can be trusted: 0 yes, 1 no.

    \b
    Examples:
      vismark selftest shapes-geneval
    """
    from vismark.cli import show
    from vismark.jobs.selftest import selftest as job

    tools = options.tools(None, weights, settings, root, device, "float32", None)
    problems = job(names, tools, tell=show.note)
    if as_json:
        show.problems(problems)
    else:
        show.findings(problems)
        typer.echo(f"{', '.join(names)}: {show.summary(problems)}")
    raise typer.Exit(1 if problems.errors else 0)
