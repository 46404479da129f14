"""A finite automaton that cuts text into its longest matches, as the lexer generator JFlex 1.4 lays it out."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Failed scans longer than this are remembered, so that hostile text costs linear and not quadratic time.
_LONG = 64
_FINAL, _LAST = 1, 8


@dataclass(frozen=True)
class Automaton:
    """The tables.

    Attributes:
        classes: class of each UTF-16 code unit, 65,536 bytes.
        rows: where the row of each state starts in `moves`.
        moves: next state for each (state, class), −1 is none.
        actions: rule whose match ends in each state, 0 where none does.
        last: states that no move leaves.
        start: the first state.
    """

    classes: bytes
    rows: array[int]
    moves: array[int]
    actions: array[int]
    last: frozenset[int]
    start: int

    def match(self, kinds: bytes, at: int, hopeless: set[tuple[int, int]]) -> tuple[int, int, bool]:
        """The longest match in the character classes `kinds` from position `at`.

        Args:
            hopeless: (state, position) pairs from which nothing more matches in `kinds`; extended here.

        Returns:
            Rule, end of the match, and whether more text after the end of `kinds` could change either.

        Raises:
            ValueError: nothing matches.
        """
        rows, moves, actions = self.rows, self.moves, self.actions
        state, rule, end = self.start, 0, at
        doubtful: list[tuple[int, int]] = []
        for position in range(at, len(kinds)):
            state = moves[rows[state] + kinds[position]]
            if state < 0:
                break
            if actions[state]:
                rule, end = actions[state], position + 1
                doubtful.clear()
            elif position - end >= _LONG:
                if (state, position) in hopeless:
                    break
                doubtful.append((state, position))
        hopeless.update(doubtful)
        if not rule:
            raise ValueError(f"no rule matches at {at}")
        return rule, end, state >= 0 and state not in self.last

    def shorter(self, kinds: bytes, at: int, end: int, rules: frozenset[int]) -> int:
        """End of the longest match of one of `rules` that starts at `at` and stops before `end`; `at` if there is none.

        JFlex's trailing context: of a match that was looked at whole, this is the part that is used up.
        """
        state, found = self.start, at
        for position in range(at, end - 1):
            state = self.moves[self.rows[state] + kinds[position]]
            if self.actions[state] in rules:
                found = position + 1
        return found


def unpacked(packed: Mapping[str, str | int], start: int) -> Automaton:
    """The automaton in the constants (see `classfile.constants`) of a class that JFlex wrote.

    Raises:
        ValueError: they are not such constants.
    """
    try:
        classes = _runs(packed, "ZZ_CMAP_PACKED", 1)
        rows = _units(_joined(packed, "ZZ_ROWMAP_PACKED"))
        attributes = _runs(packed, "ZZ_ATTRIBUTE_PACKED")
        actions = _runs(packed, "ZZ_ACTION_PACKED") * (attributes & _FINAL)
        moves = _runs(packed, "ZZ_TRANS_PACKED") - 1
    except KeyError as error:
        raise ValueError(f"the class has no table {error}") from error
    if classes.size != 1 << 16 or classes.max() > 255:
        raise ValueError("the class maps other than 65,536 code units, or to more than 256 classes")
    return Automaton(
        classes=classes.astype(np.uint8).tobytes(),
        rows=_array((rows[0::2] << 16) | rows[1::2]),
        moves=_array(moves),
        actions=_array(actions),
        last=frozenset(np.flatnonzero(attributes & _LAST).tolist()),
        start=start,
    )


def _array(values: NDArray[np.int64]) -> array[int]:
    """Plain numbers: an item of a numpy array takes several times as long to read."""
    return array("i", values.astype(np.int32).tobytes())


def _joined(packed: Mapping[str, str | int], name: str) -> str:
    """Long tables are spread over several constants, numbered from 0."""
    parts: list[str] = []
    while f"{name}_{len(parts)}" in packed:
        parts.append(str(packed[f"{name}_{len(parts)}"]))
    if not parts:
        raise KeyError(name)
    return "".join(parts)


def _runs(packed: Mapping[str, str | int], name: str, single: int = 0) -> NDArray[np.int64]:
    """A run-length coded table: pairs of count and value."""
    units = _units(str(packed[name]) if single else _joined(packed, name))
    return np.repeat(units[1::2], units[0::2])


def _units(text: str) -> NDArray[np.int64]:
    return np.frombuffer(text.encode("utf-16-le", "surrogatepass"), dtype="<u2").astype(np.int64)
