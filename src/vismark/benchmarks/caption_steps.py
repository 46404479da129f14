"""The steps of caption metrics, dear ones among them: those need an instrument, and are made only when asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from vismark.benchmarks.base import About, Evidence, Opened, Step
from vismark.benchmarks.caption_references import CaptionTruth
from vismark.benchmarks.caption_rows import WordStep, caption_digests, chosen_tokenizer, tokenized
from vismark.formats.caption_submission import CaptionSubmission
from vismark.formats.scene_graphs import Overlaps
from vismark.formats.spice import SpiceScore
from vismark.instruments.base import Tools
from vismark.metrics.captions.capture import Capture
from vismark.metrics.captions.spice import Spice
from vismark.runtime.progress import note

_SETTLED = (
    "capture_metric goes through sets in hash order and cuts sentences by the longest of their batch; here both are "
    "settled: expect differences of up to 0.001"
)


class Captured(Evidence, frozen=True, kw_only=True):
    """The evidence of one image: how far the graph of its caption overlaps with that of each reference."""

    overlaps: tuple[Overlaps, ...]


class CaptureStep:
    """CAPTURE's instrument over all captions; says first how long parsing will take."""

    def __init__(self, instrument: Any) -> None:
        self.instrument = instrument
        self.about = About(
            "capture",
            version=1,
            record=Captured,
            instruments={instrument.name: instrument.identity},
            workers="alone",
        )
        self._unsaid: list[str] = []

    def ids(self, opened: Opened[CaptionSubmission], truth: CaptionTruth) -> Sequence[str]:
        """Every sample that is scored."""
        told = (text for id in opened.ids for text in (opened.submission.captions[id], *truth.captions[id]))
        self._unsaid = list(dict.fromkeys(told))
        return opened.ids

    def run(self, submission: CaptionSubmission, truth: CaptionTruth, ids: Sequence[str]) -> list[Captured]:
        """The evidence of the samples `ids`."""
        self._tell()
        found = self.instrument.measure([(submission.captions[id], truth.captions[id]) for id in ids])
        digests = [self.fingerprint(submission, truth, id) for id in ids]
        return [
            Captured(id=id, digest=own, reference_digest=reference, overlaps=tuple(overlaps))
            for id, (own, reference), overlaps in zip(ids, digests, found, strict=True)
        ]

    def fingerprint(self, submission: CaptionSubmission, truth: CaptionTruth, id: str) -> tuple[str, str]:
        """Digests of the caption and of its references."""
        return caption_digests(submission, truth, id)

    def _tell(self) -> None:
        """How long it will take, once, before the first batch."""
        if self._unsaid:
            forecast = self.instrument.forecast(self._unsaid)
            self._unsaid = []
            if forecast.sentences:
                note(f"CAPTURE parses {forecast.sentences:,} sentences: about {_duration(forecast.seconds)} here.")


class Proposed(Evidence, frozen=True, kw_only=True):
    """The evidence of one image: what SPICE's program says of it."""

    spice: SpiceScore


class SpiceStep:
    """SPICE's program over all captions at once: it takes a minute to start."""

    def __init__(self, instrument: Any, tokenizer: Any) -> None:
        self.instrument = instrument
        self.tokenizer = tokenizer
        used = {one.name: one.identity for one in (instrument, tokenizer) if one}
        self.about = About("spice", version=1, record=Proposed, instruments=used, batch=1 << 20, workers="alone")

    def ids(self, opened: Opened[CaptionSubmission], truth: CaptionTruth) -> Sequence[str]:
        """Every sample that is scored."""
        return opened.ids

    def run(self, submission: CaptionSubmission, truth: CaptionTruth, ids: Sequence[str]) -> list[Proposed]:
        """The evidence of the samples `ids`."""
        told = tokenized(submission, truth, ids, self.tokenizer)
        found = self.instrument.measure([told[id] for id in ids])
        digests = [caption_digests(submission, truth, id) for id in ids]
        return [
            Proposed(id=id, digest=own, reference_digest=reference, spice=one)
            for id, (own, reference), one in zip(ids, digests, found, strict=True)
        ]

    def fingerprint(self, submission: CaptionSubmission, truth: CaptionTruth, id: str) -> tuple[str, str]:
        """Digests of the caption and of its references."""
        return caption_digests(submission, truth, id)


def caption_steps(metrics: Collection[str], tools: Tools) -> Iterator[Step]:
    """The steps that caption `metrics` need."""
    tokenizer = chosen_tokenizer(tools)
    yield WordStep(metrics, tokenizer)
    if "CAPTURE" in metrics:
        yield CaptureStep(tools.load("capture", "capture"))
    if "SPICE" in metrics:
        yield SpiceStep(tools.load("spice", "spice"), tokenizer)


def dear_scores(
    evidence: Mapping[str, Sequence[Any]],
) -> tuple[dict[str, float | None], dict[str, dict[str, float | None]]]:
    """The numbers that the evidence of dear steps gives, and column → sample id → number."""
    metrics: dict[str, float | None] = {}
    columns: dict[str, dict[str, float | None]] = {}
    if "capture" in evidence:
        rows = {record.id: Capture().row(record.overlaps) for record in evidence["capture"]}
        metrics |= Capture().reduce(list(rows.values()))
        columns["CAPTURE"] = dict(rows)
    if "spice" in evidence:
        values = {record.id: record.spice.f for record in evidence["spice"]}
        metrics["SPICE"] = Spice().reduce(list(values.values()))["SPICE"]
        columns["SPICE"] = values
    return metrics, columns


def deviations(metrics: Collection[str]) -> dict[str, str]:
    """How and why dear numbers deviate from the official ones."""
    return {"CAPTURE": _SETTLED} if "CAPTURE" in metrics else {}


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    return (
        f"{seconds:.0f} seconds"
        if minutes < 2
        else f"{minutes:.0f} minutes"
        if minutes < 120
        else f"{minutes / 60:.0f} hours"
    )
