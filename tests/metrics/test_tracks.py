"""Track AP: overlaps against decoded masks, matching and pooling against the official formulas, any tie order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vicas_builder import assignment, blobs, decoded, merged, pooled, rle
from vismark.formats.rle import empty_mask
from vismark.metrics import tracks as ap
from vismark.metrics.track_overlap import overlaps

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=150, deadline=None)
@given(SEEDS)
def test_overlaps_are_those_of_decoded_masks(seed: int) -> None:
    random = np.random.default_rng(seed)
    size = (int(random.integers(1, 24)), int(random.integers(1, 24)))
    counts = random.integers(0, 4, 2)
    frames = int(random.integers(1, 5))
    predicted, true = (blobs(random, int(count), frames, size) for count in counts)
    noise = random.random(predicted.shape) < 0.05
    predicted = predicted ^ noise
    shared, either = overlaps(
        [[rle(one) for one in track] for track in predicted],
        [[rle(one) for one in track] for track in true],
        empty_mask(size),
    )
    for i, one in enumerate(predicted):
        for j, other in enumerate(true):
            assert shared[i, j] == (one & other).sum()
            assert either[i, j] == (one | other).sum()
    assert (shared <= either).all()
    assert ap.ious(shared, either).tolist() == decoded(predicted, true).tolist()


def test_overlaps_are_those_of_merged_masks_of_a_large_frame() -> None:
    random = np.random.default_rng(5)
    predicted, true = (blobs(random, 3, 4, (270, 480)) for _ in range(2))
    files = [[[rle(one) for one in track] for track in tracks] for tracks in (predicted, true)]
    assert ap.ious(*overlaps(*files, empty_mask((270, 480)))).tolist() == merged(*files).tolist()


def test_a_frame_that_counts_for_nothing_is_in_no_sum() -> None:
    true = np.ones((1, 2, 3, 3), np.bool_)
    masks = [[rle(one) for one in track] for track in true]
    shared, either = overlaps([[masks[0][0], None]], masks, empty_mask((3, 3)))
    assert (shared.tolist(), either.tolist()) == ([[9]], [[9]])


@pytest.mark.parametrize(("iou", "passes"), [(0.5, 1), (0.55, 2), (0.6, 3), (0.65, 3), (0.7, 4), (0.75, 5), (0.8, 7),
                                             (0.85, 8), (0.9, 8), (0.95, 9)])  # fmt: skip
def test_thresholds_meet_float32_as_officially(iou: float, passes: int) -> None:
    """0.5, 0.55, 0.6, 0.8 and 0.85 pass their own threshold, 0.65, 0.7, 0.75, 0.9 and 0.95 do not (measured)."""
    matches = ap.match(np.array([[iou]], np.float32), 1).matches
    assert int((matches != ap.FREE).sum()) == passes


@settings(max_examples=200, deadline=None)
@given(SEEDS)
def test_matching_is_the_official_one(seed: int) -> None:
    random = np.random.default_rng(seed)
    found = random.random((int(random.integers(0, 9)), int(random.integers(0, 6)))).astype(np.float32)
    found[found < 0.3] = 1.0
    assert ap.match(found, len(found)).matches.tolist() == assignment(found, len(found)).tolist()


def test_a_prediction_ends_with_the_last_target_that_passes() -> None:
    found = np.array([[0.96, 0.97, 0.6], [0.96, 0.0, 0.0]], np.float32)
    matches = ap.match(found, 2).matches
    assert matches[0].tolist() == [2, 0] and matches[-1].tolist() == [1, 0]


def rows_of(random: np.random.Generator, expressions: int) -> list[ap.Matched]:
    rows = []
    for _ in range(expressions):
        found = random.random((int(random.integers(0, 4)), int(random.integers(0, 4)))).astype(np.float32)
        rows.append(ap.match(np.sqrt(found), len(found)))
    return rows


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 60), st.sampled_from(["stable", "introsort", "native"]))
def test_pooling_is_the_official_one(seed: int, expressions: int, order: str) -> None:
    rows = rows_of(np.random.default_rng(seed), expressions)
    matches = np.concatenate([row.matches for row in rows], axis=1)
    targets = sum(row.targets for row in rows)
    if not matches.size or not targets:
        return
    keys = -np.ones(matches.shape[1], np.float32)
    orders = {
        "stable": np.arange(len(keys)),
        "introsort": np.argsort(keys.astype(np.longdouble)),
        "native": np.argsort(keys),
    }
    assert ap.reduce(rows, order) == pooled(matches, len(keys), targets, orders[order])


def test_up_to_sixteen_columns_all_orders_are_one() -> None:
    rows = [ap.match(np.full((4, 1), 0.9, np.float32), 4) for _ in range(4)]
    assert ap.reduce(rows, "stable") == ap.reduce(rows, "introsort")


def test_the_spread_holds_every_order() -> None:
    """Two columns, one hit: first it is 100 % at one of two targets, second 50 %."""
    hit, miss = (ap.match(np.full((1, 1), one, np.float32), 1) for one in (1.0, 0.0))
    spread = ap.tie_spread([hit, miss])["mAP"]
    assert sorted(set(spread.tolist())) == [25.0, 50.0]
    assert ap.reduce([hit, miss])["mAP"] == 50.0 and ap.reduce([miss, hit])["mAP"] == 25.0
    assert ap.ties_grouped([hit, miss]) == 25.0


def test_what_is_not_defined() -> None:
    nothing = ap.match(np.zeros((0, 2), np.float32), 0)
    untargeted = ap.match(np.zeros((2, 0), np.float32), 2)
    assert ap.reduce([]) == dict.fromkeys(ap.OUTPUTS)
    assert ap.reduce([nothing]) == dict.fromkeys(ap.OUTPUTS, 0.0)
    assert ap.reduce([untargeted]) == dict.fromkeys(ap.OUTPUTS)
    assert ap.official_numbers([untargeted]) == dict.fromkeys(ap.OUTPUTS, 100.0)


def test_more_than_ten_predictions_as_officially() -> None:
    """Ten scores for twelve columns: those after them move, the last are never looked at; or the tool stops."""
    perfect = np.zeros((12, 1), np.float32)
    perfect[0] = 1.0
    row = ap.match(perfect, 12)
    assert row.scores == 10 and row.matches.shape == (10, 12)
    later = ap.match(np.ones((1, 1), np.float32), 1)
    # Columns 10 and 11 of the first stand where the second's would be, and it is lost.
    assert ap.reduce([row, later])["mAP"] == pytest.approx(50.0)
    with pytest.raises(ap.TooManyTracks):
        ap.match(np.zeros((11, 1), np.float32), 11)
