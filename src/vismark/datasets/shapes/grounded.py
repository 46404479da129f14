"""Grounded captions of a scene in the form of COCONut-PanCap: a paragraph in which every segment is named."""

from __future__ import annotations

from collections.abc import Sequence

from vismark.datasets.shapes.captions import groups, listed, phrase, place, plural, sentence
from vismark.datasets.shapes.scenes import Part, Scene

_GROUNDS = {
    "grass": "a field of green grass",
    "sand": "a stretch of pale sand",
    "water": "a surface of blue water",
    "brick": "a wall of red brick",
}
_LOOK = "seen from above in even light, without any shadow, with plain colours and clear outlines"


def grounded(scene: Scene) -> str:
    """A paragraph about `scene` with ``<IDS:phrase>`` tags; numbers are positions in `segments_info`, from 0.

    The grounds come first, then a crowd, then groups of like shapes, then each shape alone: segments are named several
    times, some phrases name several.
    """
    parts = scene.parts
    grounds = listed([_tag(parts, [part], _GROUNDS[part.category.name]) for part in parts if not part.category.isthing])
    crowds = [part for part in scene.things if part.iscrowd]
    shapes = [part for part in scene.things if not part.iscrowd]
    told = [f"the picture shows {grounds}, {_LOOK}"]
    told += [
        f"scattered over it is {_tag(parts, [part], f'a crowd of small {plural(part.category.name)}')} of many colours"
        for part in crowds
    ]
    groups_told = [_tag(parts, group, phrase(group)) for group in groups(shapes)]
    told.append(f"on the ground {_verb(shapes)} {listed(groups_told)}" if shapes else "nothing else lies on the ground")
    for part in shapes:
        one = _tag(parts, [part], f"the {part.colour} {part.category.name}")
        told.append(f"{one} lies in the {place(part, scene)} of the picture and is {_size(part, scene)}")
    return " ".join(sentence(text) for text in told) + "\n"


def _tag(parts: Sequence[Part], named: Sequence[Part], text: str) -> str:
    return f"<{','.join(str(parts.index(part)) for part in named)}:{text}>"


def _verb(shapes: Sequence[Part]) -> str:
    return "lies" if len(shapes) == 1 else "lie"


def _size(part: Part, scene: Scene) -> str:
    share = part.area / scene.ids.size
    return "small" if share < 0.01 else "of middle size" if share < 0.04 else "large"
