"""The scene graph of a caption from the facts of its sentences."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from vismark.formats.scene_graphs import Facts, Relation, SceneGraph


class Language(Protocol):
    """What is known about English; `vismark.instruments.capture.language` has it from NLTK."""

    def noun(self, word: str) -> str:
        """The base form of a noun."""

    def adjective(self, word: str) -> str:
        """The base form of an adjective."""

    def nouns(self, text: str) -> frozenset[str]:
        """The base forms of the nouns in a text."""


def merged(caption: str, sentences: Sequence[Facts], language: Language, stop_words: Collection[str]) -> SceneGraph:
    """The graph of `caption`: what its sentences say, of things that it names with a noun.

    Args:
        sentences: their facts.
        stop_words: what is no object ("background", "scene", …).
    """
    nouns = language.nouns(caption)

    def named(thing: str) -> bool:
        return thing in nouns or all(piece in nouns for piece in thing.split(" "))

    things: dict[str, set[str]] = {}
    relations: set[Relation] = set()
    for found in sentences:
        for entity, attributes in found.attributes.items():
            known = things.setdefault(language.noun(entity), set())
            known |= {word for word in map(language.adjective, attributes) if " of" not in word}
        relations |= {(language.noun(one), how, language.noun(other)) for one, how, other in found.relations}
    kept = sorted(filter(named, things))
    return SceneGraph(
        objects=tuple(thing for thing in kept if thing not in stop_words),
        attributes=tuple(word for thing in kept for word in sorted(things[thing])),
        relations=tuple(sorted(one for one in relations if named(one[0]) and named(one[2]))),
    )
