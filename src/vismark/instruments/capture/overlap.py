"""How far two scene graphs overlap: equal elements, then synonyms, then resemblance. One element counts once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vismark.formats.scene_graphs import Overlap, Overlaps, Relation, SceneGraph

Synonyms = Callable[[str], frozenset[str]]
Embed = Callable[[Sequence[str]], NDArray[np.float32]]
Element = TypeVar("Element")


def overlaps(candidate: SceneGraph, reference: SceneGraph, synonyms: Synonyms, embed: Embed) -> Overlaps:
    """The overlap of objects, attributes and relations.

    Args:
        synonyms: of a word; blanks in words are underscores.
        embed: phrases to unit vectors, float32 of shape (phrases, size).
    """

    def alike(one: str, other: str) -> bool:
        return one in other or other in one or not synonyms(_joined(one)).isdisjoint(synonyms(_joined(other)))

    def related(one: Relation, other: Relation) -> bool:
        return all(alike(*pair) for pair in zip(one, other, strict=True))

    return Overlaps(
        objects=_overlap(candidate.objects, reference.objects, alike, str, embed),
        attributes=_overlap(candidate.attributes, reference.attributes, alike, str, embed),
        relations=_overlap(candidate.relations, reference.relations, related, " ".join, embed),
    )


def _joined(word: str) -> str:
    return "_".join(word.split())


def _overlap(
    ours: Sequence[Element],
    theirs: Sequence[Element],
    alike: Callable[[Element, Element], bool],
    text: Callable[[Element], str],
    embed: Embed,
) -> Overlap:
    """Greedy, one to one, each of `ours` in order with the first of `theirs` that is free."""
    left, free = list(ours), list(theirs)
    for same in (lambda one, other: one == other, alike):
        rest = []
        for one in left:
            place = next((at for at, other in enumerate(free) if same(one, other)), None)
            if place is None:
                rest.append(one)
            else:
                del free[place]
        left = rest
    matched = len(ours) - len(left)
    more, their_more = 0.0, 0.0
    if left and free:
        vectors = embed([*map(text, left), *map(text, free)])
        cosines = vectors[: len(left)] @ vectors[len(left) :].T
        more, their_more = float(np.sum(np.max(cosines, axis=1))), float(np.sum(np.max(cosines, axis=0)))
    return Overlap(len(ours), len(theirs), matched + more, matched + their_more)
