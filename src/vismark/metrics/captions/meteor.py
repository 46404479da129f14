"""METEOR 1.5 for English, equal to the Java program as pycocoevalcap 1.2 calls it (``-l en -norm``).

Source: Denkowski and Lavie, Meteor Universal (2014), and the behaviour of the official program.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import msgspec

from vismark.formats.meteor import MeteorTables
from vismark.metrics.captions.meteor_align import Match, align
from vismark.metrics.captions.meteor_words import Lexicon, Sentence

_ALPHA, _BETA, _GAMMA, _DELTA = 0.85, 0.2, 0.6, 0.75
# Of the modules exact, stem, synonym, paraphrase.
_WEIGHTS = (1.0, 0.6, 0.8, 0.6)

Four = tuple[int, int, int, int]


class MeteorRow(msgspec.Struct, frozen=True, array_like=True):
    """The statistics of a candidate and its best reference, or sums of them; four numbers are one a module.

    Attributes:
        length, reference: words.
        function, reference_function: function words.
        content_matches, reference_content_matches: matched words that are no function words.
        function_matches, reference_function_matches: matched function words.
        chunks: runs of matches that are in the same order on both sides.
    """

    length: int
    reference: int
    function: int
    reference_function: int
    content_matches: Four
    reference_content_matches: Four
    function_matches: Four
    reference_function_matches: Four
    chunks: int

    @property
    def matched(self) -> tuple[int, int]:
        """Matched words of the candidate and of the reference."""
        ours = sum(self.content_matches) + sum(self.function_matches)
        return ours, sum(self.reference_content_matches) + sum(self.reference_function_matches)

    def line(self) -> str:
        """The statistics as the official program writes them."""
        parts = (
            self.content_matches,
            self.reference_content_matches,
            self.function_matches,
            self.reference_function_matches,
        )
        lengths = (self.length, self.reference, self.function, self.reference_function)
        modules = [part[module] for module in range(len(_WEIGHTS)) for part in parts]
        return " ".join(f"{number}.0" for number in (*lengths, *modules, self.chunks, *self.matched))


class Meteor:
    """METEOR of a corpus, 0 to 1: the statistics of all images are summed, then scored (see `score`).

    Args:
        tables: see `vismark.instruments.caption_data.meteor_tables`.
    """

    name = "METEOR"
    outputs = ("METEOR",)

    def __init__(self, tables: MeteorTables) -> None:
        self.tables = tables

    @cached_property
    def _lexicon(self) -> Lexicon:
        return Lexicon(self.tables)

    def row(self, candidate: str, references: Sequence[str]) -> MeteorRow:
        """The statistics with the first of the references that give the highest score.

        Raises:
            ValueError: there is no reference.
        """
        if not references:
            raise ValueError("METEOR needs a reference")
        # What the official wrapper does to the candidate, and what its protocol does to references with bars.
        ours = self._lexicon.sentence(candidate.replace("|||", "").replace("  ", " "))
        best, most = None, -1.0
        for reference in " ||| ".join(references).split("|||"):
            row = _statistics(ours, self._lexicon.sentence(reference))
            value = score(row)
            if value > most:
                best, most = row, value
        assert best is not None
        return best

    def reduce(self, rows: Sequence[MeteorRow]) -> dict[str, float | None]:
        """The score of the sums, None for no images. That of one row is the score of its image."""
        return {"METEOR": score(_sum(rows)) if rows else None}


def score(row: MeteorRow) -> float:
    """METEOR of the statistics, in the order of operations of the official program.

    WM = Σ v·(δ·content matches + (1−δ)·function matches) with v = 1, 0.6, 0.8, 0.6 for the modules, WL the same of
    the lengths; P = WM/WL of the candidate, R of the reference; F = 1/((1−α)/P + α/R);
    score = F·(1 − γ·(chunks / mean matched words)^β), without the penalty where all words match in one chunk.
    """
    matched, theirs = row.matched
    if not matched or not theirs:
        return 0.0
    precision = _weighted(row.content_matches, row.function_matches) / _length(row.length, row.function)
    recall = _weighted(row.reference_content_matches, row.reference_function_matches) / _length(
        row.reference, row.reference_function
    )
    mean = 1.0 / ((1.0 - _ALPHA) / precision + _ALPHA / recall)
    fragmentation = 0.0 if _perfect(row) else row.chunks / ((matched + theirs) / 2.0)
    return max(mean * (1.0 - _GAMMA * math.pow(fragmentation, _BETA)), 0.0)


def _perfect(row: MeteorRow) -> bool:
    return row.matched == (row.length, row.reference) and row.chunks == 1


def _weighted(content: Four, function: Four) -> float:
    total = 0.0
    for count, weight in zip(content, _WEIGHTS, strict=True):
        total += count * weight * _DELTA
    for count, weight in zip(function, _WEIGHTS, strict=True):
        total += count * weight * (1.0 - _DELTA)
    return total


def _length(words: int, function: int) -> float:
    return _DELTA * (words - function) + (1.0 - _DELTA) * function


def _statistics(candidate: Sentence, reference: Sentence) -> MeteorRow:
    matches = align(candidate, reference)
    counts = [[0] * len(_WEIGHTS) for _ in range(4)]
    for module, start, end, other, other_end, *_ in matches:
        for word in candidate.words[other:other_end]:
            counts[2 if word.function else 0][module] += 1
        for word in reference.words[start:end]:
            counts[3 if word.function else 1][module] += 1
    content, reference_content, function, reference_function = (_four(part) for part in counts)
    return MeteorRow(
        length=len(candidate.words),
        reference=len(reference.words),
        function=candidate.functions,
        reference_function=reference.functions,
        content_matches=content,
        reference_content_matches=reference_content,
        function_matches=function,
        reference_function_matches=reference_function,
        chunks=_chunks(matches),
    )


def _four(counts: list[int]) -> Four:
    first, second, third, fourth = counts
    return first, second, third, fourth


def _chunks(matches: list[Match]) -> int:
    """Matches that do not go on where the one before ended, on either side."""
    end = other_end = -1
    chunks = 0
    for match in matches:
        chunks += match.start != end or match.other != other_end
        end, other_end = match.end, match.other_end
    return chunks


def _sum(rows: Sequence[MeteorRow]) -> MeteorRow:
    """Field by field, but without the chunk of an image whose words all match in one: it has no penalty."""

    def four(name: str) -> Four:
        return _four([sum(column) for column in zip(*(getattr(row, name) for row in rows), strict=True)])

    return MeteorRow(
        length=sum(row.length for row in rows),
        reference=sum(row.reference for row in rows),
        function=sum(row.function for row in rows),
        reference_function=sum(row.reference_function for row in rows),
        content_matches=four("content_matches"),
        reference_content_matches=four("reference_content_matches"),
        function_matches=four("function_matches"),
        reference_function_matches=four("reference_function_matches"),
        chunks=sum(row.chunks for row in rows if not _perfect(row)),
    )
