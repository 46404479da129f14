"""Intervals for numbers that are computed from sums over samples: the Poisson bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Row = TypeVar("Row")

# Below this many samples a bootstrap says nothing.
FEWEST = 10
# Samples whose vectors are in memory at once.
_BLOCK = 512


def resampled(
    rows: Sequence[Row], vector: Callable[[Row], NDArray[np.float64]], replicates: int, seed: int
) -> NDArray[np.float64]:
    """Sums over resampled samples: every sample is drawn Poisson(1) times in each replicate.

    Args:
        vector: what a row adds to the sums, always of one length.

    Returns:
        Shape (replicates, length).
    """
    random = np.random.default_rng(seed)
    sums = np.zeros((replicates, vector(rows[0]).size))
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        weights = random.poisson(1.0, size=(replicates, len(block))).astype(np.float64)
        sums += weights @ np.stack([vector(row) for row in block])
    return sums


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """The 2.5 % and 97.5 % quantiles by nearest rank."""
    ordered = np.sort(values)
    low, high = (ordered[round(share * (ordered.size - 1))] for share in (0.025, 0.975))
    return float(low), float(high)
