"""Overlays against a pixel by pixel twin, and the properties that make them readable."""

import base64
import io
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vismark.benchmarks.panels import Sample, View
from vismark.pages import overlays
from vismark.pages.overlays import (
    EDGE,
    GREY,
    UNKNOWN,
    VOID,
    colour_of,
    data_uri,
    outlines,
    overlay,
    paint,
    segment_colours,
)
from vismark.problems import Missing, refuse
from vismark.tasks import Category, Detections, Panoptic, Picture, Segment

CATEGORIES = (Category(10, "cat"), Category(20, "dog"), Category(30, "sky", isthing=False))
IDS = (1, 2, 70_000, 2**24 - 1)


def slowly(pixels, panoptic, categories):
    """What `overlay` promises, one pixel at a time."""
    colours = segment_colours(panoptic.segments, categories)
    of_id = {segment.id: place for place, segment in enumerate(panoptic.segments)}
    height, width = panoptic.ids.shape
    out = np.zeros((height, width, 3), dtype=np.uint8)
    owner = [[of_id.get(int(panoptic.ids[y, x]), -1) for x in range(width)] for y in range(height)]
    for y in range(height):
        for x in range(width):
            here = owner[y][x]
            if (x and owner[y][x - 1] != here) or (y and owner[y - 1][x] != here):
                colour, strength = EDGE, overlays.EDGE_STRENGTH
            elif here < 0:
                colour, strength = VOID, overlays.VOID_STRENGTH
            else:
                colour, strength = colours[here], overlays.STRENGTH
            for channel in range(3):
                ground = GREY if pixels is None else int(pixels[y, x, channel])
                out[y, x, channel] = (ground * (256 - strength) + colour[channel] * strength) >> 8
    return out


@st.composite
def maps(draw):
    height, width = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    values = draw(st.lists(st.sampled_from((0, 3, *IDS)), min_size=height * width, max_size=height * width))
    known = draw(st.permutations(IDS))[: draw(st.integers(0, 4))]
    segments = tuple(Segment(id, draw(st.sampled_from((10, 20, 30, 99)))) for id in known)
    return Panoptic(np.array(values, dtype=np.uint32).reshape(height, width), segments)


@settings(deadline=None, max_examples=60)
@given(panoptic=maps(), seed=st.none() | st.integers(0, 9))
def test_overlay_is_its_formula(panoptic, seed):
    pixels = None
    if seed is not None:
        pixels = np.random.default_rng(seed).integers(0, 256, (*panoptic.ids.shape, 3), dtype=np.uint8)
    painted = overlay(pixels, panoptic, CATEGORIES)
    assert painted.dtype == np.uint8
    np.testing.assert_array_equal(painted, slowly(pixels, panoptic, CATEGORIES))


def test_overlay_leaves_its_input_alone():
    pixels = np.full((4, 4, 3), 9, dtype=np.uint8)
    overlay(pixels, Panoptic(np.ones((4, 4), dtype=np.uint32), (Segment(1, 10),)), CATEGORIES)
    assert (pixels == 9).all()


def test_sizes_must_agree():
    with pytest.raises(ValueError, match="shape"):
        overlay(np.zeros((2, 3, 3), dtype=np.uint8), Panoptic(np.zeros((3, 2), dtype=np.uint32), ()), CATEGORIES)


def test_things_vary_and_stuff_does_not():
    things = segment_colours([Segment(1, 10), Segment(2, 10), Segment(3, 20)], CATEGORIES)
    assert len(set(things)) == 3
    assert things[0] == colour_of(0)
    assert things[2] == colour_of(1)
    assert segment_colours([Segment(1, 30), Segment(2, 30)], CATEGORIES) == [colour_of(2)] * 2
    assert segment_colours([Segment(1, 99)], CATEGORIES) == [UNKNOWN]


def test_133_categories_have_133_colours():
    colours = [colour_of(index) for index in range(133)]
    assert len(set(colours)) == 133
    assert all(0 <= value <= 255 for colour in colours for value in colour)
    neighbours = np.abs(np.diff(np.array(colours), axis=0)).sum(axis=1)
    assert neighbours.min() > 60


def test_known_colours_of_the_conversion():
    # sRGB red is OKLCH (0.62796, 0.25768, 29.234°), and no chroma is grey (CSS Color 4, sample conversions).
    assert overlays._oklch(0.62796, 0.25768, 29.234 / 360) == (255, 0, 0)
    assert overlays._oklch(1.0, 0.0, 0.0) == (255, 255, 255)


def test_fifty_segments_are_quick():
    rng = np.random.default_rng(0)
    ids = np.kron(rng.integers(0, 51, (24, 32)), np.ones((20, 20))).astype(np.uint32) * 321_000
    panoptic = Panoptic(ids, tuple(Segment(n * 321_000, 10) for n in range(1, 51)))
    pixels = rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    overlay(pixels, panoptic, CATEGORIES)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        overlay(pixels, panoptic, CATEGORIES)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.5  # about 0.03 s on an idle core


class Broken(Picture):
    def pixels(self):
        raise refuse("IMAGE_SIZE", "is 3×3")


class Gone(Picture):
    def pixels(self):
        raise Missing("no")


@pytest.mark.parametrize(("kind", "said"), [(Broken, "is 3×3"), (Gone, "not here")])
def test_without_a_picture_maps_lie_on_grey(kind, said):
    panoptic = Panoptic(np.zeros((6, 8), dtype=np.uint32), ())
    painted = paint(Sample("a", "", kind(None, 6, 8), (View("truth", panoptic),)), CATEGORIES, 16)
    assert painted.picture is None
    assert said in painted.remark
    ((label, pixels),) = painted.views
    assert label == "truth"
    dimmed = [(GREY * (256 - overlays.VOID_STRENGTH) + value * overlays.VOID_STRENGTH) >> 8 for value in VOID]
    np.testing.assert_array_equal(pixels, np.broadcast_to(np.array(dimmed, dtype=np.uint8), (12, 16, 3)))


def test_wrong_boxes_have_dashes() -> None:
    boxes = np.array([[2, 2, 40, 40]], np.float32)
    detections = Detections(boxes, np.ones(1, np.float32), np.array([10]))
    ground = np.zeros((50, 50, 3), np.uint8)
    solid, dashed = (outlines(ground, detections, 1.0, CATEGORIES, dashed).any(axis=2) for dashed in ((), (True,)))
    assert solid[2:41, 2].all() and solid[2, 2:41].all()
    assert 0.4 < dashed.sum() / solid.sum() < 0.7


def test_data_uri_is_an_image():
    pixels = np.full((5, 9, 3), (200, 10, 10), dtype=np.uint8)
    head, _, body = data_uri(pixels).partition(",")
    assert head == "data:image/webp;base64"
    decoded = np.asarray(Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB"))
    assert decoded.shape == pixels.shape
    assert np.abs(decoded.astype(int) - pixels).max() < 12
