"""What is said of a video of shapes: grounded captions in ViCaS' markup, paraphrases, and expressions that mean shapes.

Everything is true of the video: an expression means all shapes that fit its words, and no other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from vismark.datasets.shapes.captions import NUMBERS, listed, plural
from vismark.datasets.shapes.motion import Actor, Clip, Motion

_MOVES: dict[Motion, tuple[str, str]] = {
    "returns": ("leaves the picture and comes back", "离开画面又回来"),
    "enters": ("comes into the picture", "进入画面"),
    "left": ("moves to the left", "向左移动"),
    "right": ("moves to the right", "向右移动"),
    "up": ("moves up", "向上移动"),
    "down": ("moves down", "向下移动"),
    "rests": ("stays where it is", "停在原处"),
}
_COLOURS = {
    "red": "红色",
    "orange": "橙色",
    "yellow": "黄色",
    "green": "绿色",
    "blue": "蓝色",
    "purple": "紫色",
    "pink": "粉色",
    "white": "白色",
}
_KINDS = {
    "circle": "圆形",
    "square": "方形",
    "triangle": "三角形",
    "star": "星形",
    "ring": "环形",
    "cross": "十字形",
    "crescent": "月牙形",
    "heart": "心形",
}
_GROUNDS = {"grass": "草地", "sand": "沙地", "water": "水面", "brick": "砖墙"}


def caption(clip: Clip) -> str:
    """The caption with markup: every group of like shapes, what its first member does, and the ground."""
    told = []
    for ids in _groups(clip):
        move = _MOVES[clip.actors[ids[0]].motion][0]
        verb = move if len(ids) == 1 else f"move about, the first {move}"
        told.append(f"{_marked(_phrase(clip, ids), ids)} {verb}")
    text = listed(told)
    return f"On {clip.ground.name}, {text}."


def chinese(clip: Clip) -> str:
    """The same in Chinese, with full-width marks as in ViCaS."""
    told = []
    for ids in _groups(clip):
        actor = clip.actors[ids[0]]
        count = "" if len(ids) == 1 else f"{len(ids)}个"
        name = f"{count}{_COLOURS[actor.colour]}{_KINDS[actor.category.name]}"
        told.append(_marked(name, ids) + _MOVES[actor.motion][1])
    return f"在{_GROUNDS[clip.ground.name]}上，" + "，".join(told) + "。"


def paraphrases(clip: Clip) -> list[str]:
    """Two other captions, without markup."""
    groups = _groups(clip)
    things = listed([_phrase(clip, ids) for ids in groups])
    moves = [f"{_phrase(clip, ids)} {_MOVES[clip.actors[ids[0]].motion][0]}" for ids in groups if len(ids) == 1]
    first = f"{things[0].upper()}{things[1:]} are seen on {clip.ground.name}."
    return [first, f"A video of {clip.ground.name} in which {listed(moves) or things + ' are seen'}."]


def expressions(clip: Clip, seen: Sequence[int]) -> list[tuple[str, list[int]]]:
    """What can be asked for and the shapes that are meant, in a fixed order; only shapes of `seen` are asked for."""
    found: dict[str, list[int]] = defaultdict(list)
    for id, actor in enumerate(clip.actors):
        found[f"the {actor.colour} {actor.category.name}"].append(id)
        found[f"every {actor.category.name}"].append(id)
        found[f"what {_MOVES[actor.motion][0]}"].append(id)
    everything = [("all shapes", list(range(len(clip.actors))))]
    asked = [(_worded(text, ids), ids) for text, ids in [*found.items(), *everything]]
    return [(text, ids) for text, ids in asked if set(ids) <= set(seen)]


def _worded(text: str, ids: Sequence[int]) -> str:
    """``the red circle`` of one shape, ``the red circles`` of several."""
    return plural(text) if text.startswith("the ") and len(ids) > 1 else text


def _groups(clip: Clip) -> list[list[int]]:
    """Shapes of one kind and colour together, in order of appearance."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for id, actor in enumerate(clip.actors):
        found[actor.colour, actor.category.name].append(id)
    return list(found.values())


def _phrase(clip: Clip, ids: Sequence[int]) -> str:
    """``a red circle``, ``two red circles``."""
    actor: Actor = clip.actors[ids[0]]
    article = "an" if actor.colour[0] in "aeiou" else "a"
    number = article if len(ids) == 1 else NUMBERS[len(ids)]
    return f"{number} {actor.colour} {plural(actor.category.name, len(ids))}"


def _marked(phrase: str, ids: Sequence[int]) -> str:
    return f"[{phrase}]<mask_{', '.join(map(str, ids))}>"
