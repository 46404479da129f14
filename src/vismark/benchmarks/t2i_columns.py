"""The columns of T2I-CompBench from what is at hand: column → sample id → score in 0 … 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vismark.benchmarks.t2i_steps import CompSubmission, CompTruth, Measured
from vismark.formats.t2i_answers import CompDetected
from vismark.formats.t2i_compbench import category_of
from vismark.metrics.t2i_compbench.combine import three_in_one, vqa_score
from vismark.metrics.t2i_compbench.depth import depth_relation, score_3d
from vismark.metrics.t2i_compbench.numeracy import score_numeracy
from vismark.metrics.t2i_compbench.objects import Labelled
from vismark.metrics.t2i_compbench.spatial import locality, score_2d

Column = dict[str, float]


def columns_of(
    submission: CompSubmission,
    truth: CompTruth,
    evidence: Mapping[str, Sequence[Measured]],
    settings: Mapping[str, Any],
) -> dict[str, Column]:
    """Every column for which there is evidence, detections or answers."""
    parts: Mapping[str, Mapping[str, float]] = submission.answers
    if settings["source"] != "answers":
        parts = _measured(submission, truth, evidence, settings)
    columns: dict[str, Column] = {
        "color": _of("color", parts["attribute"]),
        "shape": _of("shape", parts["attribute"]),
        "texture": _of("texture", parts["attribute"]),
        "spatial": _of("spatial", parts["spatial"]),
        "3d_spatial": _of("3d_spatial", parts["3d_spatial"]),
        "numeracy": _of("numeracy", parts["numeracy"]),
        "non_spatial_clip": _of("non_spatial", parts["clip"]),
    }
    columns["complex_3in1"] = _three(_of("complex", parts["attribute"]), parts["spatial"], parts["clip"], truth)
    for name, category in (("non_spatial_share_cot", "non_spatial"), ("complex_share_cot", "complex")):
        columns[name] = {
            r.id: r.values[0] for r in evidence.get("t2i-judge", ()) if r.values and category_of(r.id) == category
        }
    return columns


def _measured(
    submission: CompSubmission,
    truth: CompTruth,
    evidence: Mapping[str, Sequence[Measured]],
    settings: Mapping[str, Any],
) -> dict[str, Column]:
    repaired: bool = settings["repaired"]

    def spatial(id: str, objects: list[Labelled], _: CompDetected) -> float:
        parse = truth.parse(id)
        first, second = (parse.pair or (None, None)) if parse.category == "complex" else (parse.first, parse.last)
        return score_2d(objects, first, second, locality(parse.prompt), repaired=repaired)

    def numeracy(id: str, objects: list[Labelled], _: CompDetected) -> float:
        return score_numeracy(objects, truth.parse(id).numbers, repaired=repaired)

    def depth(id: str, objects: list[Labelled], one: CompDetected) -> float:
        parse = truth.parse(id)
        relation = depth_relation(parse.prompt)
        return score_3d(objects, parse.first or "", parse.last or "", relation, submission.depth(id), repaired=repaired)

    return {
        "attribute": {r.id: float(vqa_score(r.values)) for r in evidence.get("t2i-vqa", ())},
        "clip": {r.id: r.values[0] for r in evidence.get("t2i-clip", ()) if r.values},
        "spatial": _detected(submission, ("spatial", "complex"), spatial),
        "3d_spatial": _detected(submission, ("3d_spatial",), depth),
        "numeracy": _detected(submission, ("numeracy",), numeracy),
    }


def _detected(
    submission: CompSubmission,
    categories: Sequence[str],
    rule: Callable[[str, list[Labelled], CompDetected], float],
) -> Column:
    return {
        id: rule(id, [Labelled(o.label, o.box, o.score) for o in one.detections], one)
        for id, one in submission.detections.items()
        if category_of(id) in categories
    }


def _of(category: str, column: Mapping[str, float]) -> Column:
    return {id: value for id, value in column.items() if category_of(id) == category}


def _three(attribute: Column, spatial: Mapping[str, float], clip: Mapping[str, float], truth: CompTruth) -> Column:
    """3-in-1 of the pictures that have all three."""
    sets: Any = {"spatials": truth.spatials, "actions": truth.actions}
    return {
        id: three_in_one(truth.parse(id).prompt, value, spatial[id], clip[id], **sets)
        for id, value in attribute.items()
        if id in spatial and id in clip
    }
