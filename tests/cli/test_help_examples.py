"""The help is true: every command shows examples, and every example runs; and the exit codes are those promised."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from running import REPOSITORY, coco_root, furnish, run
from vismark.cli.main import app

ORACLE = "vismark predict oracle shapes-panoptic -o runs/oracle"
SCORE = "vismark score coco-panoptic predictions.json --references panoptic_val2017.json -o "

# What a reader did before: the lines that make the files which an example takes.
BEFORE = {
    "check": [ORACLE],
    "detect": ["vismark predict oracle shapes-geneval -o runs/drawn --limit 8"],
    "diff": [SCORE + "before.json", SCORE + "after.json"],
    "leaderboard show": [ORACLE, "vismark score shapes-panoptic runs/oracle -o results/oracle.json"],
    "measure": [ORACLE],
    "report": [SCORE + "result.json"],
    "score": [ORACLE],
    "status": ["vismark predict my_module:MyModel shapes-panoptic -o runs/mine"],
    "verify": [SCORE + "result.json"],
}


def commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(name, command) of every command that is no group."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield path + name, command


COMMANDS = dict(commands(typer.main.get_command(app)))


def examples(command: Any) -> list[str]:
    """The lines below "Examples:" in the help of a command."""
    _, found, below = (command.help or "").partition("Examples:\n")
    return [line.strip() for line in below.splitlines() if line.strip()] if found else []


EXAMPLES = [(name, line) for name, command in COMMANDS.items() for line in examples(command)]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_examples(name: str) -> None:
    ran = run(f"vismark {name} --help")
    assert ran.code == 0
    assert "Examples:" in ran.output
    assert all(line.startswith(f"vismark {name}") for line in examples(COMMANDS[name]))
    assert examples(COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_the_reference_has_the_command(name: str) -> None:
    page = (REPOSITORY / "docs" / "cli.md").read_text(encoding="utf-8")
    assert f"vismark {name}" in page


@pytest.mark.parametrize(("name", "line"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_examples_run(name: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VISMARK_DATA", str(coco_root()))
    furnish(tmp_path)
    for earlier in BEFORE.get(name, ()):
        assert run(earlier).code == 0
    ran = run(line)
    # A dry run of what is not here says so with 3.
    assert ran.code in ((0, 3) if "--dry-run" in line else (0,)), ran.output


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("vismark list benchmarks", 0, "coco-panoptic"),
        ("vismark check shapes-panoptic broken.json", 1, "SUB_IMAGE_MISSING"),
        ("vismark check no-such-benchmark predictions.json", 2, "vismark list benchmarks"),
        ("vismark check coco-panoptic predictions.json", 3, "--references"),
    ],
)
def test_exit_codes(line: str, code: int, told: str, tmp_path: Path) -> None:
    """The installed command, in a process of its own: no traceback, and the message says what to type."""
    furnish(tmp_path)
    script = Path(sys.executable).with_name("vismark")
    done = subprocess.run([script, *line.split()[1:]], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
