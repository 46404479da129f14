"""Texts about a picture, in which phrases have the colours of the segments that they name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vismark.benchmarks.panels import Piece, Sample, Told, View
from vismark.pages.overlays import segment_colours
from vismark.tasks import Category

LONGEST = 6000  # characters of a text that are shown
_TINT = "66"  # 40 % of the colour behind a phrase
_Colours = Mapping[int, tuple[str, str]]  # segment → colour as #rrggbb, name of its category


def told(sample: Sample, categories: Sequence[Category]) -> list[dict[str, object]]:
    """The texts of a sample for the template: ``{"label", "pieces": [{"text", "stripes", "title"}]}``.

    `stripes` is a CSS gradient with one stripe a segment, or "" for a piece that names none of its view.
    """
    views = {view.label: _colours(view, categories) for view in sample.views if isinstance(view, View)}
    return [{"label": text.label, "pieces": _pieces(text, views.get(text.label, {}))} for text in sample.texts]


def _colours(view: View, categories: Sequence[Category]) -> _Colours:
    segments, names = view.panoptic.segments, {category.id: category.name for category in categories}
    return {
        segment.id: ("#{:02x}{:02x}{:02x}".format(*colour), names.get(segment.category, str(segment.category)))
        for segment, colour in zip(segments, segment_colours(segments, categories), strict=True)
    }


def _pieces(text: Told, colours: _Colours) -> list[dict[str, str]]:
    shown, left = [], LONGEST
    for piece in text.pieces:
        if left <= 0:
            break
        shown.append(_piece(piece, colours, left))
        left -= len(piece.text)
    if left < 0:
        shown.append({"text": " …", "stripes": "", "title": ""})
    return shown


def _piece(piece: Piece, colours: _Colours, longest: int) -> dict[str, str]:
    found = [colours[id] for id in dict.fromkeys(piece.segments) if id in colours]
    stops = [
        f"{colour}{_TINT} {100 * place / len(found):.1f}% {100 * (place + 1) / len(found):.1f}%"
        for place, (colour, _) in enumerate(found)
    ]
    return {
        "text": piece.text[:longest],
        "stripes": f"linear-gradient(90deg,{','.join(stops)})" if stops else "",
        "title": ", ".join(name for _, name in found),
    }
