"""The answer of SPICE's Java program."""

from __future__ import annotations

import msgspec

from vismark.problems import refuse


class SpiceScore(msgspec.Struct, frozen=True):
    """SPICE of one candidate: F1 of object, attribute and relation tuples, and by kind of tuple.

    Attributes:
        f: None where neither side has a tuple.
        kinds: ``Object``, ``Relation``, ``Attribute``, ``Color``, ``Size``, ``Cardinality`` → their F1.
    """

    f: float | None
    kinds: dict[str, float | None]


class _Kind(msgspec.Struct):
    # The program writes null or NaN for none.
    f: float | str | None = None


class _Entry(msgspec.Struct):
    image_id: int
    scores: dict[str, _Kind]


def read_scores(text: str, items: int) -> list[SpiceScore]:
    """Reads the program's output file; entries are put in the order of their ids, 0 … `items` − 1.

    Raises:
        Refused: it is no such file, or has not one entry for each item (JAVA_PROGRAM).
    """
    try:
        entries = msgspec.json.decode(text.replace("NaN", "null"), type=list[_Entry])
    except msgspec.DecodeError as error:
        raise refuse("JAVA_PROGRAM", f"SPICE's answer cannot be read: {error}") from error
    found = {entry.image_id: entry.scores for entry in entries}
    if len(entries) != items or set(found) != set(range(items)) or any("All" not in one for one in found.values()):
        raise refuse("JAVA_PROGRAM", f"SPICE answered for {len(entries)} captions, not for {items}")
    kinds = [{name: _number(kind) for name, kind in found[item].items()} for item in range(items)]
    return [SpiceScore(f=one.pop("All"), kinds=one) for one in kinds]


def _number(kind: _Kind) -> float | None:
    return kind.f if isinstance(kind.f, float) else None
