"""ViCaS: the card, the loader, every finding of the validator, frames of videos."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import vismark
from vicas_builder import pair
from vismark import registry
from vismark.datasets.vicas.load import load
from vismark.problems import Missing, Refused, Usage
from vismark.tasks import Frames

SPLITS = Path(__file__).parents[3] / "shared" / "data" / "vicas" / "splits"
av = pytest.importorskip("av", reason="PyAV is not installed: pip install 'vismark[video]'")


# Card and loader


@pytest.mark.skipif(not SPLITS.exists(), reason="the split files of ViCaS are not here")
def test_the_card_knows_the_official_split_files() -> None:
    card = registry.card("datasets", "vicas")
    stated = {file.path.removeprefix("vicas/splits/"): file for file in card.files if file.part == "splits"}
    for path in sorted(SPLITS.rglob("*.json")):
        file = stated.pop(path.relative_to(SPLITS).as_posix())
        data = path.read_bytes()
        assert file.digest == "sha256:" + hashlib.sha256(data).hexdigest() and file.bytes == len(data)
        (split,) = file.provides
        assert card.splits[split].annotations == len(json.loads(data))
    assert not stated


def test_a_record(tmp_path: Path) -> None:
    one = pair(tmp_path)
    folders: dict[str, Any] = {"annotations": one.folder / "annotations", "splits": one.folder}
    (record,) = load(split="val", **folders)
    assert record.name == "000007" and [e.track_ids for e in record.expressions] == [(0,), (0, 1)]
    assert record.caption.phrases[0].ids == (0, 1)
    everything = record.tracks()
    assert list(everything) == [0, 1] and {len(track) for track in everything.values()} == {3}
    human = record.tracks([1], human=True)
    assert list(human) == [1] and len(human[1]) == 2
    with pytest.raises(Missing, match="Neither frames nor the video"):
        next(record.frames.pixels())


def test_an_absent_object_has_an_empty_mask(tmp_path: Path) -> None:
    one = pair(tmp_path)
    for key in ("track_ids", "mask_rles"):
        del one.truth["segmentations"][0][key][0]
    one.write()
    (record,) = load(split="val", annotations=one.folder / "annotations", splits=one.folder)
    from pycocotools import mask

    first, *_ = record.tracks([0])[0]
    assert mask.area(first) == 0 and first["size"] == [12, 16]


def test_what_cannot_be_loaded(tmp_path: Path) -> None:
    one = pair(tmp_path)
    with pytest.raises(Usage, match=r"v1\.0 and v0\.1"):
        load(tmp_path, version="v2")
    one.truth.pop("image_size")
    one.write()
    data = load(split="val", annotations=one.folder / "annotations", splits=one.folder)
    with pytest.raises(Refused, match="image_size"):
        data[0]
    (one.folder / "annotations" / "000007.json").unlink()
    with pytest.raises(Refused, match="no annotation of video 000007"):
        data[0]


# Validator

FAULTS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a key is missing": (lambda v: v.pop("caption_raw_cn"), "MISSING_FIELD"),
    "a key has another type": (lambda v: v.update(reworded_en_captions=[1]), "FIELD_TYPE"),
    "image_size is negative": (lambda v: v.update(image_size=[-1, 5]), "FIELD_TYPE"),
    "video_id is another": (lambda v: v.update(video_id=8), "VIDEO_ID"),
    "an unknown source": (lambda v: v.update(src_dataset="x"), "VIDEO_SOURCE"),
    "an RLE of another size": (
        lambda v: v["segmentations"][0]["mask_rles"][0].update(size=[16, 12]),
        "RLE_SIZE",
    ),
    "counts cut": (lambda v: v["segmentations"][0]["mask_rles"][0].update(counts="5"), "RLE_COUNTS"),
    "counts as a list": (lambda v: v["segmentations"][0]["mask_rles"][0].update(counts=[192]), "RLE_COUNTS"),
    "a mask that is none": (lambda v: v["segmentations"][0]["mask_rles"].__setitem__(0, None), "FIELD_TYPE"),
    "ids and masks differ": (lambda v: v["segmentations"][0]["track_ids"].pop(), "TRACK_MASKS"),
    "a track twice": (lambda v: v["segmentations"][0].update(track_ids=[0, 0]), "TRACK_DUP"),
    "an unknown track": (lambda v: v.update(all_track_ids=[0]), "TRACK_UNKNOWN"),
    "a frame's name": (lambda v: v["segmentations"][0].update(filename="x/00000.jpg"), "FRAME_NAME"),
    "a frame twice": (lambda v: v["segmentations"][1].update(filename="00000.jpg"), "FRAME_DUP"),
    "frames out of order": (lambda v: v["segmentations"].reverse(), "FRAME_ORDER"),
    "a frame that is none": (lambda v: v["segmentations"].append(3), "FIELD_TYPE"),
    "no human masks": (lambda v: [f.update(is_gt=False) for f in v["segmentations"]], "FRAME_NO_TRUTH"),
    "an empty expression": (lambda v: v["object_referrals"][0].update(prompt=" "), "EXPRESSION_EMPTY"),
    "an expression that is none": (lambda v: v["object_referrals"].append("x"), "FIELD_TYPE"),
    "an expression of no track": (lambda v: v["object_referrals"][0].update(track_ids=[9]), "EXPRESSION_TRACK"),
    "a target twice": (lambda v: v["object_referrals"][0].update(track_ids=[0, 0]), "EXPRESSION_TRACK_DUP"),
    "broken markup": (lambda v: v.update(caption_raw_en="[a] <mask_0>"), "PHRASE_MARKUP"),
    "an unfinished group": (lambda v: v.update(caption_raw_en="Two kids jump. [a"), "PHRASE_UNFINISHED"),
    "an empty phrase": (lambda v: v.update(caption_raw_en="Two kids jump.[]<mask_0>"), "PHRASE_EMPTY"),
    "ids of two digits": (lambda v: v.update(caption_raw_en="Two kids jump[.]<mask_10>"), "PHRASE_ID_DIGITS"),
    "a phrase of no track": (lambda v: v.update(caption_raw_en="Two kids jump[.]<mask_7>"), "PHRASE_TRACK"),
    "another parsed caption": (lambda v: v.update(caption_parsed_en="x"), "PHRASE_TWIN"),
    "a submission": (lambda v: v.update(pred_caption="x"), "IS_SUBMISSION"),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", FAULTS)
def test_findings(tmp_path: Path, name: str) -> None:
    spoil, code = FAULTS[name]
    one = pair(tmp_path)
    assert not list(vismark.validate(one.folder / "annotations"))
    spoil(one.truth)
    one.write()
    found = [problem for problem in vismark.validate(one.folder / "annotations") if problem.code == code]
    assert found and all(problem.file == "000007.json" and problem.fix for problem in found)


def test_a_track_that_is_never_seen_when_it_is_scored(tmp_path: Path) -> None:
    one = pair(tmp_path)
    one.truth["all_track_ids"].append(2)
    one.truth["object_referrals"][0]["track_ids"] = [2]
    one.write()
    assert "EXPRESSION_TRACK_EMPTY" in vismark.validate(one.folder / "annotations")


def test_a_single_file_is_recognised(tmp_path: Path) -> None:
    one = pair(tmp_path)
    one.truth["video_id"] = 9
    one.write()
    assert "VIDEO_ID" in vismark.validate(one.folder / "annotations" / "000007.json")


def test_videos_of_the_splits_that_lack_an_annotation(tmp_path: Path) -> None:
    one = pair(tmp_path)
    release = tmp_path / "annotations" / "v1.0"
    release.mkdir()
    (one.folder / "annotations" / "000007.json").rename(release / "000007.json")
    splits = tmp_path / "splits" / "v1.0"
    splits.mkdir(parents=True)
    (splits / "val.json").write_text("[7, 12]")
    (found,) = vismark.validate(release)
    assert (found.code, found.item) == ("VIDEO_MISSING", "12")


# Frames


def film(path: Path, count: int, rate: int = 30, size: tuple[int, int] = (32, 48)) -> None:
    """A video whose frame n has the grey value 8n, with a white bar on the left."""
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=rate)
        stream.height, stream.width = size
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "4"}
        for number in range(count):
            pixels = np.full((*size, 3), 8 * number % 256, np.uint8)
            pixels[:, :4] = 255
            target.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        target.mux(stream.encode(None))


def root(folder: Path, videos: dict[str, int]) -> Path:
    place = folder / "vicas" / "videos" / "first"
    place.mkdir(parents=True)
    for name, count in videos.items():
        film(place / f"{name}_A film (with) spaces.mp4", count)
    return folder


@pytest.mark.parametrize(("rate", "frames"), [(30, 20), (15, 40), (60, 10)])
def test_thirty_frames_a_second(tmp_path: Path, rate: int, frames: int) -> None:
    from vismark.runtime.videos import decode

    film(tmp_path / "a.mp4", 20, rate)
    assert abs(sum(1 for _ in decode(tmp_path / "a.mp4", 30)) - frames) <= 1


def test_prepare_makes_the_frames(tmp_path: Path) -> None:
    from vismark.jobs.derive import derive

    root(tmp_path, {"000007": 6, "000012": 4})
    assert not derive("vicas", tmp_path).errors
    folder = tmp_path / "vicas" / "video_frames"
    assert sorted(path.name for path in folder.iterdir()) == ["000007", "000012"]
    assert sorted(path.name for path in (folder / "000007").iterdir()) == [f"{n:05d}.jpg" for n in range(6)]
    pixels = np.asarray(Image.open(folder / "000007" / "00003.jpg").convert("L"))
    assert pixels.shape == (32, 48) and abs(int(pixels[16, 30]) - 24) <= 3


def test_frames_from_the_video_are_those_of_the_folder(tmp_path: Path) -> None:
    from vismark.runtime.videos import write_frames

    film(tmp_path / "a.mp4", 8)
    write_frames(tmp_path / "a.mp4", tmp_path / "000001", 30)
    names = tuple(f"{number:05d}.jpg" for number in range(8))
    for asked in (["00002.jpg", "00005.jpg"], ["00005.jpg", "00002.jpg", "00005.jpg"]):
        both = [
            list(Frames(names, 32, 48, **place).pixels(asked))  # type: ignore[arg-type]
            for place in ({"folder": tmp_path / "000001"}, {"file": tmp_path / "a.mp4"})
        ]
        for one, other, name in zip(*both, asked, strict=True):
            assert one.shape == other.shape == (32, 48, 3)
            assert abs(int(one[16, 30, 0]) - int(other[16, 30, 0])) <= 3
            assert abs(int(other[16, 30, 0]) - 8 * int(name[:5])) <= 3


def test_other_numbers_and_sizes_than_annotated_are_told(tmp_path: Path) -> None:
    from vismark.jobs.derive import derive

    one = pair(tmp_path / "made")
    root(tmp_path, {"000007": 6})
    release = tmp_path / "vicas" / "annotations" / "v1.0"
    release.mkdir(parents=True)
    (one.folder / "annotations" / "000007.json").rename(release / "000007.json")
    problems = derive("vicas", tmp_path)
    assert {problem.code for problem in problems} == {"FRAME_COUNT", "FRAME_SIZE"}


def test_one_bad_video_does_not_hold_up_the_others(tmp_path: Path) -> None:
    from vismark.jobs.derive import derive

    root(tmp_path, {"000007": 3})
    bad = tmp_path / "vicas" / "videos" / "000008_bad.mp4"
    bad.write_bytes(b"no video at all")
    with pytest.raises(Refused) as refused:
        derive("vicas", tmp_path)
    assert [problem.file for problem in refused.value.problems] == ["000008_bad.mp4"]
    assert not (tmp_path / "vicas" / "video_frames").exists()
    film(bad, 2)
    assert not derive("vicas", tmp_path).errors
    assert (tmp_path / "vicas" / "video_frames" / "000008" / "00001.jpg").is_file()


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    """The first video is done when the process dies; it is not made again."""
    from vismark.jobs.derive import derive

    root(tmp_path, {"000007": 3, "000008": 3})
    script = f"""
