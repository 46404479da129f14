"""ROUGE-L as pycocoevalcap 1.2 computes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

_BETA = 1.2


class RougeL:
    """Mean ROUGE-L over images, 0 to 1.

    With L the length of the longest common subsequence, P is the greatest L / candidate's length and R the greatest
    L / reference's length (of perhaps another reference); F = (1 + β²)·P·R / (R + β²·P), β = 1.2, 0 if P or R is.
    """

    name = "ROUGE-L"
    outputs = ("ROUGE-L",)

    def row(self, candidate: str, references: Sequence[str]) -> float:
        """F of one image; captions are tokens joined by single blanks, an empty one is one empty token.

        Raises:
            ValueError: there is no reference.
        """
        if not references:
            raise ValueError("ROUGE-L needs a reference")
        words = candidate.split(" ")
        places: dict[str, int] = {}
        for at, word in enumerate(words):
            places[word] = places.get(word, 0) | 1 << at
        precision = recall = 0.0
        for reference in references:
            others = reference.split(" ")
            common = _common(places, len(words), others)
            precision = max(precision, common / len(words))
            recall = max(recall, common / len(others))
        if not precision or not recall:
            return 0.0
        return ((1 + _BETA**2) * precision * recall) / (recall + _BETA**2 * precision)

    def reduce(self, rows: Sequence[float]) -> dict[str, float | None]:
        """The mean, None for no images."""
        return {"ROUGE-L": float(np.mean(np.array(rows))) if rows else None}


def _common(places: dict[str, int], length: int, others: Iterable[str]) -> int:
    """Length of the longest common subsequence, all of a row of the table at once in the bits of an integer.

    Source: Hyyrö, Bit-parallel LCS-length computation revisited (2004). Bit `at` of `places[word]` is set where the
    candidate of `length` words holds `word` at `at`; a cleared bit of `row` is a step of the table's current row.
    """
    row = full = (1 << length) - 1
    for word in others:
        match = places.get(word)
        if match is not None:
            step = row & match
            row = (row + step | row - step) & full
    return length - row.bit_count()
