"""COCONut's releases: sound stand-ins are clean, and each known defect is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import annotation_builder as build
from annotation_builder import HEIGHT, WIDTH, Content, broken, findings, rows, table, write_panoptic
from running import REPOSITORY
from vismark.datasets.coconut.load import count_rows, objects365_name, read_rows
from vismark.formats.maps import check_map
from vismark.formats.segments import Listed, Manner
from vismark.problems import Refused

DEMO = REPOSITORY.parent / "shared" / "data" / "coco_small" / "coconut_demo"
O365 = "objects365_v2_01234567"


Change = Callable[[list[Content]], object]


def segments(content: list[Content]) -> list[Content]:
    found: list[Content] = content[0]["segments_info"]["segments_info"]
    return found


@pytest.mark.parametrize(
    ("change", "code", "severity"),
    [
        (lambda c: c[0]["mask"].update(bytes=b"\xff\xd8"), "PNG_FORMAT", "error"),
        (lambda c: c[0].update(mask=None), "PNG_FORMAT", "error"),
        (lambda c: c[0]["segments_info"].update(image_id=73), "IMAGE_ID_DUP", "error"),
        (lambda c: c[0]["segments_info"].update(file_name="../a.png"), "PNG_PATH", "error"),
        (lambda c: c[0]["image_info"].update(height=0), "IMAGE_SIZE", "error"),
        (lambda c: c[0]["image_info"].update(height=41), "PNG_SIZE", "error"),
        (lambda c: c[0].update(segments_info=None), "MISSING_FIELD", "error"),
        (lambda c: segments(c)[0].update(area=5), "AREA_MISMATCH", "error"),
        (lambda c: segments(c)[0].update(category_id=0), "CATEGORY_VOID", "error"),
        (lambda c: segments(c)[0].update(category_id=12), "CATEGORY_UNKNOWN", "error"),
        (lambda c: segments(c)[0].update(id=2), "SEG_ID_DUP", "error"),
        (
            lambda c: c[0]["segments_info"].update(image_id=272411, segments_info=segments(c)[:1]),
            "COCONUT_OLD_VERSION",
            "warning",
        ),
    ],
)
def test_tables(change: Change, code: str, severity: str, tmp_path: Path) -> None:
    assert findings(table(tmp_path, rows())) == []
    path = table(tmp_path, broken(rows(), change))
    found = findings(path)
    assert (code, severity) in {(one, kind) for one, kind, _ in found}, found


def test_a_folder_of_tables_is_one_data_set(tmp_path: Path) -> None:
    (tmp_path / "coconut_s" / "data").mkdir(parents=True)
    for number, row in enumerate(rows()):
        table(tmp_path / "coconut_s" / "data", [row], f"train-{number}.parquet")
    assert findings(tmp_path / "coconut_s") == [("COUNT_UNEXPECTED", "warning", "")]
    assert count_rows(tmp_path / "coconut_s") == 2
    assert [row.stem for row in read_rows(tmp_path / "coconut_s")] == ["000000000042", "000000000073"]


def test_what_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    assert findings(tmp_path / "a.parquet") == [("TABLE_FORMAT", "error", "")]
    pq.write_table(pa.table({"image": [1]}), tmp_path / "a.parquet")
    assert findings(tmp_path / "a.parquet") == [("TABLE_COLUMNS", "error", "")]
    with pytest.raises(Refused):
        list(read_rows(tmp_path / "a.parquet"))


def coconut_json() -> tuple[Content, dict[str, Any]]:
    content, maps = build.panoptic()
    for annotation in content["annotations"]:
        for one in annotation["segments_info"]:
            del one["bbox"], one["iscrowd"]
            one["isthing"] = int(one["category_id"] < 90)
    return content, maps


def test_json_may_lack_what_the_releases_lack(tmp_path: Path) -> None:
    assert findings(write_panoptic(tmp_path, *coconut_json())) == []


def test_json_of_objects365(tmp_path: Path) -> None:
    """Names in the image record, images by name, no sizes, no categories."""
    content, maps = coconut_json()
    content["annotations"] = content["annotations"][:1]
    content["annotations"][0] |= {"image_id": O365, "file_name": "patch1/x.jpg"}
    content["images"] = [{"id": O365, "object365_name": f"{O365}.jpg"}]
    del content["categories"]
    path = write_panoptic(tmp_path, content, {f"{O365}.png": maps["000000000042.png"]}, "panseg_object365.json")
    assert findings(path) == []
    content["annotations"][0]["image_id"] = f"{O365}1"
    path.write_text(json.dumps(content))
    assert ("ANN_IMAGE_UNKNOWN", "error", "/annotations/0/image_id") in findings(path)


def test_l_that_is_a_copy_of_s(tmp_path: Path) -> None:
    path = write_panoptic(tmp_path, *coconut_json(), "panseg_object365_train_v2.json")
    assert ("COCONUT_COPY", "error", "") in findings(path)


def xl(folder: Path, pixels: np.ndarray[Any, Any], entries: list[Content]) -> Path:
    release = folder / "coconuts_xlarge"
    for name in ("panseg", "panseg_info"):
        (release / name).mkdir(parents=True)
    (release / "panseg" / f"{O365}.png").write_bytes(build.png(pixels))
    (release / "panseg_info" / f"{O365}.json").write_text(json.dumps(entries))
    return folder


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_xl_is_read_with_its_grey_masks(kind: type, tmp_path: Path) -> None:
    pixels = np.zeros((HEIGHT, WIDTH), kind)
    pixels[:10], pixels[10:20] = 1, 2
    entries = [{"id": 1, "category_id": 193, "area": 600}, {"id": 2, "category_id": 0, "area": 600}]
    found = findings(xl(tmp_path, pixels, entries))
    assert found == [("CATEGORY_VOID", "error", "/segments_info/1/category_id"), ("PNG_GREY", "warning", "")]
    assert {kind for _, kind, _ in findings(tmp_path, mode="official")} == {"warning"}


def test_xl_with_empty_masks(tmp_path: Path) -> None:
    entries = [{"id": 1, "category_id": 193, "area": 600}]
    found = findings(xl(tmp_path, np.zeros((HEIGHT, WIDTH), np.uint8), entries))
    assert ("PNG_ALL_VOID", "error", f"panseg_info/{O365}.json") in found


def test_xl_with_a_broken_list(tmp_path: Path) -> None:
    path = xl(tmp_path, np.zeros((HEIGHT, WIDTH), np.uint8), [])
    (tmp_path / "coconuts_xlarge" / "panseg_info" / f"{O365}.json").write_text('{"a": NaN}')
    assert [(code, kind) for code, kind, _ in findings(path)] == [("JSON_PARSE", "error")]


@pytest.mark.parametrize(
    ("annotation", "image", "name"),
    [
        ({"object365_file_name": f"a/{O365}.jpg", "file_name": "b.png"}, None, O365),
        ({"file_name": f"{O365}.png"}, None, O365),
        ({"file_name": "x.png"}, {"object365_file_name": f"{O365}.jpg"}, O365),
        ({"file_name": "x.png"}, {"object365_name": f"{O365}.jpg"}, O365),
        ({"file_name": 3}, {}, None),
        ({"file_name": "000000000042.png"}, {"file_name": "000000000042.jpg"}, None),
    ],
)
def test_names_of_objects365(annotation: Content, image: Content | None, name: str | None) -> None:
    assert objects365_name(annotation, image) == name


def test_the_real_mask() -> None:
    if not DEMO.is_dir():
        pytest.skip("the sample of a real COCONut mask is not here")
    entries = json.loads((DEMO / "demo_segments_info.json").read_bytes())
    listed = Listed("", "demo", "demo_mask.png", None, {one["id"]: one["area"] for one in entries})
    assert len(check_map(listed, (DEMO / "demo_mask.png").read_bytes, "demo_mask.png", Manner(coconut=True))) == 0
