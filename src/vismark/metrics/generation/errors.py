"""How far a number may be trusted: error bars by repeated splits, and FID extrapolated to infinitely many images.

Neither is part of an official tool. FID is biased upwards by about c / N, and c depends on the model (Chong and
Forsyth, arXiv:1911.07023), so that numbers at different N are not comparable.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vismark.metrics.generation.frechet import Gaussian, frechet
from vismark.metrics.generation.moments import Moments

GROUPS = 10
_POINTS = 15


def left_out(n: int, groups: int = GROUPS, seed: int = 0) -> list[NDArray[np.intp]]:
    """A random division of n rows into groups of nearly equal size."""
    return np.array_split(np.random.default_rng(seed).permutation(n), groups)


def jackknife(value: float, without: NDArray[np.float64]) -> tuple[float, float]:
    """A 95 % interval around `value` from the values without each of G groups in turn.

    s² = (G − 1)/G · Σ (value_g − mean)² (the delete-a-group jackknife, Kott 2001), and value ± 1.96 s.
    """
    groups = len(without)
    error = np.sqrt((groups - 1) / groups * ((without - without.mean()) ** 2).sum())
    return float(value - 1.96 * error), float(value + 1.96 * error)


def frechet_interval(features: NDArray[np.floating], reference: Gaussian) -> tuple[float, float] | None:
    """The interval of the Fréchet distance over the choice of the generated images; the reference is taken as given.

    None where it would need more images: each split has to keep more rows than there are features.
    """
    n, d = features.shape
    if n * (GROUPS - 1) // GROUPS <= d:
        return None
    whole = Moments.of(features)
    without = [
        frechet(Gaussian.of_moments(whole.without(Moments.of(features[np.sort(group)]))), reference)
        for group in left_out(n)
    ]
    return jackknife(frechet(Gaussian.of_moments(whole), reference), np.array(without))


def interval(measure: Callable[[NDArray[np.intp]], float], n: int) -> tuple[float, float]:
    """The interval of any measure of a set: `measure(rows)` is its value on a part of the n rows."""
    groups = left_out(n)
    every = np.arange(n)
    without = np.array([measure(np.setdiff1d(every, group)) for group in groups])
    return jackknife(measure(every), without)


def frechet_at_infinity(
    features: NDArray[np.floating], reference: Gaussian, fewest: int = 5000, seed: int = 0
) -> float | None:
    """FID∞: the intercept of a straight line through the distances at 15 sizes from `fewest` to N over 1/N.

    None when there are fewer than twice `fewest` images, or not more than features in the smallest set.
    """
    n, d = features.shape
    if n < 2 * fewest or fewest <= d:
        return None
    random = np.random.default_rng(seed)
    sizes = np.linspace(fewest, n, _POINTS).astype(int)
    values = [
        frechet(Gaussian.of_features(features[random.choice(n, size, replace=False)]), reference) for size in sizes
    ]
    return float(np.polyfit(1 / sizes, values, 1)[1])
