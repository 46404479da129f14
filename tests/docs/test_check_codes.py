"""The table of findings in the documentation is complete, has no stale rows, and says what `--mode official` does."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

from running import REPOSITORY
from vismark.benchmarks.detection import DetectionBenchmark
from vismark.benchmarks.panoptic import PanopticBenchmark
from vismark.benchmarks.semantic import SemanticBenchmark
from vismark.formats import png

HOUSE = REPOSITORY / "src" / "vismark"
SOURCES = [
    *HOUSE.glob("formats/panoptic*.py"),
    *HOUSE.glob("benchmarks/panoptic*.py"),
    *HOUSE.glob("formats/semantic*.py"),
    *HOUSE.glob("benchmarks/semantic*.py"),
    HOUSE / "formats" / "detection_write.py",
    HOUSE / "formats" / "strict_json.py",
    HOUSE / "jobs" / "manifest.py",
    HOUSE / "jobs" / "prepare.py",
]
DETECTIONS = [*HOUSE.glob("formats/detection*.py"), *HOUSE.glob("benchmarks/detection*.py")]
TOLERATED = PanopticBenchmark.tolerated | SemanticBenchmark.tolerated
PAGE = REPOSITORY / "docs" / "submissions.md"

KINDS = {"SUB_PNG", "REF_PNG"}
# Names of metrics, which look like codes.
METRICS = {"AP_S", "AP_M", "AP_L"}
# Codes of `formats.rle`, which detections pass on.
PASSED_ON = {"RLE_SIZE", "RLE_COUNTS"}
# Combinations that do not occur: a link in a submission is SUB_PATH; a truth with 16 bits is refused by its format.
NEVER = {"SUB_PNG_PATH", "REF_PNG_DEPTH"}

_CODE = re.compile(r"[A-Z]+(_[A-Z]+)+")
_ROW = re.compile(r"^\| `([A-Z_]+)` \| (\w+) \| (\w+) \| .+ \|$", re.MULTILINE)


def emitted(sources: list[Path]) -> set[str]:
    """Every code that is written out in the sources."""
    nodes = [node for path in sources for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    return {text for text in _texts(nodes) if _CODE.fullmatch(text)} - KINDS - METRICS | _single_words(nodes)


def composed() -> set[str]:
    """The codes that are put together from the kind of PNG and its fault."""
    texts = _texts([node for path in SOURCES for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))])
    faults = set(get_args(png.Fault)) | {text[1:] for text in texts if re.fullmatch(r"_[A-Z]+", text)}
    return {f"{kind}_{fault}" for kind in KINDS for fault in faults} - NEVER


def _texts(nodes: list[ast.AST]) -> set[str]:
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def _single_words(nodes: list[ast.AST]) -> set[str]:
    """Codes without an underscore, such as ISCROWD: first arguments of `add` and `_add`."""
    calls = [node for node in nodes if isinstance(node, ast.Call) and node.args]
    named = [call for call in calls if ast.unparse(call.func).rpartition(".")[2] in ("add", "_add")]
    first = {call.args[0].value for call in named if isinstance(call.args[0], ast.Constant)}
    return {text for text in first if isinstance(text, str) and text.isupper()}


def rows(*, detections: bool) -> list[tuple[str, str, str]]:
    """(code, severity in strict mode, severity in official mode) of the rows about detections, or of all others."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition("### In detections")
    about, heading, after = rest.partition("### In any JSON")
    return _ROW.findall(about if detections else before + heading + after)


def test_every_code_is_in_the_table_once() -> None:
    documented = [code for code, _, _ in rows(detections=False)]
    assert sorted(documented) == sorted(emitted(SOURCES) | composed())


def test_the_table_says_what_official_mode_tolerates() -> None:
    every = rows(detections=False) + rows(detections=True)
    assert {code for code, strict, official in rows(detections=False) if strict != official} == TOLERATED
    assert {strict for _, strict, _ in every} | {official for _, _, official in every} == {"error", "warning"}


def test_codes_of_detections_are_in_a_table_with_what_they_are_there() -> None:
    about = {code: (strict, official) for code, strict, official in rows(detections=True)}
    others = {code: (strict, official) for code, strict, official in rows(detections=False)}
    assert len(about) == len(rows(detections=True))
    assert about.keys() - PASSED_ON <= emitted(DETECTIONS)
    assert emitted(DETECTIONS) <= about.keys() | others.keys()
    for code in emitted(DETECTIONS) | PASSED_ON:
        strict, official = (others | about)[code]
        assert (strict != official) == (code in DetectionBenchmark.tolerated), code
