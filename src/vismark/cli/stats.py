"""`vismark stats`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vismark.cli import options


def stats(
    sources: Annotated[list[Path], typer.Argument(help="A folder, .npz or .tar of images, or files of all shards.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The statistics file, .npz.")],
    treatment: Annotated[
        str | None, typer.Option(help="How images are brought to the network: tf1, half-pixel, clean, …")
    ] = None,
    shard: options.Shard = None,
    jobs: options.Jobs = None,
    instruments: options.Instruments = None,
    weights: options.Weights = None,
    root: options.Root = None,
    device: options.Device = "",
    dtype: options.Dtype = "float32",
    batch_size: options.BatchSize = None,
) -> None:
    """Make reference statistics (mu, sigma) of a set of images; a killed run goes on where it stopped.

    \b
    Examples:
      vismark stats data/coco/val2017 --instrument shapes-features -o stats.npz
      vismark stats data/coco/val2017 --instrument shapes-features --shard 0/1 -o stats.0of1.npz
    """
    from vismark.jobs.stats import stats as job

    tools = options.tools(instruments, weights, None, root, device, dtype, batch_size)
    made = job(sources, output, treatment=treatment, shard=shard, tools=tools, jobs=jobs)
    typer.echo(f"{output}: {made.images:,} images, {made.features:,} features")
