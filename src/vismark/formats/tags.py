"""Grounded captions: plain text in which ``<IDS:phrase>`` ties a phrase to segments (COCONut-PanCap, arXiv:2502.02589).

``tag := '<' ws* int (ws* ',' ws* int)* ws* ':' ws* phrase '>'``. The paper's own examples break this grammar in a few
ways; every break is named by a code, and what can be understood is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from vismark.tasks import Span

Code = Literal[
    "TAG_NONE",
    "TAG_STRAY_CLOSE",
    "TAG_PHRASE_STARTS_WITH_DIGIT",
    "TAG_NESTED",
    "TAG_UNCLOSED",
    "TAG_MALFORMED",
]

MEANINGS: dict[Code, str] = {
    "TAG_NONE": "no phrase is grounded",
    "TAG_STRAY_CLOSE": "a > without a <",
    "TAG_PHRASE_STARTS_WITH_DIGIT": "a phrase starts with a digit: was a comma meant before it?",
    "TAG_NESTED": "a tag inside a tag",
    "TAG_UNCLOSED": "a < without a >",
    "TAG_MALFORMED": "bad numbers or an empty phrase; the text is left as it is",
}

# At most nine digits: no data set has longer numbers, and Python refuses to read very long ones.
_HEADER = re.compile(r"<\s*(\d{1,9}(?:\s*,\s*\d{1,9})*)\s*:")

# Breaks of the grammar that leave no doubt about what was meant.
_HARMLESS: frozenset[Code] = frozenset({"TAG_PHRASE_STARTS_WITH_DIGIT"})


@dataclass(frozen=True)
class Tag:
    """A grounded phrase: its numbers as written, its text, and where it stands in the plain caption."""

    numbers: tuple[int, ...]
    phrase: str
    start: int
    stop: int


@dataclass(frozen=True)
class Finding:
    """A break of the grammar, and the position in the raw caption where it is."""

    code: Code
    position: int


@dataclass(frozen=True)
class Grounded:
    """A parsed caption.

    Attributes:
        plain: every tag replaced by its phrase, runs of blanks collapsed.
        tags: in the order of their opening brackets.
        findings: breaks of the grammar, in the order of the text.
    """

    plain: str
    tags: tuple[Tag, ...]
    findings: tuple[Finding, ...]

    @property
    def valid(self) -> bool:
        """Whether every ``<…>`` matches the grammar and there is at least one (the strict rule)."""
        return all(finding.code in _HARMLESS for finding in self.findings)


@dataclass
class _Bracket:
    """A ``<`` and what became of it: the end of its header, and its ``>`` once that is found."""

    position: int
    header_end: int = 0
    numbers: tuple[int, ...] = ()
    close: int = -1
    outer: _Bracket | None = field(default=None, repr=False)


def tagged(text: str, spans: Sequence[Span]) -> str:
    """`text` with its spans (in order, none overlapping another) written as tags."""
    out, end = [], 0
    for span in spans:
        numbers = ",".join(map(str, span.segments))
        out += [text[end : span.start], f"<{numbers}:{text[span.start : span.stop]}>"]
        end = span.stop
    return "".join([*out, text[end:]])


def parse(caption: str) -> Grounded:
    """Parse a grounded caption; any text is accepted, in time linear in its length."""
    brackets, findings = _brackets(caption)
    tags = {bracket.position: bracket for bracket in brackets}
    nested = {id(bracket.outer): bracket.outer for bracket in brackets if bracket.outer is not None}
    findings += [Finding("TAG_NESTED", outer.position) for outer in nested.values() if outer.close >= 0]
    plain, spans = _plain(caption, tags)
    for bracket in brackets:
        if caption[bracket.header_end : bracket.close].lstrip()[:1].isdigit():
            findings.append(Finding("TAG_PHRASE_STARTS_WITH_DIGIT", bracket.position))
    findings.sort(key=lambda finding: finding.position)
    if not brackets:
        findings.append(Finding("TAG_NONE", len(caption)))
    found = tuple(Tag(b.numbers, plain[slice(*spans[b.position])], *spans[b.position]) for b in brackets)
    return Grounded(plain, found, tuple(findings))


def _brackets(caption: str) -> tuple[list[_Bracket], list[Finding]]:
    """The brackets that are tags, by position, and what is wrong with the others."""
    findings: list[Finding] = []
    tags: list[_Bracket] = []
    stack: list[_Bracket] = []
    for found in re.finditer(r"[<>]", caption):
        position = found.start()
        if found[0] == "<":
            stack.append(_opened(caption, position, stack))
        elif not stack:
            findings.append(Finding("TAG_STRAY_CLOSE", position))
        else:
            bracket = stack.pop()
            if bracket.numbers and caption[bracket.header_end : position].strip():
                bracket.close = position
                tags.append(bracket)
            else:
                findings.append(Finding("TAG_MALFORMED", bracket.position))
    findings += [Finding("TAG_UNCLOSED", bracket.position) for bracket in stack]
    return sorted(tags, key=lambda tag: tag.position), findings


def _opened(caption: str, position: int, stack: list[_Bracket]) -> _Bracket:
    header = _HEADER.match(caption, position)
    if header is None:
        return _Bracket(position)
    outer = next((bracket for bracket in reversed(stack) if bracket.numbers), None)
    numbers = tuple(int(number) for number in header[1].split(","))
    return _Bracket(position, header.end(), numbers, outer=outer)


def _plain(caption: str, tags: dict[int, _Bracket]) -> tuple[str, dict[int, tuple[int, int]]]:
    """The caption without markup, and the span of each tag's phrase in it, by the position of the tag."""
    closes = {tag.close: tag for tag in tags.values()}
    out: list[str] = []
    starts: dict[int, int] = {}
    spans: dict[int, tuple[int, int]] = {}
    fresh = True  # nothing but blanks since the start of the caption or of a phrase: blanks are dropped
    for position, character in _characters(caption, tags):
        if position in tags:
            starts[position], fresh = len(out), True
        elif position in closes:
            start = starts[closes[position].position]
            while len(out) > start and out[-1].isspace():
                out.pop()
            spans[closes[position].position], fresh = (start, len(out)), False
        elif character.isspace():
            if not fresh and out and not out[-1].isspace():
                out.append(" ")
        else:
            out.append(character)
            fresh = False
    while out and out[-1].isspace():
        out.pop()
    return "".join(out), spans


def _characters(caption: str, tags: dict[int, _Bracket]) -> Iterator[tuple[int, str]]:
    """Position and character of all but the headers of tags; a tag's header is one item."""
    position = 0
    while position < len(caption):
        yield position, caption[position]
        position = tags[position].header_end if position in tags else position + 1
