"""`vismark score` and `vismark measure`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vismark.cli import options

if TYPE_CHECKING:
    from vismark.results import Result


def score(
    benchmark: options.Benchmark,
    submission: options.Submission,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the result here (.json).")] = None,
    references: options.ReferencesOption = None,
    root: options.Root = None,
    protocol: options.Protocol = None,
    metrics: Annotated[
        str | None,
        typer.Option(help="Only these, comma-separated; added to the result at -o if it is of the same measurement."),
    ] = None,
    mode: options.Mode = "strict",
    partial: options.Partial = False,
    model: Annotated[str | None, typer.Option(help="Name of the model.")] = None,
    jobs: options.Jobs = None,
    sandbox: Annotated[
        bool,
        typer.Option("--sandbox", help="Score in a child process with hard limits, for submissions from strangers."),
    ] = False,
    instruments: options.Instruments = None,
    weights: options.Weights = None,
    settings: options.Settings = None,
    device: options.Device = "",
    dtype: options.Dtype = "float32",
    batch_size: options.BatchSize = None,
    as_json: options.Json = False,
) -> None:
    """Score a submission: the official numbers, with everything needed to believe and repeat them.

    \b
    Examples:
      vismark score coco-panoptic predictions.json --references panoptic_val2017.json -o result.json
      vismark score shapes-panoptic runs/oracle -o oracle.json
    """
    if sandbox:
        raise typer.Exit(_sandboxed())
    from vismark.cli import show
    from vismark.jobs.score import score as job

    result = job(
        benchmark,
        submission,
        output,
        references=options.references(references),
        root=root,
        protocol=protocol,
        metrics=metrics.split(",") if metrics else None,
        mode=mode,
        partial=partial,
        model=model,
        jobs=jobs,
        tools=options.tools(instruments, weights, settings, root, device, dtype, batch_size),
    )
    if as_json:
        show.json(result)
    else:
        print_result(result)
    if output is not None:
        show.note(f"Next: vismark report {output} -o report.html{_rank(result, output)}")


def _rank(result: Result, output: Path) -> str:
    """The command that ranks a result, where there is a board for it."""
    from vismark.leaderboards.boards import board_of

    board = board_of(result.protocol.benchmark, result.protocol.name)
    return f" · vismark leaderboard show {board.name} {output}" if board else ""


def _sandboxed() -> int:
    """The same command in a child process with limits; its exit code."""
    from vismark.runtime.sandbox import Bounds, run

    arguments = [argument for argument in sys.argv[1:] if argument != "--sandbox"]
    return run([sys.executable, "-m", "vismark", *arguments], Bounds())


def measure(
    benchmark: options.Benchmark,
    submission: options.Submission,
    references: options.ReferencesOption = None,
    root: options.Root = None,
    protocol: options.Protocol = None,
    mode: options.Mode = "strict",
    partial: options.Partial = False,
    jobs: options.Jobs = None,
    metrics: Annotated[str | None, typer.Option(help="Only what these need, comma-separated.")] = None,
    step: Annotated[str | None, typer.Option(help="Only this step.")] = None,
    shard: options.Shard = None,
    engine: options.Engine = None,
    instruments: options.Instruments = None,
    weights: options.Weights = None,
    settings: options.Settings = None,
    device: options.Device = "",
    dtype: options.Dtype = "float32",
    batch_size: options.BatchSize = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the evidence here too, e.g. detections.jsonl.gz.")
    ] = None,
) -> None:
    """Make and keep the evidence that a score is computed from; a killed run goes on where it stopped.

    \b
    Examples:
      vismark measure shapes-panoptic runs/oracle
    """
    from vismark.cli import show
    from vismark.jobs.measure import measure as job

    made = job(
        benchmark,
        submission,
        references=options.references(references),
        root=root,
        protocol=protocol,
        mode=mode,
        partial=partial,
        jobs=jobs,
        metrics=metrics.split(",") if metrics else None,
        step=step,
        shard=shard,
        engine=engine,
        tools=options.tools(instruments, weights, settings, root, device, dtype, batch_size),
        output=output,
    )
    for one in made:
        part = "" if one.done == one.total else f" of {one.total}"
        typer.echo(f"{one.step}: evidence of {one.done}{part} samples")
    show.note(f"Next: vismark score {benchmark} {output or submission}{options.again(references, root)} -o result.json")


DETECT = """Find objects in pictures, for benchmarks that score detections; another name of `measure`.

\b
Examples:
  vismark detect shapes-geneval runs/drawn -o detections.jsonl.gz
"""


def print_result(result: Result) -> None:
    """The numbers as a table, the way papers print them, with what they equal."""
    from rich.markup import escape
    from rich.table import Table

    from vismark import registry
    from vismark.cards import BenchmarkCard
    from vismark.cli import show

    card: BenchmarkCard = registry.card("benchmarks", result.protocol.benchmark)
    part = f"  [bold yellow]{result.partial}[/bold yellow]" if result.partial else ""
    table = Table(title=f"{escape(result.model)} on {card.title}{part}", title_justify="left")
    for heading, justify in (
        ("metric", "left"),
        ("value", "right"),
        ("95 % interval", "right"),
        ("n", "right"),
        ("equals", "left"),
    ):
        table.add_column(heading, justify="right" if justify == "right" else "left")
    for name, value in result.metrics.items():
        spec, basis = card.metric(name), result.basis[name]
        shown = "–" if value is None else f"{value * spec.scale:.{spec.digits}f}"
        interval = (
            "–".join(f"{bound * spec.scale:.{spec.digits}f}" for bound in basis.interval) if basis.interval else ""
        )
        what = basis.equals if basis.kind == "official" else ": ".join(filter(None, (basis.kind, basis.why)))
        table.add_row(name, shown, interval, "" if basis.n is None else str(basis.n), escape(what))
    show.console().print(table)
    left = [spec.name for spec in card.metrics if spec.asked and spec.name not in result.metrics]
    if left:
        show.note(f"Measured where --metrics names it, and added to the result at -o: {', '.join(left)}.")
    if result.warnings:
        show.findings(result.warnings, stderr=True)
