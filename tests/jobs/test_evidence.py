"""Evidence of instruments: measured once, kept, divided into shards; another identity is another measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from vismark.benchmarks.base import About, Evidence, Opened
from vismark.instruments.base import Tools
from vismark.jobs.evidence import Measurement
from vismark.problems import Refused, Usage
from vismark.runtime.shards import Shard

REFERENCES = SimpleNamespace(digest="references")


class Length(Evidence, frozen=True, kw_only=True):
    """How long a sample's text is."""

    length: int


@dataclass
class LengthStep:
    """Measures texts; `runs` are the samples it was asked for."""

    identity: str = "v1"
    over: str = "submission"
    runs: list[str] = field(default_factory=list)

    @property
    def about(self) -> About:
        instruments = {"ruler": {"weights": self.identity}} if self.identity else {}
        return About("length", 1, Length, self.over, instruments, batch=2, workers="alone")  # type: ignore[arg-type]

    def ids(self, opened: Opened[dict[str, str]], references: object) -> Sequence[str]:
        return opened.ids

    def run(self, submission: dict[str, str], references: object, ids: Sequence[str]) -> list[Length]:
        self.runs += ids
        return [Length(id=id, digest=submission[id], reference_digest="", length=len(submission[id])) for id in ids]

    def fingerprint(self, submission: dict[str, str], references: object, id: str) -> tuple[str, str]:
        return submission[id], ""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path))
    return tmp_path


def opened(digest: str = "texts", **texts: str) -> Opened[dict[str, str]]:
    return Opened(texts, tuple(texts), digest)


TEXTS = {"a": "one", "b": "three", "c": "four", "d": "", "e": "x"}


def lengths(step: LengthStep, of: Opened[dict[str, str]], **how: object) -> list[int]:
    records = Measurement(step, of, REFERENCES, "strict").records(1, **how)  # type: ignore[arg-type]
    return [record.length for record in records]  # type: ignore[attr-defined]


def test_what_an_instrument_measured_is_kept_after_scoring_and_never_measured_again() -> None:
    first, again = LengthStep(), LengthStep()
    assert lengths(first, opened(**TEXTS)) == [3, 5, 4, 0, 1]
    Measurement(first, opened(**TEXTS), REFERENCES, "strict").remove()
    assert lengths(again, opened(**TEXTS)) == [3, 5, 4, 0, 1]
    assert (first.runs, again.runs) == (list("abcde"), [])


def test_arithmetic_is_removed_with_its_result() -> None:
    first, again = LengthStep(identity=""), LengthStep(identity="")
    lengths(first, opened(**TEXTS))
    Measurement(first, opened(**TEXTS), REFERENCES, "strict").remove()
    lengths(again, opened(**TEXTS))
    assert again.runs == list("abcde")


def test_another_identity_measures_anew() -> None:
    lengths(LengthStep("v1"), opened(**TEXTS))
    other = LengthStep("v2")
    lengths(other, opened(**TEXTS))
    assert other.runs == list("abcde")


def test_a_changed_sample_is_measured_again_and_only_it() -> None:
    lengths(LengthStep(), opened(**TEXTS))
    step = LengthStep()
    assert lengths(step, opened(**TEXTS | {"c": "longer than before"})) == [3, 5, 18, 0, 1]
    assert step.runs == ["c"]


def test_shards_divide_the_work_and_are_merged() -> None:
    for rank in range(2):
        step = LengthStep()
        lengths(step, opened(**TEXTS), shard=Shard(rank, 2))
        assert step.runs == list("abcde")[rank::2]
    step = LengthStep()
    assert lengths(step, opened(**TEXTS)) == [3, 5, 4, 0, 1]
    assert step.runs == []


def test_a_missing_shard_is_measured_by_score_itself() -> None:
    lengths(LengthStep(), opened(**TEXTS), shard=Shard(1, 2))
    step = LengthStep()
    assert lengths(step, opened(**TEXTS)) == [3, 5, 4, 0, 1]
    assert step.runs == ["a", "c", "e"]


def test_evidence_over_references_serves_every_submission() -> None:
    lengths(LengthStep(over="references"), opened("one", **TEXTS))
    step = LengthStep(over="references")
    lengths(step, opened("other", **TEXTS))
    assert step.runs == []


def test_two_processes_do_not_measure_the_same_shard_at_once() -> None:
    running = Measurement(LengthStep(), opened(**TEXTS), REFERENCES, "strict")
    journal = running._opened(Shard())
    assert journal is not None
    with pytest.raises(Refused) as refused:
        lengths(LengthStep(), opened(**TEXTS))
    assert [problem.code for problem in refused.value.problems] == ["EVIDENCE_BUSY"]
    journal.close()


def test_an_unknown_instrument_is_named() -> None:
    with pytest.raises(Usage, match="no instrument called 'rulr'"):
        Tools(names=("rulr",)).load("ruler", "rulr")
