"""The references of both ViCaS benchmarks: a folder of annotations and a split; only their outline stays in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vismark import registry
from vismark.benchmarks.base import Source
from vismark.cards import BenchmarkCard, DatasetCard
from vismark.datasets.vicas.load import Footage, find_videos
from vismark.formats.vicas import Expression, Video, find_annotation, read_split, read_video, stems, video_name
from vismark.problems import Problems
from vismark.runtime.digests import digest_of
from vismark.runtime.parallel import chunks, default_jobs, map_chunks
from vismark.runtime.progress import Bar
from vismark.tasks import Frames

# Files outlined by one worker at once.
_CHUNK = 16


@dataclass(frozen=True)
class Outline:
    """What is known of a video without its masks: its file, size, expressions, captions, names of its scored frames."""

    path: Path
    size: tuple[int, int]
    expressions: tuple[Expression, ...]
    captions: tuple[str, ...]
    scored: tuple[str, ...]


@dataclass(frozen=True)
class VicasTruth:
    """The references: outlines by name of the video, ascending; the rest is read from the files when it is needed."""

    outlines: Mapping[str, Outline]
    footage: Footage
    digest: str
    paths: Mapping[str, Path] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        """For workers, which read the files themselves: the outlines are left out."""
        return {"outlines": {}, "footage": Footage(), "digest": self.digest, "paths": self.paths}

    def video(self, name: str, problems: Problems) -> Video | None:
        """The annotation of a video, or None with errors."""
        return read_video(self.paths[name], problems)

    def frames(self, name: str) -> Frames:
        """The frames of a video; its annotation is read for their names."""
        video = self.video(name, Problems())
        outline = self.outlines[name]
        return self.footage.of(name, video or Video(outline.size, outline.expressions, ()))


def parts(id: str) -> tuple[str, int]:
    """The video and the number of the expression in a sample's id."""
    name, _, number = id.partition("/")
    return name, int(number)


def read_truth(card: BenchmarkCard, source: Source, problems: Problems) -> VicasTruth | None:
    """The references of a ViCaS benchmark: ``annotations`` (folder), ``split`` (JSON; by default all annotations),
    ``frames`` and ``videos`` (folders, optional).
    """
    folder = source.need(card, "annotations")
    split = source.path(card, "split")
    names: Sequence[str] = stems(folder)
    if split is not None and (split.is_file() or "split" in source.named):
        ids = read_split(split, problems)
        if ids is None:
            return None
        names = [video_name(id) for id in ids]
        _name_split(card, split, problems)
    elif not names:
        fix = "Name the folder that holds 000011.json and so on."
        problems.add("REF_EMPTY", "holds no annotation", file=folder.name, fix=fix)
        return None
    outlines = _outlines(folder, names, problems)
    if problems.errors:
        return None
    frames, videos = source.path(card, "frames"), source.path(card, "videos")
    footage = Footage(frames if frames and frames.is_dir() else None, find_videos(videos))
    # Workers may have been started in another folder.
    paths = {name: outline.path.absolute() for name, outline in outlines.items()}
    return VicasTruth(outlines, footage, digest_of(list(names)), paths)


def _outlines(folder: Path, names: Sequence[str], problems: Problems) -> dict[str, Outline]:
    """The outlines of all videos that have a readable annotation."""

    def work(piece: Sequence[str]) -> tuple[dict[str, Outline], Problems]:
        noticed = Problems()
        found = {name: one for name in piece if (one := _outline(folder, name, noticed))}
        return found, noticed

    found: dict[str, Outline] = {}
    with Bar("reading annotations", len(names)) as bar:
        for part, noticed in map_chunks(work, chunks(names, _CHUNK), jobs=default_jobs()):
            found |= part
            problems.extend(noticed)
            bar.advance(_CHUNK)
    return {name: found[name] for name in names if name in found}


def _outline(folder: Path, name: str, problems: Problems) -> Outline | None:
    path = find_annotation(folder, name)
    if path is None:
        message, fix = f"video {name} of the split has no annotation", "Download the data set again."
        problems.add("REF_VIDEO_MISSING", message, file=f"{name}.json", item=name, fix=fix)
        return None
    if path.stem != name:
        message = "the annotation has more than the id in its name; the official evaluator finds it, too"
        fix = f"Rename it to {name}.json."
        problems.add("REF_FILE_NAME", message, severity="warning", file=path.name, item=name, fix=fix)
    video = read_video(path, problems)
    if video is None:
        return None
    names = tuple(frame.filename for frame in video.scored)
    return Outline(path, video.image_size, video.object_referrals, video.captions, names)


def _name_split(card: BenchmarkCard, split: Path, problems: Problems) -> None:
    """Say which official split this is, if it is not the one of the benchmark."""
    if card.generator:
        return
    dataset: DatasetCard = registry.card("datasets", card.dataset)
    digest = digest_of(split.read_bytes())
    official = {file.digest: next(iter(file.provides)) for file in dataset.files if file.digest}
    found = official.get(digest)
    if found == card.split:
        return
    said = f"is the split {found} of {card.dataset}" if found else f"is no split of {card.dataset}"
    fix = f"Numbers on other videos are no {card.title} scores."
    message = f"{said}; the benchmark is made of {card.split}"
    problems.add("REF_OTHER_SPLIT", message, severity="warning", file=split.name, fix=fix)
