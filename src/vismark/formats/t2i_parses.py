"""What the scores of T2I-CompBench need to know of a prompt's grammar: phrases, nouns, numbers.

The scripts ask spaCy's ``en_core_web_sm`` 3.5.0. `from_template` reads the prompts by their templates instead, so that
nothing has to be installed; frozen parses of spaCy take its place where they are (``parses.jsonl``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from vismark.formats import strict_json
from vismark.problems import Problems
from vismark.runtime.atomic import write_bytes

OFFICIAL, TEMPLATE = "en_core_web_sm-3.5.0", "template-1"
FILE = "parses.jsonl"
_LIMIT = 64 << 20

# Noun chunks that the script drops.
DROPPED = ("top", "the side", "the left", "the right")
NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}
_RELATIONS = ("on top of", "on bottom of", "on the left", "on the right", "next to", "on side of", "near")
_DETERMINERS = {"a", "an", "the", "his", "her", "its", "their", "some", "every", "each", "this", "that"}
# What ends a phrase: prepositions, conjunctions, auxiliaries, and verbs of the prompts.
_ENDS = {
    "and", "or", "but", "with", "on", "in", "of", "at", "by", "to", "from", "for", "near", "under", "over", "above",
    "below", "behind", "beside", "between", "inside", "outside", "into", "onto", "against", "around", "through",
    "next", "as", "while", "that", "which", "who", "is", "are", "was", "were", "be", "been", "being", "has", "have",
    "had", "sits", "sat", "lay", "lays", "lies", "led", "hold", "holds", "held", "mix", "mixes", "complement",
    "complements", "rest", "rests", "rested", "stood", "stands", "hung", "hangs", "flowed", "reflected", "covered",
    "contrasted", "hidden", "standing", "past",
}  # fmt: skip
_WORD = re.compile(r"[\w'-]+|[^\w\s]")


class Parse(msgspec.Struct, frozen=True, omit_defaults=True):
    """The grammar of one prompt.

    Attributes:
        phrases: noun phrases in order, with their articles, without `DROPPED`.
        first, last: the first and the last noun, single words.
        pair: the nouns before and after the place of a complex prompt; None where there are not exactly two.
        plain: the prompt without adjectives, words joined by blanks.
        numbers: (singular noun, number) of numeracy.
        parser: `OFFICIAL`, `TEMPLATE`, or another version of spaCy's model.
    """

    category: str
    prompt: str
    phrases: tuple[str, ...]
    first: str | None
    last: str | None
    pair: tuple[str, str] | None
    plain: str
    numbers: tuple[tuple[str, int], ...] = ()
    parser: str = TEMPLATE


Forms = Sequence[tuple[str, str]]  # (singular, plural), in the order of new_objects.txt


def from_template(category: str, prompt: str, forms: Forms) -> Parse:
    """A prompt read by its template: an article, adjectives, and the noun as the last word of each phrase."""
    words = _WORD.findall(prompt)
    spans = _spans(words)
    phrases = tuple(text for text in (" ".join(words[start:stop]) for start, stop in spans) if text not in DROPPED)
    nouns = [(words[stop - 1], start, stop) for start, stop in spans if " ".join(words[start:stop]) not in DROPPED]
    adjectives = {place for start, stop in spans for place in range(start + 1, stop - 1)}
    return Parse(
        category,
        prompt,
        phrases,
        nouns[0][0] if nouns else None,
        nouns[-1][0] if nouns else None,
        _pair(words, spans),
        " ".join(word for place, word in enumerate(words) if place not in adjectives),
        counted(words, forms) if category == "numeracy" else (),
    )


def counted(words: Sequence[str], forms: Forms) -> tuple[tuple[str, int], ...]:
    """The (noun, number) pairs of a numeracy prompt; numbers before words that are on neither list are passed over.

    Args:
        words: tokens of the prompt; two tokens that are a listed noun together count before one.
    """
    singular_of: dict[str, str] = {}
    for singular, plural in forms:
        singular_of.setdefault(plural, singular)
    singulars, found = {singular for singular, _ in forms}, []
    for place, word in enumerate(words):
        if word not in NUMBERS or place + 1 >= len(words):
            continue
        pair, one = " ".join(words[place + 1 : place + 3]), words[place + 1]
        single = word in ("a", "an", "one")
        if place < len(words) - 2 and (pair in singulars or pair in singular_of):
            many = pair in singular_of and not single
            found.append((singular_of[pair], NUMBERS[word]) if many else (pair, 1))
        elif one in singulars and single:
            found.append((one, 1))
        elif one in singular_of or one in singulars:
            found.append((singular_of.get(one, one), NUMBERS[word]))
    return tuple(found)


def read_forms(lines: Sequence[str]) -> list[tuple[str, str]]:
    """(singular, plural) of the lines ``singular - plural``."""
    pairs = (line.lower().partition(" - ") for line in lines)
    return [(singular.strip(), plural.strip()) for singular, _, plural in pairs]


def read_parses(path: Path, problems: Problems) -> dict[tuple[str, str], Parse]:
    """(category, prompt) → frozen parse."""
    data = strict_json.read_bytes(path, problems, file=path.name, limit=_LIMIT) or b""
    found = {}
    for number, line in enumerate(data.splitlines(), 1):
        try:
            one = msgspec.json.decode(line, type=Parse)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            fix = "Freeze the parses again: vismark prepare t2i-compbench."
            problems.add("T2I_PARSES", f"is no parse: {error}", file=path.name, where=f"line {number}", fix=fix)
            continue
        found[one.category, one.prompt] = one
    return found


def write_parses(path: Path, parses: Sequence[Parse]) -> None:
    """Write parses as JSON lines."""
    write_bytes(path, b"".join(msgspec.json.encode(one) + b"\n" for one in parses))


def parses_of(
    prompts: Mapping[str, Sequence[str]], forms: Forms, frozen: Mapping[tuple[str, str], Parse]
) -> dict[tuple[str, str], Parse]:
    """(category, prompt) → the frozen parse, else that of the template."""
    return {
        (category, prompt): frozen.get((category, prompt)) or from_template(category, prompt, forms)
        for category, lines in prompts.items()
        for prompt in lines
    }


def _spans(words: Sequence[str]) -> list[tuple[int, int]]:
    """(start, stop) of each phrase: from an article or a number to the next word that ends phrases."""
    spans, start = [], None
    for place, word in enumerate([*words, "."]):
        lower = word.lower()
        opens = lower in _DETERMINERS or lower in NUMBERS
        ends = opens or lower in _ENDS or not word[0].isalnum()
        if start is not None and ends:
            if place > start + 1:
                spans.append((start, place))
            start = None
        if opens or (start is None and not ends):
            start = place
    return [(start, stop) for start, stop in spans if stop - start > 1 or words[start].lower() not in _DETERMINERS]


def _pair(words: Sequence[str], spans: Sequence[tuple[int, int]]) -> tuple[str, str] | None:
    """The nouns around the first place that a prompt states: the one before, and the first one after."""
    for place in range(len(words)):
        for length in (3, 2, 1):
            if " ".join(words[place : place + length]) in _RELATIONS:
                before = [stop for _, stop in spans if stop <= place]
                after = [(start, stop) for start, stop in spans if start >= place and stop > place + length]
                if not before or not after:
                    return None
                start, stop = max(after[0][0], place + length), after[0][1]
                # Article, one adjective, then nouns: where there are two nouns, spaCy's first is the first of them.
                return words[before[-1] - 1], words[min(start + 2, stop - 1)]
    return None
