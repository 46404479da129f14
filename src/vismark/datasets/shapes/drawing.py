"""The look of things: outlines and colours of the shapes, textures of the grounds.

As in `scenes`, only arithmetic that gives the same bits everywhere.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]

FINE = 3  # subpixels along a side of a pixel; odd, so that one of them is its middle

COLOURS = {
    "red": (222, 56, 52),
    "orange": (245, 140, 34),
    "yellow": (252, 213, 53),
    "green": (34, 146, 72),
    "blue": (44, 98, 208),
    "purple": (136, 68, 178),
    "pink": (247, 138, 180),
    "white": (244, 243, 238),
}

# Sine and cosine of multiples of 72° and 120°, written out because libraries differ in the last bit.
_STAR = ((0.0, 1.0), (0.9510565162951535, 0.3090169943749474), (0.5877852522924731, -0.8090169943749475),
         (-0.5877852522924731, -0.8090169943749475), (-0.9510565162951535, 0.3090169943749474))  # fmt: skip
_TRIANGLE = ((0.0, 1.0), (0.8660254037844386, -0.5), (-0.8660254037844386, -0.5))


def _sides(x: Floats, y: Floats, normals: tuple[tuple[float, float], ...], distance: float) -> NDArray[np.int64]:
    """On the inner side of how many of the lines a point lies."""
    inner = [(nx * x + ny * y <= distance).astype(np.int64) for nx, ny in normals]
    return sum(inner[1:], inner[0])


def _disc(x: Floats, y: Floats, radius: float) -> Mask:
    return np.asarray(x * x + y * y <= radius * radius)


def _box(x: Floats, y: Floats, width: float, height: float) -> Mask:
    return (np.abs(x) <= width) & (np.abs(y) <= height)


def _heart(x: Floats, y: Floats) -> Mask:
    """The sextic (x² + y² − 1)³ ≤ x² y³, upright, moved and scaled into the unit circle."""
    x, y = 1.2 * x, 0.1 - 1.2 * y
    inner = x * x + y * y - 1.0
    return np.asarray(inner * inner * inner <= x * x * y * y * y)


# Inside or not, where the shape about fills the unit circle and stays within a radius of 1.2; y points down.
_OUTLINES: dict[str, Callable[[Floats, Floats], Mask]] = {
    "circle": lambda x, y: _disc(x, y, 0.92),
    "square": lambda x, y: _box(x, y, 0.8, 0.8),
    "triangle": lambda x, y: np.asarray(_sides(x, y - 0.2, _TRIANGLE, 0.54) == 3),
    "star": lambda x, y: np.asarray(_sides(x, y - 0.05, _STAR, 0.35) >= 4),
    "ring": lambda x, y: _disc(x, y, 0.95) & ~_disc(x, y, 0.5),
    "cross": lambda x, y: _box(x, y, 0.95, 0.33) | _box(x, y, 0.33, 0.95),
    "crescent": lambda x, y: _disc(x, y, 0.98) & ~_disc(x - 0.48, y + 0.12, 0.78),
    "heart": _heart,
}


def paint(kind: str, colour: str, x: Floats, y: Floats) -> tuple[Mask, Pixels]:
    """A shape with a dark rim, lit from the upper left.

    Args:
        kind: name of a shape.
        colour: a key of `COLOURS`.
        x, y: coordinates of the points, both of shape (height, width); the shape about fills the unit circle.

    Returns:
        The mask (bool, height × width) and uint8 RGB for all points.
    """
    mask = _OUTLINES[kind](x, y)
    core = _OUTLINES[kind](1.14 * x, 1.14 * y)
    light = np.where(core, 1.0 - 0.13 * (x + y), 0.62)
    return mask, _clipped(light[:, :, None] * np.array(COLOURS[colour], dtype=np.float64))


def texture(rng: np.random.Generator, ground: str, size: tuple[int, int]) -> Pixels:
    """A picture of nothing but `ground` (grass, sand, water, brick): uint8 RGB of shape (*size, 3)."""
    tone, base = _TEXTURES[ground](rng, size)
    grain = 10.0 * (rng.random(size) - 0.5)
    return _clipped((tone + grain)[:, :, None] + np.array(base, dtype=np.float64))


def noise(rng: np.random.Generator, size: tuple[int, int], cell: tuple[int, int]) -> Floats:
    """Smooth noise in [0, 1) of shape `size`: random values on a grid of cells (height, width), interpolated."""
    lattice = rng.random((size[0] // cell[0] + 2, size[1] // cell[1] + 2))
    (row, down), (column, right) = (_cells(side, width) for side, width in zip(size, cell, strict=True))
    down, right = down[:, None], right[None, :]
    row, column = row[:, None], column[None, :]
    upper = lattice[row, column] * (1.0 - right) + lattice[row, column + 1] * right
    lower = lattice[row + 1, column] * (1.0 - right) + lattice[row + 1, column + 1] * right
    return np.asarray(upper * (1.0 - down) + lower * down)


def _cells(length: int, width: int) -> tuple[NDArray[np.int64], Floats]:
    """For each point of an axis its cell and how far it is through it, eased at both ends."""
    cell, within = np.divmod(np.arange(length, dtype=np.int64), width)
    part = within / width
    return cell, part * part * (3.0 - 2.0 * part)


_Tone = tuple[Floats, tuple[int, int, int]]


def _grass(rng: np.random.Generator, size: tuple[int, int]) -> _Tone:
    blades = noise(rng, size, (6, 2)) + 0.5 * noise(rng, size, (3, 1))
    return 44.0 * (blades - 0.75) + 26.0 * (noise(rng, size, (24, 24)) - 0.5), (126, 176, 84)


def _sand(rng: np.random.Generator, size: tuple[int, int]) -> _Tone:
    return 26.0 * (noise(rng, size, (7, 30)) - 0.5) + 12.0 * (rng.random(size) - 0.5), (229, 207, 160)


def _water(rng: np.random.Generator, size: tuple[int, int]) -> _Tone:
    waves = noise(rng, size, (3, 14))
    return 34.0 * (waves - 0.5) + 40.0 * (waves > 0.78), (104, 172, 212)


def _brick(rng: np.random.Generator, size: tuple[int, int]) -> _Tone:
    """Courses of 8 pixels, bricks of 16, every second course moved by half a brick."""
    y, x = np.arange(size[0], dtype=np.int64)[:, None], np.arange(size[1], dtype=np.int64)[None, :]
    x = x + 8 * (y // 8 % 2)
    tones = 40.0 * (rng.random((size[0] // 8 + 1, size[1] // 16 + 2)) - 0.5)
    mortar = (y % 8 == 0) | (x % 16 == 0)
    return np.where(mortar, 46.0, tones[y // 8, x // 16]), (176, 112, 92)


_TEXTURES: dict[str, Callable[[np.random.Generator, tuple[int, int]], _Tone]] = {
    "grass": _grass,
    "sand": _sand,
    "water": _water,
    "brick": _brick,
}


def _clipped(values: Floats) -> Pixels:
    return np.clip(values, 0.0, 255.0).astype(np.uint8)
