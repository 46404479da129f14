"""Counting by runs equals counting by sorting, on any map."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from vismark.formats.idmaps import compact, counts, joint_counts

SHAPES = arrays.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=9)
IDS = st.sampled_from([0, 1, 2, 255, 256, 2**24 - 1])


def maps(shape: tuple[int, ...]) -> st.SearchStrategy[NDArray[np.uint32]]:
    return arrays.arrays(np.uint32, shape, elements=IDS)


@given(SHAPES.flatmap(maps))
def test_compact_is_unique_with_inverse(ids: NDArray[np.uint32]) -> None:
    values, places = compact(ids)
    expected, inverse = np.unique(ids, return_inverse=True)
    assert np.array_equal(values, expected)
    assert np.array_equal(places, inverse.reshape(ids.shape))


@given(SHAPES.flatmap(lambda shape: st.tuples(maps(shape), maps(shape))))
def test_joint_counts_by_brute_force(pair: tuple[NDArray[np.uint32], NDArray[np.uint32]]) -> None:
    first, second = pair
    expected: dict[tuple[int, int], int] = {}
    for both in zip(first.ravel().tolist(), second.ravel().tolist(), strict=True):
        expected[both] = expected.get(both, 0) + 1
    got = joint_counts(first, second)
    assert got == expected and list(got) == sorted(got)
    assert counts(first) == {value: int((first == value).sum()) for value in np.unique(first).tolist()}


def test_joint_counts_broadcast() -> None:
    first, column = np.array([[1, 1, 2], [3, 3, 3]], np.uint32), np.array([[7], [9]], np.uint32)
    assert joint_counts(first, column) == {(1, 7): 2, (2, 7): 1, (3, 9): 3}
