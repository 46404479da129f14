"""METEOR 1.5's alignment of a candidate with a reference, with the official program's order and its two oddities.

1. The sums that the search ranks by are integers: a match outside the exact module counts half, rounded down.
2. The distance of a match is put on the alternatives that do not take it.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Any, NamedTuple

from vismark.metrics.captions.meteor_words import EXACT, PARAPHRASE, Sentence

_BEAM = 40
# An alignment's rank is one integer, the smallest is best: minus matched words, then chunks, then distance.
_CHUNK, _MATCHED = 1 << 40, 1 << 64


class Match(NamedTuple):
    """Words of the reference matched with words of the candidate.

    Attributes:
        module: which module says so.
        start, end: the reference's words.
        other, other_end: the candidate's words.
        theirs, ours: the same words as bits, of the reference and of the candidate.
        gain: what the match does to the rank of an alignment that takes it.
        distance: what it does to the rank of the alternatives.
    """

    module: int
    start: int
    end: int
    other: int
    other_end: int
    theirs: int
    ours: int
    gain: int
    distance: int


# An alignment of the first words of the reference: its rank, the next free word, the end of the open chunk in the
# candidate or −1, the taken words of either side as bits, and the chosen matches as a chain of pairs. A plain tuple,
# because the search makes hundreds of them for each pair of captions.
_Partial = tuple[int, int, int, int, int, Any]
_Row = list[Match]


def align(candidate: Sentence, reference: Sentence) -> list[Match]:
    """The matches of the best alignment, by start."""
    found = _matches(candidate, reference)
    fixed = _fixed(found)
    taken = [one for one in fixed if one]
    if any(one is None and row for one, row in zip(fixed, found, strict=True)):
        taken += _search(found, fixed)
        taken.sort(key=lambda match: match.start)
    return taken


@lru_cache(maxsize=1 << 16)
def _match(module: int, start: int, length: int, other: int, other_length: int) -> Match:
    gain = length + other_length if module == EXACT else length // 2 + other_length // 2
    return Match(
        module=module,
        start=start,
        end=start + length,
        other=other,
        other_end=other + other_length,
        theirs=_bits(start, length),
        ours=_bits(other, other_length),
        gain=gain * _MATCHED,
        distance=abs(start - other),
    )


@lru_cache(maxsize=1 << 16)
def _bits(start: int, length: int) -> int:
    """Ones at `start` …; shared, because those of a long caption are long."""
    return ((1 << length) - 1) << start


def _matches(candidate: Sentence, reference: Sentence) -> list[_Row]:
    """All possible matches by start in the reference, in the order of the official program."""
    places, texts = candidate.places, candidate.texts
    found = [
        [_match(EXACT, at, 1, place, 1) for place in places.get(word.key, ())]
        for at, word in enumerate(reference.words)
    ]
    if candidate.keys == reference.keys:
        return found
    for at, word in enumerate(reference.words):
        related = word.related
        if related and not texts.isdisjoint(related):
            more = [
                _match(module, at, 1, place, 1)
                for place, other in enumerate(candidate.words)
                for module in related.get(other.text, ())
            ]
            found[at] += sorted(more, key=lambda match: match.module)
    _add_paraphrases(found, candidate, reference)
    return found


def _add_paraphrases(found: list[_Row], candidate: Sentence, reference: Sentence) -> None:
    """First those of the reference's phrases, then those of the candidate's: some come twice."""
    for start, length, known in reference.phrases:
        if not known.isdisjoint(candidate.grams):
            for phrase in known.common(candidate.grams):
                for place in candidate.grams[phrase]:
                    found[start].append(_match(PARAPHRASE, start, length, place, phrase.count(" ") + 1))
    for place, length, known in candidate.phrases:
        if not known.isdisjoint(reference.grams):
            for phrase in known.common(reference.grams):
                for start in reference.grams[phrase]:
                    found[start].append(_match(PARAPHRASE, start, phrase.count(" ") + 1, place, length))


def _fixed(found: list[_Row]) -> list[Match | None]:
    """The matches without an alternative: the only one at its start, and of all its words."""
    ours = theirs = ours_again = theirs_again = 0
    for row in found:
        for match in row:
            ours_again |= ours & match.ours
            theirs_again |= theirs & match.theirs
            ours |= match.ours
            theirs |= match.theirs
    return [
        row[0] if len(row) == 1 and not row[0].ours & ours_again and not row[0].theirs & theirs_again else None
        for row in found
    ]


def _search(found: list[_Row], fixed: list[Match | None]) -> _Row:
    """Beam search over the words of the reference; the chosen matches, without the fixed ones."""
    theirs = ours = 0
    for one in fixed:
        if one:
            theirs |= one.theirs
            ours |= one.ours
    beam: list[_Partial] = [(0, 0, -1, theirs, ours, None)]
    for at, row in enumerate(found):
        beam = _step(_best(beam), at, row, fixed[at])
    chosen, chain = [], min(_best(beam), key=lambda one: one[0] + _CHUNK * (one[2] >= 0))[5]
    while chain:
        match, chain = chain
        chosen.append(match)
    return chosen


def _best(beam: list[_Partial]) -> list[_Partial]:
    """The `_BEAM` best; of equals, the earlier."""
    beam.sort(key=_rank)
    return beam[:_BEAM]


def _rank(one: _Partial) -> int:
    return one[0]


def _step(beam: list[_Partial], at: int, row: _Row, fixed: Match | None) -> list[_Partial]:
    """All ways to go on at word `at` of the reference."""
    found: list[_Partial] = []
    crowded = len(row) > _BEAM
    for partial in beam:
        rank, index, last, theirs, ours, taken = partial
        if theirs >> at & 1:
            if fixed and at >= index:
                rank += fixed.distance - fixed.gain + (_CHUNK if last >= 0 and fixed.other != last else 0)
                partial = (rank, fixed.end, fixed.other_end, theirs, ours, taken)
            found.append(partial)
            continue
        tried: Counter[int] = Counter()
        for match in row:
            if theirs & match.theirs or ours & match.ours:
                continue
            if crowded:
                tried[match.gain] += 1
                if tried[match.gain] > _BEAM and match.other != last:
                    # As many that gain the same and are no farther come before it: it cannot be among the best.
                    rank += match.distance
                    continue
            new = rank - match.gain + (_CHUNK if last >= 0 and match.other != last else 0)
            found.append((new, match.end, match.other_end, theirs | match.theirs, ours | match.ours, (match, taken)))
            rank += match.distance
        if last >= 0:
            rank += _CHUNK
        found.append((rank, index + 1, -1, theirs, ours, taken))
    return found
