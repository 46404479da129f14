"""Detections as columns: what a results file is read into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Detected:
    """The columns of a results file, one row a detection, in the order of the file.

    Attributes:
        image_ids, category_ids: int64.
        scores: float64, finite.
        boxes: float64 of shape (N, 4): left, top, width, height; all 0 where the masks are scored.
        counts, areas: compressed run lengths of masks of the size of their image, and their areas in pixels;
            None where the boxes are scored.
    """

    image_ids: NDArray[np.int64]
    category_ids: NDArray[np.int64]
    scores: NDArray[np.float64]
    boxes: NDArray[np.float64]
    counts: list[str] | None = None
    areas: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.scores)


def chosen(columns: Detected, rows: NDArray[np.bool_]) -> Detected:
    """Some of the rows."""
    counts = columns.counts
    return Detected(
        columns.image_ids[rows],
        columns.category_ids[rows],
        columns.scores[rows],
        columns.boxes[rows],
        None if counts is None else [counts[row] for row in np.flatnonzero(rows)],
        None if columns.areas is None else columns.areas[rows],
    )


def joined(parts: Sequence[Detected]) -> Detected:
    """The rows of several columns, one part after another; there is at least one part."""
    masks = parts[0].areas is not None
    return Detected(
        np.concatenate([part.image_ids for part in parts]),
        np.concatenate([part.category_ids for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.boxes for part in parts]),
        [one for part in parts for one in part.counts or ()] if masks else None,
        np.concatenate([part.areas for part in parts if part.areas is not None]) if masks else None,
    )
