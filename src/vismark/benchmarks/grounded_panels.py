"""What grounded captioning shows: maps over pictures, and captions whose phrases have the colours of their masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from vismark.benchmarks.grounded_truth import GroundedTruth
from vismark.benchmarks.panels import Gallery, Piece, Sample, Told, View
from vismark.benchmarks.panoptic import listed_only, picture_of
from vismark.formats.grounded import GroundedSubmission
from vismark.formats.panoptic import read_ids
from vismark.tasks import Segment


def gallery(truth: GroundedTruth, submission: GroundedSubmission, chosen: Sequence[tuple[str, str]]) -> Gallery:
    """The images named in `chosen` (id, note) with truth and prediction."""
    note = "Phrases have the colours of the segments that they name; hover over one for the categories."
    categories = tuple(truth.panoptic.categories.values())
    return Gallery("Worst images", note, _Samples(truth, submission, chosen), categories)


@dataclass(frozen=True)
class _Samples(Sequence[Sample]):
    """The images of a gallery, decoded one by one when they are drawn."""

    truth: GroundedTruth
    submission: GroundedSubmission
    chosen: Sequence[tuple[str, str]]

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: Any) -> Any:
        id, note = self.chosen[index]
        record, caption = self.truth.record(id), self.submission.captions[id]
        views = (
            _view("truth", self.truth.panoptic, id),
            _view("prediction", self.submission.panoptic, id),
        )
        texts = (
            Told("truth", pieces(record.caption_plain, [(p.start, p.stop, p.segment_ids) for p in record.phrases])),
            Told("prediction", pieces(caption.plain, [(t.start, t.stop, t.numbers) for t in caption.tags])),
        )
        return Sample(id, note, picture_of(self.truth.panoptic, id), views, texts)


def pieces(text: str, spans: Sequence[tuple[int, int, Sequence[int]]]) -> tuple[Piece, ...]:
    """`text` cut at the borders of `spans` (start, stop, segments); of nested ones the innermost counts."""
    borders = sorted({0, len(text), *(at for start, stop, _ in spans for at in (start, stop))})
    found = []
    for start, stop in pairwise(borders):
        around = [span for span in spans if span[0] <= start and stop <= span[1]]
        inner = min(around, key=lambda span: span[1] - span[0]) if around else (0, 0, ())
        found.append(Piece(text[start:stop], tuple(inner[2])))
    return tuple(found)


def _view(label: str, maps: Any, id: str) -> View:
    """The map of a sample: `maps` holds a folder and annotations, true or predicted ones."""
    annotation = maps.annotations[id]
    segments = tuple(Segment(one.id, one.category_id) for one in annotation.segments_info)
    return View(label, listed_only(read_ids(maps.folder / annotation.file_name), segments))
