"""`vismark convert`: outputs of other tools as a submission."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from vismark import registry
from vismark.formats import strict_json
from vismark.jobs.prepare import References, read_references, source
from vismark.problems import Problems, Refused, Usage
from vismark.runtime.progress import Bar

_LIMIT = 8 << 30
_VALUES_PER_LINE = 1 << 20


def convert(
    benchmark: str,
    outputs: str | Path,
    output: str | Path,
    *,
    references: References = None,
    root: str | Path | None = None,
) -> Problems:
    """Write a submission from the outputs of a model in another form (JSON Lines, an object an image).

    Args:
        benchmark: one that knows such a form, e.g. ``pancap-grounded``.
        output: the folder of the submission; must not exist.
        references: as for `score`; sizes and ids of the images come from there.

    Returns:
        What was noticed and what was lost; the submission is written when there is no error.

    Raises:
        Refused: an output cannot be converted; all of them are listed, nothing is written.
        Usage: the benchmark has no other form, or `output` exists.
    """
    bench, path, folder = registry.benchmark(benchmark), Path(outputs), Path(output)
    if not hasattr(bench, "converter"):
        raise Usage(f"{benchmark} has only its own form of submissions; `vismark info {benchmark}` tells it.")
    if folder.exists():
        raise Usage(f"{folder} exists already; name a folder that does not.")
    problems = Problems()
    truth = read_references(bench, source(references, root), Problems())
    data = strict_json.read_bytes(path, problems, file=path.name, limit=_LIMIT)
    lines = strict_json.parse_lines(data or b"", problems, file=path.name, most=_VALUES_PER_LINE)
    work = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(work, ignore_errors=True)
    try:
        _write(bench, truth, lines, work, path.name, problems)
        if problems.errors:
            raise Refused(problems)
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return problems


def _write(
    bench: Any, truth: Any, lines: Sequence[tuple[str, Any]], folder: Path, file: str, problems: Problems
) -> None:
    """Convert every entry and write what can be written; the lines are in the protocol's order."""
    converter, writer, entries = bench.converter(truth, file, problems), bench.writer(folder, truth), {}
    with Bar("converting", len(lines)) as bar:
        for place, item in lines:
            found = converter.convert(place, item)
            if found is not None:
                try:
                    entries[found[0].id] = writer.write(*found)
                except Refused as refused:
                    problems.extend(msgspec.structs.replace(one, file=file, where=place) for one in refused.problems)
            bar.advance()
    converter.tell()
    writer.finish([entries[id] for id in bench.requests(truth, 0).ids if id in entries])
