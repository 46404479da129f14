"""`vismark measure`: make and keep the evidence that a score is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from vismark.benchmarks.base import Mode
from vismark.instruments.base import Tools
from vismark.jobs.evidence import problems_of
from vismark.jobs.prepare import Options, Prepared, References, prepare
from vismark.problems import Refused, Usage
from vismark.runtime.cluster import engine as parse_engine
from vismark.runtime.parallel import default_jobs
from vismark.runtime.shards import Shard
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
    metrics: Sequence[str] | None = None,
    step: str | None = None,
    shard: str | None = None,
    tools: Tools | None = None,
    engine: str | None = None,
    output: str | Path | None = None,
) -> list[Measured]:
    """Run a benchmark's measuring steps; `score` of the same submission then takes their evidence from the cache.

    Args:
        metrics: only what these need; by default what `score` measures unasked.
        step: only this one.
        shard: ``I/N``: only every N-th sample from the I-th; by default that of a SLURM array or torchrun. The shards
            share `VISMARK_CACHE`.
        tools: the instruments to measure with, their weights and device.
        engine: ``dask`` or ``ray``, with ``=ADDRESS`` to join a cluster that runs; its workers see the same paths.
        output: a file for the evidence in a format that `score` takes, and that others can read, where a step has one.

    Raises:
        Refused: the submission or the references have errors.
        Missing: the references, or weights of an instrument, are not there.
        Usage: there is no such benchmark or step; or a file is wanted of a shard, or of steps that have no format.
    """
    options = Options(references, root, protocol, mode, partial, jobs, metrics, tools or Tools())
    prepared, problems = prepare(benchmark, Path(submission).absolute(), options)
    if prepared is None:
        raise Refused(problems)
    known = [one.about.name for one in prepared.measurements]
    if step is not None and step not in known:
        raise Usage(f"{benchmark} has no step {step!r}; it has {', '.join(known) or 'none'}.")
    part, cluster, made = parse_shard(shard), parse_engine(engine), []
    if output is not None:
        _check_export(prepared, part)
    for measurement in prepared.measurements:
        if step in (None, measurement.about.name) and not (measurement.dear and problems.errors):
            records = measurement.records(jobs or default_jobs(), shard=part, engine=cluster)
            problems.extend(problems_of(records))
            if output is not None and hasattr(measurement.step, "export") and not problems.errors:
                measurement.step.export(Path(output), prepared.opened, records)
            made.append(Measured(measurement.about.name, len(records), len(measurement.ids)))
    if problems.errors:
        raise Refused(problems)
    return made


def _check_export(prepared: Prepared, part: Shard) -> None:
    """Refuse to write a file of evidence that is not whole, or has no format."""
    if part.world > 1:
        raise Usage("A file of evidence holds all samples: name it once all shards are measured, without --shard.")
    if not any(hasattr(one.step, "export") for one in prepared.measurements):
        raise Usage(f"The evidence of {prepared.benchmark.card.name} has no file format; it stays in the cache.")
