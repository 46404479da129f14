"""Panoptic quality from arrays, as panopticapi computes it (Kirillov et al., arXiv:1801.00868; panopticapi 7bb4655).

`match` is the plain form, written to be read beside the paper; the benchmark uses hotcoco for speed, and a property
test binds the two. Deviations from the paper that the official code has, and therefore this: the area of a true
segment is the stated one (`area`), not recounted; of several crowd segments of a category only the last counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from vismark.formats.idmaps import counts, joint_counts
from vismark.metrics.bootstrap import FEWEST, interval, resampled

VOID = 0


class TrueSegment(msgspec.Struct, frozen=True):
    """A segment of the ground truth; `area` is what the annotation states, in pixels."""

    id: int
    category: int
    area: int
    iscrowd: bool = False


class Stat(msgspec.Struct, frozen=True, array_like=True):
    """What one image adds to one category: sum of matched IoU, true positives, false positives, false negatives."""

    category: int
    iou: float
    tp: int
    fp: int
    fn: int


Row = tuple[Stat, ...]


def match(
    truth: NDArray[np.integer],
    true_segments: Iterable[TrueSegment],
    predicted: NDArray[np.integer],
    predicted_segments: Mapping[int, int],
) -> Row:
    """The statistics of one image.

    Args:
        truth: true ids, shape (height, width), 0 = void.
        true_segments: the segments of `truth`; of repeated ids the last counts.
        predicted: predicted ids, of a shape that broadcasts to `truth`'s, 0 = nothing claimed.
        predicted_segments: id → category of every predicted segment.

    Returns:
        One `Stat` for each category that occurs, by ascending category.

    Raises:
        ValueError: `predicted_segments` and the ids in `predicted` differ (0 may be in either).
    """
    segments = {segment.id: segment for segment in true_segments}
    areas, shared = counts(predicted), joint_counts(truth, predicted)

    def iou(t: int, s: int) -> float:
        common = shared[t, s]
        union = areas[s] + segments[t].area - common - shared.get((VOID, s), 0)
        return common / union if union else float("inf")

    return tally(segments, predicted_segments, areas, shared, iou)


def tally(
    segments: Mapping[int, TrueSegment],
    predicted_segments: Mapping[int, int],
    areas: Mapping[int, int],
    shared: Mapping[tuple[int, int], int],
    iou: Callable[[int, int], float],
) -> Row:
    """The statistics of one image from pixel counts and the IoU of (true id, predicted id).

    Args:
        segments: the true segments by id.
        predicted_segments: id → category.
        areas: predicted id → pixels.
        shared: (true id, predicted id) → pixels in common, ascending.

    Raises:
        ValueError: `predicted_segments` and `areas` have other ids (0 may be in either).
    """
    unlisted, absent = areas.keys() - predicted_segments.keys() - {VOID}, predicted_segments.keys() - areas.keys()
    if unlisted or absent:
        raise ValueError(f"ids without a segment: {sorted(unlisted)}; segments without a pixel: {sorted(absent)}")
    sums: dict[int, list[float]] = {}
    matched: set[tuple[str, int]] = set()
    for t, s in shared:
        if t not in segments or s not in predicted_segments or segments[t].iscrowd:
            continue
        if segments[t].category != predicted_segments[s]:
            continue
        value = iou(t, s)
        if value > 0.5:
            row = sums.setdefault(segments[t].category, [0.0, 0, 0, 0])
            row[0] += value
            row[1] += 1
            matched |= {("true", t), ("predicted", s)}

    crowds = {}
    for t, segment in segments.items():
        if ("true", t) in matched:
            continue
        if segment.iscrowd:
            crowds[segment.category] = t
        else:
            sums.setdefault(segment.category, [0.0, 0, 0, 0])[3] += 1
    for s, category in predicted_segments.items():
        if ("predicted", s) in matched:
            continue
        excused = shared.get((VOID, s), 0)
        if category in crowds:
            excused += shared.get((crowds[category], s), 0)
        if excused / areas[s] <= 0.5:
            sums.setdefault(category, [0.0, 0, 0, 0])[2] += 1
    return tuple(Stat(c, iou_sum, int(tp), int(fp), int(fn)) for c, (iou_sum, tp, fp, fn) in sorted(sums.items()))


class PanopticQuality:
    """PQ, SQ and RQ over all, thing and stuff categories, as fractions (panopticapi 7bb4655, `pq_average`).

    SQ and RQ of a group are means of the categories' values, so PQ ≠ SQ·RQ; categories without any true or predicted
    segment do not enter the means.

    Args:
        things, stuff: category ids of the two groups.
    """

    name = "PQ"
    outputs = tuple(f"{quality}{group}" for group in ("", "_th", "_st") for quality in ("PQ", "SQ", "RQ"))

    def __init__(self, things: Iterable[int], stuff: Iterable[int]) -> None:
        self.things = tuple(things)
        self.stuff = tuple(stuff)

    def row(
        self,
        truth: NDArray[np.integer],
        true_segments: Iterable[TrueSegment],
        predicted: NDArray[np.integer],
        predicted_segments: Mapping[int, int],
    ) -> Row:
        """See `match`."""
        return match(truth, true_segments, predicted, predicted_segments)

    def reduce(self, rows: Sequence[Row]) -> dict[str, float | None]:
        """The nine numbers; None for a group in which no category occurs (the official code divides by zero)."""
        by_category = self.categories(rows)
        numbers: dict[str, float | None] = {}
        for group, members in (("", self.things + self.stuff), ("_th", self.things), ("_st", self.stuff)):
            present = [by_category[category] for category in members if category in by_category]
            for quality in ("PQ", "SQ", "RQ"):
                values = [float(one[quality]) for one in present]
                numbers[quality + group] = sum(values) / len(values) if values else None
        return numbers

    def intervals(self, rows: Sequence[Row], replicates: int = 1000, seed: int = 0) -> dict[str, tuple[float, float]]:
        """95 % percentile intervals of the nine numbers by the Poisson bootstrap over images; none below ten images.

        Categories that a replicate does not contain drop out of its means, as they do in `reduce`.
        """
        if len(rows) < FEWEST:
            return {}
        occurring = sorted({stat.category for row in rows for stat in row})
        place = {category: number for number, category in enumerate(occurring)}

        def vector(row: Row) -> NDArray[np.float64]:
            values = np.zeros((len(occurring), 4))
            for stat in row:
                values[place[stat.category]] = (stat.iou, stat.tp, stat.fp, stat.fn)
            return values.ravel()

        sums = resampled(rows, vector, replicates, seed)
        iou, tp, fp, fn = np.moveaxis(sums.reshape(replicates, len(occurring), 4), -1, 0)
        weight = tp + 0.5 * fp + 0.5 * fn
        with np.errstate(divide="ignore", invalid="ignore"):
            by_quality = {"PQ": iou / weight, "SQ": np.where(tp > 0, iou / tp, 0.0), "RQ": tp / weight}
        return self._group_intervals(by_quality, weight > 0, place)

    def _group_intervals(
        self, by_quality: Mapping[str, NDArray[np.float64]], present: NDArray[np.bool_], place: Mapping[int, int]
    ) -> dict[str, tuple[float, float]]:
        found = {}
        for group, members in (("", self.things + self.stuff), ("_th", self.things), ("_st", self.stuff)):
            columns = [place[category] for category in members if category in place]
            counts = present[:, columns].sum(axis=1)
            if not columns or not counts.all():
                continue
            for name, values in by_quality.items():
                means = np.where(present[:, columns], values[:, columns], 0.0).sum(axis=1) / counts
                found[name + group] = interval(means)
        return found

    def categories(self, rows: Sequence[Row]) -> dict[int, dict[str, float | int]]:
        """PQ, SQ, RQ and the sums behind them for every category that occurs."""
        sums: dict[int, list[float]] = {}
        for row in rows:
            for stat in row:
                total = sums.setdefault(stat.category, [0.0, 0, 0, 0])
                total[0] += stat.iou
                total[1] += stat.tp
                total[2] += stat.fp
                total[3] += stat.fn
        return {c: quality(s[0], int(s[1]), int(s[2]), int(s[3])) for c, s in sorted(sums.items()) if any(s[1:])}


def quality(iou: float, tp: int, fp: int, fn: int) -> dict[str, float | int]:
    """PQ = ΣIoU / (TP + ½FP + ½FN), SQ = ΣIoU / TP, RQ = TP / (TP + ½FP + ½FN), with the counts.

    Raises:
        ZeroDivisionError: all counts are zero.
    """
    weight = tp + 0.5 * fp + 0.5 * fn
    return {
        "PQ": iou / weight,
        "SQ": iou / tp if tp else 0.0,
        "RQ": tp / weight,
        "iou": iou,
        "TP": tp,
        "FP": fp,
        "FN": fn,
    }
