"""3D-spatial: is an object in front of, behind or hidden by another? (``3D_spatial_eval.py``, 1b70949)"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vismark.metrics.t2i_compbench.objects import Box, Labelled, iou, person, where

RELATIONS = ("in front of", "behind", "hidden")
_OVERLAP = 0.5

Depth = NDArray[np.float32]


def depth_relation(prompt: str) -> str | None:
    """The relation that a prompt states, or None."""
    return next((phrase for phrase in RELATIONS if phrase in prompt), None)


def score_3d(
    objects: Sequence[Labelled], first: str, second: str, relation: str | None, depth: Depth, *, repaired: bool = False
) -> float:
    """The score of a picture in 0 … 1: a quarter of each object's confidence, and half for the depth.

    Args:
        objects: what UniDet found, best first.
        first, second: the nouns: the first is in front of, behind, or hidden by the second.
        depth: float32 of the height and width of the detector's picture, larger is nearer.
        repaired: take synonyms and parts of labels, and rows of the map for heights; the script takes any label that
            holds the noun's letters, the last one before both are found, and the map with its axes exchanged.
    """
    first, second = person(first), person(second)
    if repaired:
        every = (where(objects, noun, repaired=True) for noun in (first, second))
        found: list[int | None] = [places[0] if places else None for places in every]
    else:
        found = _walk([one.label for one in objects], first, second)
    a, b = (objects[place] if place is not None else None for place in found)
    if a is None or b is None:
        only = a or b
        return 0.25 * only.score if only else 0.0
    return 0.25 * a.score + 0.25 * b.score + 0.5 * layered(relation, a.box, b.box, depth, repaired=repaired)


def layered(relation: str | None, a: Box, b: Box, depth: Depth, *, repaired: bool = False) -> float:
    """How well `a` lies in front of or behind `b`, in 0 … 1; nothing where the boxes do not overlap."""
    nearer = _mean(depth, a, repaired) - _mean(depth, b, repaired)
    right = nearer > 0 if relation == "in front of" else nearer < 0
    overlap = iou(a, b)
    if relation is None or not right or overlap in (0.0, _OVERLAP):
        return 0.0
    return 1.0 if overlap > _OVERLAP else overlap / _OVERLAP


def _walk(labels: Sequence[str], first: str, second: str) -> list[int | None]:
    """The places that the script takes: later labels overwrite earlier ones until both nouns are found."""
    there = [any(noun in label for label in labels) for noun in (first, second)]
    places: list[int | None] = [None, None]
    for place, label in enumerate(labels):
        for which, noun in enumerate((first, second)):
            # Alone, a noun keeps its first place.
            if there[which] and noun in label and (all(there) or places[which] is None):
                places[which] = place
        if None not in places:
            break
    return places


def _mean(depth: Depth, box: Box, repaired: bool) -> float:
    """Mean depth of a box; NaN where it is empty. Officially rows are taken from left to right."""
    left, top, right, bottom = (int(side) for side in box)
    region = depth[top:bottom, left:right] if repaired else depth[left:right, top:bottom]
    return float(region.mean()) if region.size else float("nan")
