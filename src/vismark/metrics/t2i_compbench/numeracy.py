"""Numeracy: are all objects there, and so many of each? (``numeracy_eval.py``, 1b70949)"""

from __future__ import annotations

from collections.abc import Sequence

from vismark.metrics.t2i_compbench.objects import Box, Labelled, means, person

# What the script asks detectors for; the third is its own spelling.
_NAMES = {"ship": "boat", "telivision": "tv", "goldfish": "fish", "painting": "picture"}
_SAME = 0.9


def score_numeracy(objects: Sequence[Labelled], wanted: Sequence[tuple[str, int]], *, repaired: bool = False) -> float:
    """The score of a picture in 0 … 1: each object has an equal part, half for being there, half for its number.

    Args:
        objects: what UniDet found, best first.
        wanted: (noun in the singular, number).
        repaired: count by whole names and synonyms; the script renames every label that holds the noun's letters, and
            the new names stay for the nouns that follow.
    """
    labels = [objects[place].label for place in distinct(objects)]
    score = 0.0
    for noun, number in wanted:
        name = _NAMES.get(noun, person(noun))
        if repaired:
            count = sum(means(label, name) for label in labels)
        else:
            if name not in labels:
                labels = [name if name in label else label for label in labels]
            count = labels.count(name)
        weight = 1 / len(wanted)
        score += 0.5 * weight * (count > 0) + 0.5 * weight * (count > 0 and count == number)
    return score


def distinct(objects: Sequence[Labelled]) -> list[int]:
    """The places of the objects that stay when later ones of the same name that cover the same are dropped."""
    kept: list[int] = []
    for place, one in enumerate(objects):
        others = (objects[other] for other in kept if objects[other].label == one.label)
        if not any(_covers(other.box, one.box) for other in others):
            kept.append(place)
    return kept


def _covers(a: Box, b: Box) -> bool:
    """Whether two boxes, one pixel larger than stated, share over 0.9 of their union or of one of them."""
    inner = max(min(a[2], b[2]) - max(a[0], b[0]) + 1, 0) * max(min(a[3], b[3]) - max(a[1], b[1]) + 1, 0)
    areas = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b)]
    whole = areas[0] + areas[1] - inner
    return any(area > 0 and inner / area > _SAME for area in (whole, *areas))
