"""The Fréchet distance of two Gaussians (FID, sFID, FD-DINOv2, rFID; Heusel et al., arXiv:1706.08500).

F = |μ₁ − μ₂|² + tr Σ₁ + tr Σ₂ − 2 tr (Σ₁Σ₂)^½. The official codes take a general matrix square root or general
eigenvalues of Σ₁Σ₂, which is not symmetric: slow, and complex or refused when there are fewer images than features.
With Σ = LLᵀ the last trace is the nuclear norm of L₁ᵀL₂: real, exact at any rank, and with fewer images than
features L is the centred data, so that the matrix is small.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vismark.metrics.generation.moments import Moments, single_mean

# Above this size singular values come from the Gram matrix: three times faster, and 1e-9 is kept (see the tests).
_SVD_UP_TO = 1024


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian by its mean and a root of its covariance.

    Attributes:
        mean: shape (d,); float64, or float32 where an official code has it so.
        root: float64 of shape (d, r) with root @ root.T the covariance; r ≤ d.
        n: how many images it stands for, or None when that is not known.
    """

    mean: NDArray[np.floating]
    root: NDArray[np.float64]
    n: int | None = None

    @classmethod
    def of_features(cls, features: NDArray[np.floating], single: bool = False) -> Gaussian:
        """The Gaussian of the rows of `features`, shape (n, d), n ≥ 2.

        Args:
            single: keep the mean in float32, see `single_mean` (the distance moves by up to 1e-6 of itself).

        Raises:
            ValueError: fewer than two rows.
        """
        n, d = features.shape
        if n < 2:
            raise ValueError("one image has no covariance")
        if n > d:
            found = cls.of_moments(Moments.of(features))
        else:
            rows = np.asarray(features, dtype=np.float64)
            mean = rows.mean(axis=0)
            found = cls(mean, (rows - mean).T / np.sqrt(n - 1), n)
        return replace(found, mean=single_mean([np.asarray(features, np.float32)])) if single else found

    @classmethod
    def of_moments(cls, moments: Moments) -> Gaussian:
        """The Gaussian of streamed moments."""
        return cls.of_statistics(moments.mean, moments.sigma, moments.n)

    @classmethod
    def of_statistics(cls, mean: NDArray[np.floating], sigma: NDArray[np.floating], n: int | None = None) -> Gaussian:
        """The Gaussian of a mean (d,) and a covariance (d, d), as statistics files state them.

        Raises:
            ValueError: the shapes do not fit, or a value is not finite.
        """
        covariance = np.asarray(sigma, np.float64)
        if mean.ndim != 1 or sigma.shape != (mean.size, mean.size):
            raise ValueError(f"a mean of shape {mean.shape} does not fit a covariance of shape {sigma.shape}")
        if not (np.isfinite(mean).all() and np.isfinite(sigma).all()):
            raise ValueError("mean and covariance must be finite")
        return cls(mean, _root(covariance), n)


def frechet(first: Gaussian, second: Gaussian) -> float:
    """The Fréchet distance; of a set to itself it is 0 up to rounding, and may then be slightly negative.

    Raises:
        ValueError: the two have another number of features.
    """
    if first.mean.shape != second.mean.shape:
        raise ValueError(f"{first.mean.size} features against {second.mean.size}")
    shift = first.mean - second.mean  # in float32 when both are
    traces = np.vdot(first.root, first.root) + np.vdot(second.root, second.root)
    return float(shift @ shift) + float(traces - 2 * _nuclear_norm(first.root.T @ second.root))


def _root(sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    """L with LLᵀ = sigma: Cholesky where that is safe, else the eigenvectors of what is not rounding."""
    sigma = (sigma + sigma.T) / 2
    try:
        root = np.linalg.cholesky(sigma)
        pivots = np.diagonal(root) ** 2
        if pivots.min() > sigma.shape[0] * np.finfo(np.float64).eps * pivots.max():
            return np.asarray(root, np.float64)
    except np.linalg.LinAlgError:
        pass
    values, vectors = np.linalg.eigh(sigma)
    real = values > sigma.shape[0] * np.finfo(np.float64).eps * max(values[-1], 0)
    found: NDArray[np.float64] = vectors[:, real] * np.sqrt(values[real])
    return found


def _nuclear_norm(matrix: NDArray[np.float64]) -> float:
    """The sum of the singular values."""
    if min(matrix.shape) <= _SVD_UP_TO:
        return float(np.linalg.svd(matrix, compute_uv=False).sum())
    matrix = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    return float(np.sqrt(np.maximum(np.linalg.eigvalsh(matrix @ matrix.T), 0)).sum())
