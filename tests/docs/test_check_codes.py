"""The table of findings in the documentation is complete, has no stale rows, and says what `--mode official` does."""

from __future__ import annotations

import ast
import re
from typing import get_args

from running import REPOSITORY
from vismark.benchmarks.panoptic import PanopticBenchmark
from vismark.benchmarks.semantic import SemanticBenchmark
from vismark.formats import png

HOUSE = REPOSITORY / "src" / "vismark"
SOURCES = [
    *HOUSE.glob("formats/panoptic*.py"),
    *HOUSE.glob("benchmarks/panoptic*.py"),
    *HOUSE.glob("formats/semantic*.py"),
    *HOUSE.glob("benchmarks/semantic*.py"),
    HOUSE / "formats" / "strict_json.py",
    HOUSE / "jobs" / "manifest.py",
    HOUSE / "jobs" / "prepare.py",
]
TOLERATED = PanopticBenchmark.tolerated | SemanticBenchmark.tolerated
PAGE = REPOSITORY / "docs" / "submissions.md"

KINDS = {"SUB_PNG", "REF_PNG"}
# Combinations that do not occur: a link in a submission is SUB_PATH; a truth with 16 bits is refused by its format.
NEVER = {"SUB_PNG_PATH", "REF_PNG_DEPTH"}

_CODE = re.compile(r"[A-Z]+(_[A-Z]+)+")
_ROW = re.compile(r"^\| `([A-Z_]+)` \| (\w+) \| (\w+) \| .+ \|$", re.MULTILINE)


def emitted() -> set[str]:
    """Every code in the sources: those written out, and those put together from the kind of PNG and its fault."""
    nodes = [node for path in SOURCES for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    faults = set(get_args(png.Fault)) | {text[1:] for text in texts if re.fullmatch(r"_[A-Z]+", text)}
    composed = {f"{kind}_{fault}" for kind in KINDS for fault in faults} - NEVER
    return {text for text in texts if _CODE.fullmatch(text)} - KINDS | composed | _single_words(nodes)


def _single_words(nodes: list[ast.AST]) -> set[str]:
    """Codes without an underscore, such as ISCROWD: first arguments of `add` and `_add`."""
    calls = [node for node in nodes if isinstance(node, ast.Call) and node.args]
    named = [call for call in calls if ast.unparse(call.func).rpartition(".")[2] in ("add", "_add")]
    first = {call.args[0].value for call in named if isinstance(call.args[0], ast.Constant)}
    return {text for text in first if isinstance(text, str) and text.isupper()}


def rows() -> list[tuple[str, str, str]]:
    """(code, severity in strict mode, severity in official mode) of every row."""
    return _ROW.findall(PAGE.read_text(encoding="utf-8"))


def test_every_code_is_in_the_table_once() -> None:
    documented = [code for code, _, _ in rows()]
    assert sorted(documented) == sorted(emitted())


def test_the_table_says_what_official_mode_tolerates() -> None:
    assert {code for code, strict, official in rows() if strict != official} == TOLERATED
    assert {strict for _, strict, _ in rows()} | {official for _, _, official in rows()} == {"error", "warning"}
