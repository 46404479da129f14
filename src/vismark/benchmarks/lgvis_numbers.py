"""The numbers of language-guided segmentation from its evidence: matching, breakdowns, the table of expressions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vismark.benchmarks.lgvis_tracks import ExpressionRow
from vismark.benchmarks.vicas_truth import VicasTruth, parts
from vismark.metrics import tracks as ap
from vismark.metrics.tracks import Matched
from vismark.problems import Problem


def matched(row: ExpressionRow, order: str) -> Matched:
    """An expression after matching."""
    shape = (row.predicted, row.targets)
    shared, either = (np.array(one, np.int64).reshape(shape) for one in (row.intersections, row.unions))
    return ap.match(ap.ious(shared, either), row.predicted, order)


def ties(matched: Sequence[Matched], spread: NDArray[np.float64]) -> dict[str, float | None]:
    """What any order of the tied columns would give: mean and spread of `spread`, and the order-free mAP."""
    return {
        "mAP_tie_mean": float(spread.mean()) if spread.size else None,
        "mAP_tie_sd": float(spread.std()) if spread.size else None,
        "mAP_ties_grouped": ap.ties_grouped(matched),
    }


def region_means(rows: Collection[ExpressionRow]) -> dict[str, float | None]:
    """J, F and their mean over expressions, in percent."""
    if not rows:
        return dict.fromkeys(("J&F", "J", "F"))
    region = 100 * float(np.mean([row.region for row in rows]))
    contour = 100 * float(np.mean([row.contour for row in rows]))
    return {"J&F": (region + contour) / 2, "J": region, "F": contour}


def by_threshold(matched: Sequence[Matched], order: str) -> dict[str, dict[str, float | int | None]]:
    """AP at every threshold, the predictions that match, and the targets that are found."""
    aps = ap.by_threshold(matched, order)
    targets = sum(row.targets for row in matched)
    hits = [sum(int((row.matches[level] != ap.FREE).sum()) for row in matched) for level in range(len(ap.THRESHOLDS))]
    return {
        f"{threshold:.2f}": {"AP": aps[level], "matches": hits[level], "targets": targets}
        for level, threshold in enumerate(ap.THRESHOLDS.tolist())
    }


def by_targets(matched: Sequence[Matched]) -> dict[str, dict[str, float | int | None]]:
    """Expressions with none, one, two or more targets: how many there are, and what is found at an IoU of 0.5."""
    found: dict[str, dict[str, float | int | None]] = {}
    for name, chosen in (
        ("none", [row for row in matched if row.targets == 0]),
        ("one", [row for row in matched if row.targets == 1]),
        ("two", [row for row in matched if row.targets == 2]),
        ("three or more", [row for row in matched if row.targets > 2]),
    ):
        if not chosen:
            continue
        hits = sum(int((row.matches[0] != ap.FREE).sum()) for row in chosen)
        predicted = sum(row.matches.shape[1] for row in chosen)
        targets = sum(row.targets for row in chosen)
        found[name] = {
            "expressions": len(chosen),
            "targets": targets,
            "predictions": predicted,
            "recall@50": 100 * hits / targets if targets else None,
            "precision@50": 100 * hits / predicted if predicted else None,
        }
    return found


def table(
    rows: Mapping[str, ExpressionRow], matched: Sequence[Matched], truth: VicasTruth, regions: bool
) -> dict[str, Sequence[Any]]:
    """Per-expression numbers; `IoU` is the mean over targets of the best predicted track."""
    columns: dict[str, Sequence[Any]] = {"id": list(rows)}
    columns["IoU"] = [_best(row) for row in rows.values()]
    columns["targets"] = [row.targets for row in rows.values()]
    columns["predictions"] = [row.predicted for row in rows.values()]
    for name, level in (("matches@50", 0), ("matches@75", 5), ("matches@90", 8)):
        columns[name] = [int((one.matches[level] != ap.FREE).sum()) for one in matched]
    if regions:
        columns |= {"J": [row.region for row in rows.values()], "F": [row.contour for row in rows.values()]}
    places = [(truth.outlines[parts(id)[0]], parts(id)[1]) for id in rows]
    columns["expression"] = [outline.expressions[number].prompt for outline, number in places]
    return columns


def _best(row: ExpressionRow) -> float | None:
    """The mean over targets of the best IoU; None without targets."""
    if not row.targets:
        return None
    if not row.predicted:
        return 0.0
    shared, either = np.array(row.intersections), np.maximum(np.array(row.unions), 1)
    return float((shared / either).max(axis=0).mean())


def remarks(matched: Sequence[Matched], metrics: Mapping[str, float | None]) -> Iterator[Problem]:
    """What has to be said about numbers that are not defined, or all 0."""
    if metrics["mAP"] is None:
        message = (
            "nothing is defined: there is no expression, or none has a target (the official tool crashes or says 100)"
        )
        yield Problem(code="METRIC_UNDEFINED", severity="warning", message=message)
    elif not any(row.matches.size for row in matched):
        message = "no object is predicted for any expression, so every number is 0"
        yield Problem(code="SUB_NO_OBJECTS", severity="warning", message=message)
