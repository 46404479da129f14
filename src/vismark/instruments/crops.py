"""Crops: a detected object in its picture, as classifiers of objects take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Crop:
    """An object to be looked at.

    Attributes:
        pixels: the whole picture, uint8 RGB of shape (height, width, 3).
        box: left, top, right, bottom in pixels, right and bottom exclusive.
        category: the name of its class.
        mask: bool of shape (height, width): the pixels of the object; None shows the whole box.
    """

    pixels: NDArray[np.uint8]
    box: tuple[float, float, float, float]
    category: str
    mask: NDArray[np.bool_] | None = None
