"""The manifest of a submission folder: who made it, for which benchmark, and of which part of the split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from vismark.formats import strict_json
from vismark.problems import Problems
from vismark.results import Run
from vismark.runtime.digests import digest_of

NAME = "manifest.json"
RUN_NAME = "run.json"
_LIMIT = 64 << 20


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked; the same for every attempt and every shard, so that its bytes do not depend on the run.

    Attributes:
        ids: the samples, when they are a part of the split; None for all.
        total: number of samples of the split.
        world: number of shards the work was divided into.
    """

    format: int = 1
    benchmark: str
    predictor: str
    settings: dict[str, Any] = {}
    seed: int = 0
    batch: int = 1
    world: int = 1
    ids: tuple[str, ...] | None = None
    total: int = 0

    @property
    def key(self) -> str:
        """Identity of the work: attempts with another key are other work."""
        return digest_of(self)


def beside(submission: Path) -> Path:
    """Where the manifest of `submission` (folder or JSON file) would be."""
    return (submission if submission.is_dir() else submission.parent) / NAME


def read_manifest(submission: Path, benchmark: str, problems: Problems) -> Manifest | None:
    """The manifest of a submission made by `predict`, or None; a stranger's word, it only narrows what is scored."""
    path = beside(submission)
    if not path.is_file() or (submission.is_file() and submission.name != "predictions.json"):
        return None
    data = strict_json.read_bytes(path, problems, file=NAME, limit=_LIMIT)
    if data is None:
        return None
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problems.add(
            "MANIFEST_FORMAT", f"is no manifest: {error}", file=NAME, fix="Remove it to score the files alone."
        )
        return None
    if manifest.benchmark != benchmark:
        message = f"these predictions were made for {manifest.benchmark}, not for {benchmark}"
        problems.add("MANIFEST_BENCHMARK", message, file=NAME, fix=f"Score them with {manifest.benchmark}.")
    return manifest


def read_run(submission: Path) -> Run | None:
    """What the predictions cost, when `predict` made them and its record is readable."""
    path = beside(submission).with_name(RUN_NAME)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Run) if path.stat().st_size < _LIMIT else None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
