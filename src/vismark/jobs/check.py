"""`vismark check`: every problem of a submission, before any number is made of it."""

from __future__ import annotations

from pathlib import Path

from vismark.benchmarks.base import Mode
from vismark.jobs.prepare import Options, References, measured, prepare
from vismark.problems import Problems


def check(
    benchmark: str,
    submission: str | Path,
    *,
    references: References = None,
    root: str | Path | None = None,
    protocol: str | None = None,
    mode: Mode = "strict",
    partial: bool = False,
    jobs: int | None = None,
) -> Problems:
    """Look at everything in a submission, pixels included, and list what is wrong.

    Args:
        benchmark: name of the benchmark.
        submission: JSON file or folder.
        references: the official ground truth, or paths by name; by default below the data root.
        protocol: one of the benchmark's protocols; by default its first.
        mode: ``official`` turns what the official tool accepts in silence into warnings.
        partial: samples without a prediction are no error.
        jobs: number of threads; by default all cores.

    Returns:
        All findings; `Problems.errors` is 0 when the submission can be scored.

    Raises:
        Refused: the references cannot be read.
        Missing: the references are not there.
        Usage: there is no such benchmark.
    """
    options = Options(references, root, protocol, mode, partial, jobs)
    prepared, problems = prepare(benchmark, Path(submission), options)
    if prepared is not None:
        # What only an instrument can find out has to wait for `measure`.
        prepared.measurements = [one for one in prepared.measurements if not one.dear]
        measured(prepared, problems, jobs, keep=False)
    return problems
