"""Boundary panoptic quality: the fast boundary equals r erosions, the matching a plain twin of the official tool."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from panoptic_pairs import CATEGORIES, images
from vismark.metrics.boundary import boundary, match, radius
from vismark.metrics.panoptic import TrueSegment


def eroded(mask: NDArray[np.bool_], times: int) -> NDArray[np.bool_]:
    """`times` erosions with a 3 × 3 square, zeros beyond the border."""
    for _ in range(times):
        padded = np.pad(mask, 1)
        mask = np.min([np.roll(padded, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)], axis=0)[1:-1, 1:-1]
    return mask


def boundary_of(mask: NDArray[np.bool_], ratio: float) -> NDArray[np.bool_]:
    """boundary-iou-api's `mask_to_boundary`: the mask without what is left after r erosions."""
    height, width = mask.shape
    times = max(1, round(ratio * float(np.sqrt(height**2 + width**2))))
    return mask & ~eroded(mask, times)


@given(
    arrays.arrays(np.uint32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=14), elements=st.integers(0, 2)),
    st.sampled_from([0.01, 0.1, 0.2, 0.3]),
    st.integers(1, 5),
)
@settings(max_examples=200, deadline=None)
def test_boundary_is_what_erosions_take(ids: NDArray[np.uint32], ratio: float, zoom: int) -> None:
    ids = np.kron(ids, np.ones((zoom, zoom), dtype=np.uint32))
    band = boundary(ids, ratio)
    for id in np.unique(ids):
        assert np.array_equal(band & (ids == id), boundary_of(ids == id, ratio))


@pytest.mark.parametrize(
    ("size", "expected"),
    [((480, 640), 16), ((640, 480), 16), ((15, 20), 1), ((1, 1), 1), ((75, 100), 2), ((105, 140), 4), ((427, 640), 15)],
)
def test_radius_rounds_half_to_even(size: tuple[int, int], expected: int) -> None:
    # 75 × 100 has the diagonal 125: 2.5 becomes 2; 105 × 140 has 175: 3.5 becomes 4.
    assert radius(size) == expected


def twin(image: dict[str, Any], ratio: float, mark: int) -> dict[int, tuple[float, int, int, int]]:
    """After boundary-iou-api 37d2558, `pq_compute_single_core`, map by map and pair by pair.

    `mark` overwrites the inside of segments; the official tool takes the largest category id + 1.
    """
    truth, predicted = image["truth"].astype(np.int64), image["predicted"].astype(np.int64)
    segments = {s.id: s for s in image["segments"]}
    lengths: dict[tuple[str, int], int] = {}
    maps = {"t": truth.copy(), "p": predicted.copy()}
    for name, listed in (("t", [s.id for s in image["segments"]]), ("p", list(image["predictions"]))):
        for id in listed:
            mask = maps[name] == id
            band = boundary_of(mask, ratio)
            maps[name][mask] = mark
            maps[name][band] = id
            lengths[name, id] = int(band.sum())

    def shared(t: int, p: int) -> int:
        return int(((truth == t) & (predicted == p)).sum())

    def shared_boundary(t: int, p: int) -> int:
        return int(((maps["t"] == t) & (maps["p"] == p)).sum())

    found: dict[int, list[float]] = {}
    matched: set[tuple[str, int]] = set()
    for t in sorted(segments):
        for p in sorted(image["predictions"]):
            both = shared(t, p)
            if not both or segments[t].iscrowd or segments[t].category != image["predictions"][p]:
                continue
            union = int((predicted == p).sum()) + segments[t].area - both - shared(0, p)
            lines = shared_boundary(t, p)
            line_union = lengths["p", p] + lengths["t", t] - lines - shared_boundary(0, p)
            # A spoiled segment (mark = one of the ids) may leave nothing to divide by; NumPy answers with nan there.
            iou = min(both / union, lines / line_union) if line_union else math.nan
            if iou > 0.5:
                row = found.setdefault(segments[t].category, [0.0, 0, 0, 0])
                row[0], row[1] = row[0] + iou, row[1] + 1
                matched |= {("t", t), ("p", p)}
    crowds = {}
    for t, segment in segments.items():
        if ("t", t) not in matched and segment.iscrowd:
            crowds[segment.category] = t
        elif ("t", t) not in matched:
            found.setdefault(segment.category, [0.0, 0, 0, 0])[3] += 1
    for p, category in image["predictions"].items():
        if ("p", p) not in matched:
            excused = shared(0, p) + (shared(crowds[category], p) if category in crowds else 0)
            if excused / (predicted == p).sum() <= 0.5:
                found.setdefault(category, [0.0, 0, 0, 0])[2] += 1
    return {c: (iou, int(tp), int(fp), int(fn)) for c, (iou, tp, fp, fn) in found.items()}


@given(images(), st.sampled_from([0.02, 0.15]), st.integers(1, 6))
@settings(max_examples=300, deadline=None)
def test_matching_equals_the_twin(image: dict[str, Any], ratio: float, zoom: int) -> None:
    for name in ("truth", "predicted"):
        image[name] = np.kron(image[name], np.ones((zoom, zoom), dtype=np.uint32))
    image["segments"] = [TrueSegment(s.id, s.category, s.area * zoom**2, s.iscrowd) for s in image["segments"]]
    free = max(CATEGORIES) + 1
    while free in {s.id for s in image["segments"]} | image["predictions"].keys():
        free += 1
    got = {
        s.category: (s.iou, s.tp, s.fp, s.fn)
        for s in match(image["truth"], image["segments"], image["predicted"], image["predictions"], ratio)
    }
    expected = twin(image, ratio, free)
    assert got.keys() == expected.keys()
    for category, (iou, *numbers) in got.items():
        assert numbers == list(expected[category][1:])
        assert iou == pytest.approx(expected[category][0], abs=1e-12)


def test_the_official_mark_spoils_a_segment_of_the_same_id() -> None:
    """Ours counts a segment with the id 201 like any other; the official way it loses its boundary."""
    truth = np.full((40, 40), 3, dtype=np.uint32)
    truth[:, :20] = 201
    image = {
        "truth": truth,
        "segments": [TrueSegment(201, 1, 800), TrueSegment(3, 1, 800)],
        "predicted": truth,
        "predictions": {201: 1, 3: 1},
    }
    ours = match(truth, image["segments"], truth, {201: 1, 3: 1})
    assert [(s.iou, s.tp) for s in ours] == [(2.0, 2)]
    assert twin(image, 0.02, 999)[1][:2] == (2.0, 2)
    assert twin(image, 0.02, 201)[1] != twin(image, 0.02, 999)[1]


def test_boundary_is_stricter_than_the_mask() -> None:
    """A large square moved by a few pixels: almost the same mask, another boundary."""
    truth, predicted = np.zeros((200, 200), np.uint32), np.zeros((200, 200), np.uint32)
    truth[50:150, 50:150] = 1
    truth[truth == 0] = 2
    predicted[55:155, 55:155] = 1
    predicted[predicted == 0] = 2
    segments = [TrueSegment(1, 1, 10_000), TrueSegment(2, 91, 30_000)]
    assert {s.category: s.tp for s in match(truth, segments, predicted, {1: 1, 2: 91})} == {1: 0, 91: 1}
    from vismark.metrics import panoptic

    assert {s.category: s.tp for s in panoptic.match(truth, segments, predicted, {1: 1, 2: 91})} == {1: 1, 91: 1}
