"""Escaping: text of strangers (names of models, sources, notes) made harmless for each format it is written in."""

from __future__ import annotations

import re

from vismark.problems import printable

LIMIT = 300

# Invisible although `str.isprintable` says otherwise: fillers, joiners, blank Braille, variation selectors.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_NUMBER = re.compile(r"[+-]?[0-9]+([.][0-9]+)?")
_FORMULA = tuple("=+-@＝＋－＠\t\r\n")

_MARKDOWN = str.maketrans(
    {character: "\\" + character for character in "\\`*_{}[]~#$"}
    | {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"}
)
_LATEX = str.maketrans(
    {character: "\\" + character for character in "{}$&#%_"}
    | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': "''",
        # After the end of a row these would be its optional argument and its star.
        "[": "{[}",
        "]": "{]}",
        "*": "{*}",
        "–": "--",
        "−": "$-$",
        "≈": r"$\approx$",
        "Δ": r"$\Delta$",
        "·": r"$\cdot$",
    }
)


def clean(text: str) -> str:
    """`text` with control, bidirectional and invisible characters escaped, cut to 300 characters."""
    shown = printable(text, LIMIT)
    return _INVISIBLE.sub(lambda found: found[0].encode("unicode_escape").decode(), shown)


def markdown(text: str) -> str:
    """`text` for a cell of a Markdown table: no markup, no HTML, no pipe (an entity stands for it)."""
    return clean(text).translate(_MARKDOWN)


def latex(text: str) -> str:
    """`text` for LaTeX: no commands, no comments, no alignment characters."""
    return clean(text).translate(_LATEX)


def spreadsheet(text: str) -> str:
    """`text` for a cell that a spreadsheet may open: what would start a formula gets an apostrophe; numbers do not."""
    shown = clean(text)
    return "'" + shown if shown.lstrip().startswith(_FORMULA) and not _NUMBER.fullmatch(shown) else shown
