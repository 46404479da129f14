"""Track AP of language-guided video instance segmentation (ViCaS, arXiv:2412.09754; official tool 3d10993).

Every expression has its own predicted and true tracks. At each of ten IoU thresholds a predicted track ends with the
last true track that is free and passes; all columns of all expressions are pooled, sorted by score and reduced to the
area under a monotone precision-recall curve, in float32 as officially.

All scores are equal, so the number depends on how the sort breaks ties, which differs between builds of NumPy. `ORDERS`
names the orders that builds have; `tie_spread` tells what any order would give.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Matches = NDArray[np.int32]

# As the official tool makes them, last bits included: 0.6000000000000001 and so on.
THRESHOLDS = np.arange(0.5, 0.95 + 1e-4, 0.05)
MOST = 10
FREE = -1

OUTPUTS = ("mAP", "AP@50", "AP@75", "AP@90")
_REPORTED = {"AP@50": 0, "AP@75": 5, "AP@90": 8}
_RANDOM_ORDERS = 100

# Each turns negated scores into an order of columns.
ORDERS: Mapping[str, Callable[[NDArray[Any]], NDArray[np.intp]]] = {
    # Ties in the order of evaluation: NumPy 2.4 with AVX2 or AVX-512, and any build up to 16 columns.
    "stable": lambda keys: np.argsort(keys, kind="stable"),
    # The scalar sort, which long doubles always take: NumPy 1.24, 1.26 without AVX-512, 2.4 without AVX2.
    "introsort": lambda keys: np.argsort(keys.astype(np.longdouble)),
    # Whatever this machine does.
    "native": lambda keys: np.argsort(keys),
}


class TooManyTracks(IndexError):
    """The official tool stops at this expression: more than ten predictions, and a true track is left over."""


@dataclass(frozen=True)
class Matched:
    """One expression after matching.

    Attributes:
        matches: int32 of shape (thresholds, predicted): the true track of each predicted one, or `FREE`.
        scores: how many scores the official tool keeps: one a prediction, but at the most ten where targets exist.
        targets: number of true tracks.
    """

    matches: Matches
    scores: int
    targets: int


def ious(intersections: NDArray[np.int64], unions: NDArray[np.int64]) -> Floats:
    """Track IoUs as the official tool stores them: float64 quotients in float32, 0 for two empty tracks."""
    quotient = intersections / np.maximum(unions, 1)
    return np.where(unions > 0, quotient, 0.0).astype(np.float32)


def match(found: Floats, predicted: int, order: str = "stable") -> Matched:
    """The greedy assignment of predicted to true tracks at every threshold.

    Args:
        found: track IoUs, shape (predicted, true).
        predicted: number of predicted tracks.
        order: a key of `ORDERS`: which ten of more than ten predictions are looked at.

    Raises:
        TooManyTracks: where the official tool raises IndexError.
    """
    targets = found.shape[1]
    matches = np.full((len(THRESHOLDS), predicted), FREE, np.int32)
    if not predicted or not targets:
        return Matched(matches, predicted, targets)
    kept = found[ORDERS[order](-np.ones(predicted, np.float32))[:MOST]].astype(np.float64).tolist()
    for level, threshold in enumerate(THRESHOLDS.tolist()):
        row = [FREE] * predicted
        for one in range(predicted):
            for target in range(targets):
                if target in row:
                    continue
                if one >= len(kept):
                    raise TooManyTracks(one)
                if kept[one][target] >= threshold:
                    row[one] = target
        matches[level] = row
    return Matched(matches, len(kept), targets)


def reduce(rows: Sequence[Matched], order: str = "stable") -> dict[str, float | None]:
    """The official numbers in percent, over expressions in the order of evaluation.

    Without any expression, or with predictions but no true track at all, nothing is defined: None (the official tool
    crashes on the first and answers 100 to the second). Without any prediction all are 0.
    """
    if not rows or (sum(row.targets for row in rows) == 0 and any(row.matches.size for row in rows)):
        return dict.fromkeys(OUTPUTS)
    return official_numbers(rows, order)


def official_numbers(rows: Sequence[Matched], order: str = "stable") -> dict[str, float | None]:
    """Like `reduce`, with the official 100 where there are predictions but no true track.

    Raises:
        ValueError: there is no expression.
    """
    return _numbers(_pooled(rows, order))


def by_threshold(rows: Sequence[Matched], order: str = "stable") -> list[float | None]:
    """AP at each of `THRESHOLDS` in percent; None where it is not defined."""
    if reduce(rows, order)["mAP"] is None:
        return [None] * len(THRESHOLDS)
    return [float(one) for one in _pooled(rows, order) * np.float32(100.0)]


def tie_spread(rows: Sequence[Matched], seed: int = 0) -> dict[str, NDArray[np.float64]]:
    """The official numbers under 100 random orders of the tied columns: name → float64 of shape (100,).

    Empty arrays where the order makes no difference (no prediction, or no true track).
    """
    hits = _hits(rows)
    if hits is None:
        return {name: np.zeros(0) for name in OUTPUTS}
    random = np.random.default_rng(seed)
    targets = float(sum(row.targets for row in rows))
    drawn = [
        _numbers(_average_precision(hits[:, random.permutation(hits.shape[1])], targets)) for _ in range(_RANDOM_ORDERS)
    ]
    return {name: np.array([one[name] for one in drawn], np.float64) for name in OUTPUTS}


def ties_grouped(rows: Sequence[Matched]) -> float | None:
    """mAP with all tied columns as one operating point, final precision times final recall; None if not defined."""
    hits = _hits(rows)
    if hits is None:
        return None
    true = hits.sum(axis=1)
    return float(100 * np.mean(true / hits.shape[1] * true / sum(row.targets for row in rows)))


def _pooled(rows: Sequence[Matched], order: str) -> Floats:
    """AP of every threshold, 0 … 1."""
    matches = np.concatenate([row.matches for row in rows], axis=1)
    targets = float(sum(row.targets for row in rows))
    if not matches.size:
        return np.zeros(len(THRESHOLDS), np.float32)
    if not targets:
        return np.ones(len(THRESHOLDS), np.float32)
    # Fewer scores than columns (more than ten predictions): the last columns are never looked at.
    keys = -np.ones(sum(row.scores for row in rows), np.float32)
    return _average_precision((matches != FREE)[:, ORDERS[order](keys)], targets)


def _hits(rows: Sequence[Matched]) -> NDArray[np.bool_] | None:
    """Which pooled columns matched, of shape (thresholds, columns); None where there are none or no targets."""
    if not rows or not sum(row.targets for row in rows):
        return None
    hits = np.concatenate([row.matches for row in rows], axis=1)[:, : sum(row.scores for row in rows)] != FREE
    return hits if hits.size else None


def _average_precision(hits: NDArray[np.bool_], targets: float) -> Floats:
    """AP of every threshold, columns in the order of their scores; every step in float32 as officially."""
    true = np.cumsum(hits.astype(np.float32), 1)
    false = np.cumsum((~hits).astype(np.float32), 1)
    edge = np.zeros_like(true[:, :1])
    precision = np.concatenate([edge, true / (true + false + 1e-8), edge], 1)
    recall = np.concatenate([edge, true / targets, np.ones_like(edge)], 1)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    found = np.zeros(len(hits), np.float32)
    for level, (heights, places) in enumerate(zip(precision, recall, strict=True)):
        steps = np.flatnonzero(places[1:] != places[:-1])
        found[level] = np.sum((places[steps + 1] - places[steps]) * heights[steps + 1])
    return found


def _numbers(aps: Floats) -> dict[str, float | None]:
    aps = aps * np.float32(100.0)
    levels = {name: float(aps[level]) for name, level in _REPORTED.items()}
    return {"mAP": float(np.mean(aps)), **levels}
