"""`vismark list` and `vismark info`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from vismark.cli import options
from vismark.problems import Usage

if TYPE_CHECKING:
    from vismark.cards import Split


def list_(
    kind: Annotated[str | None, typer.Argument(help="benchmarks, datasets, baselines or instruments.")] = None,
    as_json: options.Json = False,
) -> None:
    """List what there is.

    \b
    Examples:
      vismark list
      vismark list benchmarks
    """
    from vismark.cli import show
    from vismark.registry import KINDS, cards

    if kind is not None and kind not in KINDS:
        raise Usage(f"There is no kind {kind!r}; the kinds are {', '.join(KINDS)}.")
    chosen = {name: cards(name) for name in ([kind] if kind else KINDS)}
    if as_json:
        show.json(
            {
                name: [{"name": card.name, "title": card.title, "summary": card.summary} for card in found.values()]
                for name, found in chosen.items()
            }
        )
        return
    from rich.markup import escape
    from rich.table import Table

    for name, found in chosen.items():
        if not found:
            continue
        table = Table(title=name, title_justify="left", show_header=False, box=None, padding=(0, 2))
        for card in found.values():
            table.add_row(f"[bold]{card.name}[/bold]", escape(card.summary or card.title))
        show.console().print(table)
    show.note("`vismark info NAME` tells more.")


def info(
    name: Annotated[
        str, typer.Argument(help="A benchmark, data set, baseline or instrument.", autocompletion=options.card_names)
    ],
    as_json: options.Json = False,
) -> None:
    """Tell what something is: licence, citation, what its numbers equal, and what was never released.

    \b
    Examples:
      vismark info coco-panoptic
    """
    from vismark.cli import show
    from vismark.registry import find

    kind, card = find(name)
    if as_json:
        show.json(card)
        return
    from rich.markup import escape
    from rich.table import Table

    out = show.console()
    for missing in card.never_released:
        out.print(f"[yellow]Never released:[/yellow] {escape(missing)}")
    out.print(f"[bold]{escape(card.title)}[/bold]  ({kind.removesuffix('s')} {card.name})")
    table = Table(show_header=False, box=None, padding=(0, 2))
    for label, value in _facts(card):
        table.add_row(label, escape(value))
    out.print(table)


def _split(split: Split) -> str:
    counts = ((split.images, "images"), (split.annotations, "annotations"))
    return ", ".join([*(f"{count:,} {what}" for count, what in counts if count), *([split.note] if split.note else [])])


def _facts(card: Any) -> list[tuple[str, str]]:
    """Label and text of everything a card says, in reading order."""
    from vismark.cards import BenchmarkCard, DatasetCard

    facts = [("", card.summary), ("licence", card.licence), ("homepage", card.homepage), ("cite", card.citation)]
    if isinstance(card, BenchmarkCard):
        facts += [
            (
                "data set",
                f"{card.dataset}, split {card.split}" + (f", {card.samples:,} samples" if card.samples else ""),
            )
        ]
        facts += [("task", card.task), ("submission", card.submission), ("protocols", ", ".join(card.protocols))]
        for metric in card.metrics:
            equals = f"equals {metric.equals} " if metric.equals else "an extension "
            asked = "; measured where --metrics names it" if metric.asked else ""
            near = "to the bit" if metric.tolerance == "bits" else f"within {metric.tolerance:g}"
            facts.append(
                (
                    metric.name,
                    f"{metric.title}; {metric.better} is better; {equals}{near if metric.equals else ''}".rstrip()
                    + asked,
                )
            )
        facts += [(f"reference {name}", path) for name, path in card.references.items()]
    if isinstance(card, DatasetCard):
        facts.append(("version", card.version))
        facts += [(f"split {name}", _split(split)) for name, split in card.splits.items()]
        facts += [
            ("file", f"{file.path} ({file.bytes:,} bytes)" if file.bytes else f"{file.path} (size unknown)")
            for file in card.files
        ]
    return [(label, value) for label, value in facts if value]
