"""One finding a row: its code, severity, place, item and remedy; and that all findings of a file come at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vismark
from panoptic_builder import SIZE, Case, build, chunk, png_bytes, rgb
from vismark.benchmarks.panoptic import PanopticBenchmark
from vismark.formats.panoptic import read_truth
from vismark.problems import CAP_PER_CODE, Problem, Problems, Refused

FIRST = "predictions/000000000139.png"


@dataclass(frozen=True)
class Row:
    """A defect and its finding; `item` is the image id, "" where none can be named; `says` is in the message."""

    code: str
    change: Callable[[Case], object]
    where: str = ""
    item: str = ""
    file: str = "predictions.json"
    severity: str = "error"
    says: str = ""
    disk: bool = False


def _segments(case: Case) -> list[dict]:
    return case.first["segments_info"]


def _set(case: Case, **fields: object) -> None:
    _segments(case)[0].update(fields)


def _image(case: Case, mode: str) -> None:
    Image.fromarray(rgb(case.maps[139])).convert(mode).save(case.png)


def _contiguous(case: Case) -> None:
    positions = {one["id"]: place for place, one in enumerate(case.truth["categories"])}
    for annotation in case.prediction["annotations"]:
        for segment in annotation["segments_info"]:
            segment["category_id"] = positions[segment["category_id"]]


def _noise(case: Case) -> None:
    case.maps[139] = np.arange(1, 1 + SIZE[0] * SIZE[1], dtype=np.uint32).reshape(SIZE)


def _write(data: bytes) -> Callable[[Case], object]:
    return lambda case: case.png.write_bytes(data)


A, S = "/annotations/0", "/annotations/0/segments_info/0"
SUBMISSION = [
    Row("SUB_EMPTY", lambda c: c.prediction["annotations"].clear(), says="no predictions"),
    Row("SUB_IMAGE_MISSING", lambda c: c.prediction["annotations"].pop(), says="1 image(s) have no prediction: 632"),
    Row("SUB_IMAGE_UNKNOWN", lambda c: c.prediction["annotations"].append({"image_id": 4711}), "/annotations",
        says="4711"),
    Row("SUB_IMAGE_DUP", lambda c: c.prediction["annotations"].append(c.first), "/annotations/3", "139"),
    Row("SUB_CATEGORY_UNKNOWN", lambda c: _set(c, category_id=4711), S + "/category_id", "139", says="4711"),
    Row("SUB_CATEGORY_CONTIGUOUS", _contiguous, says="0 … 3"),
    Row("SUB_SEG_ID_DUP", lambda c: _segments(c).append(dict(_segments(c)[0])), S + "/id", "139"),
    Row("SUB_SEG_ID_ZERO", lambda c: _segments(c).append({"id": 0, "category_id": 1}),
        A + "/segments_info/3/id", "139"),
    Row("SUB_SEG_ID_RANGE", lambda c: _segments(c).append({"id": 2**24, "category_id": 1}),
        A + "/segments_info/3/id", "139", says="16777215"),
    Row("SUB_SEG_NOT_IN_JSON", lambda c: _segments(c).pop(), "", "139", FIRST, says="id 66051 covers 88 pixels"),
    Row("SUB_SEG_NOT_IN_PNG", lambda c: _segments(c).append({"id": 77, "category_id": 1}), "", "139", FIRST, says="77"),
    Row("SUB_SEG_NOT_IN_JSON", _noise, "", "139", FIRST, says="more ids of the PNG"),
    Row("SUB_SEG_ISTHING", lambda c: _set(c, isthing=1), S + "/isthing", "139", severity="warning", says="stuff"),
    Row("STUFF_DUP", lambda c: (_segments(c).append({"id": 9, "category_id": 187}), np.put(c.maps[139], [0], [9])),
        A + "/segments_info", "139", severity="warning", says="sky-other-merged"),
    Row("SUB_PATH", lambda c: c.first.update(file_name="../x.png"), A + "/file_name", "139"),
    Row("SUB_PATH", lambda c: (c.png.unlink(), c.png.symlink_to(c.references)), "", "139", FIRST, disk=True),
    Row("SUB_PATH", lambda c: (c.png.unlink(), c.png.mkdir()), "", "139", FIRST, disk=True),
    Row("SUB_PATH", lambda c: (c.png.unlink(), os.mkfifo(c.png)), "", "139", FIRST, disk=True),
    Row("MISSING_FIELD", lambda c: c.first.pop("image_id"), A, says="`image_id`"),
    Row("MISSING_FIELD", lambda c: c.first.pop("file_name"), A, "139", says="`file_name`"),
    Row("MISSING_FIELD", lambda c: c.first.pop("segments_info"), A, "139", says="`segments_info`"),
    Row("MISSING_FIELD", lambda c: _segments(c)[0].pop("id"), S, "139", says="`id`"),
    Row("MISSING_FIELD", lambda c: _segments(c)[0].pop("category_id"), S, "139", says="`category_id`"),
    Row("FIELD_TYPE", lambda c: _set(c, id="1"), S + "/id", "139", says="a string"),
    Row("FIELD_INTEGRAL", lambda c: _set(c, id=1.0), S + "/id", "139", says="a decimal number"),
    Row("FIELD_INTEGRAL", lambda c: _set(c, id=True), S + "/id", "139", says="a boolean"),
    Row("JSON_TOP_LEVEL", lambda c: c.submission.write_text("[]"), disk=True, says="a list"),
    Row("JSON_TOP_LEVEL", lambda c: c.submission.write_text("null"), disk=True, says="null"),
    Row("JSON_TOP_LEVEL", lambda c: c.submission.write_text('{"annotation": []}'), disk=True, says="annotation"),
    Row("JSON_PARSE", lambda c: c.submission.write_text('{"annotations": [NaN]}'), "byte 17", disk=True),
    Row("JSON_PARSE", lambda c: c.submission.write_text(""), disk=True, says="empty"),
    Row("FILE_MISSING", lambda c: c.submission.unlink(), disk=True, says="does not exist"),
    Row("SUB_PNG_FOLDER", lambda c: c.submission.with_suffix("").rename(c.folder / "x"), disk=True, says="predictions"),
    Row("SUB_PNG_MISSING", lambda c: c.png.unlink(), "", "139", FIRST, disk=True),
    Row("SUB_PNG_UNREADABLE", lambda c: c.png.write_bytes(c.png.read_bytes()[:90]), "", "139", FIRST, disk=True,
        says="truncated"),
    Row("SUB_PNG_UNREADABLE", _write(png_bytes(SIZE[1], SIZE[0], idat=b"no zlib stream")), "", "139", FIRST, disk=True),
    Row("SUB_PNG_FORMAT", _write(b""), "", "139", FIRST, disk=True, says="empty"),
    Row("SUB_PNG_FORMAT", lambda c: _image(c, "P"), "", "139", FIRST, disk=True, says="palette"),
    Row("SUB_PNG_FORMAT", lambda c: _image(c, "L"), "", "139", FIRST, disk=True, says="grey"),
    Row("SUB_PNG_FORMAT", _write(png_bytes(SIZE[1], SIZE[0], depth=16)), "", "139", FIRST, disk=True, says="16 bits"),
    Row("SUB_PNG_ALPHA", lambda c: _image(c, "RGBA"), "", "139", FIRST, disk=True),
    Row("SUB_PNG_INTERLACED", _write(png_bytes(SIZE[1], SIZE[0], interlace=1)), "", "139", FIRST, disk=True),
    Row("SUB_PNG_SIZE", _write(png_bytes(SIZE[1], SIZE[0] + 1)), "", "139", FIRST, disk=True,
        says="is 30×21 pixels, the image is 30×20 (width×height)"),
    Row("SUB_PNG_SIZE", _write(png_bytes(*SIZE)), "", "139", FIRST, disk=True, says="20×30"),
    Row("SUB_PNG_BYTES", _write(png_bytes(SIZE[1], SIZE[0], after=chunk(b"tEXt", b"k\0" + b"x" * 99_999))), "", "139",
        FIRST, disk=True, says="metadata"),
    Row("SUB_PNG_EXTRA", lambda c: c.png.with_name("more.png").write_bytes(b""), file="predictions", disk=True,
        severity="warning", says="more.png"),
]  # fmt: skip

T = "/annotations/0/segments_info/0"
TRUTH = [
    Row("IMAGE_ID_DUP", lambda c: c.truth["annotations"][1].update(image_id=139), "/annotations", "139"),
    Row("IMAGE_ID_DUP", lambda c: c.truth["images"].append(c.truth["images"][0]), "/images", "139"),
    Row("ANN_FILE_DUP", lambda c: c.truth["annotations"][1].update(file_name="000000000139.png"), "/annotations",
        "000000000139.png"),
    Row("CATEGORY_DUP", lambda c: c.truth["categories"].append(c.truth["categories"][0]), "/categories", "1"),
    Row("CATEGORY_ISTHING", lambda c: c.truth["categories"][2].update(isthing=2), "/categories/2/isthing", says="119"),
    Row("ANN_IMAGE_UNKNOWN", lambda c: c.truth["annotations"][0].update(image_id=4711), "/annotations/0/image_id",
        "4711"),
    Row("CATEGORY_UNKNOWN", lambda c: c.truth["annotations"][0]["segments_info"][0].update(category_id=3),
        T + "/category_id", "139", says="3"),
    Row("IMAGE_SIZE", lambda c: c.truth["images"][0].update(height=-20), "/annotations/0", "139", says="30×-20"),
    Row("SEG_ID_DUP", lambda c: c.truth["annotations"][0]["segments_info"].append(
        c.truth["annotations"][0]["segments_info"][0]), "/annotations/0", "139"),
    Row("SEG_ID_RANGE", lambda c: c.truth["annotations"][0]["segments_info"][0].update(id=0), T + "/id", "139"),
    Row("ISCROWD", lambda c: c.truth["annotations"][0]["segments_info"][0].update(iscrowd=2), T + "/iscrowd", "139"),
    Row("AREA_MISMATCH", lambda c: c.truth["annotations"][0]["segments_info"][0].update(area=9999),
        "/annotations/0/segments_info", "139", says="cannot be right"),
    Row("AREA_MISMATCH", lambda c: c.truth["annotations"][0]["segments_info"][0].update(area=0),
        "/annotations/0/segments_info", "139"),
    Row("REF_PATH", lambda c: c.truth["annotations"][0].update(file_name="../000000000139.png"),
        "/annotations/0/file_name", "139"),
    Row("REF_PATH", lambda c: c.truth["annotations"][0].update(file_name="a\0.png"), "/annotations/0/file_name", "139"),
    Row("REF_EMPTY", lambda c: c.truth["annotations"].clear()),
    Row("REF_FORMAT", lambda c: c.truth["annotations"][0].pop("segments_info"), says="segments_info"),
    Row("REF_FORMAT", lambda c: c.truth["annotations"][0]["segments_info"][0].update(area=True), says="area"),
    Row("REF_FORMAT", lambda c: c.truth.pop("categories"), says="categories"),
    Row("REF_FORMAT", lambda c: c.references.write_bytes(b"\x1f\x8b\0\0"), disk=True),
    Row("FILE_MISSING", lambda c: c.references.unlink(), disk=True),
    Row("REF_MASKS_MISSING", lambda c: c.references.with_suffix("").rename(c.folder / "x"), disk=True),
]  # fmt: skip


def built(row: Row, folder: Path) -> Case:
    case = build(folder)
    if not row.disk:
        row.change(case)
    case.save()
    if row.disk:
        row.change(case)
    return case


def check(case: Case, **options: object) -> Problems:
    return vismark.check("coco-panoptic", case.submission, references=case.references, jobs=1, **options)


def fits(finding: Problem, row: Row, file: str) -> bool:
    return (
        (finding.code, finding.severity, finding.file) == (row.code, row.severity, file)
        and (finding.where, finding.item) == (row.where, row.item)
        and row.says in finding.message
        and bool(finding.fix)
    )


def name(row: Row) -> str:
    return f"{row.code} {row.says or row.where}".strip()


@pytest.mark.parametrize("row", SUBMISSION, ids=name)
def test_submission(row: Row, tmp_path: Path) -> None:
    problems = check(built(row, tmp_path))
    assert any(fits(one, row, row.file) for one in problems), [str(one) for one in problems]
    assert (problems.errors == 0) == (row.severity == "warning")


@pytest.mark.parametrize("row", TRUTH, ids=name)
def test_truth(row: Row, tmp_path: Path) -> None:
    case = built(row, tmp_path)
    problems = Problems()
    truth = read_truth(case.references, None, None, problems)
    assert any(fits(one, row, case.references.name) for one in problems), [str(one) for one in problems]
    if truth is not None:  # it can still be matched: the findings of the files come on top, nothing is raised
        check(case)


@pytest.mark.parametrize("mode", ["strict", "official"])
@pytest.mark.parametrize("row", SUBMISSION + TRUTH, ids=name)
def test_check_never_raises_and_every_finding_is_whole(row: Row, mode: str, tmp_path: Path) -> None:
    case = built(row, tmp_path)
    try:
        problems = check(case, mode=mode)
    except Refused as refused:  # no readable ground truth
        problems = refused.problems
    except vismark.problems.Missing:
        assert not case.references.exists()
        return
    for one in problems:
        assert one.message and one.fix and one.code.isupper()
        assert one.file or one.code == "REF_OTHER_SPLIT"
        assert str(tmp_path) not in str(one)


def test_a_clean_file_has_no_findings(tmp_path: Path) -> None:
    problems = check(build(tmp_path).save())
    assert {one.code for one in problems} == {"REF_OTHER_SPLIT"} and problems.errors == 0


def test_all_findings_come_at_once(tmp_path: Path) -> None:
    case = build(tmp_path)
    first, second, third = case.prediction["annotations"]
    first["segments_info"][0].update(category_id=4711)
    first["segments_info"][1].update(id="2")
    second["file_name"] = "/etc/passwd"
    del third["segments_info"][0]["category_id"], third["segments_info"][1]["id"]
    case.prediction["annotations"] += [{"image_id": 1}, 7]
    assert {
        ("SUB_CATEGORY_UNKNOWN", "/annotations/0/segments_info/0/category_id"),
        ("FIELD_TYPE", "/annotations/0/segments_info/1/id"),
        ("SUB_PATH", "/annotations/1/file_name"),
        ("MISSING_FIELD", "/annotations/2/segments_info/0"),
        ("MISSING_FIELD", "/annotations/2/segments_info/1"),
        ("SUB_IMAGE_UNKNOWN", "/annotations"),
        ("FIELD_TYPE", "/annotations/4"),
    } == {(one.code, one.where) for one in check(case.save()) if one.severity == "error"}


def test_png_findings_of_all_images_come_at_once(tmp_path: Path) -> None:
    case = build(tmp_path).save()
    folder = case.png.parent
    case.png.unlink()
    (folder / "000000000285.png").write_bytes(png_bytes(9, 9))
    (folder / "000000000632.png").write_bytes(b"GIF89a")
    found = {(one.code, one.item) for one in check(case) if one.severity == "error"}
    assert found == {("SUB_PNG_MISSING", "139"), ("SUB_PNG_SIZE", "285"), ("SUB_PNG_FORMAT", "632")}


def test_findings_are_capped_and_counted(tmp_path: Path) -> None:
    case = build(tmp_path)
    case.first["segments_info"] += [{"id": 0.5, "category_id": 1}] * (CAP_PER_CODE + 7)
    problems = check(case.save())
    assert problems.totals["FIELD_TYPE"] == CAP_PER_CODE + 7
    assert sum(one.code == "FIELD_TYPE" for one in problems) == CAP_PER_CODE


def test_partial_and_its_manifest(tmp_path: Path) -> None:
    case = build(tmp_path)
    case.prediction["annotations"].pop()
    case.save()
    assert "SUB_IMAGE_MISSING" in check(case)
    assert check(case, partial=True).errors == 0


def test_folders_are_searched_for_the_one_submission(tmp_path: Path) -> None:
    case = build(tmp_path / "data")
    case.save()
    inner = tmp_path / "inner"
    inner.mkdir()
    assert "SUB_FILE" in vismark.check("coco-panoptic", inner, references=case.references)
    for path in (case.submission, case.submission.with_suffix("")):
        path.rename(inner / path.name)
    assert vismark.check("coco-panoptic", inner, references=case.references).errors == 0
    (inner / "other.json").write_text("{}")
    assert "SUB_FILE" in vismark.check("coco-panoptic", inner, references=case.references)


def test_links_in_the_ground_truth_are_the_users_own(tmp_path: Path) -> None:
    case = build(tmp_path).save()
    png = case.references.with_suffix("") / "000000000139.png"
    png.symlink_to(png.rename(tmp_path / "blob"))
    assert check(case).errors == 0


def test_tolerated_codes_are_warnings_in_official_mode(tmp_path: Path) -> None:
    found = {row.code for row in SUBMISSION + TRUTH}
    assert PanopticBenchmark.tolerated - {"JSON_DUPLICATE_KEY"} <= found
    for number, row in enumerate(SUBMISSION):
        if row.code in PanopticBenchmark.tolerated:
            problems = check(built(row, tmp_path / str(number)), mode="official")
            assert any(one.code == row.code and one.severity == "warning" for one in problems)
