"""Maps of ids, as arrays: few distinct values in long runs, which makes counting and renaming them cheap."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def runs(*maps: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where the runs of equal pixels begin, in row order, and how long they are.

    Args:
        maps: of one shape; a run ends where any of them changes.

    Returns:
        Positions in the flattened maps, and lengths that sum to their size.
    """
    flat = [one.ravel() for one in maps]
    change = np.zeros(flat[0].size, dtype=bool)
    change[:1] = True
    for one in flat:
        change[1:] |= one[1:] != one[:-1]
    starts = np.flatnonzero(change)
    return starts, np.diff(starts, append=flat[0].size)


def compact(ids: NDArray[np.integer]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The distinct values of a map, ascending, and the position of each pixel's value among them.

    Like ``np.unique(ids, return_inverse=True)``, but only the first value of every run is sorted: many times as fast on
    segmentation maps.

    Args:
        ids: integers of any shape.

    Returns:
        The values, and their positions in the shape of `ids`.
    """
    starts, lengths = runs(ids)
    values, places = np.unique(ids.ravel()[starts], return_inverse=True)
    return values, np.repeat(places, lengths).reshape(ids.shape)


def counts(ids: NDArray[np.integer]) -> dict[int, int]:
    """Value → number of its pixels, by ascending value."""
    starts, lengths = runs(ids)
    values, places = np.unique(ids.ravel()[starts], return_inverse=True)
    return dict(zip(values.tolist(), _sums(places, lengths).tolist(), strict=True))


def joint_counts(first: NDArray[np.integer], second: NDArray[np.integer]) -> dict[tuple[int, int], int]:
    """(value of `first`, value of `second`) → pixels with both, ascending; the shapes broadcast."""
    first, second = np.broadcast_arrays(first, second)
    starts, lengths = runs(first, second)
    ours, at = np.unique(first.ravel()[starts], return_inverse=True)
    theirs, beside = np.unique(second.ravel()[starts], return_inverse=True)
    joint = _sums(at * theirs.size + beside, lengths)
    found = np.flatnonzero(joint)
    pairs = zip(ours[found // theirs.size].tolist(), theirs[found % theirs.size].tolist(), strict=True)
    return dict(zip(pairs, joint[found].tolist(), strict=True))


def _sums(places: NDArray[np.intp], lengths: NDArray[np.intp]) -> NDArray[np.int64]:
    """The summed lengths of each place: exact, as no image has 2^53 pixels."""
    return np.bincount(places, weights=lengths).astype(np.int64)
