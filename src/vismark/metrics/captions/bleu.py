"""BLEU-1 to BLEU-4 as pycocoevalcap 1.2 computes them, effective reference length "closest"."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

ORDERS = 4
# Of the official scorer: an order without a match gives nearly zero, not zero.
_SMALL, _TINY = 1e-9, 1e-15


class BleuRow(msgspec.Struct, frozen=True, array_like=True):
    """Counts of one image.

    Attributes:
        length: tokens of the candidate.
        reference: tokens of the reference that is closest in length, the shorter of two.
        correct: for n = 1 … 4, the candidate's n-grams, each counted at most as often as in one reference.
    """

    length: int
    reference: int
    correct: tuple[int, int, int, int]


class Bleu:
    """BLEU-1 … BLEU-4 of a corpus, 0 to 1.

    With sums over images, P_k = Π_{j≤k} (Σ correct_j + 1e-15) / (Σ guess_j + 1e-9), guess_j = max(0, length − j + 1),
    BLEU_k = P_k^(1/k), times exp(1 − 1/ratio) where ratio = (Σ length + 1e-15) / (Σ reference + 1e-9) < 1.
    """

    name = "BLEU"
    outputs = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4")

    def row(self, candidate: str, references: Sequence[str]) -> BleuRow:
        """Counts of one image; captions are tokens joined by white space.

        Raises:
            ValueError: there is no reference.
        """
        if not references:
            raise ValueError("BLEU needs a reference")
        words = candidate.split()
        others = [reference.split() for reference in references]
        length = len(words)
        closest = min((abs(len(other) - length), len(other)) for other in others)[1]
        correct = _correct(words, others)
        return BleuRow(length, closest, (correct[0], correct[1], correct[2], correct[3]))

    def reduce(self, rows: Sequence[BleuRow]) -> dict[str, float | None]:
        """The four numbers of the corpus, None for no images."""
        if not rows:
            return dict.fromkeys(self.outputs)
        guesses = [sum(max(0, row.length - order) for row in rows) for order in range(ORDERS)]
        correct = [sum(row.correct[order] for row in rows) for order in range(ORDERS)]
        lengths = sum(row.length for row in rows), sum(row.reference for row in rows)
        return dict(zip(self.outputs, _bleu(correct, guesses, *lengths), strict=True))


def _correct(words: list[str], others: list[list[str]]) -> list[int]:
    """The n-grams of `words` that `others` hold, clipped, for n = 1 … 4.

    Words hold no blanks, so that a run of them can be looked for in text; where it is not, no longer one is.
    """
    text = "\n".join([f" {' '.join(other)} " for other in others])
    counts: list[dict[str, int]] = [{} for _ in range(ORDERS)]
    for start in range(len(words)):
        gram = " "
        for order, word in enumerate(words[start : start + ORDERS]):
            gram = f"{gram}{word} "
            if gram not in text:
                break
            counts[order][gram] = counts[order].get(gram, 0) + 1
    return [
        sum(
            [
                count if count == 1 else min(count, max(_occurrences(gram.split(), others)))
                for gram, count in one.items()
            ]
        )
        for one in counts
    ]


def _occurrences(gram: list[str], others: list[list[str]]) -> list[int]:
    if len(gram) == 1:
        return [other.count(gram[0]) for other in others]
    return [sum(other[at : at + len(gram)] == gram for at in range(len(other))) for other in others]


def _bleu(correct: Sequence[int], guesses: Sequence[int], length: int, reference: int) -> list[float]:
    """The numbers in the order of operations of the official scorer."""
    product, numbers = 1.0, []
    for order, (right, all_) in enumerate(zip(correct, guesses, strict=True), 1):
        product *= (right + _TINY) / (all_ + _SMALL)
        numbers.append(product ** (1.0 / order))
    ratio = (length + _TINY) / (reference + _SMALL)
    if ratio < 1:
        numbers = [number * math.exp(1 - 1 / ratio) for number in numbers]
    return numbers
