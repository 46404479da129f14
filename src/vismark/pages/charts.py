"""Bar charts as Plotly specifications: plain data, drawn by the report's script."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from vismark.benchmarks.panels import Bar, Bars, Curves
from vismark.problems import printable

COLOURS = ("#3b7dd8", "#d9822b", "#3a9d6e", "#a45bc4", "#c94f5d")

Show = Callable[[str, Any], str]

_ROW = 19  # pixels a bar
_AXIS = 44  # pixels for the axis above and the margin below
_SQUARE = 380  # pixels of a line chart


def charts(panel: Bars, show: Show) -> list[dict[str, Any]]:
    """One chart a group, in order of appearance, all on one scale: ``{"title", "height", "figure"}``.

    `show` formats the numbers of the tooltips by their names. Bars lie sorted by value, largest first;
    bars without a value come last and say "n/a".
    """
    groups: dict[str, list[Bar]] = {}
    for bar in panel.bars:
        groups.setdefault(bar.group, []).append(bar)
    finite = [value for bar in panel.bars if (value := _value(panel, bar)) is not None]
    # A little longer than the bars, so that the numbers at their ends have room.
    reach = [min([0.0, *finite]) * 1.12, max([0.0, *finite]) * 1.12 or 1.0]
    return [
        {
            "title": f"{group} ({len(bars)})" if group else "",
            "height": _ROW * len(bars) + _AXIS,
            "figure": _figure(panel, show, bars, COLOURS[place % len(COLOURS)], reach),
        }
        for place, (group, bars) in enumerate(groups.items())
    ]


def line_chart(panel: Curves) -> dict[str, Any]:
    """The lines of a panel in one chart, both axes from 0 to 1: ``{"title", "height", "figure"}``."""
    lines = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": _text(curve.label, 40),
            "x": [x for x, _ in curve.points],
            "y": [y for _, y in curve.points],
            "line": {"color": COLOURS[place % len(COLOURS)]},
        }
        for place, curve in enumerate(panel.curves)
    ]
    axis = {"range": [0, 1.02], "fixedrange": True, "zeroline": False}
    layout = {
        "dragmode": False,
        "font": {"family": "system-ui, sans-serif", "size": 12},
        "hovermode": "x unified",
        "margin": {"l": 48, "r": 8, "t": 8, "b": 44},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": True,
        "xaxis": axis | {"title": {"text": _text(panel.x, 40)}},
        "yaxis": axis | {"title": {"text": _text(panel.y, 40)}},
    }
    return {"title": "", "height": _SQUARE, "figure": {"data": lines, "layout": layout}}


def _figure(panel: Bars, show: Show, bars: Sequence[Bar], colour: str, reach: list[float]) -> dict[str, Any]:
    valued = [(bar, _value(panel, bar)) for bar in bars]
    valued.sort(key=lambda pair: (pair[1] is None, -(pair[1] or 0.0), pair[0].label))
    rows = list(range(len(valued)))
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "x": [value or 0.0 for _, value in valued],
                "y": rows,
                "text": ["n/a" if value is None else f"{value:.{panel.digits}f}" for _, value in valued],
                "textposition": "outside",
                "cliponaxis": False,
                "hovertext": [_hover(show, bar) for bar, _ in valued],
                "hoverinfo": "text",
                "marker": {"color": colour},
            }
        ],
        "layout": {
            "bargap": 0.28,
            "dragmode": False,
            "font": {"family": "system-ui, sans-serif", "size": 12},
            "margin": {"l": 8, "r": 8, "t": 28, "b": 8},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "showlegend": False,
            "xaxis": {"range": reach, "side": "top", "fixedrange": True, "zeroline": False},
            "yaxis": {
                "automargin": True,
                "fixedrange": True,
                "range": [len(valued) - 0.4, -0.6],
                "showgrid": False,
                "tickcolor": "rgba(0,0,0,0)",
                "ticklen": 6,
                "ticks": "outside",
                "ticktext": [_text(bar.label, 32) for bar, _ in valued],
                "tickvals": rows,
                "zeroline": False,
            },
        },
    }


def _hover(show: Show, bar: Bar) -> str:
    lines = [f"{_text(name, 40)}: {_text(show(name, value) or 'n/a', 40)}" for name, value in bar.details]
    return "<br>".join([f"<b>{_text(bar.label, 120)}</b>", *lines])


def _text(text: str, limit: int) -> str:
    """Plotly reads a few HTML tags in its labels, links among them: what comes from outside is escaped."""
    return escape(printable(text, limit), quote=False)


def _value(panel: Bars, bar: Bar) -> float | None:
    """The number as shown, or None where it is not defined."""
    return bar.value * panel.scale if bar.value is not None and math.isfinite(bar.value) else None
