"""`vicas-lgvis` and its twin: official numbers, every faulty input of the official tool, controls."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vismark
from vicas_builder import Json, Pair, annotation, assignment, blobs, decoded, pair, pooled, prediction
from vismark import registry
from vismark.problems import Problem, Refused
from vismark.results import Result

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "vicas"
OFFICIAL = ("mAP", "AP@50", "AP@75", "AP@90")
golden = pytest.mark.skipif(not GOLDEN.exists(), reason="the golden files of ViCaS are not here")


def score(one: Pair, **options: Any) -> Result:
    return vismark.score("vicas-lgvis", one.predictions, references=one.references, **options)


def numbers(result: Result) -> dict[str, float | None]:
    return {name: result.metrics[name] for name in OFFICIAL}


# Official numbers


@golden
@pytest.mark.parametrize("mode", ["strict", "official"])
@pytest.mark.parametrize("folder", ["lgvis_a", "lgvis_d"])
@pytest.mark.parametrize(
    ("protocol", "key"), [("stable", "stable"), ("introsort", "generic_introsort"), ("native", "native")]
)
def test_golden(folder: str, protocol: str, key: str, mode: Any) -> None:
    place = GOLDEN / folder
    expected = json.loads((place / "expected.json").read_text())
    references = {"annotations": place / "annotations", "split": place / "split.json"}
    options: Any = {"references": references, "protocol": protocol, "mode": mode, "jobs": 1}
    result = vismark.score("vicas-lgvis", place / "predictions", **options)
    assert numbers(result) == expected[key]
    assert {result.basis[name].kind for name in OFFICIAL} == {"official"}


@golden
def test_golden_expressions() -> None:
    """The IoU of every expression, as float32, and what is matched at each threshold."""
    from vismark.benchmarks.lgvis_numbers import matched
    from vismark.jobs.prepare import Options, measured, prepare
    from vismark.metrics.tracks import ious

    place = GOLDEN / "lgvis_d"
    options = Options({"annotations": place / "annotations", "split": place / "split.json"}, jobs=1)
    prepared, problems = prepare("vicas-lgvis", place / "predictions", options)
    assert prepared is not None
    measured(prepared, problems, 1, keep=False)
    (videos,) = prepared.evidence.values()
    # The official lists begin with an empty entry for each expression of a video.
    expected = json.loads((place / "expected.json").read_text())["per_prompt"]
    rows = [row for video in videos for row in video.rows]  # type: ignore[attr-defined]
    real = []
    at = 0
    for video in videos:
        count = len(video.rows)  # type: ignore[attr-defined]
        real += expected[at + count : at + 2 * count]
        at += 2 * count
    assert at == len(expected) and len(real) == len(rows)
    for row, one in zip(rows, real, strict=True):
        shape = (row.predicted, row.targets)
        shared, either = (np.array(part, np.int64).reshape(shape) for part in (row.intersections, row.unions))
        found = ious(shared, either)
        assert found.astype(float).tolist() == one["iou_float32"] or not found.size
        assert matched(row, "stable").matches.tolist() == one["match_indices"]


def build(folder: Path, seed: int, videos: int) -> tuple[Path, dict[str, float]]:
    """Random videos on disk, and the official numbers from decoded masks."""
    random = np.random.default_rng(seed)
    columns, targets = [], 0
    for id in range(videos):
        size, frames = (int(random.integers(4, 20)), int(random.integers(4, 20))), int(random.integers(2, 6))
        true = blobs(random, 3, frames, size)
        scored = [True] + [bool(random.integers(2)) for _ in range(frames - 1)]
        asked = [random.permutation(3)[: random.integers(1, 4)].tolist() for _ in range(3)]
        answers = []
        for ids in asked:
            noise = random.random((len(ids), *true.shape[1:])) < 0.1
            answers.append(np.concatenate([true[ids] ^ noise, blobs(random, int(random.integers(0, 3)), frames, size)]))
        Pair(folder, annotation(id, true, asked, scored), prediction(id, answers, scored), f"{id:06d}").write()
        for ids, found in zip(asked, answers, strict=True):
            columns.append(assignment(decoded(found[:, scored], true[ids][:, scored]), len(found)))
            targets += len(ids)
    (folder / "val.json").write_text(json.dumps(list(range(videos))))
    matches = np.concatenate(columns, axis=1)
    return folder, pooled(matches, matches.shape[1], targets, np.arange(matches.shape[1]))


@pytest.mark.parametrize("seed", range(6))
def test_random_videos_against_decoded_masks(tmp_path: Path, seed: int) -> None:
    folder, expected = build(tmp_path, seed, 8)
    one = Pair(folder, {}, {})
    assert numbers(score(one, jobs=1)) == expected


def test_any_number_of_workers_gives_the_same_bits(tmp_path: Path) -> None:
    folder, expected = build(tmp_path, 11, 20)
    one = Pair(folder, {}, {})
    first, second = score(one, jobs=1), score(one, jobs=2)
    assert numbers(first) == numbers(second) == expected
    assert first.metrics == second.metrics and first.table == second.table


def test_unscored_frames_and_other_encodings_change_nothing(tmp_path: Path) -> None:
    one = pair(tmp_path)
    before = score(one).metrics
    for entry in one.found["pred_lgvis_masks"]:
        entry.reverse()
        entry.append({"filename": "00001.jpg", "mask_rles": []})
    one.write()
    assert score(one).metrics == before


# Faults


def first_masks(found: Json) -> list[Json]:
    masks: list[Json] = found["pred_lgvis_masks"][0][0]["mask_rles"]
    return masks


def cut(one: Pair) -> None:
    first_masks(one.found)[0]["counts"] = first_masks(one.found)[0]["counts"][:-2]


def swap(one: Pair) -> None:
    for frame in one.found["pred_lgvis_masks"][0]:
        for mask in frame["mask_rles"]:
            mask["size"].reverse()


def prefix(one: Pair) -> None:
    for frame in one.found["pred_lgvis_masks"][0]:
        frame["filename"] = f"000007/{frame['filename']}"


def eleven(one: Pair) -> None:
    for frame in one.found["pred_lgvis_masks"][1]:
        frame["mask_rles"] = [frame["mask_rles"][0]] * 11


def as_list(one: Pair) -> None:
    from vismark.formats.rle import from_string

    mask = first_masks(one.found)[0]
    mask["counts"] = from_string(mask["counts"]).tolist()


def set_counts(text: Any) -> Callable[[Pair], None]:
    def spoil(one: Pair) -> None:
        first_masks(one.found)[0]["counts"] = text

    return spoil


# (what is done, strict error or None, official error or None); errors are problem codes.
FAULTS: dict[str, tuple[Callable[[Pair], Any], str | None, str | None]] = {
    "a scored frame is missing": (
        lambda one: one.found["pred_lgvis_masks"][0].pop(), "SUB_FRAME_MISSING", "SUB_FRAME_MISSING"),
    "the last expression is missing": (
        lambda one: one.found["pred_lgvis_masks"].pop(), "SUB_PROMPT_MISSING", "SUB_PROMPT_MISSING"),
    "an expression too many": (lambda one: one.found["pred_lgvis_masks"].append([]), None, None),
    "no masks at all": (lambda one: one.found.pop("pred_lgvis_masks"), "SUB_MASKS", "SUB_MASKS"),
    "one mask fewer in a frame": (
        lambda one: one.found["pred_lgvis_masks"][1][0]["mask_rles"].pop(), "SUB_OBJECT_COUNT", "SUB_OBJECT_COUNT"),
    "counts is a list": (as_list, None, "SUB_RLE_LIST"),
    "sizes are swapped": (swap, "SUB_RLE_SIZE", None),
    "video_id is wrong": (lambda one: one.found.update(video_id=8), "SUB_VIDEO_ID", None),
    "frame names have a folder": (prefix, "SUB_FRAME_MISSING", "SUB_FRAME_MISSING"),
    "a mask is null": (lambda one: first_masks(one.found).__setitem__(0, None), "SUB_FORMAT", "SUB_FORMAT"),
    "eleven objects": (eleven, "SUB_OBJECTS_MANY", "SUB_OFFICIAL_REFUSED"),
    "no caption": (lambda one: one.found.pop("pred_caption"), None, None),
    "counts are cut": (cut, "SUB_RLE_COUNTS", "SUB_RLE_COUNTS"),
    "counts are empty": (set_counts(""), "SUB_RLE_COUNTS", "SUB_RLE_COUNTS"),
    "counts have foreign characters": (set_counts("!!"), "SUB_RLE_COUNTS", "SUB_RLE_COUNTS"),
    "counts end inside a number": (set_counts("PPP"), "SUB_RLE_COUNTS", "SUB_RLE_COUNTS"),
    "counts hold a negative run": (set_counts("O5:1"), "SUB_RLE_COUNTS", "SUB_RLE_COUNTS"),
    "counts hold an endless number": (set_counts("P" * 10_000_000 + "0"), "SUB_RLE_COUNTS", "SUB_RLE_COUNTS"),
    "counts fill more than the frame": (set_counts("h000n1"), "SUB_RLE_COUNTS", "SUB_RLE_COUNTS"),
    "size is huge": (
        lambda one: first_masks(one.found)[0].update(size=[10**9, 10**9]), "SUB_FORMAT", "SUB_FORMAT"),
    "no human masks": (
        lambda one: [frame.update(is_gt=False) for frame in one.truth["segmentations"]], "REF_NO_FRAMES",
        "REF_NO_FRAMES"),
    "is_gt is missing": (
        lambda one: one.truth["segmentations"][0].pop("is_gt"), "MISSING_FIELD", "MISSING_FIELD"),
    "a target that never occurs": (
        lambda one: one.truth["object_referrals"][0].update(track_ids=[5]), "REF_TRACK_UNKNOWN", None),
    "a true mask is cut": (
        lambda one: one.truth["segmentations"][0]["mask_rles"][0].update(counts="5"), "REF_MASKS", "REF_MASKS"),
}  # fmt: skip


def errors(one: Pair, mode: Any) -> list[Problem]:
    problems = vismark.check("vicas-lgvis", one.predictions, references=one.references, mode=mode)
    return [problem for problem in problems if problem.severity == "error"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", FAULTS)
def test_faults(tmp_path: Path, name: str) -> None:
    """Every input that the official tool stumbles over, hangs or crashes on ends in a finding, in time."""
    spoil, strict, official = FAULTS[name]
    one = pair(tmp_path)
    spoil(one)
    one.write()
    for mode, code in (("strict", strict), ("official", official)):
        try:
            found = errors(one, mode)
        except Refused as refused:
            found = [problem for problem in refused.problems if problem.severity == "error"]
        assert {problem.code for problem in found} == ({code} if code else set()), [str(one) for one in found]
        assert all(problem.fix and problem.file for problem in found)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    one = pair(tmp_path)
    swap(one)
    one.found["pred_lgvis_masks"][1].pop()
    one.found["video_id"] = 3
    one.write()
    found = errors(one, "strict")
    assert {problem.code for problem in found} == {"SUB_RLE_SIZE", "SUB_FRAME_MISSING", "SUB_VIDEO_ID"}
    size = next(problem for problem in found if problem.code == "SUB_RLE_SIZE")
    assert 'prompt 0 ("expression 0"), frame 00000.jpg, object 0: RLE size [16, 12] but' in size.message
    assert size.fix == "Height and width look swapped." and size.item == "000007/0"
    assert size.where == "/pred_lgvis_masks/0/0/mask_rles/0"


@pytest.mark.timeout(30)
@pytest.mark.parametrize("seed", range(40))
def test_spoilt_counts_neither_hang_nor_crash(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    one = pair(tmp_path)
    for frame in one.found["pred_lgvis_masks"][1]:
        for mask in frame["mask_rles"]:
            text = list(mask["counts"])
            for _ in range(int(random.integers(1, 4))):
                text[int(random.integers(len(text)))] = chr(int(random.integers(32, 127)))
            mask["counts"] = "".join(text)[: int(random.integers(0, len(text) + 1))]
    one.write()
    for problem in errors(one, "official"):
        assert problem.code == "SUB_RLE_COUNTS"


# What official mode does as the official tool does


def test_wrong_sizes_hide_their_frames(tmp_path: Path) -> None:
    """A mask of another size gives 0 to intersection and union of its frame (measured): the others decide."""
    true = np.zeros((1, 2, 6, 8), np.bool_)
    true[:, :, 1:5, 1:5] = True
    found = true.copy()
    found[:, 1] = False
    one = Pair(tmp_path, annotation(7, true, [[0]]), prediction(7, [found])).write()
    assert score(one, mode="official").metrics["mAP"] == pytest.approx(10.0)  # an IoU of 0.5
    one.found["pred_lgvis_masks"][0][1]["mask_rles"][0]["size"] = [8, 6]
    one.write()
    assert score(one, mode="official").metrics["mAP"] == 100.0
    with pytest.raises(Refused):
        score(one)


def test_no_target_anywhere(tmp_path: Path) -> None:
    one = pair(tmp_path)
    for expression in one.truth["object_referrals"]:
        expression["track_ids"] = []
    one.write()
    result = score(one)
    assert result.metrics["mAP"] is None and "METRIC_UNDEFINED" in {problem.code for problem in result.warnings}
    assert numbers(score(one, mode="official")) == dict.fromkeys(OFFICIAL, 100.0)


def test_nothing_predicted(tmp_path: Path) -> None:
    one = pair(tmp_path)
    for entry in one.found["pred_lgvis_masks"]:
        for frame in entry:
            frame["mask_rles"] = []
    one.write()
    result = score(one)
    assert numbers(result) == dict.fromkeys(OFFICIAL, 0.0)
    assert "SUB_NO_OBJECTS" in {problem.code for problem in result.warnings}


def test_eleven_objects_that_the_official_tool_survives(tmp_path: Path) -> None:
    """All targets are taken by the first ten: eleven columns with ten scores, so that the last column is lost."""
    one = pair(tmp_path)
    for frame in one.found["pred_lgvis_masks"][0]:
        frame["mask_rles"] = frame["mask_rles"] * 11
    one.write()
    codes = {problem.code for problem in score(one, mode="official").warnings}
    assert "SUB_OBJECTS_MANY" in codes


def test_old_names_of_annotations(tmp_path: Path) -> None:
    one = pair(tmp_path)
    before = score(one).metrics
    (one.folder / "annotations" / "000007.json").rename(one.folder / "annotations" / "000007_x.json")
    result = score(one)
    assert result.metrics == before and "REF_FILE_NAME" in {problem.code for problem in result.warnings}


@pytest.mark.parametrize("kind", ["annotations", "predictions"])
def test_missing_files_are_all_listed(tmp_path: Path, kind: str) -> None:
    build(tmp_path, 0, 4)
    for id in (1, 3):
        (tmp_path / kind / f"{id:06d}.json").unlink()
    with pytest.raises(Refused) as refused:
        score(Pair(tmp_path, {}, {}))
    code = "REF_VIDEO_MISSING" if kind == "annotations" else "SUB_VIDEO_MISSING"
    assert [problem.item for problem in refused.value.problems if problem.code == code] == ["000001", "000003"]


def test_a_part_is_stamped(tmp_path: Path) -> None:
    build(tmp_path, 0, 4)
    (tmp_path / "predictions" / "000001.json").unlink()
    result = score(Pair(tmp_path, {}, {}), partial=True)
    assert result.partial is not None and (result.partial.done, result.partial.total) == (9, 12)


def test_links_are_refused(tmp_path: Path) -> None:
    one = pair(tmp_path)
    file = one.predictions / "000007.json"
    file.rename(tmp_path / "elsewhere.json")
    file.symlink_to(tmp_path / "elsewhere.json")
    assert "SUB_PATH" in {problem.code for problem in errors(one, "official")}


def test_the_split_is_named(tmp_path: Path) -> None:
    one = pair(tmp_path)
    said = next(problem for problem in score(one).warnings if problem.code == "REF_OTHER_SPLIT")
    assert "no split of vicas" in said.message


# Extensions


def test_j_and_f(tmp_path: Path) -> None:
    one = pair(tmp_path)
    result = score(one, protocol="rvos")
    assert (result.metrics["J"], result.metrics["F"], result.metrics["J&F"]) == (100.0, 100.0, 100.0)
    assert result.basis["J&F"].kind == "extension"
    assert "J&F" not in score(one).metrics


def test_the_table_and_breakdowns(tmp_path: Path) -> None:
    from vismark.jobs.prepare import Options
    from vismark.jobs.score import compute

    one = pair(tmp_path)
    result, table = compute("vicas-lgvis", one.predictions, Options(one.references))
    assert list(table["id"]) == ["000007/0", "000007/1"] and list(table["targets"]) == [1, 2]
    assert list(table["IoU"]) == [1.0, 1.0] and list(table["expression"]) == ["expression 0", "expression 1"]
    assert result.breakdowns["targets"]["two"] == {
        "expressions": 1, "targets": 2, "predictions": 2, "recall@50": 100.0, "precision@50": 100.0,
    }  # fmt: skip
    assert [row["AP"] for row in result.breakdowns["IoU"].values()] == [100.0] * 10


# The twin


def test_the_twin_is_the_same_class_with_the_same_numbers() -> None:
    real, twin = (registry.card("benchmarks", name) for name in ("vicas-lgvis", "shapes-lgvis"))
    assert real.code == twin.code and real.metrics == twin.metrics and real.protocols == twin.protocols


@pytest.mark.parametrize(
    ("control", "amount", "low", "high"),
    [("oracle", "0", 100, 100), ("oracle", "0.3", 10, 90), ("majority", None, 0, 5), ("blank", None, 0, 0)],
)
def test_controls(tmp_path: Path, control: str, amount: str | None, low: float, high: float) -> None:
    settings = {"amount": amount} if amount else {}
    vismark.predict(control, "shapes-lgvis", tmp_path / "out", settings=settings)
    result = vismark.score("shapes-lgvis", tmp_path / "out")
    assert result.metrics["mAP"] is not None and low <= result.metrics["mAP"] <= high


def test_a_writer_refuses_what_cannot_be_scored(tmp_path: Path) -> None:
    from vismark.tasks import RLE, Tracks, VideoSegment

    class Model:
        name = "odd"
        tasks = (VideoSegment,)

        def predict(self, requests: list[VideoSegment]) -> list[Tracks]:
            return [Tracks(((RLE((3, 3), b"9"),) * len(request.frames),) * 11) for request in requests]

    with pytest.raises(Refused) as refused:
        vismark.predict(Model(), "shapes-lgvis", tmp_path / "out")
    assert {problem.code for problem in refused.value.problems} == {"PREDICTION_OBJECTS", "PREDICTION_MASK"}


def test_questions_for_other_loops(tmp_path: Path) -> None:
    """Names of files and folders, never paths."""
    count = vismark.requests("shapes-lgvis", tmp_path / "asked.jsonl", limit=2)
    head, first, _ = map(json.loads, (tmp_path / "asked.jsonl").read_text().splitlines())
    assert count == 2 and head["task"] == "VideoSegment"
    assert first["video"] == {"file": "", "folder": "000000", "height": 96, "width": 144, "frames": 30, "rate": 30}
    assert first["frames"] == ["00000.jpg", "00006.jpg", "00012.jpg", "00018.jpg", "00024.jpg"]


def test_a_result_can_be_verified(tmp_path: Path) -> None:
    one = pair(tmp_path)
    score(one, output=tmp_path / "result.json", protocol="rvos")
    assert not vismark.verify(tmp_path / "result.json", one.predictions, references=one.references).errors


def test_the_report_shows_strips_and_captions(tmp_path: Path) -> None:
    vismark.predict("oracle", "shapes-lgvis", tmp_path / "out", settings={"amount": "0.5"}, limit=20)
    vismark.score("shapes-lgvis", tmp_path / "out", tmp_path / "result.json")
    vismark.report(tmp_path / "result.json", output=tmp_path / "page.html", worst=3)
    page = (tmp_path / "page.html").read_text()
    for text in (
        "Worst expressions",
        "prediction",
        "Videos of the worst expressions",
        "linear-gradient",
        "AP over IoU",
    ):
        assert text in page


def test_a_measured_part_is_not_taken_for_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidence of some expressions of a video is kept apart from that of all."""
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "cache"))
    vismark.predict("oracle", "shapes-lgvis", tmp_path / "part" / "out", settings={"amount": "0"}, limit=4)
    vismark.measure("shapes-lgvis", tmp_path / "part" / "out")
    (tmp_path / "part" / "out" / "manifest.json").unlink()
    whole = vismark.score("shapes-lgvis", tmp_path / "part" / "out", partial=True)
    assert whole.samples == 10 and whole.metrics["mAP"] is not None and whole.metrics["mAP"] < 100
    moved = (tmp_path / "part" / "out").rename(tmp_path / "part" / "elsewhere")
    assert vismark.score("shapes-lgvis", moved, partial=True).submission == whole.submission


def test_relative_folders_reach_workers_that_were_started_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second"):
        folder, expected = build(tmp_path / name, 11, 20)
        monkeypatch.chdir(folder)
        references = {"annotations": "annotations", "split": "val.json"}
        assert numbers(vismark.score("vicas-lgvis", "predictions", references=references, jobs=2)) == expected
