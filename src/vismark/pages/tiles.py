"""Rows of small pictures: generated images with their verdicts, film strips, neighbours in the reference set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image as Pillow

from vismark.benchmarks.panels import Tile, Tiles
from vismark.pages.overlays import data_uri, outlines
from vismark.problems import Missing, Refused
from vismark.tasks import Category, Image

WIDTH = 224  # pixels of a tile
_VERDICTS = {None: "", True: "right", False: "wrong"}


def tiles(panel: Tiles, place: int) -> dict[str, Any]:
    """What the template needs to draw `panel`, the one at `place` on its page."""
    rows = [
        {"title": row.title, "note": row.note, "tiles": [_tile(tile, panel.categories) for tile in row.tiles]}
        for row in panel.rows
    ]
    return {"anchor": f"panel-{place}", "title": panel.title, "note": panel.note, "rows": rows}


def _tile(tile: Tile, categories: Sequence[Category]) -> dict[str, Any]:
    about = {"note": tile.note, "verdict": _VERDICTS[tile.verdict], "uri": "", "width": 0, "height": 0}
    try:
        pixels = tile.picture.pixels if isinstance(tile.picture, Image) else tile.picture.pixels()
    except (Missing, Refused):
        return about | {"note": f"{tile.note} (the picture is not here)".strip()}
    height, width = pixels.shape[:2]
    size = (WIDTH, max(1, round(height * WIDTH / width)))
    drawn = np.asarray(Pillow.fromarray(pixels).resize(size, Pillow.Resampling.LANCZOS))
    if tile.detections is not None:
        drawn = outlines(drawn, tile.detections, WIDTH / width, categories)
    return about | {"uri": data_uri(drawn), "width": size[0], "height": size[1]}
