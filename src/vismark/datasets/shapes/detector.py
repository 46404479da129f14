"""An exact detector for shapes on a plain ground, and the colour of what it finds: instruments without weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vismark.cards import InstrumentCard
from vismark.datasets.shapes.drawing import COLOURS, Mask, Pixels, paint
from vismark.datasets.shapes.prompts import CLASSES, SIDE, draw
from vismark.formats.geneval import COLOURS as NAMES
from vismark.formats.geneval import Clause, Found, Prompt
from vismark.instruments.base import Tools
from vismark.instruments.crops import Crop
from vismark.problems import Problems

# A pixel this far from the ground in a channel belongs to a shape; fewer pixels than this are none.
_CONTRAST = 20
_SMALLEST = 24
# Side of the grid on which outlines are compared, and from which agreement on it a shape is certain.
_GRID = 48
_CERTAIN = 0.75


class ShapesDetector:
    """Finds connected shapes on the plain ground of `prompts.draw`; the score is 1, or the agreement of the outline."""

    batch = 16
    floor = 0.05

    def __init__(self, card: InstrumentCard, tools: Tools) -> None:
        self.name = card.name
        self.identity: Mapping[str, str] = {"version": card.version}

    def measure(self, items: Sequence[Pixels]) -> list[tuple[Found, ...]]:
        """The shapes in each picture (uint8 RGB), boxes exclusive at the right and the bottom."""
        return [tuple(_found(mask, corner) for mask, corner in _components(pixels)) for pixels in items]

    def selftest(self) -> Problems:
        """Find a star that is drawn."""
        problems = Problems()
        star = Prompt("single_object", (Clause("star", 1),), prompt="a photo of a star")
        names = [found.category for found in self.measure([draw(star, 1)])[0]]
        if names != ["star"]:
            problems.add("DETECTOR_SELFTEST", f"a drawn star is taken for {names or 'nothing'}", fix="Report this.")
        return problems


class ShapesColour:
    """The named colour nearest to what a crop shows, whatever its brightness."""

    def __init__(self, card: InstrumentCard, tools: Tools) -> None:
        self.name = card.name
        self.identity: Mapping[str, str] = {"version": card.version}

    def measure(self, items: Sequence[Crop]) -> list[tuple[float, ...] | None]:
        """Ten numbers a crop, the largest at its colour; None where there is nothing."""
        return [_closeness(crop) for crop in items]

    def selftest(self) -> Problems:
        """Tell the colour of a red star."""
        problems = Problems()
        star = Prompt("colors", (Clause("star", 1, color="red"),), prompt="a photo of a red star")
        pixels = draw(star, 1)
        (logits,) = self.measure([Crop(pixels, (0.0, 0.0, float(SIDE), float(SIDE)), "star")])
        if logits is None or NAMES[int(np.argmax(logits))] != "red":
            problems.add("COLOUR_SELFTEST", "a red star is not taken for red", fix="Report this.")
        return problems


def _components(pixels: Pixels) -> Iterator[tuple[Mask, tuple[int, int]]]:
    """The mask of each connected shape, cropped, and its upper left corner (row, column)."""
    there = _shown(pixels, pixels)
    labels = np.where(there, np.arange(1, there.size + 1).reshape(there.shape), 0)
    while True:
        before = labels.copy()
        for axis in (0, 1):
            for flip in (False, True):
                view = np.flip(labels, axis) if flip else labels
                _spread(np.moveaxis(view, axis, 0))
        if (labels == before).all():
            break
    for label in np.unique(labels[there]):
        mask = labels == label
        if np.count_nonzero(mask) >= _SMALLEST:
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            yield mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], (int(rows[0]), int(columns[0]))


def _spread(labels: NDArray[np.int64]) -> None:
    """Carry the greater label from line to line, in place, within shapes."""
    for line in range(1, len(labels)):
        inside = (labels[line] > 0) & (labels[line - 1] > labels[line])
        labels[line][inside] = labels[line - 1][inside]


def _shown(pixels: Pixels, whole: Pixels) -> Mask:
    """Which pixels are not the ground, whose colour is the median of the edge of the whole picture."""
    edge = np.concatenate((whole[0], whole[-1], whole[:, 0], whole[:, -1]))
    ground = np.median(edge, axis=0).astype(np.int16)
    return np.asarray(np.abs(pixels.astype(np.int16) - ground).max(axis=2) > _CONTRAST)


def _found(mask: Mask, corner: tuple[int, int]) -> Found:
    grid = _fitted(mask)
    agreement = {kind: float((grid & outline).sum() / (grid | outline).sum()) for kind, outline in _outlines().items()}
    kind = max(agreement, key=lambda name: agreement[name])
    score = 1.0 if agreement[kind] >= _CERTAIN else agreement[kind]
    top, left = corner
    box = (float(left), float(top), float(left + mask.shape[1]), float(top + mask.shape[0]))
    return Found(kind, box, float(np.float32(score)))


@cache
def _outlines() -> dict[str, Mask]:
    """The outline of each kind on the grid."""
    axis = np.linspace(-1.2, 1.2, 4 * _GRID)
    colour = next(iter(COLOURS))
    masks = {kind: paint(kind, colour, axis[None, :], axis[:, None])[0] for kind in CLASSES}
    return {kind: _fitted(mask[mask.any(axis=1)][:, mask.any(axis=0)]) for kind, mask in masks.items()}


def _fitted(mask: Mask) -> Mask:
    """A mask on the grid."""
    rows, columns = (((np.arange(_GRID) + 0.5) * side / _GRID).astype(np.intp) for side in mask.shape)
    return np.asarray(mask[rows[:, None], columns[None, :]])


def _closeness(crop: Crop) -> tuple[float, ...] | None:
    left, top, right, bottom = (round(side) for side in crop.box)
    pixels = crop.pixels[top:bottom, left:right]
    shown = pixels[_shown(pixels, crop.pixels)].astype(np.float64) if pixels.size else pixels
    if not len(shown):
        return None
    # The rim is darker than the rest: the brighter half of the pixels tells the colour.
    bright = shown[shown.sum(axis=1) >= np.median(shown.sum(axis=1))].mean(axis=0)
    hue = bright / bright.max()
    known = {name: np.array(rgb) / max(rgb) for name, rgb in COLOURS.items()}
    return tuple(-float(np.abs(hue - known[name]).sum()) if name in known else -9.0 for name in NAMES)
