"""Outputs of other tools, image by image, as answers of grounded captioning."""

from __future__ import annotations

from typing import Any

from vismark.benchmarks.grounded_truth import GroundedTruth
from vismark.benchmarks.panoptic import picture_of
from vismark.formats.caption_submission import CaptionReader, Findings
from vismark.formats.grounded_convert import Unfit, convert
from vismark.problems import Problems
from vismark.tasks import GroundedCaption, GroundedText


class GroundedConverter:
    """Converts entries one by one and keeps account of what painting masks into one map lost."""

    def __init__(self, truth: GroundedTruth, file: str, problems: Problems) -> None:
        self.truth = truth
        self.findings = Findings(problems, file)
        self.reader = CaptionReader(truth.plain.names, self.findings)
        self.covered = self.total = self.vanished = 0

    def convert(self, place: str, item: Any) -> tuple[GroundedCaption, GroundedText] | None:
        """The question that an entry answers, and the answer; None with the reason noted."""
        sample = self.reader.sample(place, item)
        if sample is None:
            return None
        picture = picture_of(self.truth.panoptic, sample)
        categories = self.truth.panoptic.categories
        try:
            found = convert(item, (picture.height, picture.width), categories)
        except Unfit as fault:
            self.findings.add("CONVERT_UNFIT", str(fault), fault.fix)
            return None
        self.covered += found.covered
        self.total += found.total
        self.vanished += found.vanished
        request = GroundedCaption(sample, 0, "", picture, "", tuple(categories.values()))
        return request, found.text

    def tell(self) -> None:
        """What was lost, in one finding; and images that are unknown or have no output."""
        self.reader.check_coverage(None)
        if self.covered or self.vanished:
            share = self.covered / max(1, self.total)
            message = (
                f"{share:.2%} of the masks' pixels were covered by masks with better scores; "
                f"{self.vanished} mask(s) vanished, and their phrases with them"
            )
            fix = "A panoptic map holds one segment a pixel."
            self.findings.problems.add(
                "CONVERT_COVERED", message, severity="warning", file=self.findings.file, value=f"{share:.4f}", fix=fix
            )
