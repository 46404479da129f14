"""How well images are reconstructed: PSNR, SSIM, MSE, MAE, and the use of a codebook (MaskBit 5ea3d73, `evaluator.py`).

Images are floats in 0 … 1, shape (height, width, 3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.floating]

_RADIUS, _SIGMA = 5, 1.5
_C1, _C2 = 0.01**2, 0.03**2


def mse(real: Pixels, made: Pixels) -> float:
    """Mean squared error over pixels and channels, in float64."""
    difference = np.asarray(real, np.float64) - np.asarray(made, np.float64)
    return float((difference * difference).mean())


def mae(real: Pixels, made: Pixels) -> float:
    """Mean absolute error over pixels and channels, in float64."""
    return float(np.abs(np.asarray(real, np.float64) - np.asarray(made, np.float64)).mean())


def psnr(real: Pixels, made: Pixels) -> float:
    """10 log₁₀(1 / (MSE + 1e-10)), in decibels; the mean over images is reported."""
    return float(10 * np.log10(1 / (mse(real, made) + 1e-10)))


def ssim(real: Pixels, made: Pixels) -> float:
    """Structural similarity with an 11×11 Gaussian of σ = 1.5, per channel, the mean over all pixels, in float32.

    The border is reflected and counted, and variances are E[x²] − E[x]², as MaskBit has it.
    """
    x, y = np.asarray(real, np.float32), np.asarray(made, np.float32)
    mean_x, mean_y = _blur(x), _blur(y)
    var_x, var_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    both = _blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * both + _C2) / (var_x + var_y + _C2)
    return float((luminance * structure).mean())


def codebook(codes: NDArray[np.integer], size: int) -> tuple[float, float]:
    """(usage, entropy in bits) of a codebook of `size` entries: the share that occurs, and −Σ p log₂(p + 1e-8)."""
    counts = np.bincount(codes.ravel(), minlength=size)
    p = counts / counts.sum()
    return float((counts > 0).mean()), float(-(p * np.log2(p + 1e-8)).sum())


def _blur(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each channel convolved with the Gaussian, the border reflected; down, then across: the kernel is a product."""
    offsets = np.arange(-_RADIUS, _RADIUS + 1)
    weights = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    weights = (weights / weights.sum()).astype(np.float32)
    for axis in (0, 1):
        padded = np.pad(image, [(_RADIUS, _RADIUS) if own == axis else (0, 0) for own in range(3)], mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _RADIUS + 1, axis=axis)
        image = windows @ weights
    return image
