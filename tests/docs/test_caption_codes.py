"""The table of findings about captions is complete, has no stale rows, and says what `--mode official` does."""

from __future__ import annotations

import ast
import re

from running import REPOSITORY
from vismark.benchmarks.captions import CaptionBenchmark
from vismark.formats.tags import MEANINGS

HOUSE = REPOSITORY / "src" / "vismark"
SOURCES = [
    *HOUSE.glob("formats/caption_*.py"),
    *HOUSE.glob("formats/grounded*.py"),
    *HOUSE.glob("benchmarks/caption*.py"),
    *HOUSE.glob("benchmarks/grounded*.py"),
]
PAGES = [REPOSITORY / "docs" / name for name in ("submissions-captions.md", "submissions.md")]

_CODE = re.compile(r"[A-Z]+(_[A-Z]+)+")
_ROW = re.compile(r"^\| `([A-Z_]+)` \| (\w+) \| (\w+) \| .+ \|$", re.MULTILINE)


def emitted() -> set[str]:
    nodes = [node for path in SOURCES for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if _CODE.fullmatch(text)} | set(MEANINGS)


def rows(page: int) -> list[tuple[str, str, str]]:
    return _ROW.findall(PAGES[page].read_text(encoding="utf-8"))


def test_every_code_is_in_a_table() -> None:
    own = [code for code, _, _ in rows(0)]
    assert len(own) == len(set(own))
    assert emitted() <= {*own, *(code for code, _, _ in rows(1))}
    # Those of the page about line breaks come from `formats/captions.py`.
    assert set(own) - emitted() <= {"CAPTION_LINE_BREAK_CHAR", "CAPTION_CONTROL_CHAR"}


def test_the_table_says_what_official_mode_tolerates() -> None:
    differing = {code for code, strict, official in rows(0) if strict != official}
    assert differing == CaptionBenchmark.tolerated - {"JSON_DUPLICATE_KEY"}
