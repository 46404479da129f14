"""The compressed masks of a results file, thousands at once: which of them may be given to C code, and their areas.

A batch is decoded in a few passes of NumPy; `vismark.formats.rle` tells what is wrong with a mask that is refused here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Characters of one number: 7 hold 35 bits, more than any image has pixels.
_LONGEST = 7
_FIRST = ord("0")
# Masks decoded at once: their numbers fit into the cache of a core.
_BLOCK = 256


def areas(counts: Sequence[str], pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The areas of masks in pixels, int64; −1 where the string is no mask of `pixels` pixels.

    Args:
        counts: compressed run lengths, one string a mask.
        pixels: height · width that the runs of each mask must sum to.
    """
    if len(counts) > _BLOCK:
        starts = range(0, len(counts), _BLOCK)
        return np.concatenate([areas(counts[at : at + _BLOCK], pixels[at : at + _BLOCK]) for at in starts])
    text = "".join(counts)
    lengths = np.fromiter(map(len, counts), np.int64, len(counts))
    if not text.isascii():
        return np.concatenate([_areas_of_one(*pair) for pair in zip(counts, pixels, strict=True)])
    codes = np.frombuffer(text.encode(), np.uint8).astype(np.int16) - _FIRST
    last = (codes & 32) == 0
    ends = np.cumsum(lengths)
    good = lengths > 0
    good[good] = last[ends[good] - 1]
    bad_codes = np.concatenate([[0], np.cumsum((codes < 0) | (codes > 63))])
    good &= bad_codes[ends] == bad_codes[ends - lengths]
    if not good.all():
        found = np.full(len(counts), -1, np.int64)
        found[good] = areas([one for one, fine in zip(counts, good, strict=True) if fine], pixels[good])
        return found
    if not counts:
        return np.zeros(0, np.int64)
    return _decoded(codes, last, lengths, pixels)


def _areas_of_one(count: str, pixels: np.int64) -> NDArray[np.int64]:
    return areas([count], np.array([pixels])) if count.isascii() else np.array([-1])


def _decoded(
    codes: NDArray[np.int16], last: NDArray[np.bool_], lengths: NDArray[np.int64], pixels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Areas of masks whose strings have sound characters and end with a number."""
    stops = np.flatnonzero(last)
    starts = np.concatenate([[0], stops[:-1] + 1])
    sizes = stops - starts + 1
    values = (codes[stops] & 31).astype(np.int64)
    values -= (values & 16) << 1
    for back in range(1, min(int(sizes.max()), _LONGEST)):
        longer = np.flatnonzero(sizes > back)
        values[longer] = values[longer] << 5 | (codes[stops[longer] - back] & 31)
    owner_end = np.searchsorted(stops, np.cumsum(lengths) - 1) + 1
    first = np.concatenate([[0], owner_end[:-1]])
    place = np.arange(values.size) - np.repeat(first, owner_end - first)
    runs = np.where(place == 0, values, 0)
    for parity in (1, 0):
        chosen = (place % 2 == parity) & (place > 0)
        total = np.cumsum(np.where(chosen, values, 0))
        before = np.concatenate([[0], total])[first]
        runs = np.where(chosen, total - np.repeat(before, owner_end - first), runs)
    sound = np.minimum.reduceat(runs, first) >= 0
    sound &= np.add.reduceat(runs, first) == pixels
    sound &= np.maximum.reduceat(sizes, first) <= _LONGEST
    found: NDArray[np.int64] = np.where(sound, np.add.reduceat(np.where(place % 2 == 1, runs, 0), first), -1)
    return found
