"""Measures on balls around images: precision and recall (Kynkäänniemi et al., arXiv:1904.06991), density and coverage.

The ball of an image reaches to its k-th nearest neighbour in its own set. A generated image is precise when it lies in
a ball of a real one; a real image is recalled when it lies in a ball of a generated one. Distances are made block by
block, so that memory is bounded by the block; those of a set to itself are made once for both sides; and pairs that
can no longer change an answer are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.floating]
Flags = NDArray[np.bool_]

_BLOCK = 2048


class PrecisionRecall(NamedTuple):
    """Shares in 0 … 1, and their harmonic mean."""

    precision: float
    recall: float

    @property
    def f_score(self) -> float:
        """2PR / max(1e-5, P + R), as torch-fidelity reports it."""
        return 2 * self.precision * self.recall / max(1e-5, self.precision + self.recall)


class Balls(NamedTuple):
    """Precision and recall with strict comparison, density and coverage, as the package prdc 0.2 gives them."""

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall(generated: Rows, real: Rows, k: int = 3) -> PrecisionRecall:
    """Improved precision and recall in the precision of the features, shapes (n, d) and (m, d).

    Equal to torch-fidelity 0.4.0 (generated first, then real), and to guided-diffusion 22e0df8 where that works in
    float32; it works in float16 where that does not overflow, which no two machines do alike (up to ±0.01).

    Raises:
        ValueError: a set has k images or fewer.
    """
    inside, recalled = covered(generated, real, squared_radii(generated, k), squared_radii(real, k))
    return PrecisionRecall(float(inside.mean()), float(recalled.mean()))


def balls(generated: Rows, real: Rows, k: int = 5) -> Balls:
    """Precision, recall, density and coverage as prdc 0.2 (Naeem et al., arXiv:2002.09797), in float64.

    Density is the mean number of real balls around a generated image, over k; coverage the share of real balls with a
    generated image inside. Comparisons are strict.

    Raises:
        ValueError: a set has k images or fewer.
    """
    x, y = generated, real
    around_x, around_y = squared_radii(x, k, np.float64), squared_radii(y, k, np.float64)
    counts = np.zeros(len(x), dtype=np.int64)
    recalled, hit = np.zeros(len(y), np.bool_), np.zeros(len(y), np.bool_)
    for rows in _pieces(len(x)):
        for columns in _pieces(len(y)):
            distances = _distances(x[rows].astype(np.float64), y[columns].astype(np.float64))
            within = distances < around_y[columns]
            counts[rows] += within.sum(axis=1)
            hit[columns] |= within.any(axis=0)
            recalled[columns] |= (distances < around_x[rows, None]).any(axis=0)
    return Balls(float((counts > 0).mean()), float(recalled.mean()), float(counts.mean() / k), float(hit.mean()))


def squared_radii(points: Rows, k: int, dtype: Any = None) -> Rows:
    """The squared distance from each row to its k-th nearest other row, shape (n,), in the precision of `dtype`.

    An exact copy of a row is another row: with k copies the radius is 0.

    Raises:
        ValueError: there are k rows or fewer.
    """
    if len(points) <= k:
        raise ValueError(f"the {k}-th neighbour needs more than {k} images; there are {len(points)}")
    pieces = list(_pieces(len(points)))
    # Of each row the k + 1 smallest so far, itself among them.
    dtype = dtype or points.dtype
    nearest = np.full((len(points), k + 1), np.inf, dtype=dtype)
    for number, rows in enumerate(pieces):
        for columns in pieces[number:]:
            distances = _distances(points[rows].astype(dtype, copy=False), points[columns].astype(dtype, copy=False))
            if rows == columns:
                np.fill_diagonal(distances, 0)
            else:
                nearest[columns] = _smallest(nearest[columns], distances.T, k)
            nearest[rows] = _smallest(nearest[rows], distances, k)
    radii: Rows = nearest.max(axis=1)
    return radii


def covered(x: Rows, y: Rows, around_x: Rows, around_y: Rows) -> tuple[Flags, Flags]:
    """Which rows of `x` lie in a ball around a row of `y`, and the reverse; `around_…` are squared radii, ≤ counts."""
    inside, recalled = np.zeros(len(x), np.bool_), np.zeros(len(y), np.bool_)
    # Large balls first: they settle most rows at once.
    by_x, by_y = np.argsort(-around_x, kind="stable"), np.argsort(-around_y, kind="stable")

    def look(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> None:
        distances = _distances(x[rows], y[columns])
        inside[rows] |= (distances <= around_y[columns]).any(axis=1)
        recalled[columns] |= (distances <= around_x[rows, None]).any(axis=0)

    for columns in (by_y[piece] for piece in _pieces(len(y))):
        for rows in (by_x[piece] for piece in _pieces(len(x))):
            open_rows, open_columns = rows[~inside[rows]], columns[~recalled[columns]]
            if open_rows.size * columns.size + rows.size * open_columns.size < rows.size * columns.size:
                look(open_rows, columns)
                look(rows, open_columns)
            else:
                look(rows, columns)
    return inside, recalled


def nearest(queries: Rows, points: Rows, k: int) -> tuple[NDArray[np.intp], Rows]:
    """The k nearest rows of `points` for each query, nearest first: indices and distances, shapes (queries, k)."""
    distances = np.concatenate([_distances(queries, points[piece]) for piece in _pieces(len(points))], axis=1)
    found = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return found, np.sqrt(np.take_along_axis(distances, found, axis=1))


def _pieces(n: int) -> Iterator[slice]:
    return (slice(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK))


def _distances(x: Rows, y: Rows) -> Rows:
    """Squared Euclidean distances max(|x|² − 2xy + |y|², 0), shape (len(x), len(y))."""
    found: Rows = (x * -2) @ y.T
    found += (x * x).sum(axis=1)[:, None]
    found += (y * y).sum(axis=1)
    return np.maximum(found, 0, out=found)


def _smallest(sofar: Rows, more: Rows, k: int) -> Rows:
    """The k + 1 smallest of each row of both."""
    return np.partition(np.concatenate([sofar, more], axis=1), k, axis=1)[:, : k + 1]
