"""The documentation is true: every example runs and prints what the page says, and every path that is named exists."""

from __future__ import annotations

import io
import os
import re
import runpy
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from running import REPOSITORY, Block, blocks, coco_root, furnish, run

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
PROSE = [*PAGES, REPOSITORY / "CONTRIBUTING.md"]

# `print(x)  # 0.5`: what a line of Python prints.
_PRINTS = re.compile(r"^\s*print\(.*\)  # (.+)$", re.MULTILINE)
_PATH = re.compile(r"`((?:src|tests|docs|schemas)/[\w./-]+)`")


def name_of(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All blocks of a page, in order, in one folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VISMARK_DATA", str(coco_root()))
    furnish(tmp_path)
    names: dict[str, Any] = {}
    for block in blocks(page):
        where = f"{name_of(page)}:{block.line}"
        if block.skipped or block.language not in ("console", "python"):
            continue
        if block.title:
            Path(block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            names |= _python(block, names, where)
        else:
            _console(block, where)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_say_what_they_are(page: Path) -> None:
    """Nothing escapes `test_examples_run`: no fence in a list, no shell block, no file that nothing uses."""
    text, found = page.read_text(encoding="utf-8"), blocks(page)
    assert len(re.findall(r"^\s*```", text, re.MULTILINE)) == 2 * len(found), "a fence is indented or not closed"
    for number, block in enumerate(found):
        assert block.language, f"line {block.line}: a block without a language"
        assert block.skipped or block.language not in ("bash", "sh", "shell"), "write ```console with `$ ` lines"
        if block.language == "console" and not block.skipped:
            assert re.search(r"^\$ ", block.text, re.MULTILINE), f"line {block.line}: no command"
        if block.title.endswith(".py") and not block.skipped:
            later = "".join(other.text for other in found[number + 1 :])
            assert Path(block.title).stem in later, f"line {block.line}: nothing uses {block.title}"


@pytest.mark.parametrize("page", PROSE, ids=name_of)
def test_named_files_exist(page: Path) -> None:
    named = _PATH.findall(page.read_text(encoding="utf-8"))
    absent = [path for path in named if "NAME" not in path and not (REPOSITORY / path).exists()]
    assert not absent


def test_every_page_is_in_the_navigation() -> None:
    navigation = (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {page.relative_to(REPOSITORY / "docs").as_posix() for page in PAGES[1:]}
    assert pages == set(re.findall(r"[\w/-]+\.md", navigation))


def test_the_readme_is_short() -> None:
    assert len(PAGES[0].read_text(encoding="utf-8").splitlines()) <= 150


def _console(block: Block, where: str) -> None:
    """Each ``$`` line is run; the lines below it must occur in its output, in order; … stands for anything."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, _, shown = part.replace("\\\n", " ").partition("\n")
        ran = run(line)
        assert ran.code == block.code, f"{where}: `{line}` ended with {ran.code}:\n{ran.output}"
        missed = _missed(shown.splitlines(), ran.output)
        assert not missed, f"{where}: `{line}` does not print {missed!r} (there) but\n{ran.output}"


def _python(block: Block, names: dict[str, Any], where: str) -> dict[str, Any]:
    script = Path(f"line_{block.line}.py")
    script.write_text(block.text, encoding="utf-8")
    out = io.StringIO()
    with redirect_stdout(out):
        made = runpy.run_path(os.fspath(script), init_globals=names, run_name="__main__")
    missed = _missed(_PRINTS.findall(block.text), out.getvalue())
    assert not missed, f"{where}: {missed!r} is not printed but\n{out.getvalue()}"
    return {name: value for name, value in made.items() if not name.startswith("__")}


def _missed(expected: list[str], output: str) -> str:
    """The first line of `expected` that does not follow in `output`, or ""; widths depend on the terminal."""
    lines = iter([" ".join(line.split()) for line in output.splitlines()])
    for wanted in expected:
        pattern = ".*".join(re.escape(" ".join(part.split())) for part in wanted.split("…"))
        if pattern and not any(re.search(pattern, line) for line in lines):
            return wanted
    return ""
