"""Error bars: the jackknife of a mean is its textbook error; distances at infinity are those of the distributions."""

from __future__ import annotations

import numpy as np
import pytest

from vismark.metrics.generation.errors import frechet_at_infinity, frechet_interval, interval, left_out
from vismark.metrics.generation.frechet import Gaussian, frechet


def test_groups_are_a_division() -> None:
    groups = left_out(103)
    assert sorted(np.concatenate(groups).tolist()) == list(range(103))
    assert {len(group) for group in groups} <= {10, 11}


def test_the_interval_of_a_mean_is_the_textbook_one() -> None:
    """For a mean the jackknife over groups is the standard error of the group means."""
    values = np.random.default_rng(0).standard_normal(1000)
    low, high = interval(lambda rows: float(values[rows].mean()), 1000)
    means = np.array([values[group].mean() for group in left_out(1000)])
    assert (low + high) / 2 == pytest.approx(values.mean())
    assert high - low == pytest.approx(2 * 1.96 * means.std(ddof=1) / np.sqrt(10))


def test_the_interval_covers_the_spread_of_repeated_draws() -> None:
    """Its width fits the deviation of the distance over independent draws, within the accuracy of ten groups."""
    reference = Gaussian.of_statistics(np.zeros(6), np.eye(6))
    draws = [np.random.default_rng(seed).standard_normal((600, 6)) * 1.3 for seed in range(40)]
    spread = 1.96 * np.std([frechet(Gaussian.of_features(one), reference) for one in draws])
    widths = []
    for one in draws:
        found = frechet_interval(one, reference)
        assert found is not None
        widths.append((found[1] - found[0]) / 2)
    assert np.mean(widths) == pytest.approx(spread, rel=0.35)


def test_no_interval_is_claimed_for_too_few_images() -> None:
    reference = Gaussian.of_statistics(np.zeros(6), np.eye(6))
    assert frechet_interval(np.random.default_rng(0).standard_normal((6, 6)), reference) is None
    assert frechet_at_infinity(np.zeros((9999, 6)), reference) is None
    assert frechet_at_infinity(np.zeros((200, 60)), reference, fewest=50) is None


def test_the_bias_of_few_images_is_taken_out() -> None:
    """Samples of the reference itself: the distance at N is about d/(…N) > 0, at infinity it is 0."""
    reference = Gaussian.of_statistics(np.zeros(20), np.eye(20))
    draw = np.random.default_rng(0).standard_normal((4000, 20))
    biased, at_infinity = frechet(Gaussian.of_features(draw), reference), frechet_at_infinity(draw, reference, 200)
    assert at_infinity is not None
    assert abs(at_infinity) < biased / 3
