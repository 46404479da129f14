"""The grid of a GenEval report: prompts by samples, with verdicts, reasons, and the objects that counted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from vismark.benchmarks.geneval_steps import GenEvalTruth, Recorded
from vismark.benchmarks.panels import Tile, TileRow, Tiles
from vismark.formats import png
from vismark.formats.geneval_images import Pictures, prompt_of
from vismark.tasks import Category, Detections, Picture

_MOST_BYTES = 1 << 28


def grid(
    truth: GenEvalTruth, submission: Pictures | Recorded, columns: Mapping[str, Sequence[Any]], prompts: int
) -> Tiles:
    """The prompts with the fewest correct pictures, a row each.

    Args:
        columns: the per-sample table of the result.
        prompts: how many to show.
    """
    rows: dict[int, list[dict[str, Any]]] = {}
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        rows.setdefault(prompt_of(row["id"]), []).append(row)
    shares = {number: sum(one["correct"] for one in own) / len(own) for number, own in rows.items()}
    chosen = sorted(rows, key=lambda number: (shares[number], number))[:prompts]
    places = {name: number for number, name in enumerate(truth.classes)}
    shown = [_row(submission, rows[number], places) for number in chosen]
    note = "Prompts with the fewest correct pictures first; boxes are the objects that counted."
    return Tiles("Prompts", note, shown, tuple(Category(number, name) for name, number in places.items()))


def _row(submission: Pictures | Recorded, rows: Sequence[Mapping[str, Any]], places: Mapping[str, int]) -> TileRow:
    correct = sum(row["correct"] for row in rows)
    note = f"{rows[0]['tag']}, {correct} of {len(rows)} correct"
    return TileRow(rows[0]["prompt"], [_tile(submission, row, places) for row in rows], note)


def _tile(submission: Pictures | Recorded, row: Mapping[str, Any], places: Mapping[str, int]) -> Tile:
    objects = json.loads(row["objects"])
    found = [(places[name], *one) for name, ones in objects.items() for one in ones if name in places]
    listed = ", ".join(f"{len(ones)} {name}" for name, ones in objects.items())
    note = row["reason"].replace("\n", "; ") or listed
    return Tile(_picture(submission, row["id"]), note, bool(row["correct"]), _detections(found))


def _picture(submission: Pictures | Recorded, id: str) -> Picture:
    if isinstance(submission, Recorded):
        return Picture(None, submission.pictures[id].height, submission.pictures[id].width)
    path = submission.folder / submission.files[id]
    try:
        header = png.inspect(png.read_file(path, _MOST_BYTES))
    except png.PngFault:
        return Picture(None, 1, 1)
    return Picture(path, header.height, header.width)


def _detections(found: Sequence[tuple[Any, ...]]) -> Detections:
    import numpy as np

    rows = np.array(found, np.float64).reshape(len(found), 6)
    return Detections(rows[:, 1:5].astype(np.float32), rows[:, 5].astype(np.float32), rows[:, 0].astype(np.int64))
