"""The HTML report of a result: one self-contained file that can be mailed, archived or put beside a paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from vismark.benchmarks.panels import Bars, Curves, Gallery, Panel, Sample, Tiles
from vismark.cards import BenchmarkCard
from vismark.pages.charts import charts, line_chart
from vismark.pages.numbers import Numbers
from vismark.pages.overlays import colour_of, data_uri, paint, present
from vismark.pages.texts import told
from vismark.pages.theme import page
from vismark.pages.tiles import tiles
from vismark.problems import Problem
from vismark.results import Result
from vismark.tasks import Category

ROWS = 5000  # of the per-sample table
WARNINGS = 200
WIDTH = 480  # pixels of a picture

_KINDS = {
    "scored": "scored from a submission",
    "reproduced": "reproduced by running the model",
    "control": "control",
    "claimed": "claimed",
}
_SEVERITIES = ("error", "warning", "note")


class Table(msgspec.Struct, frozen=True):
    """Cells as text, row by row, and a remark below."""

    headings: Sequence[str] = ()
    cells: Sequence[Sequence[str]] = ()
    remark: str = ""


def render(result: Result, card: BenchmarkCard, panels: Sequence[Panel], columns: Mapping[str, Sequence[Any]]) -> str:
    """The report of `result` as a complete HTML page.

    Args:
        card: of the benchmark: titles, scales and decimals of the numbers.
        panels: what the benchmark shows beside its numbers; pictures that are not here are replaced by grey.
        columns: the per-sample table, the first column is the id; may be empty. The first 5,000 rows are shown.

    Raises:
        Missing: a package that vendors a script library is not installed.
    """
    numbers = Numbers(card)
    return page(
        "report.html",
        ("datatables", "plotly") if any(isinstance(panel, Bars | Curves) for panel in panels) else ("datatables",),
        result=result,
        card=card,
        kind=_KINDS[result.kind],
        samples=f"{result.samples:,}",
        stamps=list(_stamps(result)),
        headline=[numbers.entry(result, name) for name in card.headline if name in result.metrics],
        all_numbers=_all_numbers(result, numbers),
        warnings=_warnings(result.warnings),
        bars=[_charts(panel, place, numbers) for place, panel in enumerate(panels) if isinstance(panel, Bars | Curves)],
        tiles=[tiles(panel, place) for place, panel in enumerate(panels) if isinstance(panel, Tiles)],
        galleries=[_gallery(panel, place) for place, panel in enumerate(panels) if isinstance(panel, Gallery)],
        breakdowns=[
            {"anchor": f"breakdown-{place}", "title": f"Table by {name}", "rows": _breakdown(name, rows, numbers)}
            for place, (name, rows) in enumerate(result.breakdowns.items())
            if rows
        ],
        per_sample=_per_sample(columns, numbers),
        identity=list(_identity(result)),
        homepage=card.homepage if card.homepage.startswith(("https://", "http://")) else "",
    )


def _stamps(result: Result) -> Iterator[dict[str, str]]:
    if result.partial:
        count = f"{result.partial.done:,} of {result.partial.total:,} samples"
        meaning = f"Scored on {count}: no number of this page compares with one on the whole split."
        yield {"word": str(result.partial), "meaning": meaning}
    if result.kind == "control":
        yield {"word": "CONTROL", "meaning": "No model made this: a control shows what a number means."}
    if result.kind == "claimed":
        yield {"word": "CLAIMED", "meaning": "Stated by somebody else; not recomputed here from the submission."}


def _all_numbers(result: Result, numbers: Numbers) -> Table:
    cells = []
    for entry in (numbers.entry(result, name) for name in result.metrics):
        value = f"{entry.value} {entry.unit}".strip() if entry.value else ""
        cells.append((entry.name, entry.title or "–", value, entry.interval or "none", entry.n, entry.basis))
    return Table(("metric", "meaning", "value", "95 % interval", "over", "basis"), cells)


def _warnings(warnings: Sequence[Problem]) -> Table:
    ordered = sorted(warnings, key=lambda problem: _SEVERITIES.index(problem.severity))
    cells = []
    for problem in ordered[:WARNINGS]:
        place = ":".join(part for part in (problem.file, problem.where) if part)
        texts = (problem.severity, problem.code, place, problem.item, problem.message, problem.fix)
        cells.append([text or "–" for text in texts])
    more = len(ordered) - WARNINGS
    remark = f"… and {more:,} more, in the result file." if more > 0 else ""
    return Table(("severity", "code", "place", "item", "what", "what to do"), cells, remark)


def _breakdown(name: str, rows: Mapping[str, Mapping[str, float | int | None]], numbers: Numbers) -> Table:
    headings = list(dict.fromkeys(column for row in rows.values() for column in row))
    if 2 * sum(map(len, rows.values())) < len(headings) * len(rows):
        # Rows with columns of their own, e.g. each sample with its neighbours: a line for each number.
        lines = [
            [key, column, numbers.show(column, value)] for key, row in rows.items() for column, value in row.items()
        ]
        return Table((name, "of", "value"), lines)
    cells = [[key, *(numbers.show(column, row.get(column)) for column in headings)] for key, row in rows.items()]
    return Table((name, *headings), cells)


def _per_sample(columns: Mapping[str, Sequence[Any]], numbers: Numbers) -> Table:
    if not columns:
        return Table()
    total = len(next(iter(columns.values())))
    shown = [[numbers.show(name, value) for value in values[:ROWS]] for name, values in columns.items()]
    remark = f"The first {ROWS:,} of {total:,} rows; all are in the .parquet file beside the result."
    return Table(tuple(columns), list(zip(*shown, strict=True)), remark if total > ROWS else "")


def _charts(panel: Bars | Curves, place: int, numbers: Numbers) -> dict[str, Any]:
    found = charts(panel, numbers.show) if isinstance(panel, Bars) else [line_chart(panel)]
    drawn = [chart | {"anchor": f"chart-{place}-{nth}"} for nth, chart in enumerate(found)]
    return {"anchor": f"panel-{place}", "title": panel.title, "note": panel.note, "charts": drawn}


def _gallery(panel: Gallery, place: int) -> dict[str, Any]:
    drawn = (_sample(sample, panel.categories) for sample in panel.samples)
    return {"anchor": f"panel-{place}", "title": panel.title, "note": panel.note, "samples": drawn}


def _sample(sample: Sample, categories: Sequence[Category]) -> dict[str, Any]:
    painted = paint(sample, categories, WIDTH)
    images = [("picture", painted.picture)] if painted.picture is not None else []
    return {
        "id": sample.id,
        "note": sample.note,
        "views": [
            {"label": label, "uri": data_uri(image), "height": image.shape[0], "width": image.shape[1]}
            for label, image in [*images, *painted.views]
        ],
        "legend": _legend(sample, categories),
        "texts": told(sample, categories),
        "remark": painted.remark,
    }


def _legend(sample: Sample, categories: Sequence[Category]) -> list[tuple[str, list[dict[str, str]]]]:
    """Which categories are in all views, and which are in one alone."""
    shown = {view.label: present(view) for view in sample.views}
    everywhere = set.intersection(*shown.values()) if shown else set()
    groups = {"": everywhere} | {f"only in {label}:": found - everywhere for label, found in shown.items()}
    return [
        (
            label,
            [
                {"name": category.name, "colour": "#{:02x}{:02x}{:02x}".format(*colour_of(index))}
                for index, category in enumerate(categories)
                if category.id in chosen
            ],
        )
        for label, chosen in groups.items()
    ]


def _identity(result: Result) -> Iterator[dict[str, str]]:
    """Everything that tells this measurement from another: facts as they are, digests short (`full` has the whole)."""
    protocol, made = result.protocol, result.made
    packages = {"vismark": made.vismark, "python": made.python} | made.packages
    run = msgspec.to_builtins(result.run) if result.run else {}
    facts = {
        "protocol": str(protocol),
        "data": f"{protocol.dataset}, split {protocol.split}",
        "settings": _json(protocol.settings) if protocol.settings else "",
        "mode": result.mode,
        "packages": ", ".join(f"{name} {version}" for name, version in packages.items()),
        "run": " · ".join(f"{name} {_json(value)}" for name, value in run.items()),
    }
    digests = {
        "protocol digest": result.protocol_digest,
        "references": result.references,
        "references of the samples": result.reference_samples,
        "submission": result.submission,
        "ids scored": result.partial.ids if result.partial else "",
        "per-sample table": result.table,
        "code": made.code,
    } | {f"instrument {name}": digest for name, digest in protocol.instruments.items()}
    yield from ({"name": name, "value": value, "full": ""} for name, value in facts.items() if value)
    yield from ({"name": name, "value": _short(value), "full": value} for name, value in digests.items() if value)


def _short(digest: str) -> str:
    kind, _, value = digest.rpartition(":")
    return f"{kind}:{value[:12]}…" if len(value) > 12 else digest


def _json(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
