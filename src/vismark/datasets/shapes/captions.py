"""Captions of a scene: plain sentences that are true of it, five a picture as in COCO."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vismark.datasets.shapes.scenes import Part, Scene

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")  # a scene has at most eight shapes

# Axis of a centre (0 = x), and what the item with the smaller and the greater coordinate are to each other.
_RELATIONS = ((0, "to the left of", "to the right of"), (1, "above", "below"))


def captions(scene: Scene) -> tuple[str, str, str, str, str]:
    """Five captions: what there is, how two of it lie, how many of each kind, the largest, how many of each colour.

    A crowd is not counted among the shapes; hidden shapes are not told of.
    """
    ground = listed([part.category.name for part in scene.parts if not part.category.isthing])
    crowd = [f"a crowd of small {plural(part.category.name)}" for part in scene.things if part.iscrowd]
    shapes = [part for part in scene.things if not part.iscrowd]
    everything = listed([phrase(group) for group in groups(shapes)] + crowd) or "nothing"
    kinds = [f"{NUMBERS[n]} {plural(kind, n)}" for kind, n in Counter(part.category.name for part in shapes).items()]
    colours = [f"{NUMBERS[n]} {colour} {plural('shape', n)}" for colour, n in Counter(p.colour for p in shapes).items()]
    count = f"{NUMBERS[len(shapes)]} {plural('shape', len(shapes))} on {ground}"
    return (
        sentence(f"{everything} on {ground}"),
        sentence(_relation(shapes, ground) or f"on {ground}: {everything}"),
        sentence(f"{'there is' if len(shapes) == 1 else 'there are'} {count}{': ' if kinds else ''}{listed(kinds)}"),
        sentence(_largest(shapes, scene) or f"the ground is {ground}"),
        sentence(f"a picture of {ground} with {listed(colours + crowd) or 'nothing else'}"),
    )


def plural(noun: str, count: int = 2) -> str:
    """`noun` as it stands after the number `count`."""
    return noun if count == 1 else noun + ("es" if noun.endswith("s") else "s")


def listed(items: Sequence[str]) -> str:
    """``a, b and c``; "" for no items."""
    return " and ".join(part for part in (", ".join(items[:-1]), *items[-1:]) if part)


def groups(shapes: Sequence[Part]) -> list[list[Part]]:
    """Shapes of the same kind and colour together, in order of appearance."""
    found: dict[tuple[str, str], list[Part]] = {}
    for part in shapes:
        found.setdefault((part.colour, part.category.name), []).append(part)
    return list(found.values())


def phrase(group: Sequence[Part]) -> str:
    """``a red circle``, ``two red circles``."""
    colour, kind = group[0].colour, group[0].category.name
    article = "an" if colour[0] in "aeiou" else "a"
    number = article if len(group) == 1 else NUMBERS[len(group)]
    return f"{number} {colour} {plural(kind, len(group))}"


def centre(part: Part) -> tuple[float, float]:
    """x and y of the middle of its box, in pixels."""
    x, y, width, height = part.bbox
    return x + width / 2, y + height / 2


def _relation(shapes: Sequence[Part], ground: str) -> str:
    """How the two groups lie that are furthest apart along an axis; "" where no two are apart."""
    best, text = 0.0, ""
    for axis, _, _ in _RELATIONS:
        for first in groups(shapes):
            for second in groups(shapes):
                gap = min(centre(part)[axis] for part in second) - max(centre(part)[axis] for part in first)
                if gap > best:
                    # Told from the group that appears first, so that both directions of an axis occur.
                    swapped = shapes.index(second[0]) < shapes.index(first[0])
                    one, other = (second, first) if swapped else (first, second)
                    best, text = gap, f"{phrase(one)} {_RELATIONS[axis][1 + swapped]} {phrase(other)} on {ground}"
    return text


def _largest(shapes: Sequence[Part], scene: Scene) -> str:
    """The shape that shows the most pixels and the ninth of the picture that its middle is in; "" without shapes."""
    if not shapes:
        return ""
    part = max(shapes, key=lambda shape: shape.area)
    return f"the largest shape is {phrase([part])} in the {place(part, scene)}"


def place(part: Part, scene: Scene) -> str:
    """The ninth of the picture that the middle of a part is in: ``upper left``, ``middle`` …"""
    across, down = (
        names[int(3 * at / side)]
        for at, side, names in zip(
            centre(part),
            (scene.ids.shape[1], scene.ids.shape[0]),
            (("left", "centre", "right"), ("upper", "middle", "lower")),
            strict=True,
        )
    )
    return "middle" if (down, across) == ("middle", "centre") else f"{down} {across}"


def sentence(text: str) -> str:
    """`text` with a capital and a full stop."""
    at = text.find(":") + 1 if text.startswith("<") else 0  # behind the opening of a tag
    return text[:at] + text[at].upper() + text[at + 1 :] + "."
