"""The dear step of panoptic quality: read both PNGs of an image, check them, match the segments.

Matching is hotcoco's (Rust), called image by image with checked records, because its bulk call gives no per-image
statistics. What it refuses is looked at again in plain NumPy to name every fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from vismark.benchmarks.base import Evidence, Mode
from vismark.formats import png
from vismark.formats.panoptic import PanopticTruth, PredictedAnnotation, TrueAnnotation, ids_from_rgb
from vismark.formats.panoptic_submission import PanopticSubmission
from vismark.metrics.panoptic import Stat, TrueSegment, match
from vismark.problems import Problems
from vismark.runtime.digests import digest_of


class Matched(Evidence, frozen=True, kw_only=True):
    """The evidence of one image: a `Stat` for each category that occurs in truth or prediction."""

    stats: tuple[Stat, ...] = ()


class MatchStep:
    """Matches predicted with true segments (panopticapi 7bb4655, `pq_compute_single_core`)."""

    name = "panoptic-match"
    version = 1
    record = Matched
    workers: Literal["threads", "processes"] = "threads"

    def __init__(self, mode: Mode) -> None:
        self.mode = mode

    def run(self, submission: PanopticSubmission, truth: PanopticTruth, ids: Sequence[str]) -> list[Matched]:
        """The evidence of the samples `ids`; faults are in the records, nothing is raised."""
        return [_Pair(submission, truth, id, self.mode).matched() for id in ids]

    def fingerprint(self, submission: PanopticSubmission, truth: PanopticTruth, id: str) -> tuple[str, str]:
        """Digests of the predicted and the true PNG as they are now; ("", "") when one cannot be read."""
        try:
            predicted = (submission.folder / submission.annotations[id].file_name).read_bytes()
            return digest_of(predicted), digest_of((truth.folder / truth.annotations[id].file_name).read_bytes())
        except OSError:
            return "", ""


class _Pair:
    """One image: its two annotations and its two files."""

    def __init__(self, submission: PanopticSubmission, truth: PanopticTruth, id: str, mode: Mode) -> None:
        self.id = id
        self.mode = mode
        self.problems = Problems()
        self.true: TrueAnnotation = truth.annotations[id]
        self.predicted: PredictedAnnotation = submission.annotations[id]
        self.true_folder = truth.folder
        self.predicted_folder = submission.folder
        image = truth.images.get(self.true.image_id)
        self.stated = (image.height, image.width) if image and image.height else None

    def matched(self) -> Matched:
        """The evidence; `stats` is empty when the pair was refused."""
        digests = {"digest": "", "reference_digest": ""}
        stats: tuple[Stat, ...] = ()
        truth = self._inspect(self.true_folder, self.true.file_name, "REF_PNG", self.stated)
        if truth is not None:
            data, header = truth
            digests["reference_digest"] = digest_of(data)
            size = (header.height, header.width)
            found = self._inspect(self.predicted_folder, self.predicted.file_name, "SUB_PNG", size)
            if found is not None:
                digests["digest"] = digest_of(found[0])
                broadcast = (found[1].height, found[1].width) != size
                stats = self._compare(data, found[0]) if broadcast else self._match(data, found[0])
        return Matched(id=self.id, stats=stats, problems=tuple(self.problems), **digests)

    def _inspect(
        self, folder: Path, name: str, code: str, size: tuple[int, int] | None
    ) -> tuple[bytes, png.Header] | None:
        """Bytes and header of a PNG that may be decoded: its kind and size are right."""
        official = self.mode == "official" and code == "SUB_PNG"
        try:
            height, width = size or (1 << 14, 1 << 14)
            data = png.read_file(folder / name, limit=height * width * 4 + (1 << 20))
            header = png.inspect(data)
            if header.depth != 8 or header.colour not in ("RGB", "RGBA"):
                kind = f"is {header.colour} with {header.depth} bits, not RGB with 8 bits"
                raise png.PngFault("FORMAT", kind, "Write ids as R + 256·G + 65536·B into an 8-bit RGB PNG.")
            if size is not None and not (official and _broadcasts((header.height, header.width), size)):
                png.expect(header, size)
            if header.colour == "RGBA":
                self._add(f"{code}_ALPHA", "has an alpha channel, which is ignored", name, "Write RGB.")
            if header.interlaced:
                self._add(f"{code}_INTERLACED", "is interlaced", name, "Write it without interlacing.")
            return data, header
        except png.PngFault as fault:
            code = "SUB_PATH" if fault.fault == "PATH" and code == "SUB_PNG" else f"{code}_{fault.fault}"
            self._add(code, str(fault), name, fault.fix)
            return None

    def _match(self, true_data: bytes, predicted_data: bytes) -> tuple[Stat, ...]:
        from hotcoco.panoptic import PanopticEval

        truth, prediction = _records(self.true, self.predicted)
        try:
            evaluation = PanopticEval(truth, prediction, gt_folder=self.true_folder, pred_folder=self.predicted_folder)
            evaluation.evaluate()
        except (ValueError, OSError) as error:
            self._compare(true_data, predicted_data)
            if not self.problems.errors:
                self._add("SUB_PNG_UNREADABLE", str(error), self.predicted.file_name, "Write it again.")
            return ()
        stats = tuple(
            Stat(category, one["iou"], one["tp"], one["fp"], one["fn"])
            for category, one in sorted(evaluation.results()["per_class"].items())
            if one["tp"] or one["fp"] or one["fn"]
        )
        self._check_areas(stats)
        return stats

    def _compare(self, true_data: bytes, predicted_data: bytes) -> tuple[Stat, ...]:
        """The plain form of `_match`: names the ids that do not fit, and broadcasts one-pixel-wide maps as NumPy does."""
        import numpy as np

        try:
            truth, predicted = ids_from_rgb(png.decode(true_data)), ids_from_rgb(png.decode(predicted_data))
        except png.PngFault as fault:
            self._add("SUB_PNG_UNREADABLE", str(fault), self.predicted.file_name, fault.fix)
            return ()
        values, counts = np.unique(predicted, return_counts=True)
        painted = dict(zip(values.tolist(), counts.tolist(), strict=True))
        listed = {one.id for one in self.predicted.segments_info}
        for id in sorted(painted.keys() - listed - {0}):
            message = f"id {id} covers {painted[id]} pixels but is not in segments_info"
            self._add("SUB_SEG_NOT_IN_JSON", message, self.predicted.file_name, "List every id of the PNG.", id)
        for id in sorted(listed - painted.keys()):
            fix = "Remove it, or paint it: segments must not be covered completely."
            self._add("SUB_SEG_NOT_IN_PNG", f"segment {id} has no pixel in the PNG", self.predicted.file_name, fix, id)
        if self.problems.errors and ("SUB_SEG_NOT_IN_JSON" in self.problems or "SUB_SEG_NOT_IN_PNG" in self.problems):
            return ()
        segments = [TrueSegment(s.id, s.category_id, s.area, s.iscrowd == 1) for s in self.true.segments_info]
        return match(truth, segments, predicted, {s.id: s.category_id for s in self.predicted.segments_info})

    def _check_areas(self, stats: Sequence[Stat]) -> None:
        """An IoU above 1 shows that a stated area is smaller than the segment in the PNG."""
        if any(stat.iou > stat.tp for stat in stats):
            message = "an IoU is larger than 1: a stated `area` is smaller than the segment in the PNG"
            self._add("AREA_MISMATCH", message, self.true.file_name, "`vismark validate` recounts all areas.")

    def _add(self, code: str, message: str, file: str, fix: str, value: Any = "") -> None:
        self.problems.add(code, message, file=file, item=self.true.image_id, fix=fix, value=value)


def _records(true: TrueAnnotation, predicted: PredictedAnnotation) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two data sets of one image as hotcoco takes them, with the categories that occur."""
    occurring = {s.category_id for s in true.segments_info} | {s.category_id for s in predicted.segments_info}
    truth = {
        "annotations": [
            {
                "image_id": true.image_id,
                "file_name": true.file_name,
                "segments_info": [
                    {"id": s.id, "category_id": s.category_id, "area": s.area, "iscrowd": s.iscrowd}
                    for s in true.segments_info
                ],
            }
        ],
        "categories": [{"id": id, "name": "", "isthing": 1} for id in sorted(occurring)],
    }
    segments = [{"id": s.id, "category_id": s.category_id} for s in predicted.segments_info]
    prediction = {"image_id": true.image_id, "file_name": predicted.file_name, "segments_info": segments}
    return truth, {"annotations": [prediction]}


def _broadcasts(size: tuple[int, int], target: tuple[int, int]) -> bool:
    """Whether NumPy would stretch a map of `size` to `target` in silence, as the official code lets it."""
    return all(one in (1, other) for one, other in zip(size, target, strict=True))
