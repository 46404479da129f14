"""The step before any network runs: every image is decoded once, for what a header promises may not be there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vismark.benchmarks.base import About, Evidence, Opened
from vismark.formats.image_files import ImageFault
from vismark.formats.image_survey import Surveyed
from vismark.problems import Problems


class Decoded(Evidence, frozen=True, kw_only=True):
    """The evidence that an image can be decoded."""


class DecodeStep:
    """Decodes every image of a submission."""

    about = About("images", version=1, record=Decoded, batch=64)

    def ids(self, opened: Opened[Any], references: Any) -> Sequence[str]:
        """Every image."""
        return opened.ids

    def run(self, submission: Any, references: Any, ids: Sequence[str]) -> list[Decoded]:
        """The evidence of the images `ids`; faults are in the records, nothing is raised."""
        return [_decoded(submission.surveyed, id) for id in ids]

    def fingerprint(self, submission: Any, references: Any, id: str) -> tuple[str, str]:
        """The digest of the image as it was found."""
        return submission.surveyed.digests[id], ""


def _decoded(surveyed: Surveyed, id: str) -> Decoded:
    problems = Problems()
    try:
        surveyed.images.pixels(id)
    except ImageFault as fault:
        place = surveyed.images.place(id)
        problems.add(f"SUB_IMAGE_{fault.fault}", str(fault), file=place, item=id, fix=fault.fix)
    return Decoded(id=id, digest=surveyed.digests[id], problems=tuple(problems))
