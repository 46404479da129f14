"""`vismark score`: numbers from a submission, with everything needed to believe and repeat them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from vismark.benchmarks import controls
from vismark.benchmarks.base import Mode
from vismark.cards import BenchmarkCard
from vismark.instruments.base import Tools
from vismark.jobs.manifest import read_run
from vismark.jobs.merge import joined
from vismark.jobs.places import remember
from vismark.jobs.prepare import Options, Prepared, References, measured, prepare
from vismark.problems import Problems, Refused, printable
from vismark.results import Basis, Part, Result, Scores, made, write_result
from vismark.runtime.atomic import write_bytes
from vismark.runtime.digests import digest_of
from vismark.runtime.tables import table_digest, table_path, write_table


def score(
    benchmark: str,
    submission: str | Path,
    output: str | Path | None = None,
    *,
    references: References = None,
    root: str | Path | None = None,
    protocol: str | None = None,
    metrics: Sequence[str] | None = None,
    mode: Mode = "strict",
    partial: bool = False,
    model: str | None = None,
    jobs: int | None = None,
    tools: Tools | None = None,
) -> Result:
    """Score a submission.

    Args:
        benchmark: name of the benchmark.
        submission: JSON file or folder.
        output: where the result is written (``.json``), with its per-sample table beside it (``.parquet``).
        references: the official ground truth, or paths by name; by default below the data root.
        protocol: one of the benchmark's protocols; by default its first.
        metrics: score only these; when `output` holds a result of the same measurement, they are added to it.
        mode: ``strict`` refuses what makes the number meaningless; ``official`` accepts what the official tool does.
        partial: score the samples that have a prediction, and stamp the result PARTIAL.
        model: name of the model; by default the predictor's, else the submission's.
        jobs: number of threads; by default all cores.
        tools: the instruments to measure with, their weights and device.

    Returns:
        The result; its metrics are on the scale that the official function returns.

    Raises:
        Refused: the submission or the references have errors; all are listed.
        Missing: the references are not there.
        Usage: the benchmark, protocol or a metric is unknown.
    """
    options = Options(references, root, protocol, mode, partial, jobs, metrics, tools or Tools())
    path = Path(output) if output is not None else None
    result, _ = compute(benchmark, Path(submission), options, model=model, output=path)
    return result


def compute(
    benchmark: str,
    submission: Path,
    options: Options,
    *,
    model: str | None = None,
    output: Path | None = None,
    journal: bool = True,
) -> tuple[Result, dict[str, Sequence[object]]]:
    """The result and its per-sample columns; see `score`."""
    prepared, problems = prepare(benchmark, submission, options)
    if prepared is None:
        raise Refused(problems)
    measured(prepared, problems, options.jobs, keep=journal)
    if problems.errors:
        raise Refused(problems)
    settings = prepared.protocol.settings
    opened = prepared.opened.submission
    scores = prepared.benchmark.score(opened, prepared.references, prepared.evidence, options.mode, settings)
    result, table = _result(prepared, problems, scores, options.mode, submission, model), dict(scores.table)
    if output is not None:
        if options.metrics is not None and output.exists():
            result, table = joined(prepared.benchmark.card, output, result, table)
        if table:
            write_table(table_path(output), table)
        for name, data in scores.files.items():
            write_bytes(output.with_name(f"{output.stem}.{name}"), data)
        write_result(output, result)
        remember(result, submission, options.references, options.root)
    for measurement in prepared.measurements:
        measurement.remove()
    return result, table


def _result(
    prepared: Prepared,
    problems: Problems,
    scores: Scores,
    mode: Mode,
    submission: Path,
    model: str | None,
) -> Result:
    opened, manifest = prepared.opened, prepared.manifest
    digests, reference_digests = _digests(prepared)
    done = len(opened.ids)
    control = manifest is not None and manifest.predictor in controls.NAMES
    return Result(
        model=printable(model or (manifest.predictor if manifest else submission.resolve().stem)),
        kind="control" if control else "scored",
        protocol=prepared.protocol,
        protocol_digest=prepared.protocol.digest,
        mode=mode,
        references=prepared.references.digest,
        reference_samples=reference_digests,
        submission=digest_of([opened.digest, digests]),
        partial=Part(done=done, total=prepared.total, ids=digest_of(list(opened.ids)))
        if done < prepared.total
        else None,
        samples=done,
        metrics={name: scores.metrics[name] for name in prepared.metrics},
        basis={name: _basis(prepared.benchmark.card, name, scores) for name in prepared.metrics},
        breakdowns=scores.breakdowns,
        table=table_digest(scores.table) if scores.table else "",
        warnings=[*problems, *scores.warnings],
        run=read_run(submission) if manifest else None,
        made=made(),
    )


def _digests(prepared: Prepared) -> tuple[str, str]:
    """Digests over the samples and over their references: of each what steps looked at, whichever and how often."""
    found: tuple[dict[str, set[str]], dict[str, set[str]]] = ({}, {})
    for measurement in prepared.measurements:
        for record in prepared.evidence[measurement.about.name]:
            own, reference = record.digest, record.reference_digest
            if measurement.about.over == "references":
                own, reference = "", own
            for digests, digest in zip(found, (own, reference), strict=True):
                digests.setdefault(record.id, set()).update({digest} - {""})
    ours, theirs = (digest_of({id: sorted(one) for id, one in digests.items()}) for digests in found)
    return ours, theirs


def _basis(card: BenchmarkCard, name: str, scores: Scores) -> Basis:
    spec = card.metric(name)
    kind: Literal["official", "deviates", "extension"] = "official" if spec.equals else "extension"
    return Basis(
        kind="deviates" if name in scores.why else kind,
        equals=spec.equals,
        why=scores.why.get(name, ""),
        interval=scores.intervals.get(name),
        n=scores.counts.get(name),
    )
