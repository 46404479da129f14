"""The table of findings in the documentation is complete, has no stale rows, and says what `--mode official` does."""

from __future__ import annotations

import ast
import re
from typing import get_args

from running import REPOSITORY

from vismark.benchmarks.panoptic import PanopticBenchmark
from vismark.formats import png

HOUSE = REPOSITORY / "src" / "vismark"
SOURCES = [
    *HOUSE.glob("formats/panoptic*.py"),
    *HOUSE.glob("benchmarks/panoptic*.py"),
    HOUSE / "formats" / "strict_json.py",
    HOUSE / "jobs" / "manifest.py",
    HOUSE / "jobs" / "prepare.py",
]
PAGE = REPOSITORY / "docs" / "submissions.md"

_CODE = re.compile(r"[A-Z]+(_[A-Z]+)+")
_ROW = re.compile(r"^\| `([A-Z_]+)` \| (\w+) \| (\w+) \| .+ \|$", re.MULTILINE)


def emitted() -> set[str]:
    """Every code in the sources: those written out, and those put together from the kind of PNG and its fault."""
    nodes = [node for path in SOURCES for node in ast.walk(ast.parse(path.read_text()))]
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    kinds = {"SUB_PNG", "REF_PNG"}
    assert kinds <= texts
    faults = set(get_args(png.Fault)) | {text[1:] for text in texts if re.fullmatch(r"_[A-Z]+", text)}
    composed = {f"{kind}_{fault}" for kind in kinds for fault in faults} - {"SUB_PNG_PATH"}
    return {text for text in texts if _CODE.fullmatch(text)} - kinds | composed


def rows() -> list[tuple[str, str, str]]:
    """(code, severity in strict mode, severity in official mode) of every row."""
    return _ROW.findall(PAGE.read_text(encoding="utf-8"))


def test_every_code_is_in_the_table_once() -> None:
    documented = [code for code, _, _ in rows()]
    assert sorted(documented) == sorted(emitted())


def test_the_table_says_what_official_mode_tolerates() -> None:
    assert {code for code, strict, official in rows() if strict != official} == PanopticBenchmark.tolerated
    assert {strict for _, strict, _ in rows()} | {official for _, _, official in rows()} == {"error", "warning"}
