"""`vismark check`."""

from __future__ import annotations

import typer

from vismark.cli import options
from vismark.problems import printable


def check(
    benchmark: options.Benchmark,
    submission: options.Submission,
    references: options.ReferencesOption = None,
    root: options.Root = None,
    protocol: options.Protocol = None,
    mode: options.Mode = "strict",
    partial: options.Partial = False,
    jobs: options.Jobs = None,
    as_json: options.Json = False,
) -> None:
    """List every problem of a submission, before any number is made of it.

    \b
    Examples:
      vismark check coco-panoptic predictions.json --references panoptic_val2017.json
      vismark check shapes-panoptic runs/oracle
    """
    from vismark.cli import show
    from vismark.jobs.check import check as job

    problems = job(
        benchmark,
        submission,
        references=options.references(references),
        root=root,
        protocol=protocol,
        mode=mode,
        partial=partial,
        jobs=jobs,
    )
    if as_json:
        show.problems(problems)
    else:
        show.findings(problems)
        typer.echo(f"{printable(submission.name)}: {show.summary(problems)}")
    if problems.errors:
        raise typer.Exit(1)
    show.note(f"Next: vismark score {benchmark} {submission}{options.again(references, root)} -o result.json")
