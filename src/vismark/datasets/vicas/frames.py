"""`vismark prepare vicas`: the frames of every video at 30 a second, as the official ``video_to_frames.sh`` makes them.

The folder appears when all videos are done; until then finished videos wait in ``video_frames.part``, and a killed run
goes on with the next.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from vismark.datasets.vicas.load import RATE, VERSIONS, find_videos, frame_count
from vismark.formats.vicas import find_annotation
from vismark.problems import Missing, Problem, Problems, Refused
from vismark.runtime.parallel import chunks, default_jobs, map_chunks
from vismark.runtime.progress import Bar
from vismark.runtime.videos import write_frames


def make(source: Path, target: Path) -> Problems:
    """Write ``<target>/<id>/00000.jpg`` … for every video below `source`.

    Returns:
        Where the frames are not those that the annotation beside them knows, by number or size (some versions of
        ffmpeg give one frame more or less at the end).

    Raises:
        Refused: videos cannot be decoded; the others are done, and stay done.
        Missing: there is no video, or PyAV is not installed.
    """
    videos = find_videos(source)
    if not videos:
        raise Missing(
            f"No video called like 000011_NAME.mp4 is below {source.name}: `vismark download vicas --images`."
        )
    part = target.with_name(f"{target.name}.part")
    part.mkdir(parents=True, exist_ok=True)
    for leftover in part.glob(".*.part"):  # of a run that was killed
        shutil.rmtree(leftover)
    left = [name for name in videos if not (part / name).is_dir()]
    problems = Problems()

    def work(names: Sequence[str]) -> list[Problem]:
        return [problem for name in names for problem in _frames(videos[name], part / name)]

    with Bar("writing frames", len(videos), len(videos) - len(left)) as bar:
        for found in map_chunks(work, chunks(left, 1), jobs=default_jobs()):
            problems.extend(found)
            bar.advance()
    if problems.errors:
        raise Refused(problems)
    for name in sorted(videos):
        problems.extend(compare(part / name, target.parent))
    part.rename(target)
    return problems


def compare(folder: Path, base: Path) -> Problems:
    """How the frames in a folder differ from what the annotation below `base` (if it is there) says of the video."""
    from PIL import Image

    problems = Problems()
    for version in VERSIONS:
        path = find_annotation(base / "annotations" / version, folder.name)
        told = frame_count(path) if path else None
        if told is None:
            continue
        names = sorted(one.name for one in folder.glob("*.jpg"))
        if len(names) != told[0]:
            message = f"the video has {len(names)} frames, its annotation {told[0]}"
            fix = "One more or less at the end does no harm; else it is another cut of the video."
            problems.add("FRAME_COUNT", message, severity="warning", file=folder.name, item=folder.name, fix=fix)
        if names:
            with Image.open(folder / names[0], formats=["JPEG"]) as first:
                size = (first.height, first.width)
            if size != told[1]:
                message = (
                    f"frames are {size[1]}×{size[0]}, the annotation says {told[1][1]}×{told[1][0]} (width×height)"
                )
                fix = "Use the videos of this data set, not resized."
                problems.add("FRAME_SIZE", message, severity="warning", file=folder.name, item=folder.name, fix=fix)
        break
    return problems


def _frames(video: Path, folder: Path) -> list[Problem]:
    try:
        write_frames(video, folder, RATE)
    except Refused as refused:
        return list(refused.problems)
    return []
