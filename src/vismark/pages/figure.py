"""The figure for a paper's appendix: picture, truth and prediction of the worst images, as a PDF."""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from vismark.benchmarks.panels import Gallery, Sample
from vismark.pages.overlays import Painted, colour_of, paint, present
from vismark.problems import Missing, Usage, printable
from vismark.tasks import Category

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH = 7.0  # inches: the text width of a two-column paper
_GAP = 0.06
_CAPTION = 0.2
_DPI = 240
_LEGEND_COLUMNS = 6
_SIZE = 7  # points

# Names come from outside: they are letters, never formulas or TeX.
_PLAIN: dict[str, Any] = {"parse_math": False, "usetex": False, "fontsize": _SIZE}


def figure(gallery: Gallery, worst: int) -> bytes:
    """A PDF, 7 inches wide, one row for each of the first `worst` samples: the picture, then every view laid over it.

    Images have 240 dots per inch; text is text (TrueType). The same input gives the same bytes.

    Raises:
        Missing: matplotlib is not installed.
        Usage: there is nothing to show.
    """
    if find_spec("matplotlib") is None:
        raise Missing("The figure needs matplotlib: `pip install 'vismark[figures]'`.")
    count = min(worst, len(gallery.samples))
    if count < 1:
        raise Usage("The figure has no images: the gallery is empty, or fewer than one was asked for.")
    import matplotlib

    # A user's own settings must not change the figure; type 42 is what publishers accept.
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams["pdf.fonttype"] = 42
        drawn = _draw([gallery.samples[place] for place in range(count)], gallery.categories)
        file = io.BytesIO()
        drawn.savefig(file, format="pdf", metadata={"Creator": "vismark", "CreationDate": None})
    return file.getvalue()


def _draw(samples: Sequence[Sample], categories: Sequence[Category]) -> Figure:
    from matplotlib.figure import Figure

    columns = 1 + max(len(sample.views) for sample in samples)
    cell = (_WIDTH - _GAP * (columns - 1)) / columns
    painted = [paint(sample, categories, round(cell * _DPI)) for sample in samples]
    heights = [cell * sample.picture.height / max(1, sample.picture.width) for sample in samples]
    shown = {category for sample in samples for view in sample.views for category in present(view)}
    legend = [(index, category.name) for index, category in enumerate(categories) if category.id in shown]
    below = _CAPTION * -(-len(legend) // _LEGEND_COLUMNS) + _GAP
    total = _CAPTION + sum(height + _CAPTION + _GAP for height in heights) + below
    page = Figure(figsize=(_WIDTH, total))
    _headings(page, [view.label for view in samples[0].views], cell, total)
    top = total - _CAPTION
    for sample, images, height in zip(samples, painted, heights, strict=True):
        caption = printable(f"{sample.id}   {sample.note}", 110)
        page.text(0, (top - _CAPTION / 2) / total, caption, va="center", **_PLAIN)
        _row(page, images, cell, height, (top - _CAPTION - height), total)
        top -= height + _CAPTION + _GAP
    _legend(page, legend, below, total)
    return page


def _headings(page: Figure, labels: Sequence[str], cell: float, total: float) -> None:
    for place, label in enumerate(["picture", *labels]):
        x = (place * (cell + _GAP) + cell / 2) / _WIDTH
        page.text(x, 1 - _CAPTION / 2 / total, printable(label, 30), ha="center", va="center", weight="bold", **_PLAIN)


def _row(page: Figure, images: Painted, cell: float, height: float, bottom: float, total: float) -> None:
    from matplotlib.patches import Rectangle

    for place, image in enumerate([images.picture, *(pixels for _, pixels in images.views)]):
        left = place * (cell + _GAP)
        axes = page.add_axes((left / _WIDTH, bottom / total, cell / _WIDTH, height / total))
        axes.set_axis_off()
        if image is None:
            axes.add_patch(Rectangle((0, 0), 1, 1, facecolor="0.9", transform=axes.transAxes))
            axes.text(0.5, 0.5, "the picture is not here", ha="center", va="center", transform=axes.transAxes, **_PLAIN)
        else:
            axes.imshow(image, interpolation="none", aspect="auto")


def _legend(page: Figure, entries: Sequence[tuple[int, str]], below: float, total: float) -> None:
    from matplotlib.patches import Rectangle

    side = 0.09
    for place, (index, name) in enumerate(entries):
        row, column = divmod(place, _LEGEND_COLUMNS)
        left, middle = column * _WIDTH / _LEGEND_COLUMNS, below - _GAP - _CAPTION * (row + 0.5)
        colour = tuple(value / 255 for value in colour_of(index))
        corner = (left / _WIDTH, (middle - side / 2) / total)
        page.add_artist(Rectangle(corner, side / _WIDTH, side / total, facecolor=colour, transform=page.transFigure))
        page.text((left + 0.14) / _WIDTH, middle / total, printable(name, 24), va="center", **_PLAIN)
