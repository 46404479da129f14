"""`vismark predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vismark.cli import options


def predict(
    who: Annotated[str, typer.Argument(help="oracle, blank, majority, a baseline, or your own my_module:MyModel.")],
    benchmark: options.Benchmark,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the submission.")],
    references: options.ReferencesOption = None,
    root: options.Root = None,
    limit: Annotated[
        int | None, typer.Option(help="Only the first N samples; the score is stamped PARTIAL.", min=1)
    ] = None,
    settings: options.Settings = None,
    shard: options.Shard = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    batch_size: Annotated[int, typer.Option(help="Questions given to the predictor at once.", min=1)] = 1,
) -> None:
    """Run a predictor over a benchmark; killed or stopped, the same command goes on where it was.

    \b
    Examples:
      vismark predict oracle shapes-panoptic -o runs/oracle --set amount=0.2
      vismark predict my_module:MyModel coco-panoptic -o runs/first --limit 100
      vismark predict my_module:MyModel coco-panoptic -o runs/all --shard 0/8
    """
    from vismark.cli import show
    from vismark.jobs.predict import predict as job

    made = job(
        who,
        benchmark,
        output,
        references=options.references(references),
        root=root,
        limit=limit,
        settings=dict(options.setting(one) for one in settings or ()),
        shard=shard,
        seed=seed,
        batch_size=batch_size,
    )
    if made.finished:
        typer.echo(f"{output}: {len(made.ids)} predictions")
        show.note(f"Next: vismark score {benchmark} {output}{options.again(references, root)} -o result.json")
    else:
        typer.echo(f"{output}: shard {made.shard.rank}/{made.shard.world} is complete, other shards are not")
        show.note(f"Next: run the other shards; `vismark status {output}` lists what is missing")
