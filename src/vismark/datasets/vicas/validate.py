"""Checks of a folder of ViCaS annotations: every file, and the split files beside them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from vismark.formats.strict_json import read_bytes
from vismark.formats.vicas import LARGEST, read_split, video_name
from vismark.formats.vicas_checks import check_annotation
from vismark.problems import Problem, Problems
from vismark.runtime.parallel import chunks, default_jobs, map_chunks
from vismark.runtime.progress import Bar

KINDS = ("vicas",)

_NAME = re.compile(r"\d{6}(_.*)?\.json")
_CHUNK = 16


def is_release(path: Path) -> bool:
    """Whether a path is a folder of annotations, one JSON a video."""
    return path.is_dir() and any(_NAME.fullmatch(one.name) for one in path.glob("*.json"))


def looks_like_video(keys: set[str]) -> bool:
    """Whether the keys of a JSON object are those of a video's annotation."""
    return {"segmentations", "object_referrals"} <= keys


def validate_release(folder: Path, problems: Problems, jobs: int | None) -> None:
    """Check every annotation in a folder, and that no video of the splits beside it lacks one."""
    files = [path for path in sorted(folder.glob("*.json")) if _NAME.fullmatch(path.name)]
    with Bar("checking annotations", len(files)) as bar:
        pieces = chunks(files, _CHUNK)
        for found in map_chunks(_check, pieces, jobs=jobs or default_jobs(), workers="processes"):
            problems.extend(found)
            bar.advance(_CHUNK)
    there = {path.name[:6] for path in files}
    for split in sorted((folder.parent.parent / "splits" / folder.name).glob("*.json")):
        for id in read_split(split, problems) or ():
            if video_name(id) not in there:
                message, fix = f"video {id} of {split.name} has no annotation", "Download the data set again."
                problems.add("VIDEO_MISSING", message, file=f"{video_name(id)}.json", item=id, fix=fix)


def validate_file(path: Path, problems: Problems) -> None:
    """Check one annotation file."""
    data = read_bytes(path, problems, file=path.name, limit=LARGEST)
    if data is not None:
        check_annotation(data, path.name, problems)


def _check(paths: Sequence[Path]) -> list[Problem]:
    problems = Problems()
    for path in paths:
        validate_file(path, problems)
    return list(problems)
