"""`vismark verify`: compute a result again from its submission and references, and compare to the last digit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vismark.instruments.base import Tools
from vismark.jobs.places import recall
from vismark.jobs.prepare import Options, References
from vismark.jobs.score import compute
from vismark.problems import Missing, Problems
from vismark.results import Result, read_result
from vismark.runtime.tables import read_table, table_digest, table_path


def verify(
    result: str | Path,
    submission: str | Path | None = None,
    *,
    references: References = None,
    root: str | Path | None = None,
    jobs: int | None = None,
    tools: Tools | None = None,
) -> Problems:
    """Recompute a result.

    Args:
        result: a result file.
        submission, references, root: what it was computed from; by default what this machine remembers.
        tools: the instruments it was measured with; what they measured is taken from where it is
            kept. By default those that the result names.

    Returns:
        One error for each thing that differs, and a warning for a library or code of another version; none: verified.

    Raises:
        Refused: the result cannot be read, or the submission has errors.
        Missing: submission or references are not known or not there.
    """
    path = Path(result)
    told = read_result(path)
    places = recall(told)
    if submission is None and places is None:
        raise Missing(
            "Where the submission is was not recorded on this machine: "
            "`vismark verify RESULT SUBMISSION --references PATH`."
        )
    if submission is None and places is not None:
        submission = places.submission
    if references is None and root is None and places is not None:
        references, root = places.references or None, places.root
    assert submission is not None
    options = Options(
        references,
        root,
        told.protocol.name,
        told.mode,
        told.partial is not None,
        jobs,
        list(told.metrics),
        # A network may have measured behind several treatments, as NAME/TREATMENT.
        tools or Tools(tuple({name.partition("/")[0]: None for name in told.protocol.instruments})),
    )
    again, columns = compute(
        told.protocol.benchmark,
        Path(submission),
        options,
        model=told.model,
        journal=False,
    )
    problems = Problems()
    _compare(told, again, path.name, problems)
    if told.table and table_path(path).exists() and table_digest(read_table(table_path(path))) != told.table:
        problems.add("VERIFY_TABLE", "the per-sample table is not the one that was scored", file=table_path(path).name)
    if told.table and table_digest(columns) != told.table:
        problems.add("VERIFY_TABLE", "the per-sample numbers come out differently", file=path.name)
    return problems


def _compare(told: Result, again: Result, file: str, problems: Problems) -> None:
    for name in ("references", "reference_samples", "submission", "protocol_digest", "samples"):
        a, b = getattr(told, name), getattr(again, name)
        if a != b:
            problems.add(
                "VERIFY_INPUT",
                f"{name} differs: {_short(a)} was scored, {_short(b)} is here",
                file=file,
                where=f"/{name}",
            )
    for name in sorted(told.metrics.keys() | again.metrics.keys()):
        a, b = told.metrics.get(name), again.metrics.get(name)
        if a != b:
            problems.add(
                "VERIFY_NUMBER",
                f"{name} is {a!r} in the result and comes out as {b!r}",
                file=file,
                where=f"/metrics/{name}",
            )
    for name in ("basis", "breakdowns"):
        if getattr(told, name) != getattr(again, name):
            problems.add("VERIFY_NUMBER", f"{name} come out differently", file=file, where=f"/{name}")
    for name, a, b in (("vismark", told.made.vismark, again.made.vismark), ("code", told.made.code, again.made.code)):
        if a != b:
            problems.add(
                "VERIFY_CODE",
                f"scored with {name} {_short(a)}, verified with {_short(b)}",
                severity="warning",
                file=file,
            )
    for name in sorted(told.made.packages.keys() & again.made.packages.keys()):
        a, b = told.made.packages[name], again.made.packages[name]
        if a != b:
            problems.add("VERIFY_CODE", f"scored with {name} {a}, verified with {b}", severity="warning", file=file)


def _short(value: Any) -> str:
    text = str(value)
    return text[:19] + "…" if text.startswith("sha256:") else text
