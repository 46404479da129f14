"""Scene graphs of captions: the parser's text, the graph of a caption, and how far two graphs overlap."""

from __future__ import annotations

import msgspec

Relation = tuple[str, str, str]


class Facts(msgspec.Struct, frozen=True):
    """What the parser says about a sentence.

    Attributes:
        attributes: entity → its attributes, in the order of their facts; quantities are left out.
        relations: subject, predicate, object.
    """

    attributes: dict[str, list[str]]
    relations: list[Relation]


class SceneGraph(msgspec.Struct, frozen=True):
    """A caption as CAPTURE compares it; everything is sorted.

    Attributes:
        objects: different things.
        attributes: words that describe things, each as often as it describes one.
        relations: different relations.
    """

    objects: tuple[str, ...]
    attributes: tuple[str, ...]
    relations: tuple[Relation, ...]


class Overlap(msgspec.Struct, frozen=True, array_like=True):
    """How much of one kind of element two captions have in common.

    Attributes:
        candidate, reference: number of elements.
        candidate_matches, reference_matches: matched elements; those that only resemble one count their cosine.
    """

    candidate: int
    reference: int
    candidate_matches: float
    reference_matches: float


class Overlaps(msgspec.Struct, frozen=True, array_like=True):
    """The three kinds, of a candidate and one reference."""

    objects: Overlap
    attributes: Overlap
    relations: Overlap


def facts(text: str) -> Facts:
    """Reads ``( subject , predicate , object ) , …``, what FactualSceneGraph's models write.

    As its parser does: the last fact is dropped when it was cut off, the others are sorted and each is taken once; one
    with other than three parts is left out, unless it is the only one, which then names an entity.
    """
    spaced = " ".join(text.replace("(", " ( ").replace(")", " ) ").replace(",", " , ").split())
    parts = spaced.split(") ,")
    if not spaced.endswith(")"):
        parts = parts[:-1] or [parts[0].split(",")[0]]
    different = sorted({fact for part in parts if (fact := part.strip().strip("()").strip())})
    found = Facts(attributes={}, relations=[])
    for fact in different:
        _add(found, [part.strip() for part in fact.split(",")], alone=len(different) == 1)
    return found


def _add(found: Facts, parts: list[str], *, alone: bool) -> None:
    if len(parts) != 3:
        if alone:
            found.attributes.setdefault(parts[0], [])
        return
    subject, predicate, other = parts
    attributes = found.attributes.setdefault(subject, [])
    if predicate != "is":
        found.attributes.setdefault(other, [])
        found.relations.append((subject, predicate, other))
    elif not other.isdigit():
        attributes.append(other)
