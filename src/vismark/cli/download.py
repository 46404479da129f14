"""`vismark download`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vismark.cli import options
from vismark.problems import Missing, Usage

if TYPE_CHECKING:
    from vismark.jobs.plan import Plan


def download(
    names: Annotated[
        list[str],
        typer.Argument(help="Data sets, benchmarks, instruments, baselines.", autocompletion=options.card_names),
    ],
    root: options.Root = None,
    images: Annotated[bool, typer.Option("--images", help="Fetch images too; scoring does not need them.")] = False,
    split: Annotated[str | None, typer.Option(help="Only this split.")] = None,
    mirror: Annotated[str | None, typer.Option(help="Take the files from this folder or base address.")] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Only collect the files here, for a site without a network.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what is here and what is missing.")] = False,
    as_json: options.Json = False,
) -> None:
    """Fetch, verify and unpack data sets and weights, or just what a benchmark needs to score.

    \b
    Examples:
      vismark download shapes-panoptic
      vismark download coco-panoptic --root data --dry-run
      vismark download coco --split val2017 --bundle kit --dry-run
    """
    from vismark.cli import show
    from vismark.jobs.bundle import bundle as collect
    from vismark.jobs.download import download as job
    from vismark.jobs.plan import plan

    if bundle is not None and mirror is not None:
        raise Usage("--bundle collects from the sources; --mirror is for the site that the bundle was taken to.")
    place = bundle if bundle is not None else root
    wanted = plan(names, root=place, images=images, split=split, packed=bundle is not None)
    for note in wanted.notes:
        show.note(note)
    if not as_json:
        print_plan(wanted)
    if dry_run:
        if as_json:
            show.json(wanted)
        if wanted.left or wanted.made:
            count = len(wanted.left) + len(wanted.made)
            raise Missing(f"{count} file(s) are not here: the same command without --dry-run brings them.")
        return
    if bundle is not None:
        collect(names, bundle, images=images, split=split, tell=show.note)
        show.note(f"There: vismark download {' '.join(names)} --mirror {bundle}")
    else:
        job(names, root=root, images=images, split=split, mirror=mirror, tell=show.note)
    if as_json:
        show.json(plan(names, root=place, images=images, split=split, packed=bundle is not None))
    elif wanted.items:
        typer.echo(f"{wanted.root}: everything is here")


def print_plan(wanted: Plan) -> None:
    """Every file with its size and whether it is here, and what is left to fetch."""
    from rich.table import Table

    from vismark.cli import show
    from vismark.runtime.space import free_bytes

    if not wanted.items:
        return
    table = Table(box=None, padding=(0, 2))
    for heading, justify in (("file", "left"), ("bytes", "right"), ("digest", "left"), ("state", "left")):
        table.add_column(heading, justify="right" if justify == "right" else "left")
    for item in wanted.items:
        digest = item.file.digest[:19] + "…" if item.file.digest else "none stated: pinned on first use"
        table.add_row(item.file.path, f"{item.bytes:,}" if item.bytes else "unknown", digest, item.state)
    show.console().print(table)
    unknown = f", and {wanted.unknown} of unknown size" if wanted.unknown else ""
    plural = "s" * (len(wanted.left) != 1)
    free = f"; {free_bytes(Path(wanted.root)):,} bytes are free there" if wanted.left else ""
    for path in wanted.made:
        typer.echo(f"to make of them: {path}")
    typer.echo(f"to fetch: {wanted.bytes:,} bytes in {len(wanted.left)} file{plural}{unknown}{free}")
