"""Grounded captioning: a caption and a panoptic map that belong together (`pancap-grounded` and its kin).

Caption numbers equal pycocoevalcap 1.2 on the plain texts, panoptic quality equals panopticapi 7bb4655; how well
phrases are tied to segments is an extension. No number joins them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from vismark.benchmarks.base import Mode, Opened, Source, Step
from vismark.benchmarks.caption_steps import caption_steps, deviations
from vismark.benchmarks.captions import caption_scores
from vismark.benchmarks.grounded_converter import GroundedConverter
from vismark.benchmarks.grounded_panels import gallery
from vismark.benchmarks.grounded_steps import GroundStep, MapStep, PlainStep
from vismark.benchmarks.grounded_truth import GroundedTruth, read, spans_of
from vismark.benchmarks.panels import Panel
from vismark.benchmarks.panoptic import PanopticBenchmark, picture_of
from vismark.cards import BenchmarkCard
from vismark.formats.caption_submission import TOLERATED
from vismark.formats.grounded import GroundedSubmission, locate, read_grounded
from vismark.formats.grounded_write import GroundedWriter
from vismark.instruments.base import Tools
from vismark.metrics.grounding import Grounding, Row, ratios
from vismark.problems import Problem, Problems
from vismark.results import Scores
from vismark.runtime.seeds import seed_for
from vismark.tasks import Category, GroundedCaption, GroundedText, Request, Span

# These are about what both tools that score a part of it would do with the whole file; there is no such tool.
_OF_ENTRIES = {"SUB_IMAGE_DUP", "SUB_IMAGE_UNKNOWN", "SUB_CAPTION_MARKUP"}


class GroundedBenchmark:
    """Scores grounded captions against COCONut-PanCap; settings of the first protocol: `prompt`, `holdout`."""

    tolerated = (TOLERATED | PanopticBenchmark.tolerated) - _OF_ENTRIES

    def __init__(self, card: BenchmarkCard) -> None:
        self.card = card
        self.maps = PanopticBenchmark(card)

    def references(self, source: Source, problems: Problems, mode: Mode) -> GroundedTruth | None:
        """The references: ``captions`` (folder), ``panoptic`` (JSON), ``masks`` and ``images`` (folders)."""
        return read(self.card, source, problems)

    def requests(self, truth: GroundedTruth, seed: int) -> GroundedRequests:
        """One question an image, in the order of the panoptic file."""
        return GroundedRequests(truth, seed, next(iter(self.card.protocols.values())).get("prompt", ""))

    def answer(self, truth: GroundedTruth, request: Request) -> GroundedText:
        """The truth as a prediction: caption, phrases and map."""
        panoptic, record = self.maps.answer(truth.panoptic, request), truth.record(request.id)
        listed = {segment.id for segment in panoptic.segments}
        named = [(span, tuple(id for id in span.segments if id in listed)) for span in spans_of(record)]
        spans = tuple(Span(span.start, span.stop, ids) for span, ids in named if ids)
        return GroundedText(record.caption_plain, spans, panoptic)

    def majority(self, truth: GroundedTruth, request: Request) -> GroundedText:
        """One caption for all images without phrases, and the whole image as one segment of the largest category."""
        return GroundedText(truth.plain.commonest, (), self.maps.majority(truth.panoptic, request))

    def writer(self, path: Path, truth: GroundedTruth) -> GroundedWriter:
        """Writes ``predictions.jsonl`` and ``panoptic/*.png`` into the folder `path`."""
        return GroundedWriter(path, truth.panoptic)

    def converter(self, truth: GroundedTruth, file: str, problems: Problems) -> GroundedConverter:
        """Converts the outputs of grounding models: marked text, or phrases, with a list of masks."""
        return GroundedConverter(truth, file, problems)

    def open(
        self,
        path: Path,
        truth: GroundedTruth,
        problems: Problems,
        mode: Mode,
        wanted: Collection[str] | None,
        settings: Mapping[str, Any],
    ) -> Opened[GroundedSubmission] | None:
        """Read a submission (folder, or its JSON Lines) and check all that needs no pixel."""
        file = locate(path, problems)
        official, split = mode == "official", self.card.split
        found = file and read_grounded(file, truth.panoptic, split, problems, official=official, wanted=wanted)
        if not found:
            return None
        submission, digest = found
        return Opened(submission, tuple(id for id in truth.ids if id in submission.captions), digest)

    def steps(self, mode: Mode, settings: Mapping[str, Any], metrics: Collection[str], tools: Tools) -> Sequence[Step]:
        """Words, maps and phrases, whatever is asked for, because they check the submission; and dear steps."""
        return (*map(PlainStep, caption_steps(metrics, tools)), MapStep(mode), GroundStep())

    def score(
        self,
        submission: GroundedSubmission,
        truth: GroundedTruth,
        evidence: Mapping[str, Sequence[Any]],
        mode: Mode,
        settings: Mapping[str, Any],
    ) -> Scores:
        """Caption numbers, panoptic quality and grounding; by category; by image."""
        maps = self.maps.score(
            submission.panoptic, truth.panoptic, {"": evidence[MapStep(mode).about.name]}, mode, settings
        )
        words, told = caption_scores(evidence)
        rows = {one.id: one.row for one in evidence[GroundStep.about.name] if one.row is not None}
        grounding = Grounding().reduce(list(rows.values()))
        return Scores(
            metrics=words | maps.metrics | grounding,
            intervals=maps.intervals,
            counts=dict.fromkeys(words, len(told["id"])) | maps.counts | dict.fromkeys(grounding, len(rows)),
            breakdowns=maps.breakdowns,
            why=deviations(words),
            table=dict(maps.table) | dict(told) | _columns(rows, maps.table["id"]),
            warnings=[*maps.warnings, *(_undefined(name) for name, value in grounding.items() if value is None)],
        )

    def panels(
        self,
        truth: GroundedTruth,
        submission: GroundedSubmission,
        breakdown: Mapping[str, Mapping[str, float | int | None]],
        worst: Sequence[tuple[str, str]],
    ) -> list[Panel]:
        """A bar a category, and the images named in `worst` (id, note): maps, and captions in the colours of them."""
        bars = self.maps.panels(truth.panoptic, submission.panoptic, breakdown, ())[0]
        return [bars, gallery(truth, submission, worst)]


class GroundedRequests:
    """The questions, made when asked for; `ids` are the stems of the PNG names."""

    def __init__(self, truth: GroundedTruth, seed: int, prompt: str) -> None:
        self.truth = truth
        self.seed = seed
        self.prompt = prompt
        self.ids = truth.ids

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int, /) -> GroundedCaption:
        id = self.ids[index]
        seed, image = seed_for(self.seed, id), picture_of(self.truth.panoptic, id)
        return GroundedCaption(id=id, seed=seed, group="", image=image, prompt=self.prompt, categories=self._categories)

    def __iter__(self) -> Iterator[GroundedCaption]:
        return (self[index] for index in range(len(self)))

    @cached_property
    def _categories(self) -> tuple[Category, ...]:
        return tuple(self.truth.panoptic.categories.values())


def _columns(rows: Mapping[str, Row], ids: Sequence[str]) -> dict[str, Sequence[Any]]:
    """Phrase recall and precision of each image."""
    found = [ratios(_counts(rows[id])) if id in rows else {} for id in ids]
    return {name: [one.get(name) for one in found] for name in ("phrase_recall", "phrase_precision")}


def _counts(row: Row) -> dict[str, int]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


def _undefined(name: str) -> Problem:
    message = f"{name} is not defined: there is no phrase or no segment that it could be a share of"
    return Problem(code="METRIC_UNDEFINED", severity="warning", message=message)
