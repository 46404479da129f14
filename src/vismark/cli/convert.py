"""`vismark convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vismark.cli import options


def convert(
    benchmark: options.Benchmark,
    outputs: Annotated[Path, typer.Argument(help="JSON Lines: an object an image, as the model gave them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the submission to write.")],
    references: options.ReferencesOption = None,
    root: options.Root = None,
    as_json: options.Json = False,
) -> None:
    """Make a submission of outputs in another form: for grounded captions, marked text or phrases with masks.

    \b
    Examples:
      vismark convert shapes-pancap outputs.jsonl -o runs/mine
    """
    from vismark.cli import show
    from vismark.jobs.convert import convert as job

    problems = job(benchmark, outputs, output, references=options.references(references), root=root)
    if as_json:
        show.problems(problems)
    else:
        show.findings(problems)
        typer.echo(f"{output}: {show.summary(problems)}")
    show.note(f"Next: vismark check {benchmark} {output}{options.again(references, root)}")
