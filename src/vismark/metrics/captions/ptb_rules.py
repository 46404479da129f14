"""What the tokenizer makes of a match: the token and how much of the match it uses up.

The numbers are those of the lexer in CoreNLP 3.4.1. What each of them does was found by feeding the Java program
samples that end in every state of its automaton, and holds for its options ``-preserveLines -lowerCase``.
"""

from __future__ import annotations

import re
from collections.abc import Callable

SPACE, NEWLINE = 7, 5
_NBSP = "\u00a0"
_SOFT_HYPHEN = "\u00ad"

_QUOTES = str.maketrans(
    {
        "\u2018": "`", "\u201b": "`", "\u2039": "`", "\u0091": "`", "\u2019": "'", "\u203a": "'", "\u0092": "'",
        "\u201c": "``", "\u00ab": "``", "\u0093": "``", "\u201d": "''", "\u00bb": "''", "\u0094": "''", '"': "''",
    }
)  # fmt: skip
_PARENTHESES = str.maketrans({"(": "-LRB-", ")": "-RRB-"})
_FRACTIONS = {"\u00bc": "1/4", "\u00bd": "1/2", "\u00be": "3/4", "\u2153": "1/3", "\u2154": "2/3"}
_CURRENCIES = {"\u00a2": "cents", "\u00a3": "#", "\u0080": "$", "\u00a4": "$", "\u20a0": "$", "\u20ac": "$"}
_APOSTROPHE = re.compile(r"&apos;|['\u2019\u0092]", re.IGNORECASE)
_NOT = re.compile(r"n(?:&apos;|['`\u2018\u2019\u201b\u0091\u0092])t\Z", re.IGNORECASE)

Rule = Callable[[str], tuple[str, int]]


def _word(text: str) -> str:
    return text.replace(_SOFT_HYPHEN, "") or "-"


def _quotes(text: str) -> str:
    return text.replace("&apos;", "'").replace("&quot;", '"').translate(_QUOTES)


def _whole(text: str) -> tuple[str, int]:
    return text, len(text)


def _words(text: str) -> tuple[str, int]:
    return _word(text), len(text)


def _always(token: str) -> Rule:
    return lambda text: (token, len(text))


def _but_last(count: int) -> Rule:
    """The last `count` characters were only looked at."""
    return lambda text: (_word(text[:-count]), len(text) - count)


def _domain(text: str) -> tuple[str, int]:
    return text[:-1], len(text) - 1


def _mapped(table: dict[str, str]) -> Rule:
    return lambda text: (table.get(text, text), len(text))


def _dashes(text: str) -> tuple[str, int]:
    return ("--" if len(text) in (3, 4) else text), len(text)


def _quoted(text: str) -> tuple[str, int]:
    return _quotes(text), len(text)


def _before_quoted(text: str) -> tuple[str, int]:
    return _quotes(text[:-1]), len(text) - 1


def _opening(text: str) -> tuple[str, int]:
    quote = text[:-1]
    return ("``" if quote in ('"', "&quot;") else quote), len(text) - 1


def _opening_single(text: str) -> tuple[str, int]:
    return "`", 1


def _before_apostrophe(text: str) -> tuple[str, int]:
    at = [found.start() for found in _APOSTROPHE.finditer(text)][-1]
    return _word(text[:at]), at


def _before_not(text: str) -> tuple[str, int]:
    found = _NOT.search(text)
    at = found.start() if found else len(text)
    return _word(text[:at]), at


def _to_dot(text: str) -> tuple[str, int]:
    at = text.rindex(".") + 1
    return text[:at], at


def _to_first_dot(text: str) -> tuple[str, int]:
    at = text.index(".") + 1
    return text[:at], at


def _joined(text: str) -> tuple[str, int]:
    return text.replace(" ", _NBSP), len(text)


def _joined_round(text: str) -> tuple[str, int]:
    return text.replace(" ", _NBSP).translate(_PARENTHESES), len(text)


def _round(text: str) -> tuple[str, int]:
    return text.translate(_PARENTHESES), len(text)


def _smiley(text: str) -> tuple[str, int]:
    return text[:-1].translate(_PARENTHESES), len(text) - 1


def _ampersand(text: str) -> tuple[str, int]:
    return re.sub("&amp;", "&", text, flags=re.IGNORECASE), len(text)


# A rule that is not here drops its match: white space, new lines, and characters that are no token.
RULES: dict[int, Rule] = {
    2: _always("<"), 3: _whole, 4: _dashes, 6: _words, 8: _quoted, 9: _whole, 10: _always(">"), 11: _always("--"),
    12: _words, 13: _always("..."), 14: _mapped(_FRACTIONS), 15: _mapped(_CURRENCIES), 16: _always("-RCB-"),
    17: _always("-LRB-"), 18: _always("-RRB-"), 19: _whole, 20: _always("-LCB-"), 21: _always("-RSB-"),
    22: _always("-LSB-"), 24: _but_last(1), 25: _but_last(1), 26: _opening, 27: _joined, 28: _round, 29: _words,
    30: _before_apostrophe, 31: _whole, 32: _but_last(1), 33: _whole, 34: _smiley, 35: _opening_single,
    36: _before_quoted, 37: _ampersand, 39: _joined, 40: _before_not, 41: _domain, 42: _but_last(2),
    43: _but_last(1), 44: _to_dot, 45: _whole, 46: _but_last(1), 50: _but_last(3), 51: _but_last(1),
    52: _whole, 53: _to_first_dot, 54: _joined_round,
}  # fmt: skip

# Abbreviations and initials with what follows them: the token is the longest match of the rules in `SHORTER`.
IN_SENTENCE, AT_END, INITIALS_AT_END = 48, 49, 47
SHORTER = frozenset({3, 33})


def abbreviation(rule: int, text: str) -> tuple[str, int]:
    """Token and used length of the abbreviation `text` that `rule` found.

    At the end of a sentence its dot counts twice. A single letter before
    a new sentence is no abbreviation at all: ``vitamin C. The`` but ``in the U.S. The``.
    """
    if rule == IN_SENTENCE:
        return text, len(text)
    if rule == INITIALS_AT_END and len(text) == 2:
        return text[:-1], 1
    return text, len(text) - 1
