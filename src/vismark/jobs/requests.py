"""`vismark requests`: what a model is asked, as JSON lines, for people with their own loop."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import msgspec

from vismark import registry
from vismark.jobs.prepare import References, read_references, source
from vismark.problems import Problems
from vismark.runtime.atomic import replacing
from vismark.tasks import Frames, Picture

# Fields that are the same in every request: written once, in the first line.
_SHARED = ("categories",)


def requests(
    benchmark: str,
    output: str | Path,
    *,
    references: References = None,
    root: str | Path | None = None,
    seed: int = 0,
    limit: int | None = None,
) -> int:
    """Write the questions of a benchmark to a JSON Lines file.

    The first line says what they share (benchmark, task, seed, categories); each further line is one question: ``id``,
    ``seed``, for a picture its ``file``, ``height``, ``width`` and ``url``, for a video its ``file``, the ``folder`` of
    its frames, ``height``, ``width``, number of ``frames`` and their ``rate``.

    Returns:
        The number of questions written.

    Raises:
        Refused: the references cannot be read.
        Missing: the references are not there.
        Usage: there is no such benchmark.
    """
    bench = registry.benchmark(benchmark)
    asked = bench.requests(read_references(bench, source(references, root), Problems()), seed)
    count = len(asked) if limit is None else min(limit, len(asked))
    encode = msgspec.json.Encoder().encode
    with replacing(Path(output)) as temporary, temporary.open("wb") as file:
        head: dict[str, Any] = {"benchmark": benchmark, "task": bench.card.task, "seed": seed, "requests": count}
        for number in range(count):
            fields = _fields(asked[number])
            if number == 0:
                head |= {name: fields[name] for name in _SHARED if name in fields}
                file.write(encode(head) + b"\n")
            file.write(encode({name: value for name, value in fields.items() if name not in _SHARED}) + b"\n")
    return count


def _fields(request: Any) -> dict[str, Any]:
    return {field.name: _plain(getattr(request, field.name)) for field in dataclasses.fields(request)}


def _plain(value: Any) -> Any:
    """`value` as JSON has it; of a picture or a video the name of its file or folder, never its path."""
    if isinstance(value, Frames):
        return {
            "file": value.file.name if value.file else "",
            "folder": value.folder.name if value.folder else "",
            "height": value.height,
            "width": value.width,
            "frames": len(value),
            "rate": value.rate,
        }
    if isinstance(value, Picture):
        return {
            "file": value.path.name if value.path else "",
            "height": value.height,
            "width": value.width,
            "url": value.url,
        }
    return value
