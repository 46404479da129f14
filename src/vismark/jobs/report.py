"""`vismark report`: one self-contained page about a result, and a figure of its worst images for a paper."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vismark import registry
from vismark.benchmarks.panels import Gallery, Panel, Sample
from vismark.jobs.places import recall
from vismark.jobs.prepare import References, read_references, source
from vismark.pages.numbers import Numbers
from vismark.problems import Missing, Problems, Refused, Usage
from vismark.results import Result, read_result
from vismark.runtime.atomic import write_bytes
from vismark.runtime.folders import cache_root
from vismark.runtime.tables import read_table, table_path
from vismark.tasks import Picture


def report(
    result: str | Path,
    *,
    output: str | Path | None = None,
    figure: str | Path | None = None,
    worst: int = 20,
    submission: str | Path | None = None,
    references: References = None,
    root: str | Path | None = None,
    fetch_images: bool = False,
) -> list[Path]:
    """Write a report page, a figure, or both.

    Args:
        result: a result file, with its table beside it.
        output: the HTML page.
        figure: the PDF of the worst images.
        worst: how many images to show.
        submission, references, root: what was scored; by default what this machine remembers.
        fetch_images: fetch the pictures that are shown by their address.

    Returns:
        The files written.

    Raises:
        Refused: the result, its table, submission or references cannot be read.
        Missing: they are not there, or matplotlib is not (for a figure).
        Usage: the benchmark has nothing to show in a figure.
    """
    from vismark.pages.figure import figure as draw
    from vismark.pages.report import render

    path = Path(result)
    told = read_result(path)
    columns = read_table(table_path(path)) if told.table else {}
    panels = _panels(told, columns, submission, references, root, worst)
    if fetch_images:
        panels = [_fetched(panel) for panel in panels]
    written = []
    if output is not None:
        card = registry.card("benchmarks", told.protocol.benchmark)
        write_bytes(Path(output), render(told, card, panels, columns).encode())
        written.append(Path(output))
    if figure is not None:
        gallery = next((panel for panel in panels if isinstance(panel, Gallery)), None)
        if gallery is None:
            raise Usage(f"{told.protocol.benchmark} has no figure of its worst samples; `-o FILE.html` shows them.")
        write_bytes(Path(figure), draw(gallery, worst))
        written.append(Path(figure))
    return written


def _panels(
    told: Result,
    columns: dict[str, list[Any]],
    submission: str | Path | None,
    references: References,
    root: str | Path | None,
    worst: int,
) -> list[Panel]:
    places = recall(told)
    if submission is None and places is None:
        raise Missing(
            "Where the submission is was not recorded on this machine: add --submission PATH --references PATH."
        )
    if submission is None and places is not None:
        submission = places.submission
    if references is None and root is None and places is not None:
        references, root = places.references or None, places.root
    bench = registry.benchmark(told.protocol.benchmark)
    problems = Problems(bench.tolerated)
    truth = read_references(bench, source(references, root), problems, told.mode)
    scored = columns.get("id") or (None if told.partial else bench.requests(truth, 0).ids)
    opened = bench.open(Path(str(submission)), truth, problems, told.mode, scored, told.protocol.settings)
    if opened is None:
        raise Refused(problems)
    breakdown = next(iter(told.breakdowns.values()), {})
    headline = next((name for name in bench.card.headline if name in columns), "")
    chosen = _worst(headline, columns, worst, opened.ids, Numbers(bench.card))
    panels = list(bench.panels(truth, opened.submission, breakdown, chosen))
    if hasattr(bench, "grid") and columns:
        panels.append(bench.grid(truth, opened.submission, columns, worst))
    return panels


def _worst(
    column: str, columns: dict[str, list[Any]], count: int, known: Sequence[str], numbers: Numbers
) -> list[tuple[str, str]]:
    """Ids of the samples with the lowest numbers, each with its numbers as text.

    Where a sample has no number called `column`, the first one beside the id counts.
    """
    if len(columns) < 2:  # nothing, or ids alone
        return []
    column = column if column in columns else list(columns)[1]
    there = set(known)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    rows = sorted(
        (row for row in rows if row[column] is not None and row["id"] in there),
        key=lambda row: (row[column], row["id"]),
    )
    return [
        (row["id"], ", ".join(f"{name} {numbers.show(name, row[name]) or 'n/a'}" for name in row if name != "id"))
        for row in rows[:count]
    ]


def _fetched(panel: Panel) -> Panel:
    if not isinstance(panel, Gallery):
        return panel
    return dataclasses.replace(panel, samples=[_with_picture(sample) for sample in panel.samples])


def _with_picture(sample: Sample) -> Sample:
    """The sample with its picture fetched into the cache, when it has an address and no file."""
    from vismark.runtime.fetch import fetch

    picture = sample.picture
    if (picture.path is not None and picture.path.is_file()) or not picture.url:
        return sample
    target = cache_root() / "pictures" / f"{sample.id}.jpg"
    if not target.is_file():
        fetch(picture.url, target)
    return dataclasses.replace(sample, picture=Picture(target, picture.height, picture.width, picture.url))
