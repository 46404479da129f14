"""Areas of many polygons at once are those of one polygon at a time, and of the formula."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask

from vismark.formats.polygons import areas, flatten, raster_area, well_formed

COORDINATES = st.integers(-50, 400).map(lambda value: value / 4)
POLYGON = st.lists(st.tuples(COORDINATES, COORDINATES), min_size=3, max_size=9).map(
    lambda points: [value for point in points for value in point]
)
ANNOTATION = st.lists(POLYGON, min_size=1, max_size=3)


def shoelace(polygon: list[float]) -> float:
    points = [*zip(polygon[::2], polygon[1::2], strict=True), (polygon[0], polygon[1])]
    return abs(sum(x * v - u * y for (x, y), (u, v) in pairwise(points))) / 2


@settings(max_examples=60, deadline=None)
@given(st.lists(ANNOTATION, min_size=1, max_size=6))
def test_areas(annotations: list[list[list[float]]]) -> None:
    assert well_formed(annotations).all()
    # Quarters of small integers: both sides are exact.
    assert areas(flatten(annotations)).tolist() == [sum(map(shoelace, polygons)) for polygons in annotations]


@settings(max_examples=100, deadline=None)
@given(ANNOTATION)
def test_raster_is_that_of_pycocotools(polygons: list[list[float]]) -> None:
    assert raster_area(polygons, (80, 90)) == mask.area(mask.merge(mask.frPyObjects(polygons, 80, 90)))


def test_polygons_with_endless_edges_are_not_drawn() -> None:
    assert raster_area([[0, 0, 1e12, 0, 0, 1e12]], (80, 90)) is None


def test_form() -> None:
    good = [[1.0, 1, 2, 2, 3, 3]]
    cases = [(good, True), ([], False), ([[]], False), ([[1.0] * 4], False), ([[1.0] * 7], False), (good * 2, True)]
    assert well_formed([one for one, _ in cases]).tolist() == [wanted for _, wanted in cases]
