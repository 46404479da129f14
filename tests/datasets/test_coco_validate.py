"""Every row of the checklist with a file that is wrong there alone; many faults at once; official files are clean."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import annotation_builder as build
from annotation_builder import HEIGHT, WIDTH, Content, broken, findings, write, write_panoptic
from running import REPOSITORY
from vismark.datasets.shapes.write import ensure
from vismark.jobs.validate import validate
from vismark.problems import Missing, Usage

SAMPLES = REPOSITORY.parent / "shared" / "data"
A0 = "/annotations/0"

Change = Callable[[Content], object]


def annotation(field: str, value: object, number: int = 0) -> Change:
    return lambda content: content["annotations"][number].__setitem__(field, value)


def without(field: str, number: int = 0, array: str = "annotations") -> Change:
    return lambda content: content[array][number].pop(field)


def entry(array: str, number: int, field: str, value: object) -> Change:
    return lambda content: content[array][number].__setitem__(field, value)


def runs(*counts: int, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Content:
    return {"size": list(size), "counts": list(counts)}


INSTANCES: list[tuple[Change, str, str, str]] = [
    (lambda c: c.pop("annotations"), "MISSING_FIELD", "error", ""),
    (lambda c: c.update(annotations={}), "JSON_TOP_LEVEL", "error", "/annotations"),
    (lambda c: c.pop("images"), "MISSING_FIELD", "error", ""),
    (lambda c: c.update(categories=3), "JSON_TOP_LEVEL", "error", "/categories"),
    (without("id"), "MISSING_FIELD", "error", A0),
    (without("image_id"), "MISSING_FIELD", "error", A0),
    (without("category_id"), "MISSING_FIELD", "error", A0),
    (without("bbox"), "MISSING_FIELD", "error", A0),
    (without("area"), "MISSING_FIELD", "error", A0),
    (without("segmentation"), "MISSING_FIELD", "error", A0),
    (without("width", 1, "images"), "MISSING_FIELD", "error", "/images/1"),
    (without("file_name", 1, "images"), "MISSING_FIELD", "error", "/images/1"),
    (without("name", 1, "categories"), "MISSING_FIELD", "error", "/categories/1"),
    (lambda c: c["annotations"].__setitem__(0, 7), "FIELD_TYPE", "error", A0),
    (lambda c: c["annotations"].__setitem__(0, None), "FIELD_TYPE", "error", A0),
    (annotation("id", True), "FIELD_TYPE", "error", f"{A0}/id"),
    (annotation("id", "1"), "FIELD_TYPE", "error", f"{A0}/id"),
    (annotation("id", 2**60), "FIELD_TYPE", "error", f"{A0}/id"),
    (annotation("area", "300"), "FIELD_TYPE", "error", f"{A0}/area"),
    (annotation("area", True), "FIELD_TYPE", "error", f"{A0}/area"),
    (annotation("category_id", [1]), "FIELD_TYPE", "error", f"{A0}/category_id"),
    (entry("images", 0, "height", "40"), "FIELD_TYPE", "error", "/images/0/height"),
    (entry("images", 0, "coco_url", 3), "FIELD_TYPE", "warning", "/images/0/coco_url"),
    (entry("categories", 0, "id", "1"), "FIELD_TYPE", "error", "/categories/0/id"),
    (annotation("id", 1.0), "FIELD_INTEGRAL", "warning", f"{A0}/id"),
    (annotation("image_id", 42.0), "FIELD_INTEGRAL", "warning", f"{A0}/image_id"),
    (entry("categories", 0, "id", 1.0), "FIELD_INTEGRAL", "warning", "/categories/0/id"),
    (lambda c: c["images"].append(dict(c["images"][0])), "IMAGE_ID_DUP", "error", "/images/2/id"),
    (annotation("id", 1, 2), "ANN_ID_DUP", "error", "/annotations/2/id"),
    (annotation("id", 0), "ANN_ID_ZERO", "error", f"{A0}/id"),
    (annotation("image_id", 43), "ANN_IMAGE_UNKNOWN", "error", f"{A0}/image_id"),
    (annotation("category_id", 12), "CATEGORY_UNKNOWN", "error", f"{A0}/category_id"),
    (lambda c: c["categories"].append({"id": 1, "name": "x"}), "CATEGORY_DUP", "error", "/categories/3/id"),
    (lambda c: c["categories"].append({"id": 9, "name": "car"}), "CATEGORY_DUP", "error", "/categories/3/name"),
    (entry("categories", 0, "isthing", 2), "CATEGORY_ISTHING", "error", "/categories/0/isthing"),
    (entry("categories", 0, "isthing", 0), "CATEGORY_ISTHING", "error", "/categories/0/isthing"),
    (entry("categories", 2, "name", "Car"), "CATEGORY_NAME", "warning", "/categories/2/name"),
    (entry("images", 1, "width", 0), "IMAGE_SIZE", "error", "/images/1"),
    (annotation("bbox", [1, 2, 3]), "BBOX_FORMAT", "error", f"{A0}/bbox"),
    (annotation("bbox", [1, 2, 3, "4"]), "BBOX_FORMAT", "error", f"{A0}/bbox"),
    (annotation("bbox", [1, 2, 3, None]), "BBOX_FORMAT", "error", f"{A0}/bbox"),
    (annotation("bbox", [1, 2, -3, 4]), "BBOX_FORMAT", "error", f"{A0}/bbox"),
    (annotation("bbox", [50, 2, 12, 4]), "BBOX_OUTSIDE", "warning", f"{A0}/bbox"),
    (annotation("bbox", [1, 2, 0, 4]), "BBOX_EMPTY", "warning", f"{A0}/bbox"),
    (annotation("segmentation", []), "SEGM_FORMAT", "error", f"{A0}/segmentation"),
    (annotation("segmentation", [[1, 2, 3, 4]]), "SEGM_FORMAT", "error", f"{A0}/segmentation"),
    (annotation("segmentation", [[1, 2, 3, 4, 5, 6, 7]]), "SEGM_FORMAT", "error", f"{A0}/segmentation"),
    (annotation("segmentation", [1, 2, 3, 4, 5, 6]), "SEGM_FORMAT", "error", f"{A0}/segmentation"),
    (annotation("segmentation", [[1, 2, 3, 4, 5, "6"]]), "SEGM_FORMAT", "error", f"{A0}/segmentation"),
    (annotation("segmentation", "abc"), "SEGM_FORMAT", "error", f"{A0}/segmentation"),
    (annotation("segmentation", runs(1200, size=(60, 20))), "RLE_SIZE", "error", f"{A0}/segmentation"),
    (annotation("segmentation", {"size": 3, "counts": [2400]}), "RLE_SIZE", "error", f"{A0}/segmentation"),
    (annotation("segmentation", runs(100, 200)), "RLE_COUNTS", "error", f"{A0}/segmentation"),
    (annotation("segmentation", runs(2500, -100)), "RLE_COUNTS", "error", f"{A0}/segmentation"),
    (annotation("segmentation", {"size": [40, 60], "counts": [1.5, 2398.5]}), "RLE_COUNTS", "error", "/annotations/0"),
    (annotation("segmentation", {"size": [40, 60], "counts": "~~~"}), "RLE_COUNTS", "error", f"{A0}/segmentation"),
    (annotation("segmentation", {"size": [40, 60], "counts": "PPPP"}), "RLE_COUNTS", "error", f"{A0}/segmentation"),
    (annotation("segmentation", {"size": [40, 60]}), "RLE_COUNTS", "error", f"{A0}/segmentation"),
    (annotation("area", 400.0), "AREA_MISMATCH", "warning", f"{A0}/area"),
    (annotation("area", 180.0, 2), "AREA_MISMATCH", "warning", "/annotations/2/area"),
    (without("iscrowd"), "ISCROWD", "error", A0),
    (annotation("iscrowd", 2), "ISCROWD", "error", f"{A0}/iscrowd"),
    (annotation("iscrowd", False), "ISCROWD", "error", f"{A0}/iscrowd"),
    (annotation("iscrowd", 1), "ISCROWD_POLYGON", "warning", f"{A0}/segmentation"),
]


def test_a_sound_file_has_no_findings(tmp_path: Path) -> None:
    assert findings(write(tmp_path, build.instances())) == []


@pytest.mark.parametrize(("change", "code", "severity", "where"), INSTANCES)
def test_instances(change: Change, code: str, severity: str, where: str, tmp_path: Path) -> None:
    path = write(tmp_path, broken(build.instances(), change))
    problems = validate(path, kind="instances")
    named = [one for one in problems if one.code == code]
    assert named, [str(one) for one in problems]
    assert named[0].severity == severity
    assert named[0].where.startswith(where)
    build.assert_complete(problems)
    # One fault, one finding: only a broken table makes references to it fail as well.
    followers = {"ANN_IMAGE_UNKNOWN", "CATEGORY_UNKNOWN", "AREA_MISMATCH", "CATEGORY_NAME"}
    assert {one.code for one in problems} - {code} <= followers, [str(one) for one in problems]


TEXTS: list[tuple[bytes, str, str]] = [
    (b"", "JSON_PARSE", ""),
    (b'{"images": [', "JSON_PARSE", ""),
    (b'{"images": [], "annotations": [{"id": NaN}]}', "JSON_PARSE", "byte 38"),
    (b'{"images": [], "annotations": [{"id": Infinity}]}', "JSON_PARSE", "byte 38"),
    (b'{"images": [], "annotations": [{"id": 1e999}], "categories": []}', "JSON_PARSE", "byte"),
    (b'{"images": [], "annotations": [{"note": "\xff"}], "categories": []}', "JSON_PARSE", "byte 41"),
    (b'{"images": [], "annotations": [], "categories": []} x', "JSON_PARSE", "byte 53"),
    (b"\xef\xbb\xbf{}", "JSON_ENCODING", ""),
    (b"\x1f\x8b\x08", "JSON_ENCODING", ""),
    (b"[1, 2]", "JSON_TOP_LEVEL", ""),
    (b'{"images": [], "images": [], "annotations": [], "categories": []}', "JSON_DUPLICATE_KEY", ""),
    (b'{"images": [{"id": 1, "id": 2}], "annotations": [], "categories": []}', "JSON_DUPLICATE_KEY", "/images/0"),
    (b'{"images": [], "annotations": [], "categories": [{"id": 1, "id": 2}]}', "JSON_DUPLICATE_KEY", "/categories"),
    (b'{"images": ' + b"[" * 100_000, "JSON_DEPTH", ""),
    (b'{"some": 1}', "KIND_UNKNOWN", ""),
    (b'{"annotations": [{"segments_info": []}]}', "IS_SUBMISSION", ""),
    (b'[{"image_id": 1, "caption": "a dog"}]', "IS_SUBMISSION", ""),
    (b'[{"image_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]', "IS_SUBMISSION", ""),
]


@pytest.mark.parametrize(("text", "code", "where"), TEXTS)
def test_text(text: bytes, code: str, where: str, tmp_path: Path) -> None:
    problems = validate(write(tmp_path, text))
    assert (code, "error") in [(one.code, one.severity) for one in problems], [str(one) for one in problems]
    assert next(one for one in problems if one.code == code).where.startswith(where)


def test_a_key_given_twice_in_one_annotation_of_many(tmp_path: Path) -> None:
    text = json.dumps(build.instances())
    path = write(tmp_path, text.replace('"id": 3,', '"id": 3, "area": 120.0,'))
    assert findings(path) == [("JSON_DUPLICATE_KEY", "error", "/annotations/2")]


@pytest.mark.parametrize("extra", [{"note": "a: b"}, {"note": {"a": 1}}, {"more": {"id": 1, "deep": [{"id": 2}]}}])
def test_other_fields_are_welcome(extra: Content, tmp_path: Path) -> None:
    content = broken(build.instances(), lambda c: c["annotations"][1].update(extra))
    assert findings(write(tmp_path, content)) == []


def test_a_submission_is_told_the_command(tmp_path: Path) -> None:
    problems = validate(write(tmp_path, b'{"annotations": [{"segments_info": []}]}', "mine.json"))
    assert "vismark check" in problems.items[0].fix


def test_polygon_areas_by_formula_or_by_raster_are_right(tmp_path: Path) -> None:
    """Two overlapping squares: the formula counts the overlap twice, the raster once; both are in use."""
    overlap = [[10, 10, 30, 10, 30, 30, 10, 30], [20, 10, 40, 10, 40, 30, 20, 30]]
    for area, codes in ((800.0, set()), (600.0, set()), (700.0, {"AREA_MISMATCH"})):
        content = broken(build.instances(), lambda c, a=area: c["annotations"][0].update(segmentation=overlap, area=a))
        assert {code for code, _, _ in findings(write(tmp_path, content))} == codes


@pytest.mark.parametrize(
    ("field", "value", "code", "severity"),
    [
        ("caption", "", "CAPTION_EMPTY", "error"),
        ("caption", " \n", "CAPTION_EMPTY", "error"),
        ("caption", "A dog\u2028on a mat", "CAPTION_LINE_BREAK_CHAR", "warning"),
        ("caption", "A dog\non a mat", "CAPTION_LINE_BREAK_CHAR", "warning"),
        ("caption", "A dog\x00", "CAPTION_CONTROL_CHAR", "warning"),
        ("caption", "A dog \u202egod", "CAPTION_CONTROL_CHAR", "warning"),
        ("caption", 7, "FIELD_TYPE", "error"),
        ("id", 2, "ANN_ID_DUP", "error"),
        ("id", 0, "ANN_ID_ZERO", "error"),
        ("image_id", 5, "ANN_IMAGE_UNKNOWN", "error"),
    ],
)
def test_captions(field: str, value: object, code: str, severity: str, tmp_path: Path) -> None:
    assert findings(write(tmp_path, build.captions())) == []
    path = write(tmp_path, broken(build.captions(), annotation(field, value)))
    assert [(one, kind) for one, kind, _ in findings(path)] == [(code, severity)]


def segment(field: str, value: object, number: int = 0) -> Change:
    return lambda c: c["annotations"][0]["segments_info"][number].__setitem__(field, value)


S0 = f"{A0}/segments_info/0"
MORE = {"id": 900, "category_id": 149, "area": 1, "bbox": [0, 0, 1, 1], "iscrowd": 0}

PANOPTIC: list[tuple[Change, str, str, str]] = [
    (segment("id", 7), "SEG_ID_DUP", "error", f"{A0}/segments_info/1/id"),
    (segment("id", 0), "SEG_ID_RANGE", "error", f"{S0}/id"),
    (segment("id", 2**24), "SEG_ID_RANGE", "error", f"{S0}/id"),
    (segment("id", "300"), "FIELD_TYPE", "error", f"{S0}/id"),
    (segment("id", 300.0), "FIELD_INTEGRAL", "warning", f"{S0}/id"),
    (segment("category_id", 2), "CATEGORY_UNKNOWN", "error", f"{S0}/category_id"),
    (segment("area", 199), "AREA_MISMATCH", "error", A0),
    (segment("iscrowd", 3), "ISCROWD", "error", f"{S0}/iscrowd"),
    (segment("bbox", [1, 2, 3]), "BBOX_FORMAT", "error", f"{S0}/bbox"),
    (segment("bbox", [1, 2, 100, 4]), "BBOX_OUTSIDE", "warning", f"{S0}/bbox"),
    (lambda c: c["annotations"][0]["segments_info"][0].pop("iscrowd"), "ISCROWD", "error", S0),
    (lambda c: c["annotations"][0]["segments_info"][0].pop("area"), "MISSING_FIELD", "error", S0),
    (lambda c: c["annotations"][0]["segments_info"].pop(0), "SEG_NOT_IN_JSON", "warning", A0),
    (lambda c: c["annotations"][0]["segments_info"].append(MORE), "SEG_NOT_IN_PNG", "error", A0),
    (segment("category_id", 193), "STUFF_DUP", "warning", f"{A0}/segments_info"),
    (
        lambda c: [segment("category_id", 3)(c), segment("iscrowd", 1)(c)],
        "CROWD_MULTI",
        "warning",
        f"{A0}/segments_info",
    ),
    (annotation("image_id", 5), "ANN_IMAGE_UNKNOWN", "error", f"{A0}/image_id"),
    (annotation("image_id", 73), "IMAGE_ID_DUP", "error", "/annotations/1/image_id"),
    (annotation("file_name", "000000000073.png"), "ANN_FILE_DUP", "error", "/annotations/1/file_name"),
    (annotation("file_name", "../x.png"), "PNG_PATH", "error", f"{A0}/file_name"),
    (annotation("file_name", "nothing.png"), "PNG_MISSING", "error", A0),
    (annotation("segments_info", {}), "FIELD_TYPE", "error", f"{A0}/segments_info"),
    (entry("categories", 0, "isthing", 0), "CATEGORY_ISTHING", "error", "/categories/0/isthing"),
    (without("isthing", 0, "categories"), "MISSING_FIELD", "error", "/categories/0"),
]


@pytest.mark.parametrize(("change", "code", "severity", "where"), PANOPTIC)
def test_panoptic(change: Change, code: str, severity: str, where: str, tmp_path: Path) -> None:
    content, maps = build.panoptic()
    problems = validate(write_panoptic(tmp_path, broken(content, change), maps))
    named = [one for one in problems if one.code == code]
    assert named, [str(one) for one in problems]
    assert (named[0].severity, named[0].where) == (severity, where)
    build.assert_complete(problems)


NAME = "000000000042.png"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "PNG_FORMAT"),
        (b"\xff\xd8\xff\xe0", "PNG_FORMAT"),
        (build.png(np.zeros((HEIGHT, WIDTH), np.uint8)), "PNG_FORMAT"),
        (build.png(np.zeros((HEIGHT, WIDTH), np.uint16)), "PNG_FORMAT"),
        (build.png(np.zeros((HEIGHT, WIDTH, 4), np.uint8)), "PNG_FORMAT"),
        (build.png(np.zeros((WIDTH, HEIGHT, 3), np.uint8)), "PNG_SIZE"),
        (build.png(np.zeros((HEIGHT, WIDTH, 3), np.uint8)), "PNG_ALL_VOID"),
        (build.png(np.ones((HEIGHT, WIDTH, 3), np.uint8))[:-20], "PNG_UNREADABLE"),
    ],
)
def test_png(data: bytes, code: str, tmp_path: Path) -> None:
    content, maps = build.panoptic()
    path = write_panoptic(tmp_path, content, {name: build.id_png(one) for name, one in maps.items()} | {NAME: data})
    found = [one for one in validate(path) if one.severity == "error"]
    assert found[0].code == code
    assert (found[0].file, found[0].item) == (f"file/{NAME}", "42")


def test_panoptic_without_its_folder_says_so(tmp_path: Path) -> None:
    assert findings(write(tmp_path, build.panoptic()[0])) == [("PNG_MISSING", "error", "")]


def test_panoptic_masks_may_lie_elsewhere(tmp_path: Path) -> None:
    path = write_panoptic(tmp_path, *build.panoptic())
    assert findings(path) == []
    path.with_suffix("").rename(tmp_path / "maps")
    assert findings(path, masks=tmp_path / "maps") == []


def test_official_mode_tolerates_what_panopticapi_does(tmp_path: Path) -> None:
    content, maps = build.panoptic()
    path = write_panoptic(tmp_path, broken(content, segment("area", 199)), maps)
    assert findings(path, mode="official") == [("AREA_MISMATCH", "warning", A0)]


def test_shares_of_unlisted_pixels_are_told(tmp_path: Path) -> None:
    content, maps = build.panoptic()
    path = write_panoptic(tmp_path, broken(content, lambda c: c["annotations"][0]["segments_info"].pop(0)), maps)
    (found,) = validate(path)
    assert f"{200 / (HEIGHT * WIDTH):.2%}" in found.message


def test_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "val2017"
    folder.mkdir()
    (tmp_path / "annotations").mkdir()
    path = write(tmp_path / "annotations", build.instances(), "instances_val2017.json")
    count = [("COUNT_UNEXPECTED", "warning", "/images"), ("COUNT_UNEXPECTED", "warning", "/annotations")]
    Image.new("RGB", (WIDTH, HEIGHT)).save(folder / "000000000042.jpg")
    assert findings(path) == [*count, ("IMAGE_MISSING", "warning", "/images")]
    (folder / "000000000073.jpg").write_bytes(b"\xff\xd8 no picture")
    assert findings(path) == [*count, ("IMAGE_UNREADABLE", "error", "/images/1")]
    Image.new("RGB", (HEIGHT, WIDTH)).save(folder / "000000000073.jpg")
    assert findings(path) == [*count, ("IMAGE_SIZE", "error", "/images/1")]
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned; the stored pixels count
    Image.new("RGB", (WIDTH, HEIGHT)).save(folder / "000000000073.jpg", exif=exif)
    assert findings(path) == count


@pytest.mark.parametrize("name", ["instances_val2017", "captions_train2014", "panoptic_val2017"])
def test_counts_of_known_splits(name: str, tmp_path: Path) -> None:
    content, maps = build.panoptic()
    content = {"instances": build.instances(), "captions": build.captions()}.get(name.split("_")[0], content)
    found = findings(write_panoptic(tmp_path, content, maps, f"{name}.json"))
    assert {code for code, _, _ in found} == {"COUNT_UNEXPECTED"}
    assert len(found) == 2


@pytest.mark.parametrize(
    ("change", "code", "severity"),
    [
        (entry("images", 0, "split", "dev"), "KARPATHY_SPLIT", "error"),
        (entry("images", 0, "filepath", "val2017"), "KARPATHY_FOLDER", "error"),
        (entry("images", 0, "filename", "../x.jpg"), "IMAGE_PATH", "error"),
        (entry("images", 0, "cocoid", 43), "IMAGE_ID_DUP", "error"),
        (entry("images", 0, "cocoid", "42"), "FIELD_TYPE", "error"),
        (without("imgid", 0, "images"), "MISSING_FIELD", "error"),
        (entry("images", 0, "sentids", [9, 1, 2, 3, 4]), "KARPATHY_SENTIDS", "error"),
        (entry("images", 0, "sentences", 5), "FIELD_TYPE", "error"),
        (entry("images", 0, "sentences", []), "CAPTION_EMPTY", "error"),
        (lambda c: c["images"][0]["sentences"][0].update(raw=""), "CAPTION_EMPTY", "error"),
        (lambda c: c["images"][0]["sentences"][0].pop("raw"), "MISSING_FIELD", "error"),
        (lambda c: c["images"][0]["sentences"][0].update(sentid=7), "ANN_ID_DUP", "error"),
        (lambda c: c.update(dataset="flickr8k"), "KARPATHY_DATASET", "warning"),
    ],
)
def test_karpathy(change: Change, code: str, severity: str, tmp_path: Path) -> None:
    sound = {(one, kind) for one, kind, _ in findings(write(tmp_path, build.karpathy()))}
    assert sound == {("COUNT_UNEXPECTED", "warning")}
    assert (code, severity) in {
        (one, kind) for one, kind, _ in findings(write(tmp_path, broken(build.karpathy(), change)))
    }


@pytest.mark.parametrize("kind", ["keypoints", "stuff", "images"])
def test_kinds_are_recognised(kind: str, tmp_path: Path) -> None:
    content = build.instances()
    if kind == "keypoints":
        for one in content["annotations"]:
            one.update(keypoints=[1, 2, 2] * 17, num_keypoints=17)
    elif kind == "stuff":
        content["categories"] = [{"id": n, "name": f"s{n}"} for n in (92, 93, 94)]
        for one in content["annotations"]:
            one["category_id"] += 91
    else:
        del content["annotations"]
    assert findings(write(tmp_path, content)) == []
    if kind == "keypoints":
        content["annotations"][2]["keypoints"] = [1, 2]
        assert findings(write(tmp_path, content)) == [("FIELD_TYPE", "error", "/annotations/2/keypoints")]


def test_folders_and_wrong_names(tmp_path: Path) -> None:
    with pytest.raises(Usage):
        validate(tmp_path)
    with pytest.raises(Usage):
        validate("no-such-data-set")
    with pytest.raises(Usage):
        validate(write(tmp_path, build.instances()), kind="instance")
    write(tmp_path, broken(build.captions(), annotation("id", 0)), "captions.json")
    assert findings(tmp_path) == [("ANN_ID_ZERO", "error", f"{A0}/id")]


def test_a_data_set_is_found_below_the_root(tmp_path: Path) -> None:
    with pytest.raises(Missing):
        validate("coco", root=tmp_path)
    (tmp_path / "coco" / "annotations").mkdir(parents=True)
    write_panoptic(tmp_path / "coco" / "annotations", *build.panoptic(), name="panoptic_val2017.json")
    assert validate("coco", root=tmp_path).totals == {"COUNT_UNEXPECTED": 2}


def test_shapes_is_clean() -> None:
    assert len(validate(ensure())) == 0


@pytest.mark.parametrize("name", ["coco_small/instances_val2014_100.json", "panoptic_sample/panoptic_examples.json"])
def test_official_samples_are_clean(name: str) -> None:
    if not (SAMPLES / name).is_file():
        pytest.skip(f"the official sample {name} is not here")
    assert len(validate(SAMPLES / name)) == 0


def test_all_defects_of_a_real_file_at_once(tmp_path: Path) -> None:
    if not (SAMPLES / "coco_small").is_dir():
        pytest.skip("the official sample coco_small is not here")
    content = json.loads((SAMPLES / "coco_small" / "instances_val2014_100.json").read_bytes())
    planted = plant(content)
    problems = validate(write(tmp_path, content))
    assert {(one.code, one.where) for one in problems} == planted


def test_all_defects_at_once(tmp_path: Path) -> None:
    """The same defects in shapes, for a clone without the official files."""
    shutil.copytree(ensure() / "annotations", tmp_path / "annotations")
    path = tmp_path / "annotations" / "instances_val.json"
    content = json.loads(path.read_bytes())
    planted = plant(content)
    path.write_text(json.dumps(content))
    assert {(one.code, one.where) for one in validate(path)} == planted


def test_all_defects_of_a_real_panoptic_file_at_once(tmp_path: Path) -> None:
    if not (SAMPLES / "panoptic_sample").is_dir():
        pytest.skip("the official sample panoptic_sample is not here")
    assert_all_panoptic_defects(SAMPLES / "panoptic_sample" / "panoptic_examples.json", tmp_path)


def test_all_panoptic_defects_at_once(tmp_path: Path) -> None:
    """The same defects in shapes, for a clone without the official files."""
    assert_all_panoptic_defects(ensure() / "annotations" / "panoptic_val.json", tmp_path)


def assert_all_panoptic_defects(source: Path, folder: Path) -> None:
    """Break a panoptic file and its PNGs in nine places; the findings that must come of it, and no others."""
    content = json.loads(source.read_bytes())
    masks = folder / "broken"
    shutil.copytree(source.with_suffix(""), masks, copy_function=shutil.copyfile)
    entries = content["annotations"]
    number = max(range(len(entries)), key=lambda n: len(entries[n]["segments_info"]))
    other = (number + 1) % len(entries)
    segments = entries[number]["segments_info"]
    segments[0]["category_id"] = 999
    segments[1]["area"] += 1
    del segments[2]["iscrowd"]
    segments[3]["bbox"] = [1, 2, 3]
    thing = next(one["id"] for one in content["categories"] if one["isthing"])
    segments.append({"id": 16_000_000, "category_id": thing, "area": 1, "bbox": [0, 0, 1, 1], "iscrowd": 0})
    (masks / entries[other]["file_name"]).write_bytes(b"\xff\xd8 a JPEG")
    content["images"].append(copy.deepcopy(content["images"][0]))
    content["categories"].append(copy.deepcopy(content["categories"][0]))
    where = f"/annotations/{number}/segments_info"
    planted = {
        ("CATEGORY_UNKNOWN", f"{where}/0/category_id"),
        ("AREA_MISMATCH", f"/annotations/{number}"),
        ("ISCROWD", f"{where}/2"),
        ("BBOX_FORMAT", f"{where}/3/bbox"),
        ("SEG_NOT_IN_PNG", f"/annotations/{number}"),
        ("PNG_FORMAT", f"/annotations/{other}"),
        ("IMAGE_ID_DUP", f"/images/{len(content['images']) - 1}/id"),
        ("CATEGORY_DUP", f"/categories/{len(content['categories']) - 1}/id"),
        ("CATEGORY_DUP", f"/categories/{len(content['categories']) - 1}/name"),
    }
    assert {(one.code, one.where) for one in validate(write(folder, content, "broken.json"))} == planted


def plant(content: Any) -> set[tuple[str, str]]:
    """Break an instances file in ten places; the findings that must come of it."""
    entries, pictures = content["annotations"], content["images"]
    alone = [n for n, one in enumerate(entries) if not one["iscrowd"]][:9]
    changes: list[tuple[str, object, str]] = [
        ("id", True, "FIELD_TYPE"),
        ("id", 0, "ANN_ID_ZERO"),
        ("image_id", 999_999_999, "ANN_IMAGE_UNKNOWN"),
        ("category_id", 999, "CATEGORY_UNKNOWN"),
        ("bbox", [1, 2, 3], "BBOX_FORMAT"),
        ("segmentation", [[1, 2]], "SEGM_FORMAT"),
        ("area", 1e6, "AREA_MISMATCH"),
        ("iscrowd", None, "ISCROWD"),
        ("segmentation", {"size": [1, 1], "counts": [1]}, "RLE_SIZE"),
    ]
    planted = set()
    for number, (field, value, code) in zip(alone, changes, strict=True):
        entries[number][field] = value
        planted.add((code, f"/annotations/{number}/{field}"))
    pictures.append(copy.deepcopy(pictures[0]))
    return planted | {("IMAGE_ID_DUP", f"/images/{len(pictures) - 1}/id")}
