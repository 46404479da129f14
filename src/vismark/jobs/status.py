"""`vismark status`: how far a submission folder is, and which predictions are missing."""

from __future__ import annotations

from pathlib import Path

from vismark import registry
from vismark.jobs.prepare import References, read_references, source
from vismark.jobs.submission import Progress, progress_of, read_plan
from vismark.problems import Problems


def status(folder: str | Path, *, references: References = None, root: str | Path | None = None) -> Progress:
    """How far the predictions in `folder` are.

    Raises:
        Refused: the folder holds no predictions made by vismark.
        Missing: the references are needed to name the samples, and are not there.
    """
    path = Path(folder)
    manifest, _ = read_plan(path)
    every = None
    if manifest.ids is None:
        bench = registry.benchmark(manifest.benchmark)
        every = bench.requests(read_references(bench, source(references, root), Problems()), 0).ids
    return progress_of(path, every)
