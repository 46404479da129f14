"""The compressed masks of a results file, thousands at once: which of them may be given to C code, and their areas.

A batch is decoded in a few passes of NumPy; `vismark.formats.rle` tells what is wrong with a mask that is refused here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vismark.formats.rle import LONGEST, most_characters

# Masks decoded at once: their numbers fit into the cache of a core.
_BLOCK = 256
_FIRST = ord("0")
# A character holds 5 bits and this mark that its number goes on.
_MARK = 32


def areas(counts: Sequence[str], pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The areas of masks in pixels, int64; −1 where the string is no mask of `pixels` pixels.

    Args:
        counts: compressed run lengths, one string a mask.
        pixels: height · width that the runs of each mask must sum to.
    """
    starts = range(0, len(counts), _BLOCK)
    blocks = [_areas(counts[at : at + _BLOCK], pixels[at : at + _BLOCK]) for at in starts]
    return np.concatenate(blocks) if blocks else np.zeros(0, np.int64)


def _areas(counts: Sequence[str], pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The areas of one block; strings that cannot be cut into numbers are left out before the others are decoded."""
    # A character that is no ASCII becomes one that no mask has.
    text = "".join(counts).encode("ascii", "replace")
    codes = np.frombuffer(text, np.uint8) - np.uint8(_FIRST)
    lengths = np.fromiter(map(len, counts), np.int64, len(counts))
    ends = np.cumsum(lengths)
    strange = np.searchsorted(ends, np.flatnonzero(codes >= 2 * _MARK), side="right")
    good = np.bincount(strange, minlength=len(ends)) == 0
    good &= (lengths > 0) & (lengths <= most_characters(pixels))
    good[good] = codes[ends[good] - 1] < _MARK
    if good.all():
        return _decoded(codes, ends, pixels)
    found = np.full(len(counts), -1, np.int64)
    if good.any():
        found[good] = _areas([one for one, fine in zip(counts, good, strict=True) if fine], pixels[good])
    return found


def _decoded(codes: NDArray[np.uint8], ends: NDArray[np.int64], pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Areas of masks whose strings have sound characters and end with a number.

    Args:
        codes: the characters of all strings, uint8 in 0 … 63.
        ends: where the string of each mask ends.
    """
    stops = np.flatnonzero(codes < _MARK)
    sizes = np.diff(stops, prepend=-1)
    counts = np.diff(np.searchsorted(stops, ends), prepend=0)
    rows = (counts + 1) // 2
    after = np.cumsum(rows)
    start, odd = after - rows, after[counts % 2 == 1] - 1
    # Two numbers a row, each mask on rows of its own: behind its first number, runs are sums down the columns.
    table, there = np.zeros((after[-1], 2), np.int64), np.ones((after[-1], 2), np.bool_)
    there[odd, 1] = False
    table[there] = _numbers(codes, stops, sizes)
    first = table[start, 0]
    table[start, 0] = 0
    runs = np.cumsum(table, axis=0)
    runs -= np.repeat(np.concatenate([[[0, 0]], runs])[start], rows, axis=0)
    runs[odd, 1] = 0
    # No run is longer than its mask, so that no sum can overflow.
    sound = (first >= 0) & (first <= pixels) & (np.minimum.reduceat(runs, start) >= 0).all(axis=1)
    sound &= np.maximum.reduceat(runs, start).max(axis=1) <= pixels
    sound &= np.maximum.reduceat(sizes, np.cumsum(counts) - counts) <= LONGEST
    zeros, ones = np.add.reduceat(runs, start).T
    return np.where(sound & (first + zeros + ones == pixels), ones, -1)


def _numbers(codes: NDArray[np.uint8], stops: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers that end at `stops`, signed; the highest 5 bits come last. Those that are too long are cut."""
    values = codes[stops].astype(np.int64)
    values -= (values & _MARK >> 1) << 1
    longer = np.flatnonzero(sizes > 1)
    for back in range(1, LONGEST):
        values[longer] = values[longer] << 5 | (codes[stops[longer] - back] & _MARK - 1)
        longer = longer[sizes[longer] > back + 1]
    return values
