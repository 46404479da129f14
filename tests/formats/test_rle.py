"""Run-length masks: the same as pycocotools on sound ones, and a clear refusal of every other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as official

from detection_builder import number
from vismark.formats.detection_masks import areas
from vismark.formats.rle import Rle, RleFault, area_of, box_of, checked_runs, compress, from_string, pixels_of

MASKS = arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40), fill=st.booleans())


@settings(max_examples=200, deadline=None)
@given(MASKS)
def test_equal_to_pycocotools(mask: np.ndarray) -> None:
    size = (mask.shape[0], mask.shape[1])
    packed = official.encode(np.asfortranarray(mask, dtype=np.uint8))
    runs = checked_runs(Rle(list(size), packed["counts"].decode()), size)
    assert (pixels_of(runs, size) == mask).all()
    assert area_of(runs) == official.area(packed)
    assert box_of(runs, size[0]) == official.toBbox(packed).tolist()
    assert compress(runs, size)["counts"] == packed["counts"].decode()
    assert (checked_runs(Rle(list(size), runs.tolist()), None) == runs).all()


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=30), st.integers(1, 9), st.integers(1, 9))
def test_any_string_is_refused_or_fills_the_mask(text: str, height: int, width: int) -> None:
    try:
        runs = checked_runs(Rle([height, width], text), (height, width))
    except RleFault as fault:
        assert fault.code == "RLE_COUNTS"
    else:
        assert pixels_of(runs, (height, width)).shape == (height, width)


def test_large_runs_survive_the_string() -> None:
    runs = np.array([0, 99_999_999, 1], np.int64)
    assert (from_string(compress(runs, (10_000, 10_000))["counts"]) == runs).all()


@pytest.mark.parametrize(
    ("mask", "code"),
    [
        (Rle([60_000, 60_000], [3_600_000_000]), "RLE_SIZE"),
        (Rle([3, 2], [6]), "RLE_SIZE"),
        (Rle([2.0, 3], [6]), "RLE_SIZE"),
        (Rle([True, 6], [6]), "RLE_SIZE"),
        (Rle([2, 3], [2, 2]), "RLE_COUNTS"),
        (Rle([2, 3], [7, -1]), "RLE_COUNTS"),
        (Rle([2, 3], [2**70, -(2**70)]), "RLE_COUNTS"),
        (Rle([2, 3], [3.0, 3.0]), "RLE_COUNTS"),
        (Rle([2, 3], [True] * 6), "RLE_COUNTS"),
        (Rle([2, 3], ""), "RLE_COUNTS"),
        (Rle([2, 3], "o" * 20 + "0"), "RLE_COUNTS"),
        (Rle([2, 3], "é"), "RLE_COUNTS"),
        (Rle([2, 3], b"6"), "RLE_COUNTS"),
        (Rle([2, 3]), "RLE_COUNTS"),
        (Rle(), "RLE_SIZE"),
    ],
)
def test_faults(mask: Rle, code: str) -> None:
    with pytest.raises(RleFault) as caught:
        checked_runs(mask, (2, 3))
    assert caught.value.code == code
    assert caught.value.fix


def wrapping(pixels: int, size: int) -> str:
    """A string whose runs sum to 2^64 + `pixels`, from equal steps that `size` characters can hold."""
    count = 2 * int((2**64 / 2 ** (5 * size - 1)) ** 0.5) + 100
    each = sum((place + 1) // 2 for place in range(1, count))
    step, rest = divmod(2**64 + pixels, each)
    return number(0) + number(step) * (count - 2) + number(step + rest)


@pytest.mark.parametrize("size", [6, 7, 8, 9])
def test_runs_whose_sum_overflows_are_refused(size: int) -> None:
    with pytest.raises(RleFault):
        checked_runs(Rle([60, 80], wrapping(60 * 80, size)), (60, 80))
    assert areas([wrapping(60 * 80, size)], np.array([60 * 80])).tolist() == [-1]
