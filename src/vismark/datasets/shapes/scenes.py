"""Scenes: which shape lies where on which ground, and the picture of it; from (seed, index) alone.

Bit for bit the same on any machine: randomness is uniform (``random``, ``integers``, ``permutation``), geometry is
element-wise ``+ - * /`` and comparisons of float64 (no sine, no BLAS, no rasteriser, whose last bits may differ).

Everything is a `Layer` of a canvas that is three times as fine as the picture. A pixel's colour is the mean of its nine
subpixels, which smooths the edges; its segment is that of the middle subpixel, so masks are exact.

So that few pictures exercise every rule of the formats, the index decides what is special: 2 mod 4 has a crowd, 1 mod 8
a void frame, 5 mod 8 a void corner, 7 mod 16 no shape at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vismark.datasets.shapes.drawing import COLOURS, FINE, Floats, Mask, Pixels, noise, paint, texture
from vismark.tasks import Category

VERSION = 1  # raised when a scene would change

CATEGORIES = (
    Category(1, "circle"),
    Category(2, "square"),
    Category(3, "triangle"),
    Category(4, "star"),
    Category(5, "ring"),
    Category(6, "cross"),
    Category(7, "crescent"),
    Category(8, "heart"),
    Category(21, "grass", isthing=False),
    Category(22, "sand", isthing=False),
    Category(23, "water", isthing=False),
    Category(24, "brick", isthing=False),
)
THINGS = tuple(category for category in CATEGORIES if category.isthing)
STUFF = tuple(category for category in CATEGORIES if not category.isthing)

SMALLEST = 24  # pixels; what shows less is taken out of the picture
_VOID_COLOUR = (52, 52, 58)


@dataclass(frozen=True)
class Part:
    """A segment of a scene.

    Attributes:
        id: value of its pixels, 1 … 2^24−1.
        category: one of `CATEGORIES`.
        colour: a name of `drawing.COLOURS`; "" for stuff and for crowds, which are of many colours.
        iscrowd: whether it is many small shapes in one segment.
        area: number of its pixels.
        bbox: x, y, width, height in pixels.
    """

    id: int
    category: Category
    colour: str
    iscrowd: bool
    area: int
    bbox: tuple[int, int, int, int]


@dataclass(frozen=True)
class Scene:
    """A picture and all that is true of it.

    Attributes:
        pixels: uint8 RGB of shape (height, width, 3).
        ids: uint32 of shape (height, width); the id of a part, or 0 for void.
        parts: from back to front: ground, crowd, shapes. Every id of `ids` but 0 has exactly one.
    """

    pixels: Pixels
    ids: NDArray[np.uint32]
    parts: tuple[Part, ...]

    def mask(self, part: Part) -> Mask:
        """The pixels of `part`: bool of shape (height, width)."""
        return np.asarray(self.ids == part.id)

    @property
    def things(self) -> tuple[Part, ...]:
        """The parts that are instances: shapes and crowds."""
        return tuple(part for part in self.parts if part.category.isthing)


@dataclass(frozen=True)
class Layer:
    """Paint on the fine canvas: `mask` and `pixels` fill the window (rows, columns); category None is void."""

    window: tuple[slice, slice]
    mask: Mask
    pixels: Pixels
    category: Category | None
    colour: str = ""
    iscrowd: bool = False


def scene(seed: int, index: int, size: tuple[int, int] = (128, 128)) -> Scene:
    """The scene number `index` of the endless series `seed`.

    Args:
        seed, index: integers of 0 or more.
        size: height and width in pixels, each at least 32.

    Raises:
        ValueError: a number is out of range.
    """
    if min(size) < 32:
        raise ValueError(f"a scene of {size[0]} × {size[1]} pixels is too small; each side needs 32")
    rng = np.random.default_rng([seed, index])
    layers = _ground(rng, size)
    if index % 4 == 2:
        layers.append(_crowd(rng, size))
    if index % 16 != 7:
        layers += [_shape(rng, size) for _ in range(rng.integers(2, 9))]
    if index % 4 == 1:
        layers.append(_void(rng, size, frame=index % 8 == 1))
    return _compose(rng, _visible(layers, size), size)


def portrait(rng: np.random.Generator, kind: Category, colour: str, ground: Category, size: tuple[int, int]) -> Pixels:
    """A single large shape on a single ground: uint8 RGB of shape (*size, 3)."""
    pixels = np.repeat(np.repeat(texture(rng, ground.name, size), FINE, axis=0), FINE, axis=1)
    radius = min(size) * (0.22 + 0.12 * rng.random())
    y, x = (side * (0.4 + 0.2 * rng.random()) for side in size)
    shape = place(kind, colour, (y, x), radius, 0.6 * rng.random() - 0.3, size)
    pixels[shape.window][shape.mask] = shape.pixels[shape.mask]
    return shrunk(pixels)


def _ground(rng: np.random.Generator, size: tuple[int, int]) -> list[Layer]:
    """One to three grounds: the first everywhere, each further one on its side of a wavy line."""
    chosen = rng.permutation(len(STUFF))[: rng.integers(1, 4)]
    everywhere = np.ones((size[0] * FINE, size[1] * FINE), dtype=bool)
    layers = []
    for order, kind in enumerate(chosen):
        pixels = np.repeat(np.repeat(texture(rng, STUFF[kind].name, size), FINE, axis=0), FINE, axis=1)
        mask = everywhere if order == 0 else _beyond(rng, size, 0.05 + 0.25 * rng.random())
        layers.append(Layer(np.s_[:, :], mask, pixels, STUFF[kind]))
    return layers


def _beyond(rng: np.random.Generator, size: tuple[int, int], distance: float) -> Mask:
    """What lies beyond a wavy line through the fine canvas; `distance` is from its middle, in widths and heights."""
    height, width = size[0] * FINE, size[1] * FINE
    y, x = _axis(0, height)[:, None] / size[0] - 0.5, _axis(0, width)[None, :] / size[1] - 0.5
    cosine, sine = _direction(2.0 * rng.random() - 1.0)
    sign = 1.0 if rng.random() < 0.5 else -1.0
    waves = 0.2 * (noise(rng, (height, width), (height // 5, width // 5)) - 0.5)
    return np.asarray(sign * (cosine * y + sine * x) + waves > distance)


def _shape(rng: np.random.Generator, size: tuple[int, int]) -> Layer:
    """A shape of random kind, colour, place, size and slant; its middle is inside the picture."""
    category = THINGS[rng.integers(len(THINGS))]
    colour = tuple(COLOURS)[rng.integers(len(COLOURS))]
    radius = min(size) * (0.075 + 0.115 * rng.random())
    y, x = (side * (0.08 + 0.84 * rng.random()) for side in size)
    return place(category, colour, (y, x), radius, 0.6 * rng.random() - 0.3, size)


def place(
    category: Category, colour: str, middle: tuple[float, float], radius: float, slant: float, size: tuple[int, int]
) -> Layer:
    """A shape with its middle (y, x) and radius in pixels; `slant` is the tangent of half its angle."""
    bounds = [
        (max(0, int(at - 1.2 * radius)) * FINE, min(side, int(at + 1.2 * radius) + 1) * FINE)
        for at, side in zip(middle, size, strict=True)
    ]
    y = (_axis(*bounds[0])[:, None] - middle[0]) / radius
    x = (_axis(*bounds[1])[None, :] - middle[1]) / radius
    cosine, sine = _direction(slant)
    mask, pixels = paint(category.name, colour, cosine * x + sine * y, cosine * y - sine * x)
    return Layer((slice(*bounds[0]), slice(*bounds[1])), mask, pixels, category, colour)


def _crowd(rng: np.random.Generator, size: tuple[int, int]) -> Layer:
    """Many small shapes of one kind and of all colours, close together, as one layer."""
    category = THINGS[rng.integers(len(THINGS))]
    mask = np.zeros((size[0] * FINE, size[1] * FINE), dtype=bool)
    pixels = np.zeros((*mask.shape, 3), dtype=np.uint8)
    corner = [side * (0.04 + 0.48 * rng.random()) for side in size]
    step = min(size) / 11
    for cell in rng.permutation(20)[: rng.integers(12, 19)]:
        # Four rows of five cells, each shape a little off the middle of its cell.
        y, x = (corner[k] + step * (place + 0.5 * rng.random()) for k, place in enumerate(divmod(int(cell), 5)))
        colour = tuple(COLOURS)[rng.integers(len(COLOURS))]
        one = place(category, colour, (y, x), step * (0.38 + 0.14 * rng.random()), 0.6 * rng.random() - 0.3, size)
        mask[one.window] |= one.mask
        pixels[one.window][one.mask] = one.pixels[one.mask]
    return Layer(np.s_[:, :], mask, pixels, category, iscrowd=True)


def _void(rng: np.random.Generator, size: tuple[int, int], frame: bool) -> Layer:
    """What is not annotated: a frame of a few pixels, or all beyond a line near a corner."""
    if frame:
        width = int(rng.integers(3, 8)) * FINE
        mask = np.ones((size[0] * FINE, size[1] * FINE), dtype=bool)
        mask[width:-width, width:-width] = False
    else:
        mask = _beyond(rng, size, 0.42)
    return Layer(np.s_[:, :], mask, np.full((*mask.shape, 3), _VOID_COLOUR, dtype=np.uint8), None)


def _visible(layers: Sequence[Layer], size: tuple[int, int]) -> list[Layer]:
    """The layers without those that show fewer than `SMALLEST` pixels; what is left can only show more than before."""
    top = uppermost(layers, size)[1::FINE, 1::FINE]
    areas = np.bincount(top.ravel() + 1, minlength=len(layers) + 1)[1:]
    return [layer for layer, area in zip(layers, areas, strict=True) if area >= SMALLEST or layer.category is None]


def uppermost(layers: Sequence[Layer], size: tuple[int, int]) -> NDArray[np.int64]:
    """Number of the uppermost layer of every subpixel, −1 where there is none."""
    top = np.full((size[0] * FINE, size[1] * FINE), -1, dtype=np.int64)
    for number, layer in enumerate(layers):
        top[layer.window][layer.mask] = number
    return top


def _compose(rng: np.random.Generator, layers: Sequence[Layer], size: tuple[int, int]) -> Scene:
    """The picture of the layers, their ids and their parts."""
    canvas = np.full((size[0] * FINE, size[1] * FINE, 3), _VOID_COLOUR, dtype=np.uint8)
    for layer in layers:
        np.copyto(canvas[layer.window], layer.pixels, where=layer.mask[:, :, None])
    top = uppermost(layers, size)[1::FINE, 1::FINE]
    numbers = _distinct(rng, len(layers))
    # The last entry serves −1, "no layer"; void layers have id 0 too.
    values = [number if layer.category else 0 for number, layer in zip(numbers, layers, strict=True)]
    parts = tuple(
        Part(number, layer.category, layer.colour, layer.iscrowd, *_extent(top == order))
        for order, (number, layer) in enumerate(zip(numbers, layers, strict=True))
        if layer.category is not None
    )
    return Scene(shrunk(canvas), np.array([*values, 0], dtype=np.uint32)[top], parts)


def shrunk(canvas: Pixels) -> Pixels:
    """The picture of a fine canvas: each pixel the rounded mean of its subpixels."""
    # Nine strided sums are four times as fast as one reshaped sum over two axes.
    total = np.full((canvas.shape[0] // FINE, canvas.shape[1] // FINE, 3), FINE * FINE // 2, dtype=np.uint16)
    for row in range(FINE):
        for column in range(FINE):
            total += canvas[row::FINE, column::FINE]
    return (total // (FINE * FINE)).astype(np.uint8)


def _distinct(rng: np.random.Generator, count: int) -> list[int]:
    """`count` different numbers of 24 bits, none 0: they use all three channels of a panoptic PNG."""
    found: dict[int, None] = {}
    while len(found) < count:
        found[int(rng.integers(1, 1 << 24))] = None
    return list(found)


def _extent(mask: Mask) -> tuple[int, tuple[int, int, int, int]]:
    """Area and x, y, width, height of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x, y = int(columns[0]), int(rows[0])
    return int(np.count_nonzero(mask)), (x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1)


def _axis(start: int, stop: int) -> Floats:
    """Middles of the subpixels `start` … `stop` − 1, in pixels."""
    return (np.arange(start, stop, dtype=np.float64) + 0.5) / FINE


def _direction(slant: float) -> tuple[float, float]:
    """Cosine and sine of the angle whose half has the tangent `slant`: rational, hence the same everywhere."""
    return (1.0 - slant * slant) / (1.0 + slant * slant), 2.0 * slant / (1.0 + slant * slant)
