"""What a report shows of generated images: a grid of samples, and the real images nearest to a few of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vismark.benchmarks.panels import Panel, Tile, TileRow, Tiles
from vismark.formats.image_survey import Surveyed
from vismark.runtime.digests import digest_of
from vismark.tasks import Image

_COLUMNS, _ROWS = 8, 4
_LONGEST = 80


def image_panels(
    made: Surveyed,
    real: Surveyed | None,
    nearest: Mapping[str, Mapping[str, float | int | None]],
    note: Callable[[str], str],
) -> list[Panel]:
    """A grid of samples; and, where `nearest` tells them (sample → real image → distance), neighbours.

    Args:
        note: what stands below a sample, by its id.
    """
    # By the digests of their names: every n-th sample would be of one class where classes take turns.
    drawn = set(sorted(made.ids, key=lambda id: digest_of(id.encode()))[: _COLUMNS * _ROWS])
    shown = [id for id in made.ids if id in drawn]
    rows = [
        TileRow("", [_tile(made, id, note(id)) for id in shown[start : start + _COLUMNS]])
        for start in range(0, len(shown), _COLUMNS)
    ]
    panels: list[Panel] = [Tiles("Samples", "Drawn by the digests of their names; nobody chose them.", rows)]
    pairs = [(id, near) for id, near in nearest.items() if id in made.digests]
    if real and pairs and all(other in real.digests for _, near in pairs for other in near):
        told = "Each sample, then the images of the reference set nearest to it in feature space, with their distances."
        found = [TileRow(id, _neighbourhood(made, real, id, near, note(id))) for id, near in pairs]
        panels.append(Tiles("Nearest real images", told, found))
    return panels


def _neighbourhood(
    made: Surveyed, real: Surveyed, id: str, near: Mapping[str, float | int | None], note: str
) -> list[Tile]:
    tiles = [_tile(real, other, "" if distance is None else f"{distance:.2f}") for other, distance in near.items()]
    return [_tile(made, id, note), *tiles]


def _tile(images: Surveyed, id: str, note: str) -> Tile:
    return Tile(Image(images.images.pixels(id)), note if len(note) <= _LONGEST else f"{note[: _LONGEST - 1]}…")
