"""What a report shows of generated images: a grid of samples, and the real images nearest to a few of them."""

from __future__ import annotations

from collections.abc import Mapping

from vismark.benchmarks.image_folder import ImageSubmission
from vismark.benchmarks.image_references import ImageReferences
from vismark.benchmarks.panels import Panel, Tile, TileRow, Tiles
from vismark.formats.image_survey import Surveyed
from vismark.tasks import Image

_COLUMNS, _ROWS = 8, 4


def image_panels(
    submission: ImageSubmission,
    references: ImageReferences,
    nearest: Mapping[str, Mapping[str, float | int | None]],
) -> list[Panel]:
    """A grid of samples; and, where `nearest` tells them (sample → real image → distance), neighbours."""
    ids = submission.surveyed.ids
    total = min(len(ids), _COLUMNS * _ROWS)
    shown = [ids[number * len(ids) // total] for number in range(total)]
    rows = [
        TileRow(
            "", [_tile(submission.surveyed, id, _note(submission, references, id)) for id in shown[start : start + 8]]
        )
        for start in range(0, total, _COLUMNS)
    ]
    panels: list[Panel] = [Tiles("Samples", "Evenly spread over the submission; none was chosen.", rows)]
    real = references.surveyed
    pairs = [(id, near) for id, near in nearest.items() if id in submission.surveyed.digests] if real else []
    if real and pairs and all(other in real.digests for _, near in pairs for other in near):
        note = "Each sample, then the images of the reference set nearest to it in feature space, with their distances."
        found = [
            TileRow(
                id,
                [
                    _tile(submission.surveyed, id, "sample"),
                    *(_tile(real, other, _number(d)) for other, d in near.items()),
                ],
            )
            for id, near in pairs
        ]
        panels.append(Tiles("Nearest real images", note, found))
    return panels


def _tile(images: Surveyed, id: str, note: str) -> Tile:
    return Tile(Image(images.images.pixels(id)), note)


def _note(submission: ImageSubmission, references: ImageReferences, id: str) -> str:
    label = submission.classes.get(id)
    if label is None:
        return id
    return references.classes[label] if references.classes else f"class {label}"


def _number(distance: float | int | None) -> str:
    return "" if distance is None else f"{distance:.2f}"
