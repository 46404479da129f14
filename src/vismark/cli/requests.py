"""`vismark requests`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vismark.cli import options


def requests(
    benchmark: options.Benchmark,
    output: Annotated[Path, typer.Option("--output", "-o", help="JSON Lines file to write.")],
    references: options.ReferencesOption = None,
    root: options.Root = None,
    seed: Annotated[int, typer.Option(help="Seed of the run; each sample's own seed follows from it.")] = 0,
    limit: Annotated[int | None, typer.Option(help="Only the first N samples.", min=1)] = None,
) -> None:
    """Write what a model is asked (ids, seeds, pictures), for people with their own loop.

    \b
    Examples:
      vismark requests shapes-panoptic -o requests.jsonl
    """
    from vismark.jobs.requests import requests as job

    count = job(benchmark, output, references=options.references(references), root=root, seed=seed, limit=limit)
    typer.echo(f"{output}: {count} requests")
