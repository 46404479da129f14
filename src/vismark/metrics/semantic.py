"""Semantic segmentation from label maps: mIoU, fwIoU, mACC and pACC as detectron2 computes them (02b5c4e).

Everything follows from one matrix of pixel counts (predicted label, true label), so counts are added up exactly and the
numbers do not depend on the order or the split of the images. Classes without a true pixel do not enter the means,
even when they are predicted; pixels without a true label (ignored) or without a predicted one are not counted at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from vismark.formats.idmaps import runs
from vismark.metrics.bootstrap import FEWEST, interval, resampled

IGNORE = 255

Counts = NDArray[np.int64]


class Cell(msgspec.Struct, frozen=True, array_like=True):
    """How many pixels of an image have this predicted and this true label; the label `classes` stands for none."""

    predicted: int
    true: int
    pixels: int


Row = tuple[Cell, ...]


def confusion(truth: NDArray[np.integer], predicted: NDArray[np.integer], classes: int, ignore: int = IGNORE) -> Row:
    """The pixel counts of one image that are not zero, by ascending predicted, then true label.

    Args:
        truth, predicted: labels 0 … classes − 1, or `ignore` for none; of one shape.
        classes: number of classes.

    Raises:
        ValueError: the shapes differ, or a label is neither a class nor `ignore`.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"labels of shape {predicted.shape} for a truth of shape {truth.shape}")
    starts, lengths = runs(truth, predicted)
    true, ours = (_with_none(labels.ravel()[starts], classes, ignore) for labels in (truth, predicted))
    # Sums of floats are exact here: no image has 2^53 pixels.
    cells = np.bincount(ours * (classes + 1) + true, weights=lengths).astype(np.int64)
    found = np.flatnonzero(cells)
    pairs = np.stack((found // (classes + 1), found % (classes + 1), cells[found]), axis=1)
    return tuple(Cell(*pair) for pair in pairs.tolist())


class SemanticQuality:
    """mIoU, fwIoU, mACC and pACC in percent, the scale of detectron2's `SemSegEvaluator`.

    With tp, gt and pred the pixels of a class that are right, true and predicted: IoU = tp / (gt + pred − tp) and
    ACC = tp / gt; mIoU and mACC are means over the classes with gt > 0, fwIoU is Σ IoU·gt / Σ gt, pACC is Σ tp / Σ gt.

    Args:
        classes: number of classes.
        ignore: the label of pixels that do not count.
    """

    name = "mIoU"
    outputs = ("mIoU", "fwIoU", "mACC", "pACC")

    def __init__(self, classes: int, ignore: int = IGNORE) -> None:
        self.classes = classes
        self.ignore = ignore

    def row(self, truth: NDArray[np.integer], predicted: NDArray[np.integer]) -> Row:
        """See `confusion`."""
        return confusion(truth, predicted, self.classes, self.ignore)

    def matrix(self, rows: Sequence[Row]) -> Counts:
        """The summed counts, int64 of shape (classes + 1, classes + 1), [predicted, true]; the last index is none."""
        counts = np.zeros((self.classes + 1, self.classes + 1), dtype=np.int64)
        for row in rows:
            for cell in row:
                counts[cell.predicted, cell.true] += cell.pixels
        return counts

    def reduce(self, rows: Sequence[Row]) -> dict[str, float | None]:
        """The four numbers; None when no counted pixel has a true label."""
        tp, gt, pred = _sums(self.matrix(rows))
        if not gt.any():
            return dict.fromkeys(self.outputs)
        return {name: float(values[0]) for name, values in _numbers(tp[None], gt[None], pred[None]).items()}

    def intervals(self, rows: Sequence[Row], replicates: int = 1000, seed: int = 0) -> dict[str, tuple[float, float]]:
        """95 % percentile intervals of the four numbers by the Poisson bootstrap over images; none below ten images."""
        if len(rows) < FEWEST:
            return {}
        sums = resampled(rows, self._vector, replicates, seed)
        tp, gt, pred = np.moveaxis(sums.reshape(replicates, 3, self.classes), 1, 0)
        if not gt.any(axis=1).all():
            return {}
        return {name: interval(values) for name, values in _numbers(tp, gt, pred).items()}

    def categories(self, rows: Sequence[Row]) -> dict[int, dict[str, float | int | None]]:
        """IoU and ACC in percent and the pixels behind them for every class that is true or predicted somewhere."""
        tp, gt, pred = _sums(self.matrix(rows))
        return {
            label: {
                "IoU": 100 * t / (g + p - t) if g else None,
                "ACC": 100 * t / g if g else None,
                "right": t,
                "true": g,
                "predicted": p,
            }
            for label, (t, g, p) in enumerate(zip(tp.tolist(), gt.tolist(), pred.tolist(), strict=True))
            if g or p
        }

    def _vector(self, row: Row) -> NDArray[np.float64]:
        """tp, gt and pred of one image, one after the other."""
        values = np.zeros((3, self.classes))
        for cell in row:
            if cell.predicted < self.classes and cell.true < self.classes:
                values[0, cell.true] += cell.pixels * (cell.true == cell.predicted)
                values[1, cell.true] += cell.pixels
                values[2, cell.predicted] += cell.pixels
        return values.ravel()


def _with_none(labels: NDArray[np.integer], classes: int, ignore: int) -> NDArray[np.int64]:
    """`labels` with `classes` in place of `ignore`."""
    none = labels == ignore
    stray = labels[~none & ((labels < 0) | (labels >= classes))]
    if stray.size:
        raise ValueError(f"labels are 0 … {classes - 1} or {ignore}, not {np.unique(stray)[:10].tolist()}")
    return np.where(none, classes, labels).astype(np.int64)


def _sums(counts: Counts) -> tuple[Counts, Counts, Counts]:
    """Pixels that are right, true and predicted, by class."""
    inner = counts[:-1, :-1]
    return inner.diagonal(), inner.sum(axis=0), inner.sum(axis=1)


def _numbers(
    tp: NDArray[np.number], gt: NDArray[np.number], pred: NDArray[np.number]
) -> dict[str, NDArray[np.float64]]:
    """The four numbers in percent from sums of shape (replicates, classes); each replicate has a true pixel."""
    there = gt > 0
    tp, gt, pred = tp.astype(np.float64), gt.astype(np.float64), pred.astype(np.float64)
    iou, acc = (np.divide(tp, below, out=np.zeros_like(tp), where=there) for below in (gt + pred - tp, gt))
    present, total = there.sum(axis=1), gt.sum(axis=1)
    return {
        "mIoU": 100 * (iou.sum(axis=1) / present),
        "fwIoU": 100 * (iou * (gt / total[:, None])).sum(axis=1),
        "mACC": 100 * (acc.sum(axis=1) / present),
        "pACC": 100 * (tp.sum(axis=1) / total),
    }
