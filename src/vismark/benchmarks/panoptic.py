"""Panoptic segmentation: panoptic quality of a COCO panoptic submission (`coco-panoptic` and its kin).

Equal to panopticapi 7bb4655 within 1e-12: that tool adds per-core sums of IoU, so its own last bits depend on the
number of cores; ours are one sum in the order of the ground truth. The protocol `boundary` (an extension of the COCO
task) matches by boundaries too and equals boundary-iou-api 37d2558.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from vismark.benchmarks.base import Mode, Opened, Source, Step
from vismark.benchmarks.panels import Bar, Bars, Gallery, Panel, Sample, View
from vismark.benchmarks.panoptic_match import Matched, MatchStep
from vismark.cards import BenchmarkCard
from vismark.formats.panoptic import (
    PanopticTruth,
    PredictedAnnotation,
    PredictedSegment,
    encode_ids,
    prediction_problems,
    read_ids,
    read_truth,
    write_annotations,
)
from vismark.formats.panoptic_submission import PanopticSubmission, locate, read_submission
from vismark.instruments.base import Tools
from vismark.metrics.panoptic import PanopticQuality, quality
from vismark.problems import Problem, Problems, Refused
from vismark.results import Scores
from vismark.runtime.atomic import write_bytes
from vismark.runtime.seeds import seed_for
from vismark.tasks import Panoptic, PanopticSegment, Picture, Request, Segment

Number = TypeVar("Number")

_QUALITIES = ("PQ", "SQ", "RQ")
_COLLIDES = (
    "a segment has the id that boundary-iou-api takes for the inside of segments (largest category id + 1), "
    "which spoils that segment there; here it counts like any other"
)


class PanopticBenchmark:
    """Scores panoptic segmentation against a COCO panoptic ground truth."""

    # Accepted by panopticapi in silence: a warning in official mode, an error otherwise.
    tolerated = frozenset(
        {
            "AREA_MISMATCH",
            "FIELD_INTEGRAL",
            "JSON_DUPLICATE_KEY",
            "SUB_IMAGE_DUP",
            "SUB_IMAGE_UNKNOWN",
            "SUB_PNG_ALPHA",
            "SUB_PNG_INTERLACED",
            "SUB_SEG_ID_DUP",
            "SUB_SEG_ID_ZERO",
        }
    )

    def __init__(self, card: BenchmarkCard) -> None:
        self.card = card

    def references(self, source: Source, problems: Problems, mode: Mode) -> PanopticTruth | None:
        """The ground truth: ``panoptic`` (JSON), ``masks`` (folder of PNGs), ``images`` (folder, optional)."""
        path = source.need(self.card, "panoptic")
        pictures = source.path(self.card, "images")
        return read_truth(
            path,
            source.path(self.card, "masks"),
            pictures if pictures and pictures.is_dir() else None,
            problems,
        )

    def requests(self, truth: PanopticTruth, seed: int) -> PanopticRequests:
        """One question an image, in the order of the ground truth."""
        return PanopticRequests(truth, seed)

    def answer(self, truth: PanopticTruth, request: Request) -> Panoptic:
        """The truth as a prediction."""
        annotation = truth.annotations[request.id]
        ids = read_ids(truth.folder / annotation.file_name)
        segments = tuple(Segment(s.id, s.category_id) for s in annotation.segments_info)
        return listed_only(ids, segments)

    def majority(self, truth: PanopticTruth, request: Request) -> Panoptic:
        """The whole image as one segment of the category that covers most of the ground truth."""
        import numpy as np

        picture = picture_of(truth, request.id)
        return Panoptic(
            np.ones((picture.height, picture.width), dtype=np.uint32), (Segment(1, truth.largest_category),)
        )

    def writer(self, path: Path, truth: PanopticTruth) -> PanopticWriter:
        """Writes ``predictions.json`` and ``predictions/*.png`` into the folder `path`."""
        return PanopticWriter(path, truth)

    def open(
        self,
        path: Path,
        truth: PanopticTruth,
        problems: Problems,
        mode: Mode,
        wanted: Collection[str] | None,
        settings: Mapping[str, Any],
    ) -> Opened[PanopticSubmission] | None:
        """Read a submission (JSON file or folder) and check all that needs no pixel."""
        file = locate(path, problems)
        if file is None:
            return None
        read = read_submission(file, truth, problems, official=mode == "official", wanted=wanted)
        if read is None:
            return None
        submission, digest = read
        ids = tuple(id for id in truth.annotations if id in submission.annotations)
        return Opened(submission, ids, digest)

    def steps(self, mode: Mode, settings: Mapping[str, Any], metrics: Collection[str], tools: Tools) -> Sequence[Step]:
        """Matching: the only step; with the setting `dilation_ratio` by boundaries too."""
        return (MatchStep(mode, settings.get("dilation_ratio")),)

    def score(
        self,
        submission: PanopticSubmission,
        truth: PanopticTruth,
        evidence: Mapping[str, Sequence[Matched]],
        mode: Mode,
        settings: Mapping[str, Any],
    ) -> Scores:
        """PQ, SQ and RQ over all, things and stuff; by category; by image; 95 % bootstrap intervals over images."""
        (records,) = evidence.values()
        rows = [record.stats for record in records]
        prefix = "boundary_" if "dilation_ratio" in settings else ""
        groups = {kind: [c.id for c in truth.categories.values() if c.isthing is kind] for kind in (True, False)}
        metric = PanopticQuality(things=groups[True], stuff=groups[False])
        categories = metric.categories(rows)
        metrics = _named(prefix, metric.reduce(rows))
        present = {name: sum(c in categories for c in members) for name, members in groups.items()}
        counts = {"": sum(present.values()), "_th": present[True], "_st": present[False]}
        return Scores(
            metrics=metrics,
            intervals=_named(prefix, metric.intervals(rows)),
            counts={prefix + name + group: n for group, n in counts.items() for name in _QUALITIES},
            breakdowns={"category": {truth.categories[c].name: _named(prefix, v) for c, v in categories.items()}},
            table=_table(records, prefix),
            why=dict.fromkeys(metrics, _COLLIDES) if prefix and _collides(truth, submission) else {},
            warnings=[_undefined(name) for name, value in metrics.items() if value is None],
        )

    def panels(
        self,
        truth: PanopticTruth,
        submission: PanopticSubmission,
        breakdown: Mapping[str, Mapping[str, float | int | None]],
        worst: Sequence[tuple[str, str]],
    ) -> list[Panel]:
        """A bar a category, and the images named in `worst` (id, note) with truth and prediction laid over them."""
        kinds = {c.name: "things" if c.isthing else "stuff" for c in truth.categories.values()}
        bars = [
            Bar(name, next(iter(numbers.values())), kinds.get(name, ""), tuple(numbers.items()))
            for name, numbers in breakdown.items()
        ]
        categories = tuple(truth.categories.values())
        note = "PQ of each category that occurs in the truth or the predictions."
        gallery = Gallery("Worst images", "Lowest PQ first.", _Samples(self, truth, submission, worst), categories)
        return [Bars("By category", note, bars, scale=100, digits=1), gallery]


class PanopticRequests:
    """The questions, made when asked for; `ids` are the stems of the PNG names."""

    def __init__(self, truth: PanopticTruth, seed: int) -> None:
        self.truth = truth
        self.seed = seed
        self.ids = tuple(truth.annotations)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int, /) -> PanopticSegment:
        id = self.ids[index]
        return PanopticSegment(
            id=id, seed=seed_for(self.seed, id), group="", image=picture_of(self.truth, id), categories=self._categories
        )

    def __iter__(self) -> Iterator[PanopticSegment]:
        return (self[index] for index in range(len(self)))

    @cached_property
    def _categories(self) -> tuple[Any, ...]:
        return tuple(self.truth.categories.values())


class PanopticWriter:
    """Writes a panoptic submission image by image."""

    entry = PredictedAnnotation

    def __init__(self, path: Path, truth: PanopticTruth) -> None:
        self.file = path / "predictions.json"
        self.truth = truth

    def write(self, request: PanopticSegment, prediction: Any) -> PredictedAnnotation:
        """Write the PNG of one prediction.

        Raises:
            Refused: the map has another size than the image, or its ids and segments do not agree.
        """
        if not isinstance(prediction, Panoptic):
            problems = Problems()
            message = f"a panoptic prediction is a vismark.tasks.Panoptic, this is {type(prediction).__name__}"
            problems.add("PREDICTION_TYPE", message, item=request.id)
            raise Refused(problems)
        size = (request.image.height, request.image.width)
        problems = prediction_problems(prediction, size, self.truth.categories, request.id)
        if problems.errors:
            raise Refused(problems)
        name = f"{request.id}.png"
        write_bytes(self.file.with_suffix("") / name, encode_ids(prediction.ids))
        segments = tuple(PredictedSegment(s.id, s.category) for s in prediction.segments)
        return PredictedAnnotation(self.truth.annotations[request.id].image_id, name, segments)

    def finish(self, entries: Sequence[PredictedAnnotation]) -> None:
        """Write the JSON over all entries, which are in the protocol's order."""
        write_annotations(self.file, entries)


@dataclass(frozen=True)
class _Samples(Sequence[Sample]):
    """The images of a gallery, decoded one by one when they are drawn."""

    benchmark: PanopticBenchmark
    truth: PanopticTruth
    submission: PanopticSubmission
    chosen: Sequence[tuple[str, str]]

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: Any) -> Any:
        id, note = self.chosen[index]
        request = Request(id=id, seed=0, group="")
        annotation = self.submission.annotations[id]
        ids = read_ids(self.submission.folder / annotation.file_name)
        segments = tuple(Segment(s.id, s.category_id) for s in annotation.segments_info)
        views = (
            View("truth", self.benchmark.answer(self.truth, request)),
            View("prediction", listed_only(ids, segments)),
        )
        return Sample(id, note, picture_of(self.truth, id), views)


def picture_of(truth: PanopticTruth, id: str) -> Picture:
    """The picture of a sample; its size comes from `images`, else from the header of the true PNG."""
    annotation = truth.annotations[id]
    image = truth.images.get(annotation.image_id)
    if image is not None and image.height and image.width:
        path = truth.pictures / image.file_name if truth.pictures else None
        return Picture(path, image.height, image.width, image.coco_url)
    height, width = read_ids(truth.folder / annotation.file_name).shape
    return Picture(None, height, width)


def listed_only(ids: Any, segments: Sequence[Segment]) -> Panoptic:
    """A panoptic map in which only pixels of listed segments are claimed, and only segments with pixels are listed."""
    import numpy as np

    painted = set(np.unique(ids).tolist())
    unlisted = sorted(painted - {s.id for s in segments} - {0})
    if unlisted:
        ids = np.where(np.isin(ids, unlisted), 0, ids).astype(np.uint32)
    return Panoptic(ids, tuple(s for s in segments if s.id in painted))


def _named(prefix: str, numbers: Mapping[str, Number]) -> dict[str, Number]:
    """`numbers` with `prefix` before the names of qualities; sums and counts keep theirs."""
    return {prefix + name if name[:2] in _QUALITIES else name: number for name, number in numbers.items()}


def _collides(truth: PanopticTruth, submission: PanopticSubmission) -> bool:
    """Whether a segment has the id with which boundary-iou-api marks the inside of segments, and so spoils it."""
    mark = max(truth.categories) + 1
    return any(
        mark in {segment.id for segment in predicted.segments_info}
        or mark in {segment.id for segment in truth.annotations[id].segments_info}
        for id, predicted in submission.annotations.items()
    )


def _table(records: Sequence[Matched], prefix: str) -> dict[str, Sequence[Any]]:
    """Per-image numbers; PQ is the mean over the categories of the image, as the metric itself on one image."""
    columns: dict[str, Any] = {name: [] for name in ("id", *_QUALITIES, "TP", "FP", "FN", "iou")}
    for record in records:
        parts = [quality(s.iou, s.tp, s.fp, s.fn) for s in record.stats if s.tp or s.fp or s.fn]
        columns["id"].append(record.id)
        for name in _QUALITIES:
            columns[name].append(sum(p[name] for p in parts) / len(parts) if parts else None)
        for name in ("TP", "FP", "FN", "iou"):
            columns[name].append(sum(p[name] for p in parts))
    return _named(prefix, columns)


def _undefined(name: str) -> Problem:
    message = (
        f"{name} is not defined: no category of the group occurs in truth or prediction (panopticapi divides by zero)"
    )
    return Problem(code="METRIC_UNDEFINED", severity="warning", message=message)
