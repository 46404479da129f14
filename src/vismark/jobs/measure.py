"""`vismark measure`: make and keep the evidence that a score is computed from."""

from __future__ import annotations

from pathlib import Path

import msgspec

from vismark.benchmarks.base import Mode
from vismark.instruments.base import Tools
from vismark.jobs.evidence import problems_of
from vismark.jobs.prepare import Options, References, prepare
from vismark.problems import Refused, Usage
from vismark.runtime.parallel import default_jobs
from vismark.runtime.shards import shard as parse_shard


class Measured(msgspec.Struct, frozen=True):
    """How much of a step's evidence there is: `done` of `total` samples after this run of a shard."""

    step: str
    done: int
    total: int


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
    step: str | None = None,
    shard: str | None = None,
    tools: Tools | None = None,
) -> list[Measured]:
    """Run a benchmark's measuring steps; `score` of the same submission then takes their evidence from the cache.

    Args:
        step: only this one.
        shard: ``I/N``: only every N-th sample from the I-th; by default that of a SLURM array or torchrun. The shards
            share `VISMARK_CACHE`.
        tools: the instruments to measure with, their weights and device.

    Raises:
        Refused: the submission or the references have errors.
        Missing: the references, or weights of an instrument, are not there.
        Usage: there is no such benchmark or step.
    """
    options = Options(references, root, protocol, mode, partial, jobs, tools=tools or Tools())
    prepared, problems = prepare(benchmark, Path(submission), options)
    if prepared is None:
        raise Refused(problems)
    known = [one.about.name for one in prepared.measurements]
    if step is not None and step not in known:
        raise Usage(f"{benchmark} has no step {step!r}; it has {', '.join(known) or 'none'}.")
    part, made = parse_shard(shard), []
    for measurement in prepared.measurements:
        if step in (None, measurement.about.name) and not (measurement.dear and problems.errors):
            records = measurement.records(jobs or default_jobs(), shard=part)
            problems.extend(problems_of(records))
            made.append(Measured(measurement.about.name, len(records), len(measurement.ids)))
    if problems.errors:
        raise Refused(problems)
    return made
