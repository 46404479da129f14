"""Mean and covariance of features, streamed in one pass and merged across machines.

Blocks are reduced around their own mean and merged by Chan, Golub and LeVeque (1979), in float64: no copy of the
features is held, and nothing cancels as in E[xxᵀ] − E[x]E[x]ᵀ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

# Rows that are converted to float64 at once.
_BLOCK = 1024


@dataclass(frozen=True)
class Moments:
    """What is known of a set of features once they are gone.

    Attributes:
        n: number of rows.
        mean: float64 of shape (d,).
        scatter: float64 of shape (d, d), the sum of (x − mean)(x − mean)ᵀ.
    """

    n: int
    mean: NDArray[np.float64]
    scatter: NDArray[np.float64]

    @classmethod
    def of(cls, features: NDArray[np.floating]) -> Moments:
        """The moments of the rows of `features`, shape (n, d), n ≥ 1, in blocks of fixed size.

        Raises:
            ValueError: there are no rows, or it is no matrix.
        """
        if features.ndim != 2 or not len(features):
            raise ValueError(f"features are a matrix with a row an image, not of shape {features.shape}")
        return cls.stream(features[start : start + _BLOCK] for start in range(0, len(features), _BLOCK))

    @classmethod
    def stream(cls, blocks: Iterable[NDArray[np.floating]]) -> Moments:
        """The moments of all rows of all blocks, each of shape (n, d).

        Raises:
            ValueError: no block has a row.
        """
        return merged(_block(block) for block in blocks if len(block))

    def merge(self, other: Moments) -> Moments:
        """The moments of both sets together."""
        n = self.n + other.n
        shift = other.mean - self.mean
        spread = np.outer(shift, shift * (self.n * other.n / n))
        return Moments(n, self.mean + shift * (other.n / n), self.scatter + other.scatter + spread)

    def without(self, part: Moments) -> Moments:
        """The moments of the set when a part of it is taken out: the reverse of `merge`.

        Raises:
            ValueError: nothing would be left.
        """
        n = self.n - part.n
        if n < 1:
            raise ValueError("no features are left")
        mean = (self.mean * self.n - part.mean * part.n) / n
        shift = part.mean - mean
        spread = np.outer(shift, shift * (n * part.n / self.n))
        return Moments(n, mean, self.scatter - part.scatter - spread)

    @property
    def sigma(self) -> NDArray[np.float64]:
        """The covariance with divisor n − 1, as every official tool takes it.

        Raises:
            ValueError: one row has no covariance.
        """
        if self.n < 2:
            raise ValueError("one image has no covariance")
        return self.scatter / (self.n - 1)


def merged(parts: Iterable[Moments]) -> Moments:
    """All parts together, in the order given; another order differs by rounding (about 1e-15 of the trace).

    Raises:
        ValueError: there is none.
    """
    return reduce(Moments.merge, _some(parts))


def single_mean(blocks: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The mean of the rows of all blocks added up in float32, row by row: ``features.mean(axis=0)`` bit by bit.

    guided-diffusion, torch-fidelity and clean-fid have their means so; for 50,000 images the sixth digit is rounding.

    Raises:
        ValueError: no block has a row.
    """
    total, n = None, 0
    for block in blocks:
        if len(block):
            rows = block if total is None else np.vstack([total, block])
            total, n = np.add.reduce(rows, axis=0, dtype=np.float32), n + len(block)
    if total is None:
        raise ValueError("no features")
    found: NDArray[np.float32] = total / np.float32(n)
    return found


def _some(parts: Iterable[Moments]) -> Iterator[Moments]:
    empty = True
    for part in parts:
        empty = False
        yield part
    if empty:
        raise ValueError("no features")


def _block(block: NDArray[np.floating]) -> Moments:
    rows = np.asarray(block, dtype=np.float64)
    mean = rows.mean(axis=0)
    rows = rows - mean
    return Moments(len(rows), mean, rows.T @ rows)
