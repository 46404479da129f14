"""The numbers of video captions from their evidence: the judge's means, its repeats, and word metrics."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from vismark.benchmarks.caption_rows import word_scores
from vismark.benchmarks.video_caption_judge import Judged
from vismark.benchmarks.video_caption_wording import Wording
from vismark.metrics.verdicts import mean, official_score, pool, read_verdict, repaired_score
from vismark.problems import Problem
from vismark.results import Scores

# What needs a judge.
JUDGED = ("Captioning", "Captioning_repaired", "Captioning_se", "unparsable")

_KINDS = ("human", "language-cleaned", "reworded")
_OFFICIAL_JUDGE = re.compile(r"llama-?3-70b-instruct", re.IGNORECASE)
# 97.5 % quantiles of Student's t by the number of runs.
_STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}


def scores(evidence: Mapping[str, Sequence[Any]], wording: Wording) -> Scores:
    """All numbers that the evidence gives."""
    found = Scores(metrics={})
    judged = next((records for name, records in evidence.items() if name.startswith("video-judge")), None)
    if judged is not None:
        found = _judged(judged, wording)
    if any(name.startswith("caption-rows") for name in evidence):
        words, table = word_scores(evidence)
        found.metrics |= words
        found.counts |= dict.fromkeys(words, len(table["id"]))
        found.table = {**found.table, **table}
    return found


def _judged(records: Sequence[Judged], wording: Wording) -> Scores:
    draws = len(records[0].answers) if records else 0
    runs = [[_video(record.answers[draw]) for record in records] for draw in range(draws)]
    repaired = [[_video(record.answers[draw], repair=True) for record in records] for draw in range(draws)]
    means = [one for one in map(mean, repaired) if one is not None]
    per_video = [sum(values) / len(values) for values in zip(*repaired, strict=True)]
    official = _mean_of([mean(run) for run in runs])
    lost = [sum(read_verdict(one) is None for run in record.answers for one in run) for record in records]
    metrics: dict[str, float | None] = {
        "Captioning": None if official is None or math.isnan(official) else official,
        "Captioning_repaired": _mean_of(means),
        "Captioning_se": float(np.std(per_video, ddof=1) / math.sqrt(len(per_video))) if len(per_video) > 1 else None,
        "unparsable": float(sum(lost)),
    }
    return Scores(
        metrics=metrics,
        intervals=_intervals(means),
        counts=dict.fromkeys(metrics, len(records)),
        breakdowns={"reference": _by_reference(records)},
        table={
            "id": [record.id for record in records],
            "Captioning": per_video,
            "judge's references": [len(record.answers[0]) for record in records],
            "unparsable": lost,
        },
        why=_deviation(records, wording),
        warnings=list(_remarks(records, official, sum(lost))),
    )


def _video(answers: Sequence[str], *, repair: bool = False) -> float:
    """The score of one video in one run, in float32 as officially."""
    return pool([repaired_score(one) if repair else official_score(one) for one in answers])


def _mean_of(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def _intervals(means: Sequence[float]) -> dict[str, tuple[float, float]]:
    """From runs of a judge that samples: mean ± t · standard error of the run means, in 0 … 5."""
    if len(means) not in _STUDENT:
        return {}
    middle = sum(means) / len(means)
    reach = _STUDENT[len(means)] * float(np.std(means, ddof=1)) / math.sqrt(len(means))
    found = (max(0.0, middle - reach), min(5.0, middle + reach))
    return {"Captioning": found, "Captioning_repaired": found}


def _by_reference(records: Sequence[Judged]) -> dict[str, dict[str, float | int | None]]:
    """The mean score against the human caption, its language-cleaned form, and the paraphrases."""
    given: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    for record in records:
        for run in record.answers:
            for number, answer in enumerate(run):
                given[_KINDS[min(number, 2)]].append(repaired_score(answer))
    return {
        kind: {"Captioning": sum(values) / len(values), "answers": len(values)}
        for kind, values in given.items()
        if values
    }


def _deviation(records: Sequence[Judged], wording: Wording) -> dict[str, str]:
    """Why the number is not the official one; {} when judge, decoding and text are those of the paper."""
    judge = records[0].judge if records else ""
    reasons = [] if wording.official else ["the judge is asked in vismark's wording, not in the official one"]
    if not (_OFFICIAL_JUDGE.search(judge) and "0.6" in judge and "0.9" in judge):
        reasons.append(f"the judge is {judge}, not Meta-Llama-3-70B-Instruct at temperature 0.6, top-p 0.9")
    return {"Captioning": "; ".join(reasons)} if reasons else {}


def _remarks(records: Sequence[Judged], official: float | None, lost: int) -> Iterator[Problem]:
    if official is not None and math.isnan(official):
        message = "the judge answered nan, so the official mean is nan; Captioning_repaired counts that answer as 0"
        yield Problem(code="METRIC_UNDEFINED", severity="warning", message=message)
    if lost:
        total = sum(len(run) for record in records for run in record.answers)
        message = f"{lost} of {total} answers of the judge are no number; each counts 0, as officially"
        yield Problem(code="JUDGE_UNPARSABLE", severity="warning", message=message, fix="Is the model a good judge?")
    if any(len(record.answers) > 1 and len(set(record.answers)) == 1 for record in records) and all(
        len(set(record.answers)) <= 1 for record in records
    ):
        message = "all runs of the judge are equal: it does not sample, so the interval says nothing"
        fix = "Set --set judge.temperature=0.6 --set judge.top_p=0.9, as the paper does."
        yield Problem(code="JUDGE_GREEDY", severity="warning", message=message, fix=fix)
