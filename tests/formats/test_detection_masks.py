"""Masks decoded in batches: areas as pycocotools counts them, −1 for everything that is no mask of the image."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as tool

from vismark.formats.detection_masks import areas
from vismark.formats.rle import Rle, RleFault, checked_runs

SIZE = (7, 9)


def packed(bits: list[bool]) -> str:
    pixels = np.asfortranarray(np.array(bits, np.uint8).reshape(SIZE))
    counts: bytes = tool.encode(pixels)["counts"]
    return counts.decode()


MASKS = st.lists(st.booleans(), min_size=63, max_size=63)
DAMAGED = st.builds(
    lambda text, at, char: text[: at % (len(text) + 1)] + char + text[at % (len(text) + 1) + 1 :],
    MASKS.map(packed),
    st.integers(0, 40),
    st.one_of(st.characters(min_codepoint=48, max_codepoint=112), st.characters(), st.just("")),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(MASKS.map(packed), DAMAGED, st.text(max_size=12)), max_size=20))
def test_like_the_decoder_of_single_masks(counts: list[str]) -> None:
    def one(text: str) -> int:
        try:
            return int(checked_runs(Rle(list(SIZE), text), SIZE)[1::2].sum())
        except RleFault:
            return -1

    assert areas(counts, np.full(len(counts), 63)).tolist() == [one(text) for text in counts]


@given(MASKS)
def test_area(bits: list[bool]) -> None:
    assert areas([packed(bits)], np.array([63])).tolist() == [sum(bits)]


def test_many_masks_of_many_sizes() -> None:
    random = np.random.default_rng(0)
    counts, pixels, expected = [], [], []
    for _ in range(600):
        height, width = random.integers(1, 300, 2)
        drawn = np.asfortranarray(random.random((height, width)) < random.random(), np.uint8)
        counts.append(tool.encode(drawn)["counts"].decode())
        pixels.append(height * width)
        expected.append(int(drawn.sum()))
    assert areas(counts, np.array(pixels)).tolist() == expected


def test_a_string_that_ends_inside_a_number_spoils_no_other() -> None:
    sound = packed([True] * 63)
    assert areas([sound, "oooo", sound, "", sound, "\xe9", sound], np.full(7, 63)).tolist() == [63, -1] * 3 + [63]
