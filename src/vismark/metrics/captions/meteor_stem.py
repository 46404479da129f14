"""The Snowball stemmer "english" (Porter 2) as it was in 2010, the one that METEOR 1.5 holds.

Source: https://snowballstem.org/algorithms/english/stemmer.html. Later releases of Snowball changed the algorithm, so
that the stemmers on the package index give other stems.
"""

from __future__ import annotations

import re

_VOWELS = "aeiouy"
_SPECIAL = {
    "skis": "ski", "skies": "sky", "dying": "die", "lying": "lie", "tying": "tie", "idly": "idl", "gently": "gentl",
    "ugly": "ugli", "early": "earli", "only": "onli", "singly": "singl", "sky": "sky", "news": "news", "howe": "howe",
    "atlas": "atlas", "cosmos": "cosmos", "bias": "bias", "andes": "andes",
}  # fmt: skip
_DONE_AFTER_1A = {"inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed"}

_R1_START = re.compile("gener|commun|arsen")
_REGION = re.compile(f"[{_VOWELS}][^{_VOWELS}]")
_Y_CONSONANT = re.compile(f"(^|[{_VOWELS}])y")
_VOWEL = re.compile(f"[{_VOWELS}]")
_VOWEL_EARLIER = re.compile(f"[{_VOWELS}].")
_DOUBLE = re.compile(r"(?:bb|dd|ff|gg|mm|nn|pp|rr|tt)\Z")
_SHORT = re.compile(f"(?:[^{_VOWELS}][{_VOWELS}][^{_VOWELS}wxY]|^[{_VOWELS}][^{_VOWELS}])\\Z")

_STEP_0 = ("'s'", "'s", "'")
_STEP_2 = {
    "ization": "ize", "ational": "ate", "fulness": "ful", "ousness": "ous", "iveness": "ive", "tional": "tion",
    "biliti": "ble", "lessli": "less", "entli": "ent", "ation": "ate", "alism": "al", "aliti": "al", "ousli": "ous",
    "iviti": "ive", "fulli": "ful", "enci": "ence", "anci": "ance", "abli": "able", "izer": "ize", "ator": "ate",
    "alli": "al", "bli": "ble", "ogi": "og", "li": "",
}  # fmt: skip
_STEP_3 = {
    "ational": "ate", "tional": "tion", "alize": "al", "icate": "ic", "iciti": "ic", "ative": "", "ical": "ic",
    "ness": "", "ful": "",
}  # fmt: skip
_STEP_4 = (
    "ement", "ance", "ence", "able", "ible", "ment", "ant", "ent", "ism", "ate", "iti", "ous", "ive", "ize", "ion",
    "al", "er", "ic",
)  # fmt: skip


def stem(word: str) -> str:
    """The stem of a lower-case word."""
    if word in _SPECIAL:
        return _SPECIAL[word]
    if len(word) < 3:
        return word
    marked = _Y_CONSONANT.sub(r"\1Y", word.removeprefix("'"))
    r1, r2 = _regions(marked)
    marked = _step_1a(_without(marked, _STEP_0))
    if marked not in _DONE_AFTER_1A:
        marked = _step_5(_step_4(_step_3(_step_2(_step_1c(_step_1b(marked, r1)), r1), r1, r2), r2), r1, r2)
    return marked.replace("Y", "y")


def _regions(word: str) -> tuple[int, int]:
    """Where R1 and R2 start: behind the first consonant after a vowel, and once more."""
    start = _R1_START.match(word)
    first = start or _REGION.search(word)
    r1 = first.end() if first else len(word)
    second = _REGION.search(word, r1)
    return r1, second.end() if second else len(word)


def _without(word: str, endings: tuple[str, ...]) -> str:
    for ending in endings:
        if word.endswith(ending):
            return word[: -len(ending)]
    return word


def _step_1a(word: str) -> str:
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith(("ied", "ies")):
        return word[:-2] if len(word) > 4 else word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")) and _VOWEL_EARLIER.search(word[:-1]):
        return word[:-1]
    return word


def _step_1b(word: str, r1: int) -> str:
    for ending in ("eedly", "eed"):
        if word.endswith(ending):
            return word[: -len(ending)] + "ee" if len(word) - len(ending) >= r1 else word
    for ending in ("ingly", "edly", "ing", "ed"):
        if word.endswith(ending):
            rest = word[: -len(ending)]
            return _mended(rest, r1) if _VOWEL.search(rest) else word
    return word


def _mended(word: str, r1: int) -> str:
    """What is left without "ed" or "ing" gets its "e" back, or loses a doubled consonant."""
    if word.endswith(("at", "bl", "iz")):
        return word + "e"
    if _DOUBLE.search(word):
        return word[:-1]
    return word + "e" if len(word) <= r1 and _SHORT.search(word) else word


def _step_1c(word: str) -> str:
    if len(word) > 2 and word[-1] in "yY" and word[-2] not in _VOWELS:
        return word[:-1] + "i"
    return word


def _step_2(word: str, r1: int) -> str:
    for ending, new in _STEP_2.items():
        if not word.endswith(ending):
            continue
        rest = word[: -len(ending)]
        wrong = (ending == "ogi" and rest[-1:] != "l") or (ending == "li" and rest[-1:] not in tuple("cdeghkmnrt"))
        return word if len(rest) < r1 or wrong else rest + new
    return word


def _step_3(word: str, r1: int, r2: int) -> str:
    for ending, new in _STEP_3.items():
        if word.endswith(ending):
            rest = word[: -len(ending)]
            return rest + new if len(rest) >= (r2 if ending == "ative" else r1) else word
    return word


def _step_4(word: str, r2: int) -> str:
    for ending in _STEP_4:
        if word.endswith(ending):
            rest = word[: -len(ending)]
            wrong = ending == "ion" and rest[-1:] not in ("s", "t")
            return word if len(rest) < r2 or wrong else rest
    return word


def _step_5(word: str, r1: int, r2: int) -> str:
    rest = word[:-1]
    if word.endswith("e") and (len(rest) >= r2 or (len(rest) >= r1 and not _SHORT.search(rest))):
        return rest
    return rest if word.endswith("ll") and len(rest) >= r2 else word
