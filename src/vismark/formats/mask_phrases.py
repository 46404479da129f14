"""Captions of ViCaS, in which ``[phrase]<mask_IDS>`` ties a phrase to object tracks (arXiv:2412.09754).

``group := '[' phrase ']<' ('mask_' | 'mask') ids '>'``, where ids are digits, ``?`` (a crowd), commas and blanks. The
official reader (github.com/Ali2500/ViCaS 3d10993, `parse_caption`) takes every digit for an id of its own, accepts a
group that the text ends within, and gives an empty phrase the raw start of the phrase before it: so does this one, and
says so in `findings`. With ``ids="numbers"`` digits that stand together are one number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

CROWD = -1

Ids = Literal["official", "numbers"]
Code = Literal["PHRASE_UNFINISHED", "PHRASE_EMPTY", "PHRASE_ID_DIGITS"]

_MARK = re.compile(r"[\[\]<>]")
_PREFIXES = ("mask_", "mask")
_CONTEXT = 25
_NUMBER = re.compile(r"\d+|\?")
# Python refuses to read very long numbers, and no video has a billion objects.
_LONGEST = 9


class PhraseFault(ValueError):
    """A caption that the official reader refuses; `position` is the place in its raw text."""

    def __init__(self, message: str, position: int, raw: str) -> None:
        before = raw[max(0, position - _CONTEXT) : position + 1]
        super().__init__(f"{message} at character {position}, after {before!r}")
        self.message = message
        self.position = position


@dataclass(frozen=True)
class Phrase:
    """A grounded phrase.

    Attributes:
        ids: of tracks, in the order written, repeats kept; `CROWD` for a ``?``.
        start, end: first and last character in the parsed text; start is −1 for an empty phrase.
        start_raw: first character in the raw text; for an empty phrase that of the phrase before it, or −1.
        end_raw: place of the ``]`` in the raw text, one beyond the phrase.
    """

    ids: tuple[int, ...]
    phrase: str
    start: int
    end: int
    start_raw: int
    end_raw: int


@dataclass(frozen=True)
class Finding:
    """What the official reader accepts in silence, and where in the raw text it is."""

    code: Code
    position: int


@dataclass(frozen=True)
class VideoCaption:
    """A caption that was read: `raw` after full-width marks were replaced, `parsed` without markup."""

    raw: str
    parsed: str
    phrases: tuple[Phrase, ...]
    findings: tuple[Finding, ...] = ()

    def ids(self, *, crowd: bool = False) -> list[int]:
        """The ids of all phrases, each once, in order; the crowd only if wanted."""
        found = {id for phrase in self.phrases for id in phrase.ids}
        return sorted(found if crowd else found - {CROWD})


def parse_caption(text: str, ids: Ids = "official") -> VideoCaption:
    """Read a grounded caption, in time linear in its length.

    Args:
        ids: ``official`` takes each digit for an id (``mask_12`` is 1 and 2), ``numbers`` reads whole numbers.

    Raises:
        PhraseFault: the official reader refuses the text.
    """
    raw = text.replace("？", "?").replace("，", ",")
    parsed: list[str] = []
    phrases: list[Phrase] = []
    findings: list[Finding] = []
    position, length, start_raw = 0, 0, -1
    while position < len(raw):
        stop = _next_mark(raw, position)
        parsed.append(raw[position:stop])
        length += stop - position
        if stop == len(raw):
            break
        if raw[stop] != "[":
            raise PhraseFault(f"a {raw[stop]} outside a group", stop, raw)
        close = _phrase_end(raw, stop + 1)
        phrase = raw[stop + 1 : close]
        parsed.append(phrase)
        end = _ids_end(raw, close) if close < len(raw) else len(raw)
        if end == len(raw):
            findings.append(Finding("PHRASE_UNFINISHED", stop))
            break
        start_raw = stop + 1 if phrase else start_raw
        numbers = _numbers(raw, close, end, ids)
        start = length if phrase else -1
        length += len(phrase)
        phrases.append(Phrase(numbers, phrase, start, length - 1, start_raw, close))
        findings += [] if phrase else [Finding("PHRASE_EMPTY", stop)]
        if numbers != _numbers(raw, close, end, "official" if ids == "numbers" else "numbers"):
            findings.append(Finding("PHRASE_ID_DIGITS", close + 1))
        position = end + 1
    return VideoCaption(raw, "".join(parsed), tuple(phrases), tuple(findings))


def _next_mark(raw: str, start: int) -> int:
    """The place of the first bracket at or after `start`, or the length of the text."""
    found = _MARK.search(raw, start)
    return found.start() if found else len(raw)


def _phrase_end(raw: str, start: int) -> int:
    """The place of the ``]`` of a phrase that begins at `start`, or the length of the text."""
    close = _next_mark(raw, start)
    if close < len(raw) and raw[close] != "]":
        raise PhraseFault(f"a {raw[close]} inside a phrase", close, raw)
    return close


def _ids_end(raw: str, close: int) -> int:
    """The place of the ``>`` of the group whose phrase ends at `close`, or the length of the text."""
    if raw[close + 1 : close + 2] != "<":
        raise PhraseFault("no < right after a phrase", min(close + 1, len(raw) - 1), raw)
    first = _ids_start(raw, close)
    for place in range(first, len(raw)):
        if raw[place] == ">":
            return place
        if raw[place] not in ",? " and not raw[place].isdecimal():
            raise PhraseFault(f"{raw[place]!r} among the ids of a group", place, raw)
    return len(raw)


def _ids_start(raw: str, close: int) -> int:
    for prefix in _PREFIXES:
        if raw.startswith(prefix, close + 2):
            return close + 2 + len(prefix)
    raise PhraseFault("a group that does not begin with mask_", min(close + 2, len(raw) - 1), raw)


def _numbers(raw: str, close: int, end: int, ids: Ids) -> tuple[int, ...]:
    text = raw[_ids_start(raw, close) : end]
    found = _NUMBER.findall(text) if ids == "numbers" else [one for one in text if one not in ", "]
    if not found:
        raise PhraseFault("a group without ids", end, raw)
    if max(map(len, found)) > _LONGEST:
        raise PhraseFault("an endless number", end, raw)
    return tuple(CROWD if one == "?" else int(one) for one in found)
