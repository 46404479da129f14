"""Semantic segmentation: mIoU, fwIoU, mACC and pACC against a panoptic ground truth (`coco-semantic` and its kin).

Equal to detectron2 02b5c4e (`SemSegEvaluator`): counts exactly, numbers within 1e-10 percent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vismark.benchmarks.base import Mode, Opened, Source, Step
from vismark.benchmarks.panels import Bar, Bars, Gallery, Panel, Sample, View
from vismark.benchmarks.panoptic import picture_of
from vismark.benchmarks.semantic_confusion import Confused, ConfusionStep
from vismark.cards import BenchmarkCard
from vismark.formats.panoptic import PanopticTruth, read_ids, read_truth
from vismark.formats.semantic import (
    IGNORE,
    LabelFolder,
    Labelling,
    encode_labels,
    labelling,
    prediction_problems,
    read_folder,
    read_labels,
    true_labels,
)
from vismark.instruments.base import Tools
from vismark.metrics.semantic import Row, SemanticQuality
from vismark.problems import Problem, Problems, Refused, refuse
from vismark.results import Scores
from vismark.runtime.atomic import write_bytes
from vismark.runtime.seeds import seed_for
from vismark.tasks import LabelMap, Panoptic, Request, Segment, SemanticSegment

# Pairs of classes in the breakdown of confusions.
_MOST_CONFUSED = 50


class SemanticBenchmark:
    """Scores semantic label maps; the truth is a COCO panoptic ground truth without its instances.

    The setting `labels` of a protocol says how categories become labels (`formats.semantic.labelling`). What a model is
    asked follows the first protocol of the card.
    """

    # detectron2 drops pixels without a predicted label in silence.
    tolerated = frozenset({"AREA_MISMATCH", "SUB_LABEL_VOID"})

    def __init__(self, card: BenchmarkCard) -> None:
        self.card = card

    def references(self, source: Source, problems: Problems, mode: Mode) -> PanopticTruth | None:
        """The ground truth: ``panoptic`` (JSON), ``masks`` (folder of PNGs), ``images`` (folder, optional)."""
        path = source.need(self.card, "panoptic")
        pictures = source.path(self.card, "images")
        folder = pictures if pictures and pictures.is_dir() else None
        return read_truth(path, source.path(self.card, "masks"), folder, problems)

    def requests(self, truth: PanopticTruth, seed: int) -> SemanticRequests:
        """One question an image, in the order of the ground truth."""
        return SemanticRequests(truth, seed, self._asked(truth))

    def answer(self, truth: PanopticTruth, request: Request) -> LabelMap:
        """The truth as a prediction."""
        return LabelMap(_true_map(truth, request.id, self._asked(truth)))

    def majority(self, truth: PanopticTruth, request: Request) -> LabelMap:
        """The whole image as the category that covers most of the ground truth."""
        import numpy as np

        picture = picture_of(truth, request.id)
        label = self._asked(truth).label_of[truth.largest_category]
        return LabelMap(np.full((picture.height, picture.width), label, dtype=np.int32))

    def writer(self, path: Path, truth: PanopticTruth) -> SemanticWriter:
        """Writes ``<id>.png`` into the folder `path`."""
        return SemanticWriter(path, len(self._asked(truth).classes))

    def open(
        self,
        path: Path,
        truth: PanopticTruth,
        problems: Problems,
        mode: Mode,
        wanted: Collection[str] | None,
        settings: Mapping[str, Any],
    ) -> Opened[LabelFolder] | None:
        """Look which label maps there are."""
        labels = labelling(settings["labels"], truth.categories)
        read = read_folder(path, tuple(truth.annotations), labels, problems, wanted)
        return Opened(read[0], read[0].ids, read[1]) if read else None

    def steps(self, mode: Mode, settings: Mapping[str, Any], metrics: Collection[str], tools: Tools) -> Sequence[Step]:
        """Counting: the only step."""
        return (ConfusionStep(settings["labels"]),)

    def score(
        self,
        submission: LabelFolder,
        truth: PanopticTruth,
        evidence: Mapping[str, Sequence[Confused]],
        mode: Mode,
        settings: Mapping[str, Any],
    ) -> Scores:
        """The four numbers with 95 % bootstrap intervals; by category; the most confused pairs; by image."""
        (records,) = evidence.values()
        rows = [record.cells for record in records]
        classes = submission.labelling.classes
        metric = SemanticQuality(len(classes), IGNORE)
        metrics, categories = metric.reduce(rows), metric.categories(rows)
        present = sum(one["IoU"] is not None for one in categories.values())
        return Scores(
            metrics=metrics,
            intervals=metric.intervals(rows),
            counts={"mIoU": present, "mACC": present},
            breakdowns={
                "category": {classes[label].name: numbers for label, numbers in categories.items()},
                "confusion": _confusions(metric, rows, [one.name for one in classes]),
            },
            table=_table(metric, records),
            warnings=[_undefined(name) for name, value in metrics.items() if value is None],
        )

    def panels(
        self,
        truth: PanopticTruth,
        submission: LabelFolder,
        breakdown: Mapping[str, Mapping[str, float | int | None]],
        worst: Sequence[tuple[str, str]],
    ) -> list[Panel]:
        """A bar a class, and the images named in `worst` (id, note) with truth and prediction laid over them."""
        classes = submission.labelling.classes
        kinds = {one.name: "things" if one.isthing else "stuff" for one in classes}
        bars = [
            Bar(name, numbers["IoU"], kinds.get(name, ""), tuple(numbers.items()))
            for name, numbers in breakdown.items()
        ]
        note = "IoU of each class that occurs in the truth or the predictions, in percent."
        gallery = Gallery("Worst images", "Lowest mIoU first.", _Samples(truth, submission, worst), classes)
        return [Bars("By class", note, bars, digits=1), gallery]

    def _asked(self, truth: PanopticTruth) -> Labelling:
        return labelling(next(iter(self.card.protocols.values()))["labels"], truth.categories)


class SemanticRequests:
    """The questions, made when asked for; `ids` are the stems of the PNG names of the truth."""

    def __init__(self, truth: PanopticTruth, seed: int, labels: Labelling) -> None:
        self.truth = truth
        self.seed = seed
        self.labels = labels
        self.ids = tuple(truth.annotations)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int, /) -> SemanticSegment:
        id = self.ids[index]
        seed, image = seed_for(self.seed, id), picture_of(self.truth, id)
        return SemanticSegment(id=id, seed=seed, group="", image=image, categories=self.labels.classes)

    def __iter__(self) -> Iterator[SemanticSegment]:
        return (self[index] for index in range(len(self)))


class SemanticWriter:
    """Writes a semantic submission image by image."""

    entry = str

    def __init__(self, path: Path, classes: int) -> None:
        self.path = path
        self.classes = classes

    def write(self, request: SemanticSegment, prediction: Any) -> str:
        """Write the PNG of one prediction and return its name.

        Raises:
            Refused: the map has another size than the image, or labels that are no classes.
        """
        if not isinstance(prediction, LabelMap):
            message = f"a semantic prediction is a vismark.tasks.LabelMap, this is {type(prediction).__name__}"
            raise refuse("PREDICTION_TYPE", message, item=request.id)
        size = (request.image.height, request.image.width)
        problems = prediction_problems(prediction, size, self.classes, request.id)
        if problems.errors:
            raise Refused(problems)
        name = f"{request.id}.png"
        write_bytes(self.path / name, encode_labels(prediction.labels))
        return name

    def finish(self, entries: Sequence[str]) -> None:
        """Nothing: no file holds all label maps together."""


@dataclass(frozen=True)
class _Samples(Sequence[Sample]):
    """The images of a gallery, decoded one by one when they are drawn."""

    truth: PanopticTruth
    submission: LabelFolder
    chosen: Sequence[tuple[str, str]]

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: Any) -> Any:
        id, note = self.chosen[index]
        labels = self.submission.labelling
        predicted = read_labels((self.submission.folder / f"{id}.png").read_bytes(), None)
        maps = {"truth": _true_map(self.truth, id, labels), "prediction": predicted}
        views = tuple(View(label, _as_panoptic(one, labels)) for label, one in maps.items())
        return Sample(id, note, picture_of(self.truth, id), views)


def _true_map(truth: PanopticTruth, id: str, labels: Labelling) -> Any:
    annotation = truth.annotations[id]
    return true_labels(read_ids(truth.folder / annotation.file_name), annotation.segments_info, labels.label_of)


def _as_panoptic(labels: Any, kinds: Labelling) -> Panoptic:
    """A label map as one segment a class: ids are labels + 1, 0 is none."""
    import numpy as np

    ids = np.where(labels == IGNORE, 0, labels + 1).astype(np.uint32)
    present = [label for label in np.unique(labels).tolist() if label < len(kinds.classes)]
    return Panoptic(ids, tuple(Segment(label + 1, kinds.classes[label].id) for label in present))


def _confusions(metric: SemanticQuality, rows: Sequence[Row], names: Sequence[str]) -> dict[str, dict[str, float]]:
    """The pairs of classes that are confused most: pixels, and their share of the true class in percent."""
    counts = metric.matrix(rows)[:-1, :-1]
    totals = counts.sum(axis=0).tolist()
    pairs = [(int(counts[p, t]), int(t), int(p)) for p, t in zip(*counts.nonzero(), strict=True) if p != t]
    return {
        f"{names[t]} → {names[p]}": {"pixels": n, "share": 100 * n / totals[t]}
        for n, t, p in sorted(pairs, key=lambda pair: (-pair[0], pair[1:]))[:_MOST_CONFUSED]
    }


def _table(metric: SemanticQuality, records: Sequence[Confused]) -> dict[str, Sequence[Any]]:
    """Per-image numbers: the metric itself on one image, and the pixels that count."""
    numbers = [metric.reduce([record.cells]) for record in records]
    counted = [sum(c.pixels for c in r.cells if max(c.predicted, c.true) < metric.classes) for r in records]
    columns = {name: [one[name] for one in numbers] for name in metric.outputs}
    return {"id": [record.id for record in records], **columns, "pixels": counted}


def _undefined(name: str) -> Problem:
    message = f"{name} is not defined: no pixel has a true and a predicted label (detectron2 divides by zero)"
    return Problem(code="METRIC_UNDEFINED", severity="warning", message=message)
