"""Detection results that try something: refused cleanly, quickly and with little memory, in both modes.

In official mode some are accepted, because pycocotools accepts them; nothing there may run away either.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vismark
from bounded import MEGABYTES, SECONDS, Report, checked, tree
from bounded import vismark as command
from detection_builder import HEIGHT, WIDTH, number, official, results, truth, write

TRUTH = truth(3)
BOXES = results(TRUTH, 3)
MASKS = results(TRUTH, 3, masks=True)
SIZE = [HEIGHT, WIDTH]

Make = Callable[[list[Any]], Any]


def field(name: str, text: str) -> Make:
    """The first entry has this JSON text at `name`; a field that it does not have is added."""

    def make(entries: list[Any]) -> bytes:
        first, *others = entries
        rest = {key: value for key, value in first.items() if key != name}
        return (
            f'[{{"{name}": {text}, ' + json.dumps(rest)[1:] + "".join(f", {json.dumps(o)}" for o in others) + "]"
        ).encode()

    return make


def mask(counts: Any, size: Any = SIZE) -> Make:
    """The first entry has this mask."""
    return field("segmentation", json.dumps({"size": size, "counts": counts}))


def raw(data: bytes) -> Make:
    return lambda entries: data


def many(entry: bytes, count: int) -> Make:
    return raw(b"[" + (entry + b",") * count + entry + b"]")


def coded(encoding: str) -> Make:
    return lambda entries: json.dumps(entries).encode(encoding)


FULL = number(0) + number(HEIGHT * WIDTH)
ONE = json.dumps(BOXES[0]).encode()
# The refusals of half a million entries and of files of tens of megabytes take longer than those of one field.
LARGE = 5.0

# name → (code in strict mode, code in official mode or "" where pycocotools takes it, what is in the file)
TEXTS: dict[str, tuple[str, str, Make]] = {
    "depth 100,000": ("JSON_DEPTH", "JSON_DEPTH", raw(b"[" * 100_000)),
    "depth 100,000, closed": ("JSON_DEPTH", "JSON_DEPTH", raw(b"[" * 100_000 + b"]" * 100_000)),
    "depth 100,000 of objects": ("JSON_TOP_LEVEL", "JSON_TOP_LEVEL", raw(b'{"a":' * 100_000)),
    "depth 100,000 in a field": ("JSON_DEPTH", "JSON_DEPTH", field("x", "[" * 100_000 + "]" * 100_000)),
    "NaN score": ("SUB_SCORE", "", field("score", "NaN")),
    "infinite score": ("SUB_SCORE", "", field("score", "-Infinity")),
    "score 1e999": ("SUB_SCORE", "", field("score", "1e999")),
    "NaN as an id": ("FIELD_TYPE", "FIELD_TYPE", field("image_id", "NaN")),
    "NaN in a field that nobody reads": ("JSON_PARSE", "", field("x", "NaN")),
    "duplicate key": ("JSON_DUPLICATE_KEY", "", field("x", '1, "x": 2')),
    "duplicate score": ("JSON_DUPLICATE_KEY", "", field("x", '1, "score": 0.1')),
    "duplicate key inside": ("JSON_DUPLICATE_KEY", "", field("x", '{"a": 1, "a": 2}')),
    "duplicate key in escapes": ("JSON_DUPLICATE_KEY", "", field("x", '1, "\\u0073core": 0.1')),
    "byte order mark": ("JSON_ENCODING", "JSON_ENCODING", coded("utf-8-sig")),
    "UTF-16": ("JSON_ENCODING", "JSON_ENCODING", coded("utf-16")),
    "UTF-32": ("JSON_ENCODING", "JSON_ENCODING", coded("utf-32")),
    "gzip": ("JSON_ENCODING", "JSON_ENCODING", lambda e: gzip.compress(json.dumps(e).encode())),
    "gzip bomb": ("JSON_ENCODING", "JSON_ENCODING", raw(gzip.compress(bytes(50 << 20)))),
    "half a character in a key": ("JSON_PARSE", "", field("\\ud800", "1")),
    "id 2^53 + 1": ("SUB_IMAGE_UNKNOWN", "SUB_IMAGE_UNKNOWN", field("image_id", str(2**53 + 1))),
    "id 2^63": ("SUB_IMAGE_UNKNOWN", "SUB_IMAGE_UNKNOWN", field("image_id", str(2**63))),
    "id 10^30": ("SUB_IMAGE_UNKNOWN", "SUB_IMAGE_UNKNOWN", field("image_id", str(10**30))),
    "score 10^400": ("FIELD_TYPE", "FIELD_TYPE", field("score", str(10**400))),
    "5,000 digits": ("JSON_PARSE", "JSON_PARSE", field("score", "1" * 5000)),
    "10 MB of digits": ("JSON_PARSE", "JSON_PARSE", field("score", "1" * 10_000_000)),
    "id 7.0": ("FIELD_INTEGRAL", "", field("image_id", "7.0")),
    "id true": ("FIELD_INTEGRAL", "SUB_IMAGE_UNKNOWN", field("image_id", "true")),
    "score true": ("FIELD_INTEGRAL", "", field("score", "true")),
    "trailing garbage": ("JSON_PARSE", "JSON_PARSE", lambda e: json.dumps(e).encode() + b"[]"),
    "cut off": ("JSON_PARSE", "JSON_PARSE", lambda e: json.dumps(e).encode()[:-7]),
    "empty": ("JSON_PARSE", "JSON_PARSE", raw(b"")),
    "NUL bytes": ("JSON_ENCODING", "JSON_ENCODING", raw(bytes(1000))),
    "an object": ("JSON_TOP_LEVEL", "JSON_TOP_LEVEL", lambda e: json.dumps({"annotations": e}).encode()),
    "null": ("JSON_TOP_LEVEL", "JSON_TOP_LEVEL", raw(b"null")),
    "no entry": ("SUB_EMPTY", "SUB_EMPTY", raw(b"[]")),
    "10 MB id": ("FIELD_TYPE", "FIELD_TYPE", field("image_id", '"' + "9" * 10_000_000 + '"')),
    "10 MB key": ("", "", field("x" * 10_000_000, "1")),
    "8,000,000 numbers": ("FILE_TOO_LARGE", "FILE_TOO_LARGE", many(b"1", 8_000_000)),
    "5,000,000 lists": ("FILE_TOO_LARGE", "FILE_TOO_LARGE", many(b"[]", 5_000_000)),
    "5,000,000 objects": ("FILE_TOO_LARGE", "FILE_TOO_LARGE", many(b"{}", 5_000_000)),
    "300,000 wrong entries": ("SUB_TOO_MANY_FAULTS", "SUB_TOO_MANY_FAULTS", many(b"7", 300_000)),
    "300,000 empty entries": ("SUB_TOO_MANY_FAULTS", "SUB_TOO_MANY_FAULTS", many(b"{}", 300_000)),
    "300,000 detections of one image": ("", "", many(ONE, 300_000)),
    "all scores NaN": ("SUB_SCORE", "", lambda e: json.dumps([one | {"score": float("nan")} for one in e]).encode()),
}  # fmt: skip
PLACES: dict[str, tuple[str, str, Make]] = {
    "NaN": ("SUB_BBOX", "", field("bbox", "[NaN, 0, 5, 5]")),
    "infinite": ("SUB_BBOX", "", field("bbox", "[0, 0, Infinity, 5]")),
    "1e308 wide": ("", "", field("bbox", "[1e308, 0, 1e308, 5]")),
    "negative": ("SUB_BBOX", "", field("bbox", "[10, 10, -5, 5]")),
    "reversed corners": ("SUB_BBOX", "", field("bbox", "[50, 40, -20, -20]")),
    "out of the image": ("", "", field("bbox", "[500, 500, 5, 5]")),
    "nothing in it": ("SUB_BBOX", "", field("bbox", "[0, 0, 0, 0]")),
    "three numbers": ("FIELD_TYPE", "FIELD_TYPE", field("bbox", "[1, 2, 3]")),
    "a million numbers": ("FIELD_TYPE", "FIELD_TYPE", field("bbox", json.dumps([1] * 1_000_000))),
    "lists in it": ("FIELD_TYPE", "FIELD_TYPE", field("bbox", "[[1], [2], [3], [4]]")),
    "text": ("FIELD_TYPE", "FIELD_TYPE", field("bbox", '["1", "2", "3", "4"]')),
    "booleans": ("FIELD_TYPE", "FIELD_TYPE", field("bbox", "[true, true, true, true]")),
    "10^400": ("FIELD_TYPE", "FIELD_TYPE", field("bbox", f"[{10**400}, 0, 5, 5]")),
    "an object": ("FIELD_TYPE", "FIELD_TYPE", field("bbox", '{"x": 1}')),
    "score 5": ("", "", field("score", "5")),
}  # fmt: skip
SHAPES: dict[str, tuple[str, str, Make]] = {
    "runs too short": ("SUB_RLE_COUNTS", "SUB_RLE_COUNTS", mask(number(5) + number(7))),
    "runs too long": ("SUB_RLE_COUNTS", "SUB_RLE_COUNTS", mask(number(0) + number(HEIGHT * WIDTH + 1))),
    "no run": ("SUB_RLE_COUNTS", "SUB_RLE_COUNTS", mask("")),
    "a negative run": ("SUB_RLE_COUNTS", "SUB_RLE_COUNTS", mask(number(HEIGHT * WIDTH + 5) + number(-5))),
    "runs whose sum overflows": ("SUB_RLE_COUNTS", "SUB_RLE_COUNTS", mask(number(2**29 - 1) * 40_000)),
    "characters of no mask": ("SUB_RLE_COUNTS", "SUB_RLE_COUNTS", mask("!!!!")),
    "a line break": ("SUB_RLE_COUNTS", "SUB_RLE_COUNTS", mask(FULL + "\n")),
    "NUL": ("SUB_RLE_COUNTS", "SUB_RLE_COUNTS", mask(FULL + "\0")),
    "other digits": ("SUB_RLE_COUNTS", "SUB_RLE_COUNTS", mask("٠١٢")),
    "half a character": ("SUB_RLE_COUNTS", "SUB_RLE_COUNTS", mask("\ud800")),
    "ends inside a number": ("SUB_RLE_COUNTS", "SUB_RLE_COUNTS", mask(FULL + "o")),
    "an endless number": ("SUB_RLE_COUNTS", "SUB_RLE_COUNTS", mask("o" * 1_000_000 + "0")),
    "10,000,000 empty runs": ("SUB_RLE_COUNTS", "SUB_RLE_COUNTS", mask("0" * 10_000_000)),
    "60,000 × 60,000": ("FIELD_TYPE", "FIELD_TYPE", mask(number(60_000**2), [60_000, 60_000])),
    "size 2^62 × 4": ("FIELD_TYPE", "FIELD_TYPE", mask(FULL, [2**62, 4])),
    "another size": ("SUB_RLE_SIZE", "", mask(number(0) + number(61 * 80), [61, 80])),
    "swapped": ("SUB_RLE_SIZE", "", mask(FULL, SIZE[::-1])),
    "negative size": ("FIELD_TYPE", "FIELD_TYPE", mask(FULL, [-HEIGHT, -WIDTH])),
    "fractional size": ("FIELD_TYPE", "FIELD_TYPE", mask(FULL, [60.0, 80.0])),
    "fractional runs": ("FIELD_TYPE", "FIELD_TYPE", mask([0.5, 4799.5])),
    "runs as numbers": ("FIELD_TYPE", "FIELD_TYPE", mask([0, 4800])),
    "a million numbers": ("FIELD_TYPE", "FIELD_TYPE", mask([1] * 1_000_000)),
    "a polygon": ("FIELD_TYPE", "FIELD_TYPE", field("segmentation", "[[1, 1, 9, 1, 9, 9]]")),
    "text": ("FIELD_TYPE", "FIELD_TYPE", field("segmentation", '"mask"')),
    "nothing": ("FIELD_TYPE", "FIELD_TYPE", field("segmentation", "null")),
}  # fmt: skip
SETS = {"text": ("boxes", TEXTS), "box": ("boxes", PLACES), "mask": ("masks", SHAPES)}
CASES = [f"{kind}: {name}" for kind, (_, cases) in SETS.items() for name in cases]


def case(label: str) -> tuple[str, str, str, Make]:
    """Protocol, both codes, and what makes the file."""
    kind, _, name = label.partition(": ")
    protocol, cases = SETS[kind]
    return protocol, *cases[name]


def made(make: Make, protocol: str) -> bytes:
    data: bytes = make(MASKS if protocol == "masks" else BOXES)
    return data


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    folder = tmp_path_factory.mktemp("detections")
    gt, clean = write(folder, TRUTH, BOXES)

    def call(file: Path, **options: str) -> dict[str, str]:
        return {"benchmark": "coco-detection", "submission": str(file), "references": str(gt), **options}

    calls = {}
    for place, label in enumerate(CASES):
        protocol, _, _, make = case(label)
        file = folder / f"{place}.json"
        file.write_bytes(made(make, protocol))
        for mode in ("strict", "official"):
            calls[f"{label}, {mode}"] = call(file, protocol=protocol, mode=mode)
    hole = folder / "hole.json"
    with hole.open("wb") as sparse:
        sparse.truncate(2 << 30)
    calls["2 GB line"] = call(hole)
    before = tree(folder)
    found = checked(calls, call(clean))
    assert tree(folder) == before
    return found


@pytest.mark.parametrize("mode", ["strict", "official"])
@pytest.mark.parametrize("label", CASES)
def test_case(label: str, mode: str, reports: dict[str, Report]) -> None:
    report = reports[f"{label}, {mode}"]
    code = case(label)[1 + (mode == "official")]
    assert not report.raised, report.raised
    assert report.codes == ([code] if code else []) or code in report.codes, report.text
    large = len(made(case(label)[3], case(label)[0])) > 1 << 20
    assert report.seconds < (LARGE if large else SECONDS)
    assert report.megabytes < MEGABYTES


def test_a_line_of_2_gb(reports: dict[str, Report]) -> None:
    report = reports["2 GB line"]
    assert report.codes == ["FILE_TOO_LARGE"] and not report.raised
    assert report.seconds < SECONDS and report.megabytes < MEGABYTES


COMMANDS = ["text: depth 100,000", "text: gzip", "text: NaN score", "box: reversed corners", "mask: runs too short",
            "mask: 60,000 × 60,000", "text: duplicate score", "text: 300,000 wrong entries"]  # fmt: skip


@pytest.mark.parametrize("label", COMMANDS)
def test_the_command_line_refuses_with_code_1(label: str, tmp_path: Path) -> None:
    protocol, code, _, make = case(label)
    gt, file = write(tmp_path, TRUTH, "")
    file.write_bytes(made(make, protocol))
    before = tree(tmp_path)
    for words in (("check",), ("score", "-o", tmp_path / "result.json")):
        verb, *more = words
        ran = command(verb, "coco-detection", file, "--references", gt, "--protocol", protocol, *more)
        output = (ran.stdout + ran.stderr).decode()
        assert ran.returncode == 1, output
        assert code in output and "→" in output and "Traceback" not in output
    assert tree(tmp_path) == before


# Their scores take minutes in pycocotools.
FAR = {"text: 10 MB key", "text: 300,000 detections of one image"}


@pytest.mark.parametrize("label", [label for label in CASES if not case(label)[2] and label not in FAR])
def test_what_official_mode_accepts_has_the_official_number(label: str, tmp_path: Path) -> None:
    protocol, _, _, make = case(label)
    gt, file = write(tmp_path, TRUTH, "")
    file.write_bytes(made(make, protocol))
    theirs = official(TRUTH, json.loads(file.read_bytes()), protocol)
    assert vismark.score("coco-detection", file, references=gt, protocol=protocol, mode="official").metrics == theirs


GAMES: dict[str, Make] = {
    "every detection twice": lambda e: e + e,
    "every detection in every category": lambda e: [one | {"category_id": c} for one in e for c in (1, 3, 17)],
    "every image full of boxes": lambda e: e + [
        {"image_id": image, "category_id": c, "score": 0.01, "bbox": [x, y, 20, 20]}
        for image in (7, 17, 27) for c in (1, 3, 17) for x in range(0, 60, 10) for y in range(0, 40, 10)
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", GAMES)
def test_games_that_the_rules_allow_have_the_official_number(name: str, tmp_path: Path) -> None:
    """They are no fault of the format: the number must simply be pycocotools'."""
    entries = GAMES[name](BOXES)
    gt, file = write(tmp_path, TRUTH, entries)
    result = vismark.score("coco-detection", file, references=gt)
    assert result.metrics == official(TRUTH, entries, "boxes")
    assert {one.code for one in result.warnings} & {"SUB_DUPLICATE_DET", "SUB_IMAGE_MISSING", "SUB_TOO_MANY_DETS"}
