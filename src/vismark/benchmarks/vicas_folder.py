"""Submissions to ViCaS: a folder with one JSON file a video; which are there, which are missing, which are strays."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from vismark.benchmarks.vicas_truth import VicasTruth
from vismark.formats.panoptic_submission import SIDE_FILES
from vismark.problems import Problems

# Names of strays that a message lists.
_SHOWN = 5


def open_folder(
    path: Path, truth: VicasTruth, problems: Problems, wanted: Collection[str] | None
) -> tuple[str, ...] | None:
    """The names of the videos that have a file, ascending, or None where the path is no such folder.

    Args:
        wanted: videos that must be there; None takes whichever are.
    """
    fix = "Name the folder with one JSON file a video, called like 000011.json."
    must = None if wanted is None else frozenset(wanted)
    if not path.is_dir():
        problems.add("SUB_FILE", "is no folder", file=path.name, fix=fix)
        return None
    files = {one.stem: one for one in sorted(path.glob("*.json")) if one.name not in SIDE_FILES}
    known = [name for name in truth.outlines if name in files]
    if not known:
        unfinished = (path / ".journal").is_dir()
        message = "the predictions are not finished" if unfinished else "holds no prediction for a video of the split"
        problems.add("SUB_EMPTY", message, file=path.name, fix=fix)
        return None
    for name in truth.outlines:
        if must is not None and name in must and name not in files:
            message, fix = f"video {name} has no prediction", "Add it; --partial scores the others."
            problems.add("SUB_VIDEO_MISSING", message, file=f"{name}.json", item=name, fix=fix)
    for name in known:
        if files[name].is_symlink():
            message, fix = "the file is a link", "Put the file itself into the folder."
            problems.add("SUB_PATH", message, file=f"{name}.json", item=name, fix=fix)
    strays = sorted(files.keys() - truth.outlines.keys())
    if strays:
        shown = ", ".join(strays[:_SHOWN])
        message = f"{len(strays)} files are of no video of the split ({shown} …); they are ignored"
        problems.add("SUB_VIDEO_UNKNOWN", message, severity="warning", file=path.name, fix="Is it another split?")
    return tuple(name for name in known if must is None or name in must)
