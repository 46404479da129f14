"""J and F against davis2017-evaluation's formulas on decoded masks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vicas_builder import rle
from vismark.formats.rle import empty_mask
from vismark.metrics.regions import contour_accuracy, jaccard, united

Mask = NDArray[np.bool_]


def boundary(mask: Mask) -> Mask:
    """`_seg2bmap` of davis2017-evaluation at equal sizes."""
    east, south, corner = (np.zeros_like(mask) for _ in range(3))
    east[:, :-1], south[:-1], corner[:-1, :-1] = mask[:, 1:], mask[1:], mask[1:, 1:]
    found = mask ^ east | mask ^ south | mask ^ corner
    found[-1] = mask[-1] ^ east[-1]
    found[:, -1] = mask[:, -1] ^ south[:, -1]
    found[-1, -1] = False
    return found


def dilated(mask: Mask, radius: int) -> Mask:
    found = np.zeros_like(mask)
    height, width = mask.shape
    for y in range(-radius, radius + 1):
        for x in range(-radius, radius + 1):
            if x * x + y * y <= radius * radius:
                found[max(0, y) : height + min(0, y), max(0, x) : width + min(0, x)] |= mask[
                    max(0, -y) : height - max(0, y), max(0, -x) : width - max(0, x)
                ]
    return found


def f_measure(one: Mask, other: Mask) -> float:
    """`f_measure` of davis2017-evaluation."""
    radius = math.ceil(0.008 * float(np.linalg.norm(one.shape)))
    first, second = boundary(one), boundary(other)
    if not first.any() or not second.any():
        return float(first.any() == second.any())
    precision = (first & dilated(second, radius)).sum() / first.sum()
    recall = (second & dilated(first, radius)).sum() / second.sum()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def draw(random: np.random.Generator, size: tuple[int, int]) -> Mask:
    kind = random.integers(4)
    if kind == 0:
        return np.asarray(random.random(size) < random.random())
    if kind == 1:
        return np.full(size, bool(random.integers(2)))
    mask = np.zeros(size, np.bool_)
    top, left = random.integers(0, size[0]), random.integers(0, size[1])
    mask[top : top + random.integers(1, size[0] + 1), left : left + random.integers(1, size[1] + 1)] = True
    return mask


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_j_and_f_are_the_official_ones(seed: int) -> None:
    random = np.random.default_rng(seed)
    largest = 160 if seed % 10 == 0 else 24
    size = (int(random.integers(1, largest)), int(random.integers(1, largest)))
    one, other = draw(random, size), draw(random, size)
    union = (one | other).sum()
    assert jaccard(rle(one), rle(other)) == ((one & other).sum() / union if union else 1.0)
    assert contour_accuracy(rle(one), rle(other)) == pytest.approx(f_measure(one, other), abs=1e-12)


def test_united_masks() -> None:
    random = np.random.default_rng(0)
    masks = [random.random((9, 7)) < 0.2 for _ in range(3)]
    either = united([rle(mask) for mask in masks], empty_mask((9, 7)))
    assert jaccard(either, rle(np.logical_or.reduce(masks))) == 1.0
    assert united([], empty_mask((9, 7))) == empty_mask((9, 7))
