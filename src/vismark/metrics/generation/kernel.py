"""Kernel distances: KID (Bińkowski et al., arXiv:1801.01401) and CMMD (Jayasumana et al., arXiv:2401.09603)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Kernel = Callable[[NDArray[np.floating], NDArray[np.floating]], NDArray[np.floating]]


def polynomial(x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.floating]:
    """(x·y / d + 1)³, the kernel of KID."""
    found: NDArray[np.floating] = (x @ y.T * (1.0 / x.shape[1]) + 1.0) ** 3
    return found


def gaussian(x: NDArray[np.floating], y: NDArray[np.floating], sigma: float = 10.0) -> NDArray[np.floating]:
    """exp(−|x − y|² / 2σ²)."""
    squares = (x * x).sum(axis=1)[:, None] + (y * y).sum(axis=1)
    found: NDArray[np.floating] = np.exp((2 * (x @ y.T) - squares) / (2 * sigma**2))
    return found


def kid(
    generated: NDArray[np.floating],
    real: NDArray[np.floating],
    *,
    subsets: int = 100,
    size: int = 1000,
    seed: int = 2020,
    kernel: Kernel = polynomial,
) -> tuple[float, float]:
    """KID as torch-fidelity 0.4.0: (mean, standard deviation) of the unbiased estimate over random subsets.

    Subsets come from the legacy generator of NumPy, first from the generated images. Small negative values are valid.

    Raises:
        ValueError: a set has fewer images than a subset.
    """
    if min(len(generated), len(real)) < size:
        raise ValueError(f"KID takes subsets of {size} images; there are {len(generated)} and {len(real)}")
    random = np.random.RandomState(seed)
    values = []
    for _ in range(subsets):
        x = generated[random.choice(len(generated), size, replace=False)]
        y = real[random.choice(len(real), size, replace=False)]
        within = sum(float(_off_diagonal(kernel(one, one))) for one in (x, y))
        values.append(within / (size * (size - 1)) - 2 * float(kernel(x, y).sum()) / size**2)
    return float(np.mean(values)), float(np.std(values))


def kid_clean(
    generated: NDArray[np.floating],
    real: NDArray[np.floating],
    *,
    subsets: int = 100,
    size: int = 1000,
    random: np.random.RandomState | None = None,
) -> float:
    """KID as clean-fid e88c4d6: subsets of at most `size`, drawn from the real images first; no deviation is given.

    Args:
        random: the official code draws from NumPy's global generator without a seed; the default is seeded with 0.
    """
    random = random or np.random.RandomState(0)
    size = min(len(generated), len(real), size)
    total = 0.0
    for _ in range(subsets):
        x = real[random.choice(len(real), size, replace=False)]
        y = generated[random.choice(len(generated), size, replace=False)]
        within = polynomial(x, x) + polynomial(y, y)
        total += float(_off_diagonal(within)) / (size - 1) - 2 * float(polynomial(x, y).sum()) / size
    return total / subsets / size


def cmmd(generated: NDArray[np.floating], real: NDArray[np.floating], block: int = 4096) -> float:
    """CMMD: 1000 times the squared MMD with a Gaussian kernel, σ = 10, of CLIP embeddings of length 1.

    The biased estimate (diagonals count), in float64. A reimplementation of the published formula; the official
    package was not run.
    """
    x, y = (_unit(np.asarray(one, dtype=np.float64)) for one in (generated, real))
    return 1000 * (_mean(x, x, block) + _mean(y, y, block) - 2 * _mean(x, y, block))


def _mean(x: NDArray[np.float64], y: NDArray[np.float64], block: int) -> float:
    total = sum(float(gaussian(x[start : start + block], y).sum()) for start in range(0, len(x), block))
    return total / (len(x) * len(y))


def _off_diagonal(matrix: NDArray[np.floating]) -> np.floating:
    """The sum without the diagonal, summed row by row as the official codes do."""
    found: np.floating = (matrix.sum(axis=1) - np.diagonal(matrix)).sum()
    return found


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found
