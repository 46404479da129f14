"""METEOR 1.5's normalisation of English text (its option ``-norm``), lower-cased and cut into words."""

from __future__ import annotations

import re
from collections.abc import Mapping

_LETTERS = "A-Za-zŠŽšžŸÀ-ÖØ-öø-ž\u0400-\u04ff\u0500-\u0527\ua640-\ua66e\ua67e-\ua697\u1d00-\u1d7f"
_PLAIN = re.compile("[a-z0-9 ]*")
_BLANKS = re.compile("[ \t\n\r\f]+")
_SPACES = re.compile("[ \u2000-\u200a\u202f\u205f\u3000\u00a0]+")
# What ``String.trim`` of Java removes.
_ENDS = "".join(map(chr, range(0x21)))
# Stands for a dot of a run of dots while single dots are looked at; no text holds it.
_DOT = "\udc2e"

_LETTER = re.compile(f"[{_LETTERS}]")
_STEPS = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (rf"([^0-9{_LETTERS} \t\n\v\f\r.'`,\-‘’])", r" \1 "),
        (r"\.\.+", lambda found: f" {_DOT * len(found[0])} "),
        (r"([^0-9]),([^0-9])", r"\1 , \2"),
        (r"([0-9]),([^0-9])", r"\1 , \2"),
        (r"([^0-9]),([0-9])", r"\1 , \2"),
        ("[`‘’]", "'"),
        ("[“”]|''", ' " '),
        ("–", "-"),
        ("--", "-"),
        (rf"([0-9{_LETTERS}.])-([0-9{_LETTERS}])", r"\1 \2"),
        (rf"([^{_LETTERS}])'([^{_LETTERS}])", r"\1 ' \2"),
        (rf"([^{_LETTERS}0-9])'([{_LETTERS}])", r"\1 ' \2"),
        (rf"([{_LETTERS}])'([^{_LETTERS}])", r"\1 ' \2"),
        (rf"([{_LETTERS}])'([{_LETTERS}])", r"\1 '\2"),
        (r"([0-9])'s", r"\1 's"),
    )
)


def normalized(text: str, prefixes: Mapping[str, bool]) -> list[str]:
    """The words of `text` as METEOR compares them.

    Args:
        prefixes: abbreviations, see `vismark.formats.meteor.MeteorTables`.
    """
    if _PLAIN.fullmatch(text):
        return text.split()
    text = f" {text.strip(_ENDS)} "
    for pattern, new in _STEPS:
        text = pattern.sub(new, text)
    words = [word for word in _BLANKS.split(text) if word]
    followers = [*words, ""][1:]
    kept = " ".join(_dotted(word, after, prefixes) for word, after in zip(words, followers, strict=True))
    spaced = _SPACES.sub(" ", kept.replace(_DOT, ".")).strip(_ENDS)
    return [word for word in _BLANKS.split(spaced.lower()) if word]


def _dotted(word: str, after: str, prefixes: Mapping[str, bool]) -> str:
    """A word with its last dot kept, removed with all others, or split off."""
    if len(word) < 2 or word[-1] != ".":
        return word
    stem = word[:-1]
    if "." in stem and _LETTER.search(stem):
        return word.replace(".", "")
    numeric = prefixes.get(stem)
    if numeric is False or "a" <= after[:1] <= "z" or (numeric and "0" <= after[:1] <= "9"):
        return word
    return f"{stem} ."