import os, signal
from pathlib import Path
from vismark.datasets.vicas import frames
made = frames.write_frames
def dying(video, folder, rate):
    if folder.name == "000008":
        os.kill(os.getpid(), signal.SIGKILL)
    return made(video, folder, rate)
frames.write_frames, frames.default_jobs = dying, lambda: 1
frames.make(Path({str(tmp_path / "vicas" / "videos")!r}), Path({str(tmp_path / "vicas" / "video_frames")!r}))
"""
    died = subprocess.run([sys.executable, "-c", script], capture_output=True, env=os.environ)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    first = tmp_path / "vicas" / "video_frames.part" / "000007" / "00000.jpg"
    before = first.stat().st_mtime_ns
    (tmp_path / "vicas" / "video_frames.part" / ".000008.x.part").mkdir()
    assert not (tmp_path / "vicas" / "video_frames").exists()
    derive("vicas", tmp_path)
    after = tmp_path / "vicas" / "video_frames"
    assert (after / "000007" / "00000.jpg").stat().st_mtime_ns == before
    assert len(list((after / "000008").iterdir())) == 3
    assert sorted(path.name for path in after.iterdir()) == ["000007", "000008"]


def test_videos_that_end_early_or_are_of_another_size(tmp_path: Path) -> None:
    film(tmp_path / "a.mp4", 3)
    names = tuple(f"{number:05d}.jpg" for number in range(5))
    with pytest.raises(Refused, match="ends before frame 4"):
        list(Frames(names, 32, 48, file=tmp_path / "a.mp4").pixels(["00004.jpg"]))
    with pytest.raises(Refused, match="48×32"):
        list(Frames(names, 30, 40, file=tmp_path / "a.mp4").pixels(["00001.jpg"]))
