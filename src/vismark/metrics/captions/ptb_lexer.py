"""Turns text into Penn Treebank tokens: the automaton finds matches, the rules make tokens of them."""

from __future__ import annotations

from vismark.formats.jflex import Automaton
from vismark.metrics.captions.ptb_rules import AT_END, IN_SENTENCE, INITIALS_AT_END, RULES, SHORTER, abbreviation

_LOOK_BACK = frozenset({IN_SENTENCE, AT_END, INITIALS_AT_END})


class Text:
    """A text as Java sees it: UTF-16 code units, and their classes in the automaton."""

    def __init__(self, text: str, automaton: Automaton) -> None:
        raw = text.encode("utf-16-le", "surrogatepass")
        codes = memoryview(raw).cast("H")
        self.automaton = automaton
        self.units = text if len(codes) == len(text) else "".join(map(chr, codes))
        self.kinds = bytes(map(automaton.classes.__getitem__, codes))
        self.hopeless: set[tuple[int, int]] = set()

    def token(self, at: int) -> tuple[str, int, bool]:
        """The token at position `at` ("" for white space and what is dropped), its end, and whether it is settled.

        A token is settled when no text that could follow would change it.
        """
        rule, end, more = self.automaton.match(self.kinds, at, self.hopeless)
        if rule in _LOOK_BACK:
            short = self.automaton.shorter(self.kinds, at, end, SHORTER)
            token, used = abbreviation(rule, self.units[at:short])
        elif rule in RULES:
            token, used = RULES[rule](self.units[at:end])
        else:
            token, used = "", end - at
        return whole(token.lower()), at + used, not more


def length(text: str) -> int:
    """Length of `text` in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def whole(token: str) -> str:
    """`token` with pairs of surrogates joined; a lone one is `?`, as Java writes it."""
    if token.isascii() or not any("\ud800" <= unit <= "\udfff" for unit in token):
        return token
    joined = token.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return joined.encode("utf-8", "replace").decode("utf-8")
