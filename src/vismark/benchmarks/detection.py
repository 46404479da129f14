"""Object detection and instance segmentation: COCO's twelve numbers (`coco-detection` and its kin).

Equal to pycocotools 2.0.11 to the last bit, in both modes; official mode asks pycocotools itself where a submission has
faults that it takes in silence.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from vismark.benchmarks.base import Mode, Opened, Source, Step
from vismark.benchmarks.detection_panels import panels
from vismark.benchmarks.panels import Panel
from vismark.cards import BenchmarkCard
from vismark.formats.detection_truth import DetectionTruth, check_masks, read_truth
from vismark.formats.detection_write import (
    ImageResults,
    as_prediction,
    encode_mask,
    image_results,
    prediction_problems,
    write_results,
)
from vismark.formats.detections import DetectionSubmission, read_submission
from vismark.formats.panoptic_submission import locate
from vismark.instruments.base import Tools
from vismark.metrics import detection_official
from vismark.metrics.detection import SIZES, THRESHOLDS, Evaluation, Found, Images, Objects, evaluate
from vismark.metrics.detection_table import image_table
from vismark.problems import Problem, Problems, Refused, refuse
from vismark.results import Scores
from vismark.runtime.seeds import seed_for
from vismark.tasks import Category, Detect, Detections, Picture, Request

Breakdown = dict[str, dict[str, float | int | None]]


class DetectionBenchmark:
    """Scores detections against a COCO instances ground truth; the setting `iou` is ``boxes`` or ``masks``."""

    # Accepted by pycocotools in silence: a warning in official mode, an error otherwise.
    tolerated = frozenset(
        {
            "ANN_ID_DUP",
            "ANN_ID_ZERO",
            "ANN_IMAGE_UNKNOWN",
            "AREA_MISMATCH",
            "BBOX_FORMAT",
            "CATEGORY_UNKNOWN",
            "FIELD_INTEGRAL",
            "JSON_DUPLICATE_KEY",
            "SUB_BBOX",
            "SUB_CATEGORY_CONTIGUOUS",
            "SUB_CATEGORY_UNKNOWN",
            "SUB_KIND",
            "SUB_POLYGON",
            "SUB_RLE_SIZE",
            "SUB_SCORE",
        }
    )

    def __init__(self, card: BenchmarkCard) -> None:
        self.card = card

    def references(self, source: Source, problems: Problems, mode: Mode) -> DetectionTruth | None:
        """The ground truth: ``instances`` (JSON), ``images`` (folder, optional)."""
        path = source.need(self.card, "instances")
        pictures = source.path(self.card, "images")
        folder = pictures if pictures and pictures.is_dir() else None
        return read_truth(path, folder, problems, official=mode == "official")

    def requests(self, truth: DetectionTruth, seed: int) -> DetectionRequests:
        """One question an image, in the order of the ground truth; masks are welcome, boxes are enough for boxes."""
        return DetectionRequests(truth, seed)

    def answer(self, truth: DetectionTruth, request: Request) -> Detections:
        """The truth as a prediction; crowds, which cannot be found, are left out."""
        return as_prediction(truth, request.id)

    def majority(self, truth: DetectionTruth, request: Request) -> Detections:
        """The whole image as one object of the most frequent category."""
        import numpy as np

        values, counts = np.unique(truth.category_ids, return_counts=True)
        image = truth.images[request.id]
        box = np.array([[0, 0, image.width, image.height]], np.float32)
        full = encode_mask(np.ones((image.height, image.width), np.bool_))
        return Detections(box, np.ones(1, np.float32), values[[counts.argmax()]], (full,))

    def writer(self, path: Path, truth: DetectionTruth) -> DetectionWriter:
        """Writes ``predictions.json`` into the folder `path`."""
        return DetectionWriter(path, truth)

    def open(
        self,
        path: Path,
        truth: DetectionTruth,
        problems: Problems,
        mode: Mode,
        wanted: Collection[str] | None,
        settings: Mapping[str, Any],
    ) -> Opened[DetectionSubmission] | None:
        """Read and check a results file, or a folder with one; images without detections count, unless partial."""
        file = locate(path, problems)
        if file is None:
            return None
        if settings["iou"] == "masks":
            check_masks(truth, problems)
        read = read_submission(file, truth, settings["iou"], problems, official=mode == "official", wanted=wanted)
        if read is None:
            return None
        submission, digest = read
        scored = submission.ids if wanted is None else set(wanted)
        ids = tuple(id for id in truth.images if id in scored)
        return Opened(dataclasses.replace(submission, scored=ids), ids, digest)

    def steps(self, mode: Mode, settings: Mapping[str, Any], metrics: Collection[str], tools: Tools) -> Sequence[Step]:
        """None: matching takes seconds."""
        return ()

    def score(
        self,
        submission: DetectionSubmission,
        truth: DetectionTruth,
        evidence: Mapping[str, Sequence[Any]],
        mode: Mode,
        settings: Mapping[str, Any],
    ) -> Scores:
        """The twelve numbers; by category, size, IoU threshold and number of detections; by image."""
        images, objects, found = columns(truth, submission)
        if submission.verbatim is None or truth.data is None:
            evaluation = evaluate(images, truth.categories, objects, found, submission.kind)
            table = image_table(images, objects, found, evaluation.outcome)
        else:
            evaluation = _asked(submission, truth, images)
            table = {}
        metrics = evaluation.numbers()
        ids = [str(id) for id in images.ids]
        return Scores(
            metrics=metrics,
            counts={name: _present(evaluation, name) for name in metrics},
            breakdowns={
                "category": _by_category(evaluation, truth, objects),
                "size": _by_size(evaluation),
                "IoU": _by_threshold(evaluation),
            },
            table={"id": ids, **table} if table else {},
            warnings=[_undefined(name) for name, value in metrics.items() if value is None],
        )

    def panels(
        self,
        truth: DetectionTruth,
        submission: DetectionSubmission,
        breakdown: Mapping[str, Mapping[str, float | int | None]],
        worst: Sequence[tuple[str, str]],
    ) -> list[Panel]:
        """Bars by category, precision-recall curves, confusions, error types, and the images named in `worst`."""
        images, objects, found = columns(truth, submission)
        evaluation = evaluate(images, truth.categories, objects, found, submission.kind)
        return panels(truth, submission, images, evaluation, breakdown, worst, picture_of)


def columns(truth: DetectionTruth, submission: DetectionSubmission) -> tuple[Images, Objects, Found]:
    """What the metric takes, restricted to the images that are scored."""
    import numpy as np

    masks = submission.kind == "masks"
    scored = sorted((truth.images[id] for id in submission.scored), key=lambda image: image.id)
    ids = np.array([image.id for image in scored], np.int64)
    images = Images(ids, np.array([(image.height, image.width) for image in scored], np.int64).reshape(-1, 2))
    rows = np.flatnonzero(np.isin(truth.image_ids, ids))
    objects = Objects(
        truth.image_ids[rows],
        truth.category_ids[rows],
        truth.boxes[rows],
        truth.areas[rows],
        truth.crowd[rows],
        [truth.masks[row] for row in rows.tolist()] if masks else None,
    )
    one = submission.found
    kept = np.flatnonzero(np.isin(one.image_ids, ids))
    return (
        images,
        objects,
        Found(
            one.image_ids[kept],
            one.category_ids[kept],
            one.boxes[kept],
            one.scores[kept],
            one.areas[kept].astype(np.float64) if one.areas is not None else None,
            submission.masks(truth, kept.tolist()) if masks else None,
        ),
    )


def picture_of(truth: DetectionTruth, id: str) -> Picture:
    """The picture of a sample."""
    image = truth.images[id]
    path = truth.pictures / image.file_name if truth.pictures and image.file_name else None
    return Picture(path, image.height, image.width, image.coco_url)


class DetectionRequests:
    """The questions, made when asked for; `ids` are the image ids as text."""

    def __init__(self, truth: DetectionTruth, seed: int) -> None:
        self.truth = truth
        self.seed = seed
        self.ids = tuple(truth.images)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int, /) -> Detect:
        id = self.ids[index]
        picture = picture_of(self.truth, id)
        return Detect(
            id=id, seed=seed_for(self.seed, id), group="", image=picture, categories=self._categories, masks=True
        )

    def __iter__(self) -> Iterator[Detect]:
        return (self[index] for index in range(len(self)))

    @cached_property
    def _categories(self) -> tuple[Category, ...]:
        return tuple(self.truth.categories.values())


class DetectionWriter:
    """Collects results image by image; one file at the end."""

    entry = ImageResults

    def __init__(self, path: Path, truth: DetectionTruth) -> None:
        self.file = path / "predictions.json"
        self.truth = truth

    def write(self, request: Detect, prediction: Any) -> ImageResults:
        """The entries of one image.

        Raises:
            Refused: a box, score, category or mask cannot be right.
        """
        if not isinstance(prediction, Detections):
            message = f"a detection is a vismark.tasks.Detections, this is {type(prediction).__name__}"
            raise refuse("PREDICTION_TYPE", message, item=request.id)
        size = (request.image.height, request.image.width)
        problems = prediction_problems(prediction, size, self.truth.categories, request.id)
        if problems.errors:
            raise Refused(problems)
        return image_results(self.truth.images[request.id].id, prediction)

    def finish(self, entries: Sequence[ImageResults]) -> None:
        """Write the results file."""
        write_results(self.file, entries)


def _asked(submission: DetectionSubmission, truth: DetectionTruth, images: Images) -> Evaluation:
    """What pycocotools makes of the files as they are."""
    results, content = json.loads(submission.verbatim or b""), json.loads(truth.data or b"")
    try:
        return detection_official.evaluate(content, results, images.ids.tolist(), submission.kind)
    except Exception as error:  # whatever it raises on odd input: TypeError, KeyError, AssertionError …
        message = f"pycocotools refuses it: {type(error).__name__}: {error}"
        raise refuse(
            "SUB_OFFICIAL_REFUSED", message, file=submission.file, fix="Mend what the warnings list."
        ) from error


def _present(evaluation: Evaluation, name: str) -> int:
    """How many categories a number is a mean over."""
    size = {"S": 1, "M": 2, "L": 3}.get(name.rpartition("_")[2] if "_" in name else "", 0)
    return int((evaluation.recall[0, :, size, -1] > -1).sum())


def _by_category(evaluation: Evaluation, truth: DetectionTruth, objects: Objects) -> Breakdown:
    found: Breakdown = {}
    for id, category in truth.categories.items():
        if evaluation.ap(category=id) is None:
            continue
        rows = objects.category_ids == id
        found[category.name] = {
            "AP": evaluation.ap(category=id),
            "AP50": evaluation.ap(iou=0.5, category=id),
            "AP75": evaluation.ap(iou=0.75, category=id),
            "AP_S": evaluation.ap(size="small", category=id),
            "AP_M": evaluation.ap(size="medium", category=id),
            "AP_L": evaluation.ap(size="large", category=id),
            "AR100": evaluation.ar(category=id),
            "objects": int((rows & ~objects.crowd).sum()),
            "crowds": int((rows & objects.crowd).sum()),
        }
    return found


def _by_size(evaluation: Evaluation) -> Breakdown:
    return {
        size: {
            "AP": evaluation.ap(size=size),
            "AP50": evaluation.ap(size=size, iou=0.5),
            "AP75": evaluation.ap(size=size, iou=0.75),
            "AR1": evaluation.ar(size=size, limit=0),
            "AR10": evaluation.ar(size=size, limit=1),
            "AR100": evaluation.ar(size=size),
        }
        for size in SIZES
    }


def _by_threshold(evaluation: Evaluation) -> Breakdown:
    return {
        f"{iou:.2f}": {
            "AP": evaluation.ap(iou=iou),
            "AR1": evaluation.ar(iou=iou, limit=0),
            "AR10": evaluation.ar(iou=iou, limit=1),
            "AR100": evaluation.ar(iou=iou),
        }
        for iou in map(float, THRESHOLDS)
    }


def _undefined(name: str) -> Problem:
    message = f"{name} is not defined: no true object is of that kind (pycocotools prints −1)"
    return Problem(code="METRIC_UNDEFINED", severity="warning", message=message)
