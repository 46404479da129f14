"""2D-spatial: are two objects there, and one of them beside, above, … the other? (``2D_spatial_eval.py``, 1b70949)"""

from __future__ import annotations

from collections.abc import Sequence

from vismark.metrics.t2i_compbench.objects import Box, Labelled, iou, person, where

# The first that a prompt contains counts.
LOCALITIES = (
    "on side of",
    "next to",
    "near",
    "on the left of",
    "on the right of",
    "on the bottom of",
    "on the top of",
    "on top of",
)
# Pixels of the detector's picture of 480.
_NEAR = 150.0
_OVERLAP = 0.1
_LEAST = 0.5


def locality(prompt: str) -> str | None:
    """The relation that a prompt states, or None."""
    return next((phrase for phrase in LOCALITIES if phrase in prompt), None)


def score_2d(
    objects: Sequence[Labelled], first: str | None, second: str | None, relation: str | None, *, repaired: bool = False
) -> float:
    """The score of a picture in 0 … 1: a quarter for each confidence, half for the place; under 0.5 nothing.

    Args:
        objects: what UniDet found, best first.
        first, second: the nouns; None where the prompt could not be parsed.
        relation: as `locality` gives it.
        repaired: take synonyms and parts of labels, two objects for two equal nouns, and ``on top of`` (for which the
            script has no rule, so that 33 prompts of `complex` never score).
    """
    if first is None or second is None:
        return 0.0
    ones, others = (where(objects, person(noun), repaired=repaired) for noun in (first, second))
    if not ones or not others:
        found = ones or others
        score = 0.25 * objects[found[0]].score if found else 0.0
    elif repaired and ones == others and len(ones) > 1:
        pairs = ((ones[0], ones[1]), (ones[1], ones[0]))
        score = max(_pair(objects[a], objects[b], relation, repaired) for a, b in pairs)
    else:
        score = _pair(objects[ones[0]], objects[others[0]], relation, repaired)
    return score if score >= _LEAST else 0.0


def place(relation: str | None, a: Box, b: Box, *, repaired: bool = False) -> float:
    """How well `a` is placed relative to `b`, in 0 … 1."""
    dx = (b[0] + b[2]) / 2 - (a[0] + a[2]) / 2
    dy = (b[1] + b[3]) / 2 - (a[1] + a[3]) / 2
    if relation in ("next to", "on side of", "near"):
        return 1.0 if abs(dx) < _NEAR or abs(dy) < _NEAR else _NEAR / max(abs(dx), abs(dy))
    right = {
        "on the right of": dx < 0 and abs(dx) > abs(dy),
        "on the left of": dx > 0 and abs(dx) > abs(dy),
        "on the bottom of": dy < 0 and abs(dy) > abs(dx),
        "on the top of": dy > 0 and abs(dy) > abs(dx),
        "on top of": repaired and dy > 0 and abs(dy) > abs(dx),
    }
    if relation is None or not right[relation]:
        return 0.0
    overlap = iou(a, b)
    return 1.0 if overlap < _OVERLAP else _OVERLAP / overlap


def _pair(a: Labelled, b: Labelled, relation: str | None, repaired: bool) -> float:
    return 0.25 * a.score + 0.25 * b.score + 0.5 * place(relation, a.box, b.box, repaired=repaired)
