"""Caption files that try something: refused cleanly and quickly, or without a trace in the numbers of other images."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bounded import MEGABYTES, SECONDS, Report, checked, tree
from bounded import vismark as command
from vismark.instruments.caption_data import meteor_tables
from vismark.jobs.prepare import Options
from vismark.jobs.score import compute
from vismark.problems import Missing

BENCHMARK = "coco-captions-2017"
TEXTS = {139: "a man rides a brown horse", 285: "a bear sits in the grass", 632: "a bed beside a shelf of books"}
TRUTH = {
    "images": [{"id": id, "width": 30, "height": 20, "file_name": f"{id:012}.jpg"} for id in TEXTS],
    "annotations": [
        {"id": 10 * id + n, "image_id": id, "caption": text}
        for id, first in TEXTS.items()
        for n, text in enumerate((first + ".", "Some things in a picture."))
    ],
}
SOUND = [{"image_id": id, "caption": text} for id, text in TEXTS.items()]


def first(**fields: Any) -> Callable[[], bytes]:
    """The first entry with these fields."""
    return lambda: json.dumps([SOUND[0] | fields, *SOUND[1:]]).encode()


def text(old: str, new: str) -> Callable[[], bytes]:
    """The file with some text replaced."""
    return lambda: json.dumps(SOUND).replace(old, new, 1).encode()


def raw(data: bytes) -> Callable[[], bytes]:
    return lambda: data


# name → (code in strict mode, code in official mode or "" where pycocoevalcap takes it, what is in the file)
CASES: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "10 MB caption": ("SUB_CAPTION_LENGTH", "SUB_CAPTION_LENGTH", first(caption="a horse " * 1_250_000)),
    "100,000 captions": ("SUB_IMAGE_DUP", "SUB_IMAGE_DUP", lambda: json.dumps(SOUND * 33_000).encode()),
    "two captions of an image": ("SUB_IMAGE_DUP", "SUB_IMAGE_DUP", lambda: json.dumps([*SOUND, SOUND[0]]).encode()),
    "half a character": ("JSON_PARSE", "SUB_CAPTION_UNICODE", first(caption="a \ud800 b")),
    "a list": ("SUB_CAPTION_TYPE", "SUB_CAPTION_TYPE", first(caption=["a", "b"])),
    "a number": ("SUB_CAPTION_TYPE", "SUB_CAPTION_TYPE", first(caption=7)),
    "null": ("SUB_CAPTION_TYPE", "SUB_CAPTION_TYPE", first(caption=None)),
    "markup": ("SUB_CAPTION_MARKUP", "", first(caption="<0: the sky> and <p>more</p> [SEG]")),
    "an image id as text": ("FIELD_TYPE", "FIELD_TYPE", first(image_id="../139")),
    "an image id 2^64": ("SUB_IMAGE_UNKNOWN", "SUB_IMAGE_UNKNOWN", first(image_id=2**64)),
    "an image id 139.0": ("FIELD_INTEGRAL", "", first(image_id=139.0)),
    "duplicate key": ("JSON_DUPLICATE_KEY", "", text('"caption"', '"caption": "b", "caption"')),
    "NaN": ("JSON_PARSE", "", text('"caption"', '"x": NaN, "caption"')),
    "depth 100,000": ("JSON_DEPTH", "JSON_DEPTH", raw(b"[" * 100_000)),
    "depth 100,000 in a field": ("JSON_DEPTH", "JSON_DEPTH",
        text('"caption"', '"x": ' + "[" * 100_000 + "]" * 100_000 + ', "caption"')),
    "UTF-16": ("JSON_ENCODING", "JSON_ENCODING", lambda: json.dumps(SOUND).encode("utf-16")),
    "byte order mark": ("JSON_ENCODING", "JSON_ENCODING", lambda: json.dumps(SOUND).encode("utf-8-sig")),
    "gzip": ("JSON_ENCODING", "JSON_ENCODING", lambda: gzip.compress(json.dumps(SOUND).encode())),
    "no UTF-8": ("JSON_PARSE", "JSON_PARSE", lambda: json.dumps(SOUND).encode().replace(b"horse", b"h\xffrse")),
    "trailing garbage": ("JSON_PARSE", "JSON_PARSE", lambda: json.dumps(SOUND).encode() + b"x"),
    "8,000,000 numbers": ("FILE_TOO_LARGE", "FILE_TOO_LARGE", raw(b"[" + b"1," * 8_000_000 + b"1]")),
    "an object": ("JSON_TOP_LEVEL", "JSON_TOP_LEVEL", raw(b'{"annotations": []}')),
}  # fmt: skip


def saved(folder: Path, data: bytes) -> tuple[Path, Path]:
    """The references and the submission."""
    folder.mkdir(exist_ok=True)
    (folder / "captions_val2017.json").write_text(json.dumps(TRUTH))
    (folder / "results.json").write_bytes(data)
    return folder / "captions_val2017.json", folder / "results.json"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    folder = tmp_path_factory.mktemp("captions")
    with contextlib.suppress(Missing):
        meteor_tables()  # packed once a cache, into a larger file than the child may write

    def call(name: str, data: bytes, **options: str) -> dict[str, str]:
        references, file = saved(folder / name, data)
        return {"benchmark": BENCHMARK, "submission": str(file), "references": str(references), **options}

    calls = {
        f"{name}, {mode}": call(str(number), make(), mode=mode)
        for number, (name, (_, _, make)) in enumerate(CASES.items())
        for mode in ("strict", "official")
    }
    clean = call("clean", json.dumps(SOUND).encode())
    before = tree(folder)
    found = checked(calls, clean)
    assert tree(folder) == before
    return found


@pytest.mark.parametrize("mode", ["strict", "official"])
@pytest.mark.parametrize("name", CASES)
def test_case(name: str, mode: str, reports: dict[str, Report]) -> None:
    report, code = reports[f"{name}, {mode}"], CASES[name][mode == "official"]
    assert not report.raised, report.raised
    assert code in report.codes if code else report.codes == [], report.text
    assert report.seconds < SECONDS
    assert report.megabytes < MEGABYTES


LINES = {
    "line break": "a man\nrides a brown horse",
    "carriage return": "a man\rrides a brown horse",
    "form feed": "a man\x0crides a brown horse",
    "line separator": "a man\u2028rides a brown horse",
    "next line": "a man\x85rides a brown horse",
    "NUL": "a man\0rides a brown horse",
    "escape sequence": "a man \x1b[31mrides a brown horse",
    "bars of a line protocol": "a man ||| rides ||| a brown horse",
    "bidirectional marks": "a man \u202erides\u202c a brown horse",
    "nothing": "",
    "blanks": "   ",
}


@pytest.mark.parametrize("name", LINES)
def test_no_caption_reaches_the_numbers_of_other_images(name: str, tmp_path: Path) -> None:
    """The official tokeniser reads lines: there, some of these move all later captions to other images."""
    rows = []
    for number, data in enumerate((json.dumps(SOUND).encode(), first(caption=LINES[name])())):
        references, file = saved(tmp_path / str(number), data)
        _, columns = compute(BENCHMARK, file, Options(references))
        rows.append([row for row in zip(*columns.values(), strict=True) if "139" not in str(row[0])])
    assert len(rows[0]) == 2 and rows[0] == rows[1]


@pytest.mark.parametrize("name", ["half a character", "depth 100,000", "duplicate key", "markup"])
def test_the_command_line_refuses_with_code_1(name: str, tmp_path: Path) -> None:
    code, _, make = CASES[name]
    references, file = saved(tmp_path, make())
    before = tree(tmp_path)
    for words in (("check",), ("score", "-o", tmp_path / "result.json")):
        verb, *more = words
        ran = command(verb, BENCHMARK, file, "--references", references, *more)
        output = (ran.stdout + ran.stderr).decode()
        assert ran.returncode == 1, output
        assert code in output and "→" in output and "Traceback" not in output
    assert tree(tmp_path) == before
