"""Grounding measures: against a count pixel by pixel, and cases worked out by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vismark.metrics.base import Accumulator
from vismark.metrics.grounding import Grounding, Row, measure

TRUTH = np.array([[1, 1, 2, 2], [1, 1, 2, 0]], np.uint32)


def test_worked_example() -> None:
    predicted = np.array([[7, 7, 8, 8], [7, 9, 8, 8]], np.uint32)
    # 7 has 3 of the 4 pixels of 1 and nothing else; 8 covers all 3 of 2 and a void pixel, which does not count.
    row = measure(TRUTH, [(1,), (2,), (1, 2), (1,)], predicted, [(7,), (8,), (99,), (7, 8, 9)])
    assert row == Row(regions=3, found=3, claims=4, right=3, tags=4, resolved=3, painted=8, told=8)
    numbers = Grounding().reduce([row])
    assert numbers == {"phrase_recall": 1.0, "phrase_precision": 0.75, "tags_resolved": 0.75, "area_told": 1.0}


def test_half_is_not_enough() -> None:
    predicted = np.array([[7, 7, 0, 0], [0, 0, 0, 0]], np.uint32)
    assert measure(TRUTH, [(1,)], predicted, [(7,)]).found == 0


def test_saying_nothing_is_undefined_and_finds_nothing() -> None:
    row = measure(TRUTH, [(1,)], np.zeros_like(TRUTH), [])
    assert Grounding().reduce([row]) == {
        "phrase_recall": 0.0,
        "phrase_precision": None,
        "tags_resolved": None,
        "area_told": None,
    }
    assert Grounding().reduce([])["phrase_recall"] is None


def test_repeating_a_phrase_gains_nothing() -> None:
    once = measure(TRUTH, [(1,), (2,)], TRUTH, [(1,)])
    often = measure(TRUTH, [(1,), (2,)], TRUTH, [(1,)] * 9)
    assert (once.claims, once.right, once.found) == (often.claims, often.right, often.found) == (1, 1, 1)


MAPS = st.lists(st.integers(0, 4), min_size=24, max_size=24).map(lambda flat: np.array(flat, np.uint32).reshape(4, 6))
PHRASES = st.lists(st.lists(st.integers(0, 6), max_size=3), max_size=6)


@given(MAPS, PHRASES, MAPS, PHRASES)
def test_equals_a_count_of_pixels(
    truth: np.ndarray, regions: list[list[int]], predicted: np.ndarray, tags: list[list[int]]
) -> None:
    row = measure(truth, regions, predicted, tags)
    wanted, claimed = ({frozenset(one) for one in sets if one} for sets in (regions, tags))

    def matches(one: frozenset[int], other: frozenset[int]) -> bool:
        both = either = 0
        for t, p in zip(truth.ravel().tolist(), predicted.ravel().tolist(), strict=True):
            inside, covered = t in one - {0}, p in other - {0}
            both += inside and covered
            either += inside or (covered and t != 0)
        return either > 0 and both / either > 0.5

    assert row.regions == len(wanted) and row.claims == len(claimed)
    assert row.found == sum(any(matches(one, other) for other in claimed) for one in wanted)
    assert row.right == sum(any(matches(one, other) for one in wanted) for other in claimed)
    assert row.painted == int((predicted != 0).sum())
    named = {id for tag in tags for id in tag} - {0}
    assert row.told == int(np.isin(predicted, list(named)).sum())


def test_any_order_gives_the_same_bits() -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 5, (2, 9, 9)).astype(np.uint32) for _ in range(6)]
    totals = []
    for order in (range(6), reversed(range(6))):
        total = Accumulator(Grounding())
        for number in order:
            truth, predicted = pictures[number]
            total.update(str(number), truth, [(1,), (2, 3)], predicted, [(1,), (4,)])
        totals.append(total.compute())
    assert totals[0] == totals[1]
