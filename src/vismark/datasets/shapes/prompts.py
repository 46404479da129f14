"""GenEval over shapes: prompts of the six kinds, and pictures that show what a prompt says, or just not.

Pictures have a plain dark ground, so that `detector` finds every shape exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vismark.datasets.geneval.prompts import METADATA, lines, sample
from vismark.datasets.shapes.drawing import COLOURS, FINE, Pixels, paint
from vismark.datasets.shapes.scenes import THINGS, shrunk
from vismark.formats.geneval import Clause, Prompt
from vismark.runtime.atomic import write_bytes
from vismark.runtime.digests import digest_of
from vismark.runtime.folders import cache_root

SIDE = 128  # pixels of a picture
GROUND = (52, 52, 58)
CLASSES = tuple(category.name for category in THINGS)
CLASS_FILE = "object_names.txt"
_SEED, _COUNT = 43, 10

# A picture has 3 × 3 places for shapes; a shape has this part of its place as radius.
_PLACES = 3
_RADIUS = 0.36
# Row and column steps from the target to the subject.
_STEPS = {"left of": (0, -1), "right of": (0, 1), "above": (-1, 0), "below": (1, 0)}

Item = tuple[str, str, tuple[int, int]]  # kind, colour, (row, column) of its place


def ensure() -> Path:
    """The folder that holds prompts and class names in GenEval's formats; made when it is not there."""
    data = lines(sample(_SEED, _COUNT, CLASSES, tuple(COLOURS)))
    folder = cache_root() / "shapes-geneval" / digest_of(data).removeprefix("sha256:")[:12]
    if not (folder / CLASS_FILE).is_file():
        write_bytes(folder / METADATA, data)
        write_bytes(folder / CLASS_FILE, "".join(f"{name}\n" for name in CLASSES).encode())
    return folder


def draw(prompt: Prompt, seed: int, *, wrong: bool = False) -> Pixels:
    """A picture of what the prompt says; when `wrong`, one thing of it is missing, too many, misplaced or discoloured.

    Returns:
        uint8 RGB of shape (128, 128, 3).
    """
    rng = np.random.default_rng(seed)
    items = _placed(_altered(prompt, rng) if wrong else prompt, rng)
    picture = np.full((SIDE * FINE, SIDE * FINE, 3), GROUND, np.uint8)
    cell, axis = SIDE / _PLACES, (np.arange(SIDE * FINE) + 0.5) / FINE
    for kind, colour, place in items:
        # Shapes reach 1.2 radii, less than half a place: nothing outside the place is painted.
        rows, columns = (slice(int(at * cell) * FINE, int((at + 1) * cell) * FINE) for at in place)
        y, x = (
            (axis[part] - (at + 0.5) * cell) / (_RADIUS * cell) for part, at in zip((rows, columns), place, strict=True)
        )
        mask, pixels = paint(kind, colour, x[None, :], y[:, None])
        picture[rows, columns][mask] = pixels[mask]
    return shrunk(picture)


def _placed(prompt: Prompt, rng: np.random.Generator) -> list[Item]:
    """The shapes of a prompt, each in a place of its own."""
    free = [divmod(int(place), _PLACES) for place in rng.permutation(_PLACES * _PLACES)]
    items: list[Item] = []
    for clause in prompt.include:
        for _ in range(clause.count):
            place = free[0]
            if clause.position is not None:
                target = items[clause.position[1]]
                place, moved = _beside(target[2], _STEPS[clause.position[0]])
                items[clause.position[1]] = (target[0], target[1], moved)
            items.append((clause.category, clause.color or str(rng.choice(tuple(COLOURS))), place))
            free = [one for one in free if one not in [item[2] for item in items]]
    return items


def _beside(target: tuple[int, int], step: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Places of the subject and of the target, moved where the subject would fall off the picture."""
    subject = (target[0] + step[0], target[1] + step[1])
    if all(0 <= at < _PLACES for at in subject):
        return subject, target
    return target, (target[0] - step[0], target[1] - step[1])


def _altered(prompt: Prompt, rng: np.random.Generator) -> Prompt:
    """A prompt whose pictures are wrong for `prompt`."""
    first, last = prompt.include[0], prompt.include[-1]
    if prompt.tag == "counting":
        return _asking(prompt, (Clause(first.category, first.count + int(rng.choice([-1, 1]))),))
    if prompt.tag == "colors":
        others = [colour for colour in COLOURS if colour != first.color]
        return _asking(prompt, (Clause(first.category, 1, color=str(rng.choice(others))),))
    if prompt.tag == "color_attr":
        swapped = (Clause(first.category, 1, color=last.color), Clause(last.category, 1, color=first.color))
        return _asking(prompt, swapped)
    if last.position is not None:
        opposite = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
        return _asking(prompt, (first, Clause(last.category, 1, position=(opposite[last.position[0]], 0))))
    return _asking(prompt, prompt.include[:-1])


def _asking(prompt: Prompt, include: Sequence[Clause]) -> Prompt:
    return Prompt(prompt.tag, tuple(include), prompt.exclude, prompt.prompt)
