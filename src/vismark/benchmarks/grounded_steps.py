"""The steps of grounded captioning: words of the plain captions, matching of the maps, phrases against regions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vismark.benchmarks.base import About, Evidence, Mode, Opened
from vismark.benchmarks.caption_rows import caption_digests
from vismark.benchmarks.grounded_truth import GroundedTruth
from vismark.benchmarks.panoptic_match import Matched, MatchStep
from vismark.formats import png
from vismark.formats.caption_submission import CaptionSubmission
from vismark.formats.grounded import GroundedSubmission
from vismark.formats.panoptic import ids_from_rgb
from vismark.metrics.grounding import Row, measure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_BYTES = 1 << 29


class Tied(Evidence, frozen=True, kw_only=True):
    """The evidence of one image: its counts; None where a PNG cannot be read (matching says why)."""

    row: Row | None = None


class MapStep:
    """`MatchStep` over the maps of grounded submissions."""

    def __init__(self, mode: Mode) -> None:
        self.inner = MatchStep(mode)
        self.about = self.inner.about

    def ids(self, opened: Opened[GroundedSubmission], truth: GroundedTruth) -> Sequence[str]:
        """Every sample that is scored."""
        return opened.ids

    def run(self, submission: GroundedSubmission, truth: GroundedTruth, ids: Sequence[str]) -> list[Matched]:
        """The evidence of the samples `ids`; faults are in the records, nothing is raised."""
        return self.inner.run(submission.panoptic, truth.panoptic, ids)

    def fingerprint(self, submission: GroundedSubmission, truth: GroundedTruth, id: str) -> tuple[str, str]:
        """Digests of the predicted and the true PNG as they are now."""
        return self.inner.fingerprint(submission.panoptic, truth.panoptic, id)


class PlainStep:
    """A step of caption metrics over the plain texts of grounded captions."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.about = inner.about

    def ids(self, opened: Opened[GroundedSubmission], truth: GroundedTruth) -> Sequence[str]:
        """Every sample that is scored."""
        found: Sequence[str] = self.inner.ids(Opened(plain(opened.submission), opened.ids, opened.digest), truth.plain)
        return found

    def run(self, submission: GroundedSubmission, truth: GroundedTruth, ids: Sequence[str]) -> Sequence[Evidence]:
        """The evidence of the samples `ids`."""
        found: Sequence[Evidence] = self.inner.run(plain(submission), truth.plain, ids)
        return found

    def fingerprint(self, submission: GroundedSubmission, truth: GroundedTruth, id: str) -> tuple[str, str]:
        """Digests of the plain caption and of its reference."""
        return caption_digests(plain(submission), truth.plain, id)


class GroundStep:
    """Compares the regions that phrases name (`metrics.grounding`)."""

    about = About("grounding", version=1, record=Tied)

    def ids(self, opened: Opened[GroundedSubmission], truth: GroundedTruth) -> Sequence[str]:
        """Every sample that is scored."""
        return opened.ids

    def run(self, submission: GroundedSubmission, truth: GroundedTruth, ids: Sequence[str]) -> list[Tied]:
        """The evidence of the samples `ids`."""
        return [self._grounded(submission, truth, id) for id in ids]

    def fingerprint(self, submission: GroundedSubmission, truth: GroundedTruth, id: str) -> tuple[str, str]:
        """Digests of the predicted and the true PNG as they are now."""
        return MatchStep("strict").fingerprint(submission.panoptic, truth.panoptic, id)

    def _grounded(self, submission: GroundedSubmission, truth: GroundedTruth, id: str) -> Tied:
        digest, reference_digest = self.fingerprint(submission, truth, id)
        regions = [phrase.segment_ids for phrase in truth.record(id).phrases]
        tags = [tag.numbers for tag in submission.captions[id].tags]
        true_file = truth.panoptic.folder / truth.panoptic.annotations[id].file_name
        file = submission.panoptic.folder / submission.panoptic.annotations[id].file_name
        row = None
        try:
            true_ids = _ids(true_file, None, links=True)
            row = measure(true_ids, regions, _ids(file, true_ids.shape), tags)
        except png.PngFault:
            pass  # matching names the fault, and nothing is scored
        return Tied(id=id, digest=digest, reference_digest=reference_digest, row=row)


def _ids(file: Path, size: tuple[int, ...] | None, *, links: bool = False) -> NDArray[np.uint32]:
    """The segment ids in a PNG of `size`.

    Raises:
        PngFault: it is none, or of another kind or size.
    """
    data = png.read_file(file, _MOST_BYTES, links=links)
    header = png.inspect(data)
    if header.colour not in ("RGB", "RGBA"):
        raise png.PngFault("FORMAT", f"is {header.colour}, not RGB")
    png.expect(header, (size[0], size[1]) if size else None)
    return ids_from_rgb(png.decode(data))


def plain(submission: GroundedSubmission) -> CaptionSubmission:
    """The captions of a grounded submission without their tags."""
    return CaptionSubmission(submission.texts, submission.panoptic.file)
