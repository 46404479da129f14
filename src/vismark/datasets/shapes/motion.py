"""Moving shapes: which shape is where in which frame, and the picture of it; from (seed, index) alone.

As in `scenes`: the same bits on any machine, a canvas three times as fine, masks of what is seen. The index decides
what is special: 0 mod 4 a shape that leaves the picture and comes back, 1 mod 4 one that passes behind another, 2 mod 4
several of one kind and colour, 3 mod 4 one that comes into the picture late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vismark.datasets.shapes.drawing import COLOURS, FINE, Mask, Pixels, texture
from vismark.datasets.shapes.scenes import STUFF, THINGS, place, shrunk, uppermost
from vismark.tasks import Category

SIZE = (96, 144)  # height and width of a frame in pixels
FRAMES = 30
# Another series than that of the pictures.
_SERIES = 7
_SOLID = ("circle", "square", "heart")

Motion = Literal["returns", "enters", "left", "right", "up", "down", "rests"]
Point = tuple[float, float]


@dataclass(frozen=True)
class Actor:
    """A shape with its way: middles (y, x) in pixels at the first, the middle and the last frame, straight between."""

    category: Category
    colour: str
    radius: float
    slant: float
    way: tuple[Point, Point, Point]

    @property
    def motion(self) -> Motion:
        """What it does, in a word."""
        (y, x), middle, (last_y, last_x) = self.way
        if not _inside(middle):
            return "returns"
        if not _inside(self.way[0]):
            return "enters"
        across, down = last_x - x, last_y - y
        if max(abs(across), abs(down)) < 0.15 * SIZE[0]:
            return "rests"
        if abs(across) >= abs(down):
            return "right" if across > 0 else "left"
        return "down" if down > 0 else "up"

    def at(self, frame: int) -> Point:
        """Its middle in a frame."""
        half = (FRAMES - 1) / 2
        first, second, start = (0, 1, 0.0) if frame <= half else (1, 2, half)
        share = (frame - start) / half
        a, b = self.way[first], self.way[second]
        return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])


@dataclass(frozen=True)
class Clip:
    """A video: its ground, and its actors from back to front."""

    ground: Category
    backdrop: Pixels
    actors: tuple[Actor, ...]

    def frame(self, number: int) -> tuple[Pixels, list[Mask]]:
        """The picture (uint8 RGB) and what is seen of each actor (bool), in frame `number`."""
        canvas = self.backdrop.copy()
        layers = [place(a.category, a.colour, a.at(number), a.radius, a.slant, SIZE) for a in self.actors]
        # A shape that is beyond the border has a layer without pixels.
        drawn = [layer for layer in layers if layer.mask.size]
        for layer in drawn:
            np.copyto(canvas[layer.window], layer.pixels, where=layer.mask[:, :, None])
        top = uppermost(drawn, SIZE)[1::FINE, 1::FINE]
        order = iter(range(len(drawn)))
        masks = [top == next(order) if layer.mask.size else np.zeros(SIZE, bool) for layer in layers]
        return shrunk(canvas), masks


def clip(seed: int, index: int) -> Clip:
    """The video number `index` of the endless series `seed`."""
    rng = np.random.default_rng([seed, _SERIES, index])
    kinds, colours = rng.permutation(len(THINGS)), rng.permutation(len(COLOURS))
    looks = [(THINGS[kinds[n]], tuple(COLOURS)[colours[n]]) for n in range(int(rng.integers(3, 5)))]
    actors = [_actor(rng, *look) for look in looks]
    special = index % 4
    if special == 0:
        actors[0] = _with_way(actors[0], middle=_outside(rng, actors[0]))
    elif special == 1:
        actors[:2] = _passing(actors[0], _solid(actors[1], looks))
    elif special == 2:
        actors += [_actor(rng, *looks[0]) for _ in range(int(rng.integers(1, 3)))]
    else:
        actors[0] = _with_way(actors[0], first=_outside(rng, actors[0]))
    ground = STUFF[int(rng.integers(len(STUFF)))]
    pixels = texture(rng, ground.name, SIZE)
    return Clip(ground, np.repeat(np.repeat(pixels, FINE, axis=0), FINE, axis=1), tuple(actors))


def _actor(rng: np.random.Generator, category: Category, colour: str) -> Actor:
    """A shape that rests or goes straight on within the picture."""
    radius = SIZE[0] * (0.1 + 0.08 * rng.random())
    first, last = ((SIZE[0] * (0.2 + 0.6 * rng.random()), SIZE[1] * (0.15 + 0.7 * rng.random())) for _ in range(2))
    last = first if rng.random() < 0.25 else last
    middle = ((first[0] + last[0]) / 2, (first[1] + last[1]) / 2)
    return Actor(category, colour, radius, 0.6 * rng.random() - 0.3, (first, middle, last))


def _outside(rng: np.random.Generator, actor: Actor) -> Point:
    """A point left or right of the picture from which nothing of the shape is seen."""
    far = 1.5 * actor.radius
    return SIZE[0] * (0.3 + 0.4 * rng.random()), -far if rng.random() < 0.5 else SIZE[1] + far


def _solid(actor: Actor, looks: list[tuple[Category, str]]) -> Actor:
    """The actor as a shape that hides what is behind its middle, of a kind that no other has if there is one."""
    if actor.category.name in _SOLID:
        return actor
    taken = {category for category, _ in looks}
    solid = [category for category in THINGS if category.name in _SOLID]
    chosen = next((category for category in solid if category not in taken), solid[0])
    return Actor(chosen, actor.colour, actor.radius, actor.slant, actor.way)


def _passing(behind: Actor, front: Actor) -> list[Actor]:
    """The first passes behind the second, which is larger and rests, and is hidden in the middle of the video."""
    middle = (SIZE[0] / 2, SIZE[1] / 2)
    front = Actor(front.category, front.colour, 0.26 * SIZE[0], 0.0, (middle, middle, middle))
    y, x = middle
    way = ((y, 0.12 * SIZE[1]), (y, x), (y, 0.88 * SIZE[1]))
    return [Actor(behind.category, behind.colour, 0.09 * SIZE[0], behind.slant, way), front]


def _with_way(actor: Actor, first: Point | None = None, middle: Point | None = None) -> Actor:
    one, two, three = actor.way
    if first is not None:
        one, two = first, ((first[0] + three[0]) / 2, (first[1] + three[1]) / 2)
        two = two if _inside(two) else three
    return Actor(actor.category, actor.colour, actor.radius, actor.slant, (one, middle or two, three))


def _inside(point: Point) -> bool:
    return 0 <= point[0] <= SIZE[0] and 0 <= point[1] <= SIZE[1]
