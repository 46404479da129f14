"""One bad file a row: what panopticapi does with it, what `--mode official` does, what strict mode does.

The rows are those of the behaviour of panopticapi that was measured for this project, and the corners beside them.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vismark
from panoptic_builder import NUMBERS, SIZE, Case, build, chunk, official, png_bytes, rgb
from vismark.problems import Refused

Change = Callable[[Case], None]


@dataclass(frozen=True)
class Row:
    """A defect.

    Attributes:
        memory: changes the case before it is saved.
        disk: changes the files afterwards.
        raises: what panopticapi raises, None when it scores.
        refusal: the code of the finding in official mode when it refuses.
        strict: the code of an error in strict mode, "" when strict mode accepts.
    """

    name: str
    raises: type[Exception] | None
    refusal: str
    strict: str
    memory: Change = lambda case: None
    disk: Change = lambda case: None


def _segment(case: Case, **fields: object) -> None:
    case.first["segments_info"][0].update(fields)


def _rename_ids(case: Case, change: Callable[[int], object]) -> None:
    for segment in case.first["segments_info"]:
        segment["id"] = change(segment["id"])


def _repaint(case: Case, convert: Callable[[Image.Image], Image.Image], kind: str = "PNG") -> None:
    convert(Image.fromarray(rgb(case.maps[139]))).save(case.png, format=kind)


def _rewrite(case: Case, change: Callable[[str], str]) -> None:
    case.submission.write_text(change(case.submission.read_text()))


def _shrink(case: Case, rows: slice, columns: slice) -> None:
    """The first map becomes one row or column, its JSON lists what is left."""
    ids = case.maps[139] = case.maps[139][rows, columns]
    left = set(np.unique(ids).tolist())
    case.first["segments_info"] = [one for one in case.first["segments_info"] if one["id"] in left]


def _duplicate_image(case: Case) -> None:
    """An earlier prediction of the first image, worse than the last and full of faults of its own."""
    worse = {"image_id": 139, "file_name": "nowhere.png", "segments_info": [{"id": "x", "category_id": 4711}, 7]}
    case.prediction["annotations"].insert(0, worse)


def _duplicate_segment(case: Case) -> None:
    first = case.first["segments_info"][0]
    case.first["segments_info"].append({"id": first["id"], "category_id": 119})


def _duplicate_segment_faulty(case: Case) -> None:
    first = case.first["segments_info"][0]
    case.first["segments_info"].insert(0, {"id": first["id"], "category_id": "sky"})


def _extra_image(case: Case, image_id: object) -> None:
    case.prediction["annotations"].append({"image_id": image_id})


def _void(case: Case) -> None:
    for annotation in case.prediction["annotations"]:
        case.maps[annotation["image_id"]][:] = 0
        annotation["segments_info"] = []


def _jpeg(case: Case) -> None:
    _repaint(case, lambda image: image, "JPEG")


def _sixteen_bits(case: Case) -> None:
    wide = (rgb(case.maps[139]).astype(np.uint16) * 257).astype(">u2")
    lines = b"".join(b"\0" + line.tobytes() for line in wide)
    case.png.write_bytes(png_bytes(SIZE[1], SIZE[0], depth=16, idat=zlib.compress(lines)))


def _interlaced(case: Case) -> None:
    """Adam7 by hand: seven passes, each with its own lines."""
    pixels = rgb(case.maps[139])
    lines = b""
    for top, left, down, right in (
        (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1),
    ):  # fmt: skip
        lines += b"".join(b"\0" + line.tobytes() for line in pixels[top::down, left::right])
    case.png.write_bytes(png_bytes(SIZE[1], SIZE[0], interlace=1, idat=zlib.compress(lines)))


def _bad_checksum(case: Case) -> None:
    """A wrong checksum of the pixel data: Pillow does not look at it."""
    lines = zlib.compress(b"".join(b"\0" + line.tobytes() for line in rgb(case.maps[139])))
    good = png_bytes(SIZE[1], SIZE[0], idat=lines)
    case.png.write_bytes(good.replace(chunk(b"IDAT", lines), chunk(b"IDAT", lines, crc=1)))


def _one_pixel_wide(case: Case) -> None:
    _shrink(case, slice(None), slice(10, 11))


ROWS = [
    Row("image missing", Exception, "SUB_IMAGE_MISSING", "SUB_IMAGE_MISSING",
        lambda c: c.prediction["annotations"].pop()),
    Row("empty annotations", Exception, "SUB_EMPTY", "SUB_EMPTY", lambda c: c.prediction["annotations"].clear()),
    Row("no annotations", KeyError, "JSON_TOP_LEVEL", "JSON_TOP_LEVEL", lambda c: c.prediction.clear()),
    Row("list instead of object", TypeError, "JSON_TOP_LEVEL", "JSON_TOP_LEVEL",
        disk=lambda c: _rewrite(c, lambda text: json.dumps(json.loads(text)["annotations"]))),
    Row("extra image", None, "", "SUB_IMAGE_UNKNOWN", lambda c: _extra_image(c, 4711)),
    Row("extra image, id is text", None, "", "FIELD_TYPE", lambda c: _extra_image(c, "139")),
    Row("extra image, id is a fraction", None, "", "FIELD_TYPE", lambda c: _extra_image(c, 139.5)),
    Row("image id is text", Exception, "SUB_IMAGE_MISSING", "FIELD_TYPE", lambda c: c.first.update(image_id="139")),
    Row("image id missing", KeyError, "MISSING_FIELD", "MISSING_FIELD", lambda c: c.first.pop("image_id")),
    Row("image id is a list", TypeError, "FIELD_TYPE", "FIELD_TYPE", lambda c: _extra_image(c, [139])),
    Row("image id is integral", None, "", "FIELD_INTEGRAL", lambda c: c.first.update(image_id=139.0)),
    Row("duplicate image, the last is good", None, "", "SUB_IMAGE_DUP", _duplicate_image),
    Row("duplicate image, the last has no segments", KeyError, "SUB_SEG_NOT_IN_JSON", "SUB_IMAGE_DUP",
        lambda c: c.prediction["annotations"].append({**c.first, "segments_info": []})),
    Row("PNG id not in JSON", KeyError, "SUB_SEG_NOT_IN_JSON", "SUB_SEG_NOT_IN_JSON",
        lambda c: c.first["segments_info"].pop()),
    Row("JSON id not in PNG", KeyError, "SUB_SEG_NOT_IN_PNG", "SUB_SEG_NOT_IN_PNG",
        lambda c: c.first["segments_info"].append({"id": 77, "category_id": 1})),
    Row("segment id beyond 2^24", KeyError, "SUB_SEG_ID_RANGE", "SUB_SEG_ID_RANGE",
        lambda c: c.first["segments_info"].append({"id": 2**24, "category_id": 1})),
    Row("segment id negative", KeyError, "SUB_SEG_ID_RANGE", "SUB_SEG_ID_RANGE",
        lambda c: c.first["segments_info"].append({"id": -1, "category_id": 1})),
    Row("unknown category", KeyError, "SUB_CATEGORY_UNKNOWN", "SUB_CATEGORY_UNKNOWN",
        lambda c: _segment(c, category_id=4711)),
    Row("category is text", KeyError, "FIELD_TYPE", "FIELD_TYPE", lambda c: _segment(c, category_id="187")),
    Row("category missing", KeyError, "MISSING_FIELD", "MISSING_FIELD",
        lambda c: c.first["segments_info"][0].pop("category_id")),
    Row("category is integral", None, "", "FIELD_INTEGRAL", lambda c: _segment(c, category_id=187.0)),
    Row("segment id is text", KeyError, "FIELD_TYPE", "FIELD_TYPE", lambda c: _rename_ids(c, str)),
    Row("segment id is a fraction", KeyError, "FIELD_TYPE", "FIELD_TYPE",
        lambda c: _rename_ids(c, lambda id: id + 0.5)),
    Row("segment id is integral", None, "", "FIELD_INTEGRAL", lambda c: _rename_ids(c, float)),
    Row("segment id is a boolean", None, "", "FIELD_INTEGRAL",
        lambda c: _rename_ids(c, lambda id: True if id == 1 else id)),
    Row("segment id is NaN", KeyError, "FIELD_TYPE", "JSON_PARSE", lambda c: _rename_ids(c, lambda id: float("nan"))),
    Row("duplicated segment id, the last counts", None, "", "SUB_SEG_ID_DUP", _duplicate_segment),
    Row("duplicated segment id, the first is faulty", None, "", "SUB_SEG_ID_DUP", _duplicate_segment_faulty),
    Row("JSON segment with id 0, void pixels", None, "", "SUB_SEG_ID_ZERO",
        lambda c: c.first["segments_info"].append({"id": 0, "category_id": 1})),
    Row("JSON segment with id 0, no void pixels", KeyError, "SUB_SEG_NOT_IN_PNG", "SUB_SEG_ID_ZERO",
        lambda c: (np.putmask(c.maps[139], c.maps[139] == 0, 1),
                   c.first["segments_info"].append({"id": 0, "category_id": 1}))),
    Row("isthing differs from the category", None, "", "", lambda c: _segment(c, isthing=1)),
    Row("segments_info missing", KeyError, "MISSING_FIELD", "MISSING_FIELD", lambda c: c.first.pop("segments_info")),
    Row("file name missing", KeyError, "MISSING_FIELD", "MISSING_FIELD", lambda c: c.first.pop("file_name")),
    Row("two images share a PNG", KeyError, "SUB_SEG_NOT_IN_JSON", "SUB_SEG_NOT_IN_JSON",
        lambda c: c.first.update(file_name="000000000285.png")),
    Row("PNG without its ending", None, "", "", lambda c: c.first.update(file_name="first image"),
        lambda c: c.png.rename(c.png.with_name("first image"))),
    Row("size mismatch", ValueError, "SUB_PNG_SIZE", "SUB_PNG_SIZE", lambda c: _shrink(c, slice(0, 12), slice(None))),
    Row("size transposed", ValueError, "SUB_PNG_SIZE", "SUB_PNG_SIZE",
        lambda c: c.maps.update({139: c.maps[139].T})),
    Row("one pixel high", None, "", "SUB_PNG_SIZE", lambda c: _shrink(c, slice(6, 7), slice(None))),
    Row("one pixel wide", None, "", "SUB_PNG_SIZE", _one_pixel_wide),
    Row("one pixel", None, "", "SUB_PNG_SIZE", lambda c: _shrink(c, slice(6, 7), slice(10, 11))),
    Row("one pixel wide, id not in JSON", KeyError, "SUB_SEG_NOT_IN_JSON", "SUB_PNG_SIZE",
        lambda c: (_one_pixel_wide(c), c.first["segments_info"].pop())),
    Row("RGBA", None, "", "SUB_PNG_ALPHA", disk=lambda c: _repaint(c, lambda i: i.convert("RGBA"))),
    Row("RGBA, transparent", None, "", "SUB_PNG_ALPHA",
        disk=lambda c: _repaint(c, lambda i: (i.putalpha(0), i)[1])),
    Row("palette", TypeError, "SUB_PNG_FORMAT", "SUB_PNG_FORMAT",
        disk=lambda c: _repaint(c, lambda i: i.convert("P"))),
    Row("grey", TypeError, "SUB_PNG_FORMAT", "SUB_PNG_FORMAT", disk=lambda c: _repaint(c, lambda i: i.convert("L"))),
    Row("grey with alpha", IndexError, "SUB_PNG_FORMAT", "SUB_PNG_FORMAT",
        disk=lambda c: _repaint(c, lambda i: i.convert("LA"))),
    Row("16 bits", None, "", "SUB_PNG_FORMAT", disk=_sixteen_bits),
    Row("interlaced", None, "", "SUB_PNG_INTERLACED", disk=_interlaced),
    Row("wrong checksum", None, "", "SUB_PNG_UNREADABLE", disk=_bad_checksum),
    Row("PNG missing", FileNotFoundError, "SUB_PNG_MISSING", "SUB_PNG_MISSING", disk=lambda c: c.png.unlink()),
    Row("JPEG bytes", KeyError, "SUB_PNG_FORMAT", "SUB_PNG_FORMAT", disk=_jpeg),
    Row("truncated", OSError, "SUB_PNG_UNREADABLE", "SUB_PNG_UNREADABLE",
        disk=lambda c: c.png.write_bytes(c.png.read_bytes()[:-60])),
    Row("folder missing", Exception, "SUB_PNG_FOLDER", "SUB_PNG_FOLDER",
        disk=lambda c: c.submission.with_suffix("").rename(c.folder / "elsewhere")),
    Row("all void", None, "", "", _void),
    Row("NaN in a field that is ignored", None, "", "JSON_PARSE", lambda c: _segment(c, score=float("nan"))),
    Row("duplicate key, the last counts", None, "", "JSON_DUPLICATE_KEY",
        disk=lambda c: _rewrite(c, lambda text: text.replace('"id": 1,', '"id": 5, "id": 1,', 1))),
    Row("byte order mark", ValueError, "JSON_ENCODING", "JSON_ENCODING",
        disk=lambda c: c.submission.write_bytes(b"\xef\xbb\xbf" + c.submission.read_bytes())),
    Row("UTF-16", ValueError, "JSON_ENCODING", "JSON_ENCODING",
        disk=lambda c: c.submission.write_bytes(c.submission.read_text().encode("utf-16"))),
    Row("trailing garbage", ValueError, "JSON_PARSE", "JSON_PARSE",
        disk=lambda c: _rewrite(c, lambda text: text + "}")),
    Row("extra keys everywhere", None, "", "",
        lambda c: (c.prediction.update(info=None), c.first.update(note="é"), _segment(c, score=0.5, area=-3))),
    Row("no defect", None, "", ""),
]  # fmt: skip


def score(case: Case, mode: str) -> tuple[dict[str, float], set[str]] | set[str]:
    """Numbers and the codes of the warnings, or the codes of the errors of a refusal."""
    try:
        result = vismark.score("coco-panoptic", case.submission, references=case.references, mode=mode, jobs=1)
    except Refused as refused:
        return {one.code for one in refused.problems if one.severity == "error"}
    return {name: result.metrics[name] for name in NUMBERS}, {one.code for one in result.warnings}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's division by zero in panopticapi
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row(row: Row, tmp_path: Path) -> None:
    case = build(tmp_path)
    row.memory(case)
    case.save()
    row.disk(case)

    ours = score(case, "official")
    if row.raises is None:
        expected = official(case)
        assert isinstance(ours, tuple), ours
        assert ours[0] == pytest.approx(expected, rel=0, abs=1e-12)
    else:
        with pytest.raises(row.raises):
            official(case)
        assert isinstance(ours, set) and row.refusal in ours

    strict = score(case, "strict")
    if row.strict:
        assert isinstance(strict, set) and row.strict in strict
    else:
        assert strict == ours


def test_a_tolerated_defect_changes_the_official_number_and_is_named(tmp_path: Path) -> None:
    """The rows above are no empty exercise: a repeated id moves PQ, and official mode says so."""
    clean = score(build(tmp_path / "clean").save(), "official")
    case = build(tmp_path / "repeated")
    _duplicate_segment(case)
    repeated = score(case.save(), "official")
    assert isinstance(clean, tuple) and isinstance(repeated, tuple)
    assert clean[0]["PQ"] != repeated[0]["PQ"]
    assert "SUB_SEG_ID_DUP" in repeated[1]


DEVIATIONS: dict[str, tuple[str, Change]] = {
    # Formats other than PNG: each decoder behind a sniffed format is another door.
    "BMP with the name of a PNG": ("SUB_PNG_FORMAT", lambda c: _repaint(c, lambda i: i, "BMP")),
    "TIFF with the name of a PNG": ("SUB_PNG_FORMAT", lambda c: _repaint(c, lambda i: i, "TIFF")),
    "animated": ("SUB_PNG_FORMAT", lambda c: c.png.write_bytes(_animated(c))),
    # A file that was cut off; here only behind the pixels.
    "end chunk missing": ("SUB_PNG_UNREADABLE", lambda c: c.png.write_bytes(c.png.read_bytes()[:-12])),
    "bulky metadata": ("SUB_PNG_BYTES", lambda c: c.png.write_bytes(_with_text(c, 70_000))),
    # Paths: panopticapi opens whatever a name leads to.
    "path out of the folder": ("SUB_PATH", lambda c: _move(c, "../elsewhere.png")),
    "path into a folder": ("SUB_PATH", lambda c: _move(c, "deeper/first.png")),
    "hidden name": ("SUB_PATH", lambda c: _move(c, ".first.png")),
    "link": ("SUB_PATH", lambda c: _link(c)),
    "folder is a link": ("SUB_PNG_FOLDER", lambda c: _link_folder(c)),
}


def _animated(case: Case) -> bytes:
    buffer = io.BytesIO()
    first = Image.fromarray(rgb(case.maps[139]))
    first.save(buffer, format="PNG", save_all=True, append_images=[Image.new("RGB", first.size)])
    return buffer.getvalue()


def _with_text(case: Case, size: int) -> bytes:
    data = case.png.read_bytes()
    return data[:33] + chunk(b"tEXt", b"Comment\0" + b"x" * size) + data[33:]


def _move(case: Case, name: str) -> None:
    target = case.png.parent / name
    target.parent.mkdir(exist_ok=True)
    case.png.rename(target)
    _rewrite(case, lambda text: text.replace("000000000139.png", name))


def _link(case: Case) -> None:
    case.png.symlink_to(case.png.rename(case.folder / "elsewhere.png"))


def _link_folder(case: Case) -> None:
    folder = case.submission.with_suffix("")
    folder.symlink_to(folder.rename(case.folder / "elsewhere"))


@pytest.mark.parametrize("name", DEVIATIONS)
def test_what_panopticapi_accepts_and_official_mode_refuses_for_safety(name: str, tmp_path: Path) -> None:
    code, change = DEVIATIONS[name]
    case = build(tmp_path).save()
    change(case)
    official(case)
    refused = score(case, "official")
    assert isinstance(refused, set) and code in refused


def test_group_without_categories_is_undefined_not_an_error(tmp_path: Path) -> None:
    """panopticapi divides by zero when no stuff occurs at all; here the number is null, with a warning."""
    case = build(tmp_path)
    for content, maps in ((case.truth, case.true_maps), (case.prediction, case.maps)):
        for annotation in content["annotations"]:
            stuff = [s["id"] for s in annotation["segments_info"] if s["category_id"] > 100]
            annotation["segments_info"] = [s for s in annotation["segments_info"] if s["id"] not in stuff]
            ids = maps[annotation["image_id"]]
            ids[np.isin(ids, stuff)] = 0
    case.save()
    with pytest.raises(ZeroDivisionError):
        official(case)
    numbers, warnings = score(case, "official")
    assert numbers["PQ_st"] is None and numbers["PQ_th"] > 0
    assert "METRIC_UNDEFINED" in warnings


def _recategorise(case: Case, old: int, new: int) -> None:
    for category in case.truth["categories"]:
        category["id"] = new if category["id"] == old else category["id"]
    for annotation in case.truth["annotations"] + case.prediction["annotations"]:
        for segment in annotation["segments_info"]:
            segment["category_id"] = new if segment["category_id"] == old else segment["category_id"]


TRUTHS: dict[str, Change] = {
    "several crowds of a category": lambda c: c.truth["annotations"][1]["segments_info"].insert(
        0, {"id": 5, "category_id": 1, "area": 9, "iscrowd": 1}
    ),
    "segment without pixels": lambda c: c.truth["annotations"][0]["segments_info"].append(
        {"id": 5, "category_id": 1, "area": 9, "iscrowd": 0}
    ),
    "PNG id not in JSON": lambda c: c.truth["annotations"][0]["segments_info"].pop(),
    "stated area too large": lambda c: c.truth["annotations"][0]["segments_info"][0].update(area=200),
    "stated area too small": lambda c: c.truth["annotations"][0]["segments_info"][0].update(area=50),
    "negative area": lambda c: c.truth["annotations"][0]["segments_info"][0].update(area=-1),
    "negative image id": lambda c: [c.truth["annotations"][0].update(image_id=-5), c.first.update(image_id=-5),
                                    c.truth["images"][0].update(id=-5)],
    "negative category": lambda c: _recategorise(c, 18, -1),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", TRUTHS)
def test_odd_ground_truths_score_as_in_panopticapi(name: str, tmp_path: Path) -> None:
    case = build(tmp_path)
    TRUTHS[name](case)
    case.save()
    ours = score(case, "official")
    assert isinstance(ours, tuple), ours
    assert ours[0] == pytest.approx(official(case), rel=0, abs=1e-12)
