"""Where the files of a result are on this machine: kept in the cache, never in the result itself."""

from __future__ import annotations

from pathlib import Path

import msgspec

from vismark.jobs.prepare import References, source
from vismark.results import Result
from vismark.runtime.atomic import write_bytes
from vismark.runtime.digests import digest_of
from vismark.runtime.folders import cache_root


class Places(msgspec.Struct, frozen=True):
    """Absolute paths of what a result was computed from."""

    submission: str
    references: dict[str, str] = {}
    root: str | None = None


def remember(result: Result, submission: Path, references: References, root: str | Path | None) -> None:
    """Note where the inputs of `result` are."""
    named = {name: str(path.resolve()) for name, path in source(references, None).named.items()}
    places = Places(str(submission.resolve()), named, str(Path(root).resolve()) if root is not None else None)
    write_bytes(_file(result), msgspec.json.encode(places))


def recall(result: Result) -> Places | None:
    """Where the inputs of `result` were, when it was scored with this cache."""
    try:
        return msgspec.json.decode(_file(result).read_bytes(), type=Places)
    except (OSError, msgspec.DecodeError):
        return None


def _file(result: Result) -> Path:
    return cache_root() / "places" / f"{digest_of(result).removeprefix('sha256:')[:32]}.json"
