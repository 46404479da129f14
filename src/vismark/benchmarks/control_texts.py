"""Texts damaged by a stated, seeded amount, for the oracle."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vismark.tasks import Span


def without_words(text: str, spans: Sequence[Span], seed: int, amount: float) -> tuple[str, tuple[Span, ...]]:
    """`text` in which each word is left out with probability `amount`, and what is left of its spans."""
    import numpy as np

    words = list(re.finditer(r"\S+", text))
    kept = np.random.default_rng(seed).random(len(words)) >= amount
    out: list[str] = []
    places: dict[int, tuple[int, int, int]] = {}
    length = 0
    for word, stays in zip(words, kept.tolist(), strict=True):
        if stays:
            at = length + bool(out)
            places[word.start()] = (at, at + len(word[0]), word.end())
            out.append(word[0])
            length = at + len(word[0])
    return " ".join(out), tuple(found for span in spans if (found := _moved(span, places)))


def _moved(span: Span, places: dict[int, tuple[int, int, int]]) -> Span | None:
    """A span at its new place, or None when no word of it is left; a word that reaches beyond it is cut there."""
    inside = [(start, *place) for start, place in places.items() if start < span.stop and place[2] > span.start]
    if not inside:
        return None
    first, last = inside[0], inside[-1]
    start = first[1] + max(0, span.start - first[0])
    stop = last[2] - max(0, last[3] - span.stop)
    return Span(start, stop, span.segments) if start < stop else None
