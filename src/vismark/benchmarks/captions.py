"""Image captioning: BLEU, METEOR, ROUGE-L, CIDEr against what people wrote (`coco-captions`, `pancap-caption` and kin).

Equal to pycocoevalcap 1.2 with its Java tokenizer, except where a caption holds a character at which that tool breaks
the line: there all later captions move on to other images; here it is a blank, and the result says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vismark.benchmarks.base import Mode, Opened, Source, Step
from vismark.benchmarks.caption_references import CaptionTruth, read
from vismark.benchmarks.caption_rows import word_scores
from vismark.benchmarks.caption_steps import caption_steps, dear_scores, deviations
from vismark.benchmarks.panels import Gallery, Panel, Piece, Sample, Told
from vismark.cards import BenchmarkCard
from vismark.formats.caption_submission import (
    TOLERATED,
    CaptionEntry,
    CaptionSubmission,
    read_submission,
    write_submission,
)
from vismark.formats.captions import shifts
from vismark.formats.panoptic_submission import locate
from vismark.instruments.base import Tools
from vismark.problems import Problem, Problems, refuse
from vismark.results import Scores
from vismark.runtime.seeds import seed_for
from vismark.tasks import ImageToText, Request, Text

_SHIFTED = (
    "captions hold line breaks (U+000B, U+000C, U+000D, U+2028, U+2029), at which pycocoevalcap moves all later "
    "captions to other images; here they are blanks"
)


class CaptionBenchmark:
    """Scores captions; the references are COCO's, Karpathy's or COCONut-PanCap's.

    Settings of the first protocol: `style` and `prompt` are asked of models; `holdout` as in `caption_references`.
    """

    tolerated = TOLERATED

    def __init__(self, card: BenchmarkCard) -> None:
        self.card = card

    def references(self, source: Source, problems: Problems, mode: Mode) -> CaptionTruth | None:
        """The references: ``captions`` (a JSON file or a folder of texts), ``panoptic`` for the ids of a folder."""
        return read(self.card, source, problems)

    def requests(self, truth: CaptionTruth, seed: int) -> CaptionRequests:
        """One question an image, in the order of the references."""
        return CaptionRequests(truth, seed, next(iter(self.card.protocols.values())))

    def answer(self, truth: CaptionTruth, request: Request) -> Text:
        """The first reference as a prediction."""
        return Text(truth.captions[request.id][0])

    def majority(self, truth: CaptionTruth, request: Request) -> Text:
        """One caption for all images."""
        return Text(truth.commonest)

    def writer(self, path: Path, truth: CaptionTruth) -> CaptionWriter:
        """Writes ``predictions.json`` into the folder `path`."""
        return CaptionWriter(path, truth)

    def open(
        self,
        path: Path,
        truth: CaptionTruth,
        problems: Problems,
        mode: Mode,
        wanted: Collection[str] | None,
        settings: Mapping[str, Any],
    ) -> Opened[CaptionSubmission] | None:
        """Read a submission (JSON file, or a folder with one) and check all of it."""
        file = locate(path, problems)
        found = file and read_submission(file, truth.names, problems, official=mode == "official", wanted=wanted)
        if not found:
            return None
        submission, digest = found
        return Opened(submission, tuple(id for id in truth.captions if id in submission.captions), digest)

    def steps(self, mode: Mode, settings: Mapping[str, Any], metrics: Collection[str], tools: Tools) -> Sequence[Step]:
        """Tokenizing and counting, and what dear metrics need."""
        return tuple(caption_steps(metrics, tools))

    def score(
        self,
        submission: CaptionSubmission,
        truth: CaptionTruth,
        evidence: Mapping[str, Sequence[Any]],
        mode: Mode,
        settings: Mapping[str, Any],
    ) -> Scores:
        """The numbers of the corpus, and of each image."""
        metrics, table = caption_scores(evidence)
        ids = table["id"]
        odd = any(shifts(text) for id in ids for text in (submission.captions[id], *truth.captions[id]))
        return Scores(
            metrics=metrics,
            counts=dict.fromkeys(metrics, len(ids)),
            table=table,
            warnings=[_undefined(name) for name, value in metrics.items() if value is None],
            why=(dict.fromkeys(metrics, _SHIFTED) if odd else {}) | deviations(metrics),
        )

    def panels(
        self,
        truth: CaptionTruth,
        submission: CaptionSubmission,
        breakdown: Mapping[str, Mapping[str, float | int | None]],
        worst: Sequence[tuple[str, str]],
    ) -> list[Panel]:
        """The images named in `worst` (id, note) with their captions."""
        samples = _Samples(truth, submission, worst)
        return [Gallery("Worst images", "The prediction above what people wrote.", samples, ())]


class CaptionRequests:
    """The questions, made when asked for; `ids` are image ids (of Objects365 the names) as text."""

    def __init__(self, truth: CaptionTruth, seed: int, settings: Mapping[str, Any]) -> None:
        self.truth = truth
        self.seed = seed
        self.settings = settings
        self.ids = tuple(truth.captions)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int, /) -> ImageToText:
        id = self.ids[index]
        return ImageToText(
            id=id,
            seed=seed_for(self.seed, id),
            group="",
            image=self.truth.picture(id),
            style=self.settings["style"],
            prompt=self.settings.get("prompt", ""),
        )

    def __iter__(self) -> Iterator[ImageToText]:
        return (self[index] for index in range(len(self)))


class CaptionWriter:
    """Writes a caption submission."""

    entry = CaptionEntry

    def __init__(self, path: Path, truth: CaptionTruth) -> None:
        self.file = path / "predictions.json"
        self.truth = truth

    def write(self, request: Request, prediction: Any) -> CaptionEntry:
        """The entry of one prediction.

        Raises:
            Refused: it is no text that a file can hold.
        """
        text = prediction.text if isinstance(prediction, Text) else None
        if not isinstance(text, str) or any("\ud800" <= character <= "\udfff" for character in text):
            message = f"an answer here is a vismark.tasks.Text with a string, this is {type(prediction).__name__}"
            raise refuse("PREDICTION_TYPE", message, item=request.id)
        return CaptionEntry(self.truth.image_ids[request.id], text)

    def finish(self, entries: Sequence[CaptionEntry]) -> None:
        """Write the results file over all entries, which are in the protocol's order."""
        write_submission(self.file, entries)


def caption_scores(evidence: Mapping[str, Sequence[Any]]) -> tuple[dict[str, float | None], dict[str, Sequence[Any]]]:
    """The numbers that the evidence of all caption steps gives, and the columns of the per-image table."""
    metrics, table = word_scores(evidence)
    dear, columns = dear_scores(evidence)
    return metrics | dear, table | {name: [column[id] for id in table["id"]] for name, column in columns.items()}


def _undefined(name: str) -> Problem:
    message = f"{name} is not defined: an image has no tuple on either side (the official mean is NaN)"
    return Problem(code="METRIC_UNDEFINED", severity="warning", message=message)


@dataclass(frozen=True)
class _Samples(Sequence[Sample]):
    """The images of a gallery, made one by one when they are shown."""

    truth: CaptionTruth
    submission: CaptionSubmission
    chosen: Sequence[tuple[str, str]]

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: Any) -> Any:
        id, note = self.chosen[index]
        references = [Told("reference", (Piece(text),)) for text in self.truth.captions[id]]
        texts = (Told("prediction", (Piece(self.submission.captions[id]),)), *references)
        return Sample(id, note, self.truth.picture(id), (), texts)
