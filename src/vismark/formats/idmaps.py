"""Maps of ids, as arrays: few distinct values in long runs, which makes counting and renaming them cheap."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def compact(ids: NDArray[np.integer]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The distinct values of a map, ascending, and the position of each pixel's value among them.

    Like ``np.unique(ids, return_inverse=True)``, but only the first value of every run is sorted: about ten times as
    fast on segmentation maps.

    Args:
        ids: integers of any shape.

    Returns:
        The values, and their positions in the shape of `ids`.
    """
    flat = ids.ravel()
    if not flat.size:
        return flat, np.zeros(ids.shape, dtype=np.intp)
    starts = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1])))
    values, places = np.unique(flat[starts], return_inverse=True)
    return values, np.repeat(places, np.diff(np.append(starts, flat.size))).reshape(ids.shape)


def counts(ids: NDArray[np.integer]) -> dict[int, int]:
    """Value → number of its pixels, by ascending value."""
    values, places = compact(ids)
    return dict(zip(values.tolist(), np.bincount(places.ravel()).tolist(), strict=True))


def joint_counts(first: NDArray[np.integer], second: NDArray[np.integer]) -> dict[tuple[int, int], int]:
    """(value of `first`, value of `second`) → pixels with both, ascending; the shapes broadcast."""
    (ours, at), (theirs, beside) = compact(first), compact(second)
    joint = np.bincount((at * theirs.size + beside).ravel())
    found = np.flatnonzero(joint)
    pairs = zip(ours[found // theirs.size].tolist(), theirs[found % theirs.size].tolist(), strict=True)
    return dict(zip(pairs, joint[found].tolist(), strict=True))
