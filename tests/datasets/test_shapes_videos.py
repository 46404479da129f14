"""Moving shapes: what is special about a video happens, what is said of it is true, the bits are the same anywhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import vismark
from vismark.datasets.shapes.motion import FRAMES, SIZE, Clip, clip
from vismark.datasets.shapes.telling import caption, expressions
from vismark.datasets.shapes.videos import STEP, ensure, write
from vismark.datasets.vicas.load import load
from vismark.formats.mask_phrases import parse_caption
from vismark.problems import Usage

# Of a machine and NumPy of 2025: pixels and masks of a frame, so that a change of the series shows.
STORED = {(0, 0, 7): "af8225cb52e7437b", (0, 1, 15): "208df65eaf88f6df", (3, 2, 29): "3d33571455a3043f"}


def digest(seed: int, index: int, frame: int) -> str:
    pixels, masks = clip(seed, index).frame(frame)
    return hashlib.sha256(pixels.tobytes() + np.packbits(masks).tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("key", STORED)
def test_videos_are_the_stored_ones(key: tuple[int, int, int]) -> None:
    assert digest(*key) == STORED[key]


def seen(one: Clip) -> np.ndarray:
    """Pixels seen of each actor in each frame: shape (actors, frames)."""
    return np.array([[mask.sum() for mask in one.frame(frame)[1]] for frame in range(FRAMES)]).T


@pytest.mark.parametrize("seed", [0, 5])
def test_the_index_decides_what_is_special(seed: int) -> None:
    for index in range(8):
        one = clip(seed, index)
        areas = seen(one)
        first, middle, last = areas[0, 0], areas[0, FRAMES // 2], areas[0, -1]
        if index % 4 == 0:
            assert one.actors[0].motion == "returns" and first and last and not areas[0].all()
        elif index % 4 == 1:
            assert middle == 0 and first and last, "hidden behind the second in the middle of the video"
        elif index % 4 == 2:
            looks = [(actor.category.name, actor.colour) for actor in one.actors]
            assert len(set(looks)) < len(looks)
        else:
            assert one.actors[0].motion == "enters" and not first and last


def test_masks_are_of_what_is_seen() -> None:
    one = clip(1, 1)
    for frame in (0, 14, 29):
        pixels, masks = one.frame(frame)
        assert pixels.shape == (*SIZE, 3) and pixels.dtype == np.uint8
        assert (np.sum(masks, axis=0) <= 1).all(), "a pixel shows one shape"


def test_expressions_mean_all_that_fits_and_nothing_else() -> None:
    for index in range(12):
        one = clip(0, index)
        everything = list(range(len(one.actors)))
        for text, ids in expressions(one, everything):
            words = text.split()
            fits = [
                id
                for id, actor in enumerate(one.actors)
                if text == "all shapes"
                or (words[0] == "every" and words[1] == actor.category.name)
                or (words[0] == "the" and words[1] == actor.colour and words[2].startswith(actor.category.name))
                or (words[0] == "what" and words[-1] in {"left", "right", "up", "down"} and words[-1] == actor.motion)
                or (text.startswith("what stays") and actor.motion == "rests")
                or (text.startswith("what leaves") and actor.motion == "returns")
                or (text.startswith("what comes") and actor.motion == "enters")
            ]
            assert ids == fits, text
        assert parse_caption(caption(one)).ids() == everything


def test_what_is_never_seen_is_not_asked_for() -> None:
    one = clip(0, 0)
    assert all(0 not in ids for _, ids in expressions(one, [1, 2]))


def test_the_files_are_those_of_vicas(tmp_path: Path) -> None:
    write(tmp_path / "a", videos=4, seed=2, split="test")
    assert not list(vismark.validate(tmp_path / "a" / "annotations" / "v1.0"))
    folders = {"annotations": tmp_path / "a" / "annotations" / "v1.0", "splits": tmp_path / "a" / "splits" / "v1.0"}
    data = load(split="test", frames=tmp_path / "a" / "video_frames", **folders)
    assert [record.name for record in data] == ["002000", "002001", "002002", "002003"]
    record = data[0]
    assert len(record.frames) == FRAMES and len(record.video.scored) == FRAMES // STEP
    assert next(record.frames.pixels(["00006.jpg"])).shape == (*SIZE, 3)


def test_the_default_set_is_made_once() -> None:
    assert ensure() == ensure()


@pytest.mark.parametrize(("videos", "seed", "split"), [(0, 0, "val"), (1001, 0, "val"), (3, -1, "val"), (3, 0, "x")])
def test_arguments_out_of_range(tmp_path: Path, videos: int, seed: int, split: str) -> None:
    with pytest.raises(Usage):
        write(tmp_path / "a", videos=videos, seed=seed, split=split)
