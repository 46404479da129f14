"""Tiles: verdicts, notes, objects drawn at the right place, pictures that are not here."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from vismark.benchmarks.panels import Tile, TileRow, Tiles
from vismark.pages.report import render
from vismark.pages.tiles import WIDTH, tiles
from vismark.tasks import Category, Detections, Image, Picture

BLACK = np.zeros((50, 100, 3), np.uint8)
BOX = Detections(np.array([[10, 10, 60, 40]], np.float32), np.ones(1, np.float32), np.array([7]))


def drawn(tile: Tile) -> dict[str, object]:
    panel = Tiles("grid", "", [TileRow("a red ball", [tile])], (Category(7, "ball"),))
    (row,) = tiles(panel, 3)["rows"]
    return row["tiles"][0]


def pixels_of(uri: object) -> np.ndarray:
    data = base64.b64decode(str(uri).removeprefix("data:image/webp;base64,"))
    return np.asarray(Pillow.open(io.BytesIO(data)).convert("RGB"))


def test_a_tile_keeps_the_shape_of_its_picture_and_says_its_verdict() -> None:
    found = drawn(Tile(Image(BLACK), "wrong colour", verdict=False))
    assert (found["width"], found["height"]) == (WIDTH, WIDTH // 2)
    assert (found["verdict"], found["note"]) == ("wrong", "wrong colour")
    assert pixels_of(found["uri"]).shape == (WIDTH // 2, WIDTH, 3)


def test_boxes_are_drawn_in_pixels_of_the_picture() -> None:
    found = pixels_of(drawn(Tile(Image(BLACK), detections=BOX))["uri"]).max(axis=2) > 60
    rows, columns = np.nonzero(found)
    scale = WIDTH / 100
    assert np.abs(np.array([columns.min(), rows.min(), columns.max(), rows.max()]) / scale - [10, 10, 60, 40]).max() < 2


def test_a_picture_that_is_not_here_is_said(tmp_path: Path) -> None:
    found = drawn(Tile(Picture(tmp_path / "gone.png", 50, 100), "frame 3"))
    assert (found["uri"], found["note"]) == ("", "frame 3 (the picture is not here)")


def test_tiles_are_on_the_page_and_their_text_is_no_markup(card, result) -> None:
    tile = Tile(Image(BLACK), "<b>four</b>", verdict=True)
    page = render(result(), card, [Tiles("Images by prompt", "", [TileRow("<i>two cups</i>", [tile])])], {})
    assert 'class="right"' in page
    assert "&lt;b&gt;four&lt;/b&gt;" in page and "&lt;i&gt;two cups&lt;/i&gt;" in page
    assert '<a href="#panel-0">Images by prompt</a>' in page
