"""JSON that tries something: refused cleanly and quickly, in both modes, at every field."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vismark
from bounded import MEGABYTES, SECONDS, Report, checked, tree
from panoptic_builder import Case, build

DEEP = 100_000
HUGE = 16 << 20


def text(case: Case) -> str:
    return json.dumps(case.prediction)


def field(value: str) -> Callable[[Case], bytes]:
    """An extra field `note` with this JSON text."""
    return lambda case: text(case).replace('"image_id": 139', f'"note": {value}, "image_id": 139', 1).encode()


def id_of(value: str, name: str = "id") -> Callable[[Case], bytes]:
    """The first segment's id or category is this JSON text."""
    first = {"id": '"id": 1,', "category_id": '"category_id": 187'}[name]
    comma = "," if first.endswith(",") else ""
    return lambda case: text(case).replace(first, f'"{name}": {value}{comma}', 1).encode()


def raw(data: bytes) -> Callable[[Case], bytes]:
    return lambda case: data


def many(entry: bytes, start: bytes = b'{"annotations":[', end: bytes = b"]}", size: int = 1 << 20) -> bytes:
    """A list of as many `entry` as fit into `size` bytes."""
    return start + entry * (size // len(entry)) + entry.rstrip(b",") + end


# name → (code in strict mode, code in official mode or "" where it is accepted, bytes)
CASES: dict[str, tuple[str, str, Callable[[Case], bytes]]] = {
    "depth 100,000": ("JSON_DEPTH", "JSON_DEPTH", raw(b"[" * DEEP)),
    "depth 100,000, closed": ("JSON_DEPTH", "JSON_DEPTH", raw(b"[" * DEEP + b"]" * DEEP)),
    "depth 100,000 of objects": ("JSON_DEPTH", "JSON_DEPTH", raw(b'{"a":' * DEEP)),
    "depth 100,000 in a field": ("JSON_DEPTH", "JSON_DEPTH", field("[" * DEEP + "]" * DEEP)),
    "NaN": ("JSON_PARSE", "", field("NaN")),
    "Infinity": ("JSON_PARSE", "", field("-Infinity")),
    "1e999": ("JSON_PARSE", "", field("1e999")),
    "NaN as id": ("JSON_PARSE", "FIELD_TYPE", id_of("NaN")),
    "Infinity as id": ("JSON_PARSE", "FIELD_TYPE", id_of("Infinity")),
    "duplicate key": ("JSON_DUPLICATE_KEY", "", field('{"a": 1, "a": 2}')),
    "duplicate annotations": ("JSON_DUPLICATE_KEY", "",
        lambda c: text(c).replace("{", '{"annotations": [], ', 1).encode()),
    "300,000 duplicate keys": ("JSON_DUPLICATE_KEY", "SUB_EMPTY",
        raw(b'{"annotations":[],"note":' + many(b'{"a":1,"a":1},', b"[", b"]}", 3 << 20))),
    "byte order mark": ("JSON_ENCODING", "JSON_ENCODING", lambda c: b"\xef\xbb\xbf" + text(c).encode()),
    "UTF-16": ("JSON_ENCODING", "JSON_ENCODING", lambda c: text(c).encode("utf-16")),
    "UTF-16, no mark": ("JSON_ENCODING", "JSON_ENCODING", lambda c: text(c).encode("utf-16-le")),
    "UTF-32, no mark": ("JSON_ENCODING", "JSON_ENCODING", lambda c: text(c).encode("utf-32-be")),
    "Latin-1": ("JSON_PARSE", "JSON_PARSE", lambda c: field('"\xe9"')(c).decode().encode("latin-1")),
    "lone surrogate": ("JSON_PARSE", "", field(r'"\ud800"')),
    "lone surrogate in the file name": ("JSON_PARSE", "SUB_PATH",
        lambda c: text(c).replace("000000000139.png", r"\ud800.png").encode()),
    "lone surrogate as key": ("JSON_PARSE", "",
        lambda c: text(c).replace("{", r'{"\udc00": 1, "\udc00": 1, ', 1).encode()),
    "2^53 as id": ("SUB_SEG_ID_RANGE", "SUB_SEG_ID_RANGE", id_of(str(2**53))),
    "2^63 as id": ("SUB_SEG_ID_RANGE", "SUB_SEG_ID_RANGE", id_of(str(2**63))),
    "2^64 as id": ("SUB_SEG_ID_RANGE", "SUB_SEG_ID_RANGE", id_of(str(2**64))),
    "10^400 as id": ("SUB_SEG_ID_RANGE", "SUB_SEG_ID_RANGE", id_of("1" + "0" * 400)),
    "10^400 as category": ("SUB_CATEGORY_UNKNOWN", "SUB_CATEGORY_UNKNOWN", id_of("1" + "0" * 400, "category_id")),
    "10^5000 as id": ("JSON_PARSE", "JSON_PARSE", id_of("1" + "0" * 5000)),
    "1e300 as id": ("SUB_SEG_ID_RANGE", "SUB_SEG_ID_RANGE", id_of("1e300")),
    "-1 as id": ("SUB_SEG_ID_RANGE", "SUB_SEG_ID_RANGE", id_of("-1")),
    "1.0 as id": ("FIELD_INTEGRAL", "", id_of("1.0")),
    "true as id": ("FIELD_INTEGRAL", "", id_of("true")),
    "2^64 as image id": ("SUB_IMAGE_UNKNOWN", "SUB_IMAGE_MISSING",
        lambda c: text(c).replace("139", str(2**64), 1).encode()),
    "trailing garbage": ("JSON_PARSE", "JSON_PARSE", lambda c: text(c).encode() + b"{}"),
    "cut off": ("JSON_PARSE", "JSON_PARSE", lambda c: text(c).encode()[:-9]),
    "trailing comma": ("JSON_PARSE", "JSON_PARSE", lambda c: text(c).replace("]}]}", "]},]}").encode()),
    "single quotes": ("JSON_PARSE", "JSON_PARSE", lambda c: repr(c.prediction).encode()),
    "gzip": ("JSON_ENCODING", "JSON_ENCODING", lambda c: gzip.compress(text(c).encode())),
    "gzip bomb": ("JSON_ENCODING", "JSON_ENCODING", raw(gzip.compress(bytes(64 << 20)))),
    "pickle": ("JSON_PARSE", "JSON_PARSE", raw(b"\x80\x04\x95cos\nsystem\n")),
    "empty file": ("JSON_PARSE", "JSON_PARSE", raw(b"")),
    "only blanks": ("JSON_PARSE", "JSON_PARSE", raw(b" \n" * 5_000_000)),
    "null bytes": ("JSON_ENCODING", "JSON_ENCODING", raw(bytes(1000))),
    "null byte inside": ("JSON_PARSE", "JSON_PARSE", lambda c: text(c).replace("139", "13\x009", 1).encode()),
    "null byte in the file name": ("SUB_PATH", "SUB_PATH",
        lambda c: text(c).replace("000000000139.png", r"\u0000.png").encode()),
    "null": ("JSON_TOP_LEVEL", "JSON_TOP_LEVEL", raw(b"null")),
    "list": ("JSON_TOP_LEVEL", "JSON_TOP_LEVEL", lambda c: json.dumps(c.prediction["annotations"]).encode()),
    "string": ("JSON_TOP_LEVEL", "JSON_TOP_LEVEL", raw(b'"annotations"')),
    "10 MB file name": ("SUB_PATH", "SUB_PATH", lambda c: text(c).replace("000000000139", "x" * 10_000_000).encode()),
    "10 MB key": ("JSON_TOP_LEVEL", "JSON_TOP_LEVEL", raw(b'{"' + b"x" * 10_000_000 + b'": 1}')),
    "10 MB image id": ("FIELD_TYPE", "SUB_IMAGE_MISSING",
        lambda c: text(c).replace("139", '"' + "9" * 10_000_000 + '"', 1).encode()),
    "10 MB of digits": ("JSON_PARSE", "JSON_PARSE", id_of("1" * 10_000_000)),
    "8,000,000 numbers": ("FILE_TOO_LARGE", "FILE_TOO_LARGE", raw(many(b"1,", size=HUGE - 100))),
    "5,000,000 lists": ("FILE_TOO_LARGE", "FILE_TOO_LARGE", raw(many(b"[],", size=HUGE - 100))),
    "1,000,000 wrong entries": ("SUB_TOO_MANY_FAULTS", "SUB_TOO_MANY_FAULTS", raw(many(b"7,", size=2_000_000))),
    "500,000 empty entries": ("SUB_TOO_MANY_FAULTS", "SUB_TOO_MANY_FAULTS", raw(many(b"{},", size=1_500_000))),
    "500,000 unknown images": ("SUB_IMAGE_UNKNOWN", "SUB_EMPTY", raw(many(b'{"image_id":1},', size=7_000_000))),
    "200,000 wrong segments": ("SUB_TOO_MANY_FAULTS", "SUB_TOO_MANY_FAULTS",
        lambda c: text(c).replace('"segments_info": [', '"segments_info": [' + '{"id":"x"},' * 200_000, 1).encode()),
    "200,000 repeated segments": ("SUB_TOO_MANY_FAULTS", "",
        lambda c: text(c).replace('"segments_info": [', '"segments_info": [' + '{"id":1},' * 200_000, 1).encode()),
}  # fmt: skip
FAR = {"200,000 repeated segments"}  # accepted in official mode, with a finding each: takes longer than a refusal may


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    folder = tmp_path_factory.mktemp("json")
    clean = build(folder / "clean").save()
    calls = {}
    for number, (name, (_, _, make)) in enumerate(CASES.items()):
        case = build(folder / str(number)).save()
        case.submission.write_bytes(make(case))
        for mode in ("strict", "official"):
            calls[f"{name}, {mode}"] = _call(case, mode=mode)
    hole = build(folder / "hole").save()
    with hole.submission.open("wb") as file:
        file.truncate(2 << 30)
    calls["2 GB line, strict"] = _call(hole)
    before = tree(folder)
    found = checked(calls, _call(clean))
    assert tree(folder) == before
    return found


def _call(case: Case, **options: str) -> dict[str, str]:
    return {"submission": str(case.submission), "references": str(case.references), **options}


@pytest.mark.parametrize("mode", ["strict", "official"])
@pytest.mark.parametrize("name", CASES)
def test_case(name: str, mode: str, reports: dict[str, Report]) -> None:
    report = reports[f"{name}, {mode}"]
    code = CASES[name][mode == "official"]
    assert not report.raised, report.raised
    if code:
        assert code in report.codes, report.text
        assert "predictions" in report.text
    else:
        assert report.codes == [], report.text
    assert report.seconds < SECONDS or (name in FAR and not code)
    assert report.megabytes < MEGABYTES


def test_a_line_of_2_gb(reports: dict[str, Report]) -> None:
    report = reports["2 GB line, strict"]
    assert report.codes == ["FILE_TOO_LARGE"] and not report.raised
    assert report.seconds < SECONDS and report.megabytes < MEGABYTES


@pytest.mark.parametrize("depth", [*range(100, 900, 200), *range(900, 1010, 5)])
def test_any_depth_is_read_or_refused(depth: int, tmp_path: Path) -> None:
    """Near Python's recursion limit too, where one parser gets through and the next function does not."""
    case = build(tmp_path).save()
    nested = "[" * depth + "]" * depth
    # Text that looks like a key makes the reader look for repeated keys.
    for value in (nested, f'[{nested}, "\\":"]'):
        for mode in ("strict", "official"):
            case.submission.write_bytes(field(value)(case))
            problems = vismark.check("coco-panoptic", case.submission, references=case.references, mode=mode, jobs=1)
            assert set(problems.totals) <= {"REF_OTHER_SPLIT", "JSON_DEPTH"}
    case.submission.write_bytes(id_of(nested)(case))
    problems = vismark.check("coco-panoptic", case.submission, references=case.references, jobs=1)
    assert {"FIELD_TYPE", "JSON_DEPTH"} & problems.totals.keys()


VALUES: dict[str, Any] = {
    "null": None, "false": False, "zero": 0, "negative": -1, "2^64": 2**64, "fraction": 0.5, "integral": 1e6,
    "empty text": "", "text": "1", "list": [], "nested list": [[1]], "object": {}, "nested object": {"id": {"id": 1}},
}  # fmt: skip
FIELDS: dict[str, Callable[[dict[str, Any], Any], Any]] = {
    "annotations": lambda p, v: p.update(annotations=v),
    "annotation": lambda p, v: p["annotations"].__setitem__(0, v),
    "image_id": lambda p, v: p["annotations"][0].update(image_id=v),
    "file_name": lambda p, v: p["annotations"][0].update(file_name=v),
    "segments_info": lambda p, v: p["annotations"][0].update(segments_info=v),
    "segment": lambda p, v: p["annotations"][0]["segments_info"].__setitem__(0, v),
    "id": lambda p, v: p["annotations"][0]["segments_info"][0].update(id=v),
    "category_id": lambda p, v: p["annotations"][0]["segments_info"][0].update(category_id=v),
}


@pytest.mark.parametrize("mode", ["strict", "official"])
@pytest.mark.parametrize("name", FIELDS)
def test_wrong_values_at_every_field(name: str, mode: str, tmp_path: Path) -> None:
    case = build(tmp_path).save()
    for value in VALUES.values():
        case.prediction = build(tmp_path).prediction
        FIELDS[name](case.prediction, value)
        case.submission.write_text(json.dumps(case.prediction))
        problems = vismark.check("coco-panoptic", case.submission, references=case.references, mode=mode, jobs=1)
        assert problems.errors > 0, value
        assert all(one.message and one.fix for one in problems)


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_any_value_in_fields_that_are_ignored(value: Any, tmp_path: Path) -> None:
    case = build(tmp_path)
    for target in (case.prediction, case.first, case.first["segments_info"][0]):
        target.update(score=value, bbox=value, isthing=value)
    case.save()
    assert vismark.check("coco-panoptic", case.submission, references=case.references, jobs=1).errors == 0
