"""`vismark validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vismark.cli import options
from vismark.problems import printable


def validate(
    target: Annotated[str, typer.Argument(help="An annotation file, a folder of them, or the name of a data set.")],
    kind: Annotated[
        str | None, typer.Option(help="instances, keypoints, stuff, captions, panoptic, …; else seen from the content.")
    ] = None,
    root: options.Root = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of the pictures; by default the one beside `annotations`.")
    ] = None,
    masks: Annotated[Path | None, typer.Option(help="Folder of the PNGs; by default named like the JSON file.")] = None,
    panoptic: Annotated[
        Path | None, typer.Option(help="The panoptic JSON that a folder of grounded captions belongs to.")
    ] = None,
    mode: options.Mode = "strict",
    jobs: options.Jobs = None,
    as_json: options.Json = False,
) -> None:
    """List every problem of annotation files: fields, ids, boxes, masks, pixels, counts.

    \b
    Examples:
      vismark validate panoptic_val2017.json
      vismark validate coco --json
    """
    from vismark.cli import show
    from vismark.jobs.validate import validate as job

    problems = job(target, kind=kind, root=root, images=images, masks=masks, panoptic=panoptic, mode=mode, jobs=jobs)
    if as_json:
        show.problems(problems)
    else:
        show.findings(problems)
        typer.echo(f"{printable(target)}: {show.summary(problems)}")
    if problems.errors:
        raise typer.Exit(1)
