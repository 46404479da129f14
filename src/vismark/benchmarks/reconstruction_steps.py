"""The steps of reconstruction: pairs of pixels compared, by formula and by LPIPS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vismark.benchmarks.base import About, Evidence, Opened
from vismark.benchmarks.image_folder import ImageSubmission
from vismark.benchmarks.image_references import ImageReferences
from vismark.formats.image_files import ImageFault
from vismark.metrics.generation import reconstruction
from vismark.problems import Problems

# Batches between two entries in the journal.
_BATCHES = 8


class Pair(Evidence, frozen=True, kw_only=True):
    """How near a reconstruction is to its original."""

    psnr: float = 0.0
    ssim: float = 0.0
    mse: float = 0.0
    mae: float = 0.0


class PairStep:
    """Decodes both images and compares their pixels, on a scale of 0 … 1."""

    about = About("pairs", version=1, record=Pair, batch=16)

    def ids(self, opened: Opened[Any], references: Any) -> Sequence[str]:
        """Every reconstruction."""
        return opened.ids

    def run(self, submission: Any, references: Any, ids: Sequence[str]) -> list[Pair]:
        """The evidence of the images `ids`; faults are in the records, nothing is raised."""
        return [_pair(submission, references, id) for id in ids]

    def fingerprint(self, submission: Any, references: Any, id: str) -> tuple[str, str]:
        """Digests of both images as they were found."""
        return submission.surveyed.digests[id], references.surveyed.digests[id]


class Perceived(Evidence, frozen=True, kw_only=True, omit_defaults=True):
    """The perceptual distance of a reconstruction from its original; `departs` says how it is not the official one."""

    distance: float = 0.0
    departs: str = ""


@dataclass(frozen=True)
class PerceptionStep:
    """Measures pairs with LPIPS; they were decoded before, so that none is broken."""

    instrument: Any

    @property
    def about(self) -> About:
        """Named after the instrument."""
        name, size = self.instrument.name, _BATCHES * getattr(self.instrument, "batch", 1)
        return About(name, 1, Perceived, "submission", {name: self.instrument.identity}, size, "alone")

    def ids(self, opened: Opened[Any], references: Any) -> Sequence[str]:
        """Every reconstruction."""
        return opened.ids

    def run(self, submission: Any, references: Any, ids: Sequence[str]) -> list[Perceived]:
        """One distance an image."""
        real, made = references.surveyed, submission.surveyed
        pairs = [(real.images.pixels(id) / 255, made.images.pixels(id) / 255) for id in ids]
        return [
            Perceived(
                id=id,
                digest=made.digests[id],
                reference_digest=real.digests[id],
                distance=distance,
                departs=self.instrument.departs,
            )
            for id, distance in zip(ids, self.instrument.measure(pairs), strict=True)
        ]

    def fingerprint(self, submission: Any, references: Any, id: str) -> tuple[str, str]:
        """Digests of both images as they were found."""
        return submission.surveyed.digests[id], references.surveyed.digests[id]


def _pair(submission: ImageSubmission, references: ImageReferences, id: str) -> Pair:
    problems, real, made = Problems(), references.surveyed, submission.surveyed
    assert real is not None
    digest, other, pixels = made.digests[id], real.digests[id], []
    for surveyed, prefix in ((real, "REF"), (made, "SUB")):
        try:
            pixels.append(surveyed.images.pixels(id) / 255)
        except ImageFault as fault:
            place = surveyed.images.place(id)
            problems.add(f"{prefix}_IMAGE_{fault.fault}", str(fault), file=place, item=id, fix=fault.fix)
    if problems.errors or pixels[0].shape != pixels[1].shape:  # the size was found wrong before
        return Pair(id=id, digest=digest, reference_digest=other, problems=tuple(problems))
    return Pair(
        id=id,
        digest=digest,
        reference_digest=other,
        psnr=reconstruction.psnr(*pixels),
        ssim=reconstruction.ssim(*pixels),
        mse=reconstruction.mse(*pixels),
        mae=reconstruction.mae(*pixels),
    )
