"""`vismark measure`: make and keep the evidence that a score is computed from."""

from __future__ import annotations

from pathlib import Path

from vismark.benchmarks.base import Mode
from vismark.jobs.prepare import Options, References, prepare
from vismark.problems import Refused


def measure(
    benchmark: str,
    submission: str | Path,
    *,
    references: References = None,
    root: str | Path | None = None,
    protocol: str | None = None,
    mode: Mode = "strict",
    partial: bool = False,
    jobs: int | None = None,
) -> dict[str, int]:
    """Run a benchmark's measuring steps; `score` of the same submission then takes their evidence from the cache.

    Returns:
        Step name → number of samples measured.

    Raises:
        Refused: the submission or the references have errors.
        Missing: the references are not there.
        Usage: there is no such benchmark.
    """
    options = Options(references, root, protocol, mode, partial, jobs)
    prepared, problems = prepare(benchmark, Path(submission), options)
    if prepared is None or problems.errors:
        raise Refused(problems)
    for journal in prepared.journals:
        journal.close()
    return {step: len(records) for step, records in prepared.evidence.items()}
