"""The dear step of panoptic quality: read both PNGs of an image, check them, match the segments.

Matching is hotcoco's (Rust), called image by image with checked records, because its bulk call gives no per-image
statistics. What it refuses is looked at again in plain NumPy to name every fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vismark.benchmarks.base import About, Evidence, Mode, Opened
from vismark.formats import png
from vismark.formats.idmaps import counts
from vismark.formats.panoptic import PanopticTruth, PredictedAnnotation, TrueAnnotation, ids_from_rgb
from vismark.formats.panoptic_submission import PanopticSubmission
from vismark.metrics import boundary
from vismark.metrics.panoptic import VOID, Stat, TrueSegment, match
from vismark.problems import Problems, Severity
from vismark.runtime.digests import digest_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


# No PNG of 100 million RGBA pixels has more bytes.
_MOST_BYTES = 1 << 29
# Ids of one image that are named one by one; a map that was interpolated has thousands.
_MOST_IDS = 100


class Matched(Evidence, frozen=True, kw_only=True):
    """The evidence of one image: a `Stat` for each category that occurs in truth or prediction."""

    stats: tuple[Stat, ...] = ()


class MatchStep:
    """Matches predicted with true segments (panopticapi 7bb4655, `pq_compute_single_core`).

    Args:
        ratio: match by boundaries too (boundary-iou-api 37d2558); their width as a share of the image's diagonal.
    """

    def __init__(self, mode: Mode, ratio: float | None = None) -> None:
        name = "panoptic-match" if ratio is None else f"boundary-match-{ratio}"
        self.about = About(name, version=1, record=Matched)
        self.mode = mode
        self.ratio = ratio

    def ids(self, opened: Opened[PanopticSubmission], truth: PanopticTruth) -> Sequence[str]:
        """Every sample that is scored."""
        return opened.ids

    def run(self, submission: PanopticSubmission, truth: PanopticTruth, ids: Sequence[str]) -> list[Matched]:
        """The evidence of the samples `ids`; faults are in the records, nothing is raised."""
        return [_Pair(submission, truth, id, self.mode, self.ratio).matched() for id in ids]

    def fingerprint(self, submission: PanopticSubmission, truth: PanopticTruth, id: str) -> tuple[str, str]:
        """Digests of the predicted and the true PNG as they are now; ("", "") when one cannot be read."""
        predicted = submission.folder / submission.annotations[id].file_name
        try:
            true = png.read_file(truth.folder / truth.annotations[id].file_name, _MOST_BYTES, links=True)
            return digest_of(png.read_file(predicted, _MOST_BYTES)), digest_of(true)
        except png.PngFault:
            return "", ""


class _Pair:
    """One image: its two annotations and its two files."""

    def __init__(
        self, submission: PanopticSubmission, truth: PanopticTruth, id: str, mode: Mode, ratio: float | None
    ) -> None:
        self.id = id
        self.mode = mode
        self.ratio = ratio
        self.problems = Problems()
        self.true: TrueAnnotation = truth.annotations[id]
        self.predicted: PredictedAnnotation = submission.annotations[id]
        self.true_folder = truth.folder
        self.predicted_folder = submission.folder
        self.true_file = f"{truth.folder.name}/{self.true.file_name}"
        self.predicted_file = f"{submission.folder.name}/{self.predicted.file_name}"
        image = truth.images.get(self.true.image_id)
        self.stated = (image.height, image.width) if image and min(image.height, image.width) > 0 else None

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
                plain = broadcast or self.ratio is not None
                stats = self._compare(data, found[0]) if plain else self._match(data, found[0])
        return Matched(id=self.id, stats=stats, problems=tuple(self.problems), **digests)

    def _inspect(
        self, folder: Path, name: str, code: str, size: tuple[int, int] | None
    ) -> tuple[bytes, png.Header] | None:
        """Bytes and header of a PNG that may be decoded: its kind and size are right."""
        official = self.mode == "official" and code == "SUB_PNG"
        file = f"{folder.name}/{name}"
        try:
            limit = size[0] * size[1] * 4 + (1 << 20) if size else _MOST_BYTES
            # Links in the ground truth are the user's own (hub caches are made of them), in a submission a stranger's.
            data = png.read_file(folder / name, limit, links=code == "REF_PNG")
            header = png.inspect(data)
            if header.colour not in ("RGB", "RGBA") or header.depth not in ((8, 16) if official else (8,)):
                kind = f"is {header.colour} with {header.depth} bits, not RGB with 8 bits"
                raise png.PngFault("FORMAT", kind, "Write ids as R + 256·G + 65536·B into an 8-bit RGB PNG.")
            if size is None or not (official and _broadcasts((header.height, header.width), size)):
                png.expect(header, size)
            if header.colour == "RGBA":
                self._add(f"{code}_ALPHA", "has an alpha channel, which is ignored", file, "Write RGB.")
            if header.depth == 16:
                message = "has 16 bits a channel, of which the high 8 are read"
                self._add(f"{code}_DEPTH", message, file, "Write 8 bits.", severity="warning")
            if header.interlaced:
                self._add(f"{code}_INTERLACED", "is interlaced", file, "Write it without interlacing.")
            return data, header
        except png.PngFault as fault:
            code = "SUB_PATH" if fault.fault == "PATH" and code == "SUB_PNG" else f"{code}_{fault.fault}"
            self._add(code, str(fault), file, fault.fix)
            return None

    def _match(self, true_data: bytes, predicted_data: bytes) -> tuple[Stat, ...]:
        from hotcoco.panoptic import PanopticEval

        truth, prediction, categories = _records(self.true, self.predicted)
        try:
            evaluation = PanopticEval(truth, prediction, gt_folder=self.true_folder, pred_folder=self.predicted_folder)
            evaluation.evaluate()
        except (ValueError, OSError) as error:
            stats = self._compare(true_data, predicted_data)
            if self.mode == "strict" and not self.problems.errors:
                # Damaged where Pillow does not look, a wrong checksum for instance: the official tool reads it.
                reason = f"cannot be decoded: {str(error).rpartition('.png: ')[2]}"
                self._add("SUB_PNG_UNREADABLE", reason, self.predicted_file, "Write it again.")
            return stats
        stats = tuple(
            Stat(categories[code], one["iou"], one["tp"], one["fp"], one["fn"])
            for code, one in sorted(evaluation.results()["per_class"].items())
            if one["tp"] or one["fp"] or one["fn"]
        )
        self._check_areas(stats)
        return stats

    def _compare(self, true_data: bytes, predicted_data: bytes) -> tuple[Stat, ...]:
        """The plain form of `_match`: names ids that do not fit, and stretches maps one pixel wide as NumPy does."""
        truth = self._decode(true_data, "REF_PNG_UNREADABLE", self.true_file)
        predicted = self._decode(predicted_data, "SUB_PNG_UNREADABLE", self.predicted_file)
        if truth is None or predicted is None:
            return ()
        painted = counts(predicted)
        listed = {one.id for one in self.predicted.segments_info}
        unlisted, absent = sorted(painted.keys() - listed - {VOID}), sorted(listed - painted.keys())
        for id in unlisted[:_MOST_IDS]:
            message = f"id {id} covers {painted[id]} pixels but is not in segments_info"
            self._add("SUB_SEG_NOT_IN_JSON", message, self.predicted_file, "List every id of the PNG.", id)
        if len(unlisted) > _MOST_IDS:
            message = f"{len(unlisted) - _MOST_IDS} more ids of the PNG are not in segments_info"
            fix = "Was it resized with interpolation, or saved as JPEG in between?"
            self._add("SUB_SEG_NOT_IN_JSON", message, self.predicted_file, fix)
        for id in absent:
            fix = "Remove it, or paint it: segments must not be covered completely."
            self._add("SUB_SEG_NOT_IN_PNG", f"segment {id} has no pixel in the PNG", self.predicted_file, fix, id)
        if unlisted or absent:
            return ()
        segments = [TrueSegment(s.id, s.category_id, s.area, s.iscrowd == 1) for s in self.true.segments_info]
        categories = {s.id: s.category_id for s in self.predicted.segments_info}
        if self.ratio is not None:
            return boundary.match(truth, segments, predicted, categories, self.ratio)
        stats = match(truth, segments, predicted, categories)
        self._check_areas(stats)
        return stats

    def _decode(self, data: bytes, code: str, file: str) -> NDArray[np.uint32] | None:
        try:
            return ids_from_rgb(png.decode(data))
        except png.PngFault as fault:
            self._add(code, str(fault), file, fault.fix)
            return None

    def _check_areas(self, stats: Sequence[Stat]) -> None:
        """An IoU above 1 shows that a stated area is smaller than the segment in the PNG."""
        if any(stat.iou > stat.tp for stat in stats):
            message = "an IoU is larger than 1: a stated `area` is smaller than the segment in the PNG"
            self._add("AREA_MISMATCH", message, self.true_file, "`vismark validate` recounts all areas.")

    def _add(self, code: str, message: str, file: str, fix: str, value: Any = "", severity: Severity = "error") -> None:
        self.problems.add(code, message, severity=severity, file=file, item=self.true.image_id, fix=fix, value=value)


def _records(
    true: TrueAnnotation, predicted: PredictedAnnotation
) -> tuple[dict[str, Any], dict[str, Any], dict[int, int]]:
    """The two data sets of one image as hotcoco takes them, and its code → category.

    Categories are numbered anew and of repeated true ids only the last is named, because hotcoco refuses negative
    numbers and counts repetitions, which panopticapi does not.
    """
    occurring = sorted({s.category_id for s in true.segments_info} | {s.category_id for s in predicted.segments_info})
    codes = {category: code for code, category in enumerate(occurring, 1)}
    true_segments = {s.id: s for s in true.segments_info}.values()
    truth = {
        "annotations": [
            {
                "image_id": 1,
                "file_name": true.file_name,
                "segments_info": [
                    {"id": s.id, "category_id": codes[s.category_id], "area": s.area, "iscrowd": int(s.iscrowd == 1)}
                    for s in true_segments
                ],
            }
        ],
        "categories": [{"id": code, "name": "", "isthing": 1} for code in codes.values()],
    }
    segments = [{"id": s.id, "category_id": codes[s.category_id]} for s in predicted.segments_info]
    prediction = {"image_id": 1, "file_name": predicted.file_name, "segments_info": segments}
    return truth, {"annotations": [prediction]}, {code: category for category, code in codes.items()}


def _broadcasts(size: tuple[int, int], target: tuple[int, int]) -> bool:
    """Whether NumPy would stretch a map of `size` to `target` in silence, as the official code lets it."""
    return all(one in (1, other) for one, other in zip(size, target, strict=True))
