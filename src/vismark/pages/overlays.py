"""Maps and detections laid over pictures: hue by category, shade by segment, thin boundaries, void in the dark."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vismark.benchmarks.panels import Outlines, Sample, View
from vismark.formats.detection_write import decode_mask
from vismark.problems import Missing, Refused
from vismark.tasks import Category, Detections, Panoptic, Picture, Segment

Pixels = NDArray[np.uint8]
Number = TypeVar("Number", np.uint32, np.bool_)

GREY = 128  # the ground where there is no picture
STRENGTH = 136  # of 256: how much of a segment's colour covers the picture
VOID, VOID_STRENGTH = (14, 16, 22), 184
EDGE, EDGE_STRENGTH = (255, 255, 255), 208
MASK_STRENGTH = 112  # of 256: masks may overlap
LINE, DASH = 2, 6  # pixels: breadth of the side of a box; length of a dash, and of the gap behind it
UNKNOWN = (150, 150, 150)  # a segment of a category that the benchmark does not have

_GOLDEN = 0.6180339887498949
_SHADES = (0.0, -0.13, 0.11, -0.22, 0.05, -0.08, 0.16, -0.17)


@dataclass(frozen=True)
class Painted:
    """A sample, drawn: the `picture` (None when it is not here, `remark` says why) and (label, image) of each view."""

    picture: Pixels | None
    views: tuple[tuple[str, Pixels], ...]
    remark: str = ""


def overlay(pixels: Pixels | None, panoptic: Panoptic, categories: Sequence[Category]) -> Pixels:
    """Paint the segments of `panoptic` over a picture.

    Each pixel is ``(pixel · (256 − strength) + colour · strength) >> 8``; colour and strength are those of its segment,
    of void (ids that no segment has), or of a boundary (the pixel differs from its left or upper neighbour).

    Args:
        pixels: uint8 RGB of shape (height, width, 3), or None for plain grey.
        panoptic: `ids` of shape (height, width).
        categories: all of the benchmark; their order gives the hues.

    Returns:
        uint8 RGB of shape (height, width, 3).

    Raises:
        ValueError: picture and map have different sizes.
    """
    ids = panoptic.ids
    ground = np.full((*ids.shape, 3), GREY, dtype=np.uint8) if pixels is None else pixels
    if ground.shape != (*ids.shape, 3):
        raise ValueError(f"a picture of shape {ground.shape} under a map of shape {ids.shape}")
    place = _places(ids, [segment.id for segment in panoptic.segments])
    edges = np.zeros(ids.shape, dtype=bool)
    edges[:, 1:] |= place[:, 1:] != place[:, :-1]
    edges[1:, :] |= place[1:, :] != place[:-1, :]
    place[edges] = len(panoptic.segments) + 1
    colours = np.array([VOID, *segment_colours(panoptic.segments, categories), EDGE], dtype=np.uint16)
    strengths = np.full((len(colours), 1), STRENGTH, dtype=np.uint16)
    strengths[0], strengths[-1] = VOID_STRENGTH, EDGE_STRENGTH
    # At most 255 · 256 = 65,280: sixteen bits are enough.
    mixed: NDArray[np.uint16] = ground * (256 - strengths)[place] + (colours * strengths)[place]
    return (mixed >> 8).astype(np.uint8)


def colour_of(index: int, shade: float = 0.0) -> tuple[int, int, int]:
    """The RGB colour of the category at `index` in the order of its benchmark; `shade` moves its lightness.

    Hues step by the golden ratio, so that any first n are well apart; lightness and chroma change from one to the next.
    """
    lightness = (0.74, 0.64, 0.82)[index % 3] + shade
    return _oklch(min(max(lightness, 0.35), 0.93), (0.16, 0.19, 0.13)[index % 3], index * _GOLDEN % 1.0)


def segment_colours(segments: Sequence[Segment], categories: Sequence[Category]) -> list[tuple[int, int, int]]:
    """The colour of each segment: its category's, and another shade for every further thing of one category."""
    places = {category.id: (index, category.isthing) for index, category in enumerate(categories)}
    seen: dict[int, int] = {}
    colours = []
    for segment in segments:
        if segment.category not in places:
            colours.append(UNKNOWN)
            continue
        index, isthing = places[segment.category]
        nth = seen[segment.category] = seen.get(segment.category, -1) + 1
        colours.append(colour_of(index, _SHADES[nth % len(_SHADES)] if isthing else 0.0))
    return colours


def paint(sample: Sample, categories: Sequence[Category], width: int) -> Painted:
    """Draw a sample, `width` pixels wide: its picture if it is here, and every view laid over it (or over grey)."""
    size = (max(1, round(sample.picture.height * width / max(1, sample.picture.width))), width)
    scale = width / max(1, sample.picture.width)
    picture, remark = _picture(sample.picture, size)
    remark += " The maps are on plain grey." if remark and sample.views else ""
    return Painted(picture, tuple((v.label, _laid(picture, v, size, categories, scale)) for v in sample.views), remark)


