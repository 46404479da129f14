"""The colour of an object as GenEval tells it: CLIP ViT-L/14 on the cut-out object, ten colours in three phrases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vismark import registry
from vismark.cards import InstrumentCard
from vismark.formats.geneval import COLOURS
from vismark.instruments.base import Tools
from vismark.instruments.crops import Crop
from vismark.instruments.features.clip import Clip
from vismark.problems import Problems
from vismark.runtime.digests import digest_of

_PHRASES = ("a photo of a {colour} {name}", "a photo of a {colour}-colored {name}", "a photo of a {colour} object")
_BACKGROUND = 153  # the grey #999 of all that is not the object
_SCALE = 100.0


class ClipColour:
    """Ten logits an object, in the order of `formats.geneval.COLOURS` (GenEval af4902f, ``color_classification``).

    The official script runs CLIP in half precision on a GPU; here it is float32 unless told otherwise, so that near
    ties can fall the other way. The logits are kept, so that they can be looked at.
    """

    def __init__(self, card: InstrumentCard, tools: Tools) -> None:
        self.name = card.name
        self.clip = Clip(registry.card("instruments", "clip-vit-l14"), tools)
        self.identity: Mapping[str, str] = {
            **self.clip.identity,
            "phrases": digest_of([_PHRASES, COLOURS, _BACKGROUND]),
        }
        self._texts: dict[str, NDArray[np.float32]] = {}

    def measure(self, items: Sequence[Crop]) -> list[tuple[float, ...] | None]:
        """The logits of each object; None for a box without a pixel."""
        images = [cut_out(crop) for crop in items]
        there = [number for number, image in enumerate(images) if image.size]
        found: list[tuple[float, ...] | None] = [None] * len(items)
        for number, row in zip(there, self.clip.measure([images[n] for n in there]), strict=True):
            logits = _SCALE * (_unit(row) @ self._phrases(items[number].category))
            found[number] = tuple(float(value) for value in logits)
        return found

    def selftest(self) -> Problems:
        """Tell the colour of ten plain squares; a warning for each that is taken for another."""
        problems = Problems()
        shown = {
            "red": (220, 20, 30),
            "green": (30, 150, 50),
            "blue": (30, 60, 210),
            "white": (250,) * 3,
            "black": (5,) * 3,
        }
        squares = [np.full((224, 224, 3), rgb, np.uint8) for rgb in shown.values()]
        told = self.measure([Crop(pixels, (0.0, 0.0, 224.0, 224.0), "square") for pixels in squares])
        for name, logits in zip(shown, told, strict=True):
            seen = COLOURS[int(np.argmax(logits))] if logits is not None and np.isfinite(logits).all() else "nothing"
            if seen != name:
                message = f"a plain {name} square is taken for {seen}"
                problems.add("COLOUR_SELFTEST", message, severity="warning", fix="Compare with --device cpu.")
        return problems

    def _phrases(self, name: str) -> NDArray[np.float32]:
        """The text side for a class: float32 of shape (width, 10), columns of length 1."""
        if name not in self._texts:
            texts = [phrase.format(colour=colour, name=name) for colour in COLOURS for phrase in _PHRASES]
            rows = np.stack([_unit(row) for row in self.clip.measure(texts)])
            means = rows.reshape(len(COLOURS), len(_PHRASES), -1).mean(axis=1)
            self._texts[name] = np.stack([_unit(mean) for mean in means], axis=1)
        return self._texts[name]


def cut_out(crop: Crop) -> NDArray[np.uint8]:
    """The object on plain grey (without a mask as it is), cut to its box, whose sides are rounded half to even."""
    from PIL import Image

    picture = Image.fromarray(crop.pixels)
    if crop.mask is not None:
        grey = Image.new("RGB", picture.size, (_BACKGROUND,) * 3)
        picture = Image.composite(picture, grey, Image.fromarray(crop.mask))
    left, top, right, bottom = (round(side) for side in crop.box)
    if right <= left or bottom <= top:
        return np.zeros((0, 0, 3), np.uint8)
    return np.asarray(picture.crop((left, top, right, bottom)), np.uint8)


def _unit(row: NDArray[np.float32]) -> NDArray[np.float32]:
    return row / np.linalg.norm(row)
