"""The word lists of the METEOR 1.5 distribution, English: function words, abbreviations, WordNet's synonyms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

_NUMERIC_ONLY = "#NUMERIC_ONLY#"


class ParaphraseTable(Protocol):
    """Paraphrases of phrases; `vismark.formats.paraphrases.Paraphrases` is one, a dictionary's `get` another."""

    def of(self, phrase: str) -> list[str] | None:
        """The paraphrases of `phrase` in the order of the table, None for none."""


@dataclass(frozen=True)
class MeteorTables:
    """What METEOR knows about English.

    Attributes:
        function_words: words (and marks) that count less.
        prefixes: abbreviations without their dot → whether they are ones before a number only.
        synsets: word → its WordNet synsets, numbers joined by blanks.
        bases: irregular form → its base forms.
        paraphrases: phrases of up to `paraphrases.LONGEST` words.
    """

    function_words: frozenset[str]
    prefixes: Mapping[str, bool]
    synsets: Mapping[str, str]
    bases: Mapping[str, tuple[str, ...]]
    paraphrases: ParaphraseTable


def prefixes(text: str) -> dict[str, bool]:
    """Reads ``nonbreaking/english.prefixes``."""
    lines = [line.split() for line in text.split("\n")]
    return {words[0]: words[1:2] == [_NUMERIC_ONLY] for words in lines if words and not words[0].startswith("#")}


def synsets(text: str) -> dict[str, str]:
    """Reads ``synonym/english.synsets``: a line with a word, a line with its synsets, and so on."""
    lines = text.removesuffix("\n").split("\n")
    return dict(zip(lines[::2], lines[1::2], strict=True))


def bases(text: str) -> dict[str, tuple[str, ...]]:
    """Reads ``synonym/english.exceptions``: a line with a base form, a line with its irregular forms, and so on."""
    lines = text.removesuffix("\n").split("\n")
    found: dict[str, tuple[str, ...]] = {}
    for base, forms in zip(lines[::2], lines[1::2], strict=True):
        for form in forms.split():
            found[form] = (*found.get(form, ()), base)
    return found