def present(view: View | Outlines) -> set[int]:
    """The ids of the categories that a view shows."""
    if isinstance(view, Outlines):
        return set(np.asarray(view.detections.categories).tolist())
    return {segment.category for segment in view.panoptic.segments}


def outlines(
    pixels: Pixels,
    detections: Detections,
    scale: float,
    categories: Sequence[Category],
    dashed: Sequence[bool] = (),
) -> Pixels:
    """Draw objects into a picture: masks as colour over it, boxes as lines or dashes; the best score on top.

    Args:
        pixels: uint8 RGB of shape (height, width, 3), `scale` times as large as the image that was searched.
        categories: all of the benchmark; their order gives the hues.
        dashed: of each object whether its box has dashes; none has by default.
    """
    drawn = pixels.copy()
    order = np.argsort(detections.scores, kind="stable")
    places = {category.id: index for index, category in enumerate(categories)}
    colours = [colour_of(places[c]) if c in places else UNKNOWN for c in np.asarray(detections.categories).tolist()]
    masks = detections.masks or ()
    for row in order if masks else ():
        mask = _nearest(decode_mask(masks[row]), (pixels.shape[0], pixels.shape[1]))
        colour = np.array(colours[row], np.uint16)
        drawn[mask] = ((drawn[mask] * np.uint16(256 - MASK_STRENGTH) + colour * MASK_STRENGTH) >> 8).astype(np.uint8)
    image = Image.fromarray(drawn)
    pen = ImageDraw.Draw(image)
    for row in order:
        box = (np.asarray(detections.boxes[row], np.float64) * scale).tolist()
        _draw_box(pen, box, colours[row], dashed=bool(dashed) and dashed[row])
    return np.asarray(image)


def _draw_box(pen: ImageDraw.ImageDraw, box: Sequence[float], colour: tuple[int, int, int], *, dashed: bool) -> None:
    left, top = box[:2]
    right, bottom = max(left, box[2]), max(top, box[3])
    if not dashed:
        pen.rectangle((left, top, right, bottom), outline=colour, width=LINE)
        return
    for x in np.arange(left, right, 2 * DASH).tolist():
        for y in (top, bottom):
            pen.line((x, y, min(x + DASH, right), y), fill=colour, width=LINE)
    for y in np.arange(top, bottom, 2 * DASH).tolist():
        for x in (left, right):
            pen.line((x, y, x, min(y + DASH, bottom)), fill=colour, width=LINE)


def data_uri(pixels: Pixels, quality: int = 80) -> str:
    """uint8 RGB pixels as a WebP image in a ``data:`` address."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=quality)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _picture(picture: Picture, size: tuple[int, int]) -> tuple[Pixels | None, str]:
    try:
        pixels = picture.pixels()
    except Missing:
        return None, "The picture is not here."
    except Refused as refused:
        reason = next((problem.message for problem in refused.problems), "it is no readable image")
        return None, f"The picture was refused ({reason})."
    return np.asarray(Image.fromarray(pixels).resize(size[::-1], Image.Resampling.LANCZOS)), ""


def _laid(
    picture: Pixels | None, view: View | Outlines, size: tuple[int, int], categories: Sequence[Category], scale: float
) -> Pixels:
    """A view laid over a picture of `size`, or over grey."""
    if isinstance(view, View):
        return overlay(picture, Panoptic(_nearest(view.panoptic.ids, size), view.panoptic.segments), categories)
    ground = np.full((*size, 3), GREY, dtype=np.uint8) if picture is None else picture
    return outlines(ground, view.detections, scale, categories, view.dashed)


def _nearest(ids: NDArray[Number], size: tuple[int, int]) -> NDArray[Number]:
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.intp) for old, new in zip(ids.shape, size, strict=True)
    )
    sampled: NDArray[Number] = ids[rows[:, None], columns]
    return sampled


def _places(ids: NDArray[np.uint32], known: Sequence[int]) -> NDArray[np.intp]:
    """1 + the position of each pixel's id in `known` (distinct, above 0), or 0 where it is not there."""
    if not known:
        return np.zeros(ids.shape, dtype=np.intp)
    order = np.argsort(np.array(known, dtype=np.uint32))
    ordered = np.array(known, dtype=np.uint32)[order]
    found = np.minimum(np.searchsorted(ordered, ids), len(known) - 1)
    return np.where(ordered[found] == ids, order[found] + 1, 0)


def _oklch(lightness: float, chroma: float, hue: float) -> tuple[int, int, int]:
    """sRGB bytes of an OKLCH colour, `hue` in turns (matrices: Ottosson 2020, "A perceptual color space")."""
    a, b = chroma * np.cos(2 * np.pi * hue), chroma * np.sin(2 * np.pi * hue)
    to_cone = [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
    to_linear = [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
    linear = np.clip(np.array(to_linear) @ (np.array(to_cone) @ [lightness, a, b]) ** 3, 0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = (int(value) for value in np.round(encoded * 255))
    return red, green, blue
