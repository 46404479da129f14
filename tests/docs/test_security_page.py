"""The threat model names tests that exist, and leaves out none of the security suite."""

from __future__ import annotations

import ast
import re

import pytest

from running import REPOSITORY

PAGE = (REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[f"{file}-{test}" for file, test in NAMED])
def test_it_exists(file: str, test: str) -> None:
    tree = ast.parse((REPOSITORY / file).read_text(encoding="utf-8"))
    tests = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    assert tests
    assert not test or test in tests


def test_the_whole_suite_is_named() -> None:
    suite = {f"tests/security/{path.name}" for path in (REPOSITORY / "tests" / "security").glob("test_*.py")}
    assert suite <= {file for file, _ in NAMED}


def test_every_threat_has_a_test() -> None:
    rows = [row for row in re.findall(r"^\|(.+)\|$", PAGE, re.MULTILINE) if "---" not in row and " threat " not in row]
    assert len(rows) > 20
    assert [row for row in rows if "`tests/" not in row.rpartition("|")[2]] == []
